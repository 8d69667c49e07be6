// cors-anywhere, as its README starts it.  The target stands in the path of each request.
"use strict";

const http = require("node:http");
const corsAnywhere = require("cors-anywhere");
const { origin, port } = require("./rule.js");

http.globalAgent.keepAlive = true; // undocumented, but without it each request opens a connection to the upstream

const server = corsAnywhere.createServer({
  originWhitelist: [origin],
  requireHeader: ["origin"],
  removeHeaders: [],
  corsMaxAge: Number(process.env.MAX_AGE),
});
server.keepAliveTimeout = 75000;
server.listen(port, "127.0.0.1", 4096);
