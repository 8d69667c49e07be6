// A CORS proxy as one writes it by hand over undici, the HTTP client of Node.js.
"use strict";

const http = require("node:http");
const net = require("node:net");
const { Pool } = require("undici");
const { upstream, port, answeredPreflight, withCors } = require("./rule.js");

const pool = new Pool(upstream.origin, { connections: 256, pipelining: 1, bodyTimeout: 0 });
const hopByHop = ["connection", "keep-alive", "transfer-encoding", "upgrade", "expect"];

function forwarded(request) {
  const headers = { ...request.headers, host: upstream.host, "x-forwarded-for": request.socket.remoteAddress };
  for (const name of hopByHop) delete headers[name];
  return headers;
}

const server = http.createServer((request, response) => {
  if (answeredPreflight(request, response)) return;
  const hasBody = request.headers["content-length"] !== undefined || request.headers["transfer-encoding"] !== undefined;
  const options = {
    path: request.url,
    method: request.method,
    headers: forwarded(request),
    body: hasBody ? request : null,
    opaque: response,
  };
  pool.stream(
    options,
    ({ statusCode, headers }) => {
      delete headers.connection;
      delete headers["keep-alive"];
      response.writeHead(statusCode, withCors(headers, request.headers.origin));
      response.flushHeaders();
      return response;
    },
    (error) => {
      if (!error) return;
      if (response.headersSent) response.destroy();
      else response.writeHead(502, withCors({}, request.headers.origin)).end();
    },
  );
});

// A WebSocket is a tunnel of bytes once the handshake has been passed on.
server.on("upgrade", (request, socket, head) => {
  const leg = net.connect(Number(upstream.port), upstream.hostname, () => {
    const lines = [`${request.method} ${request.url} HTTP/1.1`];
    for (let i = 0; i < request.rawHeaders.length; i += 2) lines.push(request.rawHeaders[i] + ": " + request.rawHeaders[i + 1]);
    leg.write(lines.join("\r\n") + "\r\n\r\n");
    leg.write(head);
    leg.pipe(socket).pipe(leg);
  });
  leg.on("error", () => socket.destroy());
  socket.on("error", () => leg.destroy());
});

server.keepAliveTimeout = 75000;
server.requestTimeout = 0;
server.listen(port, "127.0.0.1", 4096);
