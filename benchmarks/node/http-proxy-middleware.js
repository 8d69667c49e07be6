// http-proxy-middleware on a plain server, as its recipes show, with an agent that keeps connections.
"use strict";

const http = require("node:http");
const { createProxyMiddleware } = require("http-proxy-middleware");
const { upstream, port, answeredPreflight, withCors } = require("./rule.js");

const forward = createProxyMiddleware({
  target: upstream.origin,
  changeOrigin: true,
  xfwd: true,
  ws: true,
  agent: new http.Agent({ keepAlive: true, maxSockets: 256 }),
  on: {
    proxyRes: (answer, request) => void withCors(answer.headers, request.headers.origin),
  },
});

const server = http.createServer((request, response) => {
  if (!answeredPreflight(request, response)) forward(request, response);
});
server.on("upgrade", forward.upgrade);
server.keepAliveTimeout = 75000;
server.requestTimeout = 0;
server.listen(port, "127.0.0.1", 4096);
