// The CORS rule that every proxy of the benchmark is given, as Node.js programs would write it by hand.
"use strict";

const origin = process.env.ORIGIN;
const upstream = new URL(process.env.UPSTREAM);
const port = Number(process.env.PORT);

const preflightLines = {
  "Access-Control-Allow-Origin": origin,
  "Access-Control-Allow-Credentials": "true",
  "Access-Control-Allow-Methods": process.env.METHODS,
  "Access-Control-Allow-Headers": process.env.HEADERS,
  "Access-Control-Max-Age": process.env.MAX_AGE,
  Vary: "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
};

// Whether the request was a preflight, which is answered then.
function answeredPreflight(request, response) {
  if (request.method !== "OPTIONS" || !request.headers["access-control-request-method"]) return false;
  if (request.headers.origin === origin) response.writeHead(204, preflightLines).end();
  else response.writeHead(403, { Vary: "Origin" }).end();
  return true;
}

// The upstream's response headers, with the rule's in place of its own.
function withCors(headers, requestOrigin) {
  delete headers["access-control-allow-origin"];
  delete headers["access-control-allow-credentials"];
  if (requestOrigin === origin) {
    headers["access-control-allow-origin"] = origin;
    headers["access-control-allow-credentials"] = "true";
  }
  headers.vary = headers.vary ? `${headers.vary}, Origin` : "Origin";
  return headers;
}

module.exports = { origin, upstream, port, answeredPreflight, withCors };
