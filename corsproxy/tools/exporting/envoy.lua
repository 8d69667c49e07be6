-- What Envoy's configuration cannot say. The rule's own data are in the metadata of its route.

-- Whether the page and the API share an origin: the browser says so, or the two are the same text.
function envoy_on_request(handle)
  local headers = handle:headers()
  local origin = headers:get("origin")
  if origin == nil then return end
  local own = (headers:get(":scheme") or "http") .. "://" .. string.lower(headers:get(":authority") or "")
  if headers:get("sec-fetch-site") == "same-origin" or origin == own then
    handle:streamInfo():dynamicMetadata():set("corsproxy", "own", true)
    handle:clearRouteCache()
  end
end

-- What follows the base path in a path, or nil for a path outside it.
local function below(path, base)
  if string.sub(path, 1, #base) ~= base then return nil end
  local rest = string.sub(path, #base + 1)
  if rest == "" or string.find(rest, "^[/?#]") then return rest end
  return nil
end

-- A path of the upstream as the rule has it; one that would read as an authority is written as /.//
local function moved(rest, prefix)
  if prefix == "" and string.find(rest, "^/[/\\]") then return "/." .. rest end
  if prefix == "" and not string.find(rest, "^/") then return "/" .. rest end
  return prefix .. rest
end

-- A URL of the upstream's own leads back to the rule; any other stays.
local function reference(value, rule)
  local lower = string.lower(value)
  for _, authority in ipairs(rule.authorities or {}) do
    if string.sub(lower, 1, #authority) == authority then
      local path = string.sub(value, #authority + 1)
      if rule.base == "" and (path == "" or string.find(path, "^[?#]")) then path = "/" .. path end
      local rest = below(path, rule.base)
      if rest ~= nil then return moved(rest, rule.prefix) end
    end
  end
  if not string.find(value, "^/") or string.find(value, "^/[/\\]") then return value end
  local rest = below(value, rule.base)
  if rest == nil then return value end
  return moved(rest, rule.prefix)
end

local function cookie(value, rule)
  return (string.gsub(value, "(;%s*[Pp][Aa][Tt][Hh]%s*=%s*)([^;]*)", function(start, path)
    if path == "/" then return start .. moved("", rule.prefix) end
    local rest = below(path, rule.base)
    if rest == nil or string.sub(path, 1, 1) ~= "/" then return start .. path end
    return start .. moved(rest, rule.prefix)
  end))
end

local function rewrite_cookies(headers, rule)
  local values = {}
  for index = 0, headers:getNumValues("set-cookie") - 1 do
    values[#values + 1] = cookie(headers:getAtIndex("set-cookie", index), rule)
  end
  headers:remove("set-cookie")
  for _, value in ipairs(values) do headers:add("set-cookie", value) end
end

-- With credentials * is literal, so the names that are there have to be named.
local function expose(headers)
  local names, seen = {}, {}
  for name, _ in pairs(headers) do
    if not seen[name] and not string.find(name, "^:") and not string.find(name, "^access%-control%-") then
      seen[name] = true
      names[#names + 1] = name
    end
  end
  headers:replace("access-control-expose-headers", table.concat(names, ", "))
end

function envoy_on_response(handle)
  local metadata, headers = handle:metadata(), handle:headers()
  local rule = metadata:get("references")
  if rule ~= nil then
    for _, name in ipairs({"location", "content-location"}) do
      local value = headers:get(name)
      if value ~= nil then headers:replace(name, reference(value, rule)) end
    end
    if headers:get("set-cookie") ~= nil then rewrite_cookies(headers, rule) end
  end
  if metadata:get("exposes_all") then expose(headers) end
end
