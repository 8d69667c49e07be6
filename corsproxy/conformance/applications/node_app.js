// Express's cors before a handler, cors before http-proxy-middleware, cors-anywhere, and local-cors-proxy's own server.
// Started as `node node_app.js JSON`, with NODE_PATH where the packages are; `policy` has the library's own options.
"use strict";

const http = require("node:http");
const { pipeline } = require("node:stream");

const { library, policy, path, upstream, port, host } = JSON.parse(process.argv[2]);
const target = `http://${upstream.join(":")}`;
const expressions = (policy) =>
  policy.origin?.expressions
    ? { ...policy, origin: [...policy.origin.texts, ...policy.origin.expressions.map((text) => new RegExp(text))] }
    : policy;

// The handler behind the library: it answers what the upstream answers, and 502 where that cannot be passed on.
function answer(request, response) {
  const { host: _, connection: __, ...headers } = request.headers;
  const failed = () => response.headersSent ? response.destroy() : response.status(502).end();
  const asked = http.request(target + request.originalUrl, { method: request.method, headers }, (answered) => {
    try {
      copyHead(answered, response);
    } catch {
      return failed();
    }
    pipeline(answered, response, (error) => error && failed());
  });
  asked.on("error", failed);
  request.pipe(asked);
}

function copyHead(answered, response) {
  response.status(answered.statusCode);
  for (const [name, value] of Object.entries(answered.headers)) {
    if (["connection", "keep-alive", "transfer-encoding"].includes(name)) continue;
    if (name === "vary") response.vary(value);
    else response.set(name, value);
  }
}

// https://github.com/expressjs/cors#readme
function express(handler) {
  const app = require("express")();
  const cors = require("cors")(expressions(policy));
  app.disable("x-powered-by");
  if (path) app.use(path, cors);
  else app.use(cors);
  app.use(handler);
  return http.createServer(app);
}

// https://github.com/chimurai/http-proxy-middleware#readme; the upstream's own CORS headers are taken away, or both
// would be there.
function proxied() {
  const { createProxyMiddleware } = require("http-proxy-middleware");
  return createProxyMiddleware({
    target,
    changeOrigin: true,
    on: {
      proxyRes: (answer, request, response) => {
        for (const name of Object.keys(answer.headers)) {
          if (name.startsWith("access-control-")) delete answer.headers[name];
        }
        const vary = response.getHeader("vary");
        if (vary && answer.headers.vary) answer.headers.vary = `${vary}, ${answer.headers.vary}`;
      },
    },
  });
}

const SERVERS = {
  "express-cors": () => express(answer),
  "http-proxy-middleware": () => express(proxied()),
  "cors-anywhere": () => require("cors-anywhere").createServer(policy),
};
SERVERS[library]().listen(port, host);
