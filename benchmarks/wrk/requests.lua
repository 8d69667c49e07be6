-- Sends the requests of a file, in turn: `wrk -s requests.lua URL -- FILE`.  They are separated by "\0".
-- One request alone is set once, so that wrk copies nothing; prints what a program can read at the end.

wrk.init = function(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  local text = file:read("*a")
  file:close()
  local requests = {}
  for one in text:gmatch("[^%z]+") do requests[#requests + 1] = one end
  if #requests == 1 then
    wrk.request = function() return requests[1] end
  else
    local at = 0
    request = function()
      at = at % #requests + 1
      return requests[at]
    end
  end
end

done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "bytes": %d, "seconds": %f, "p50": %f, "p99": %f, "connect": %d, "read": %d, "write": %d, "status": %d, "timeout": %d}\n',
    summary.requests, summary.bytes, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    errors.connect, errors.read, errors.write, errors.status, errors.timeout))
end
