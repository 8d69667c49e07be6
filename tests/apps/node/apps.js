// Express applications for tests/apps: one port, one path each.  Prints its port, and ends with its standard input.
//
//   /plain      knows nothing of CORS
//   /by-hand    sets the headers in a middleware, and answers OPTIONS itself
//   /cors/N     uses the cors package with the options that argument N says in JavaScript
//   /calls      the methods that reached the others, then forgets them
"use strict";

const cors = require("cors");
const express = require("express");

const app = express();
let calls = [];

function api() {
  const router = express.Router();
  router.use(express.json());
  router.get("/data", (request, response) => {
    response.set("X-Total-Count", "3").json({ items: [1, 2, 3], name: "caf\u00e9" });
  });
  router.post("/data", (request, response) => response.status(201).location("/data/7").json(request.body));
  router.put("/data", (request, response) => response.json({ put: request.body ?? null }));
  router.patch("/data", (request, response) => response.json({ patched: request.body ?? null }));
  router.delete("/data", (request, response) => response.status(204).end());
  router.get("/moved", (request, response) => response.redirect(`${request.baseUrl}/data`));
  router.get("/boom", (request, response, next) => next(Object.assign(new Error("boom"), { status: 500 })));
  return router;
}

function byHand(request, response, next) {
  response.header("Access-Control-Allow-Origin", "https://myapp.com");
  response.header("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE");
  response.header("Access-Control-Allow-Headers", "Content-Type");
  if (request.method === "OPTIONS") return response.sendStatus(200);
  next();
}

app.set("env", "test"); // no stack traces on standard error
app.get("/calls", (request, response) => {
  response.json(calls);
  calls = [];
});
app.use((request, response, next) => {
  calls.push(request.method);
  next();
});
app.use("/plain", api());
app.use("/by-hand", byHand, api());
JSON.parse(process.argv[2]).forEach((options, index) => {
  app.use(`/cors/${index}`, cors(new Function(`return {${options}}`)()), api());
});

const server = app.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.resume().on("end", () => process.exit());
