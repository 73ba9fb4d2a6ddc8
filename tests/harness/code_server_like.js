// What code-server's own proxy does (src/node/proxy.ts): /proxy/PORT/ takes the path off,
// /absproxy/PORT/ keeps it; no forwarding header is added, Host stays, and a Location that begins
// with a slash gets the path back. With /oauth2/PORT/ the headers that oauth2-proxy adds.
"use strict";
const http = require("node:http");
const path = require("node:path");

const [modules, port] = process.argv.slice(2);
const load = (name) => require(path.join(modules, name));
function loadFirst(...names) {
  for (const name of names) {
    try {
      return load(name);
    } catch {
      // another version of configurable-http-proxy brings another one
    }
  }
  throw new Error(`none of ${names} is installed`);
}
const proxy = loadFirst("http-proxy-3", "http-proxy-node16", "http-proxy").createProxyServer({});
const IDENTITY = {
  "X-Forwarded-User": "ann",
  "X-Forwarded-Email": "ann@example.com",
  "X-Forwarded-Preferred-Username": "ann",
  "X-Forwarded-Groups": "staff",
  "X-Forwarded-Access-Token": "eyJhbGciOiJSUzI1NiJ9.c2VjcmV0.c2lnbmF0dXJl",
  "X-Auth-Request-User": "ann",
  "X-Auth-Request-Email": "ann@example.com",
};

function route(request) {
  const found = /^\/(proxy|absproxy|oauth2)\/(\d+)(\/.*)?$/.exec(request.url);
  if (!found) return null;
  const [, mode, target, rest] = found;
  request.front = `/${mode}/${target}`;
  if (mode === "proxy") request.url = rest || "/";
  const options = { target: `http://127.0.0.1:${target}`, headers: {} };
  if (mode === "oauth2") {
    options.headers = { ...IDENTITY, "X-Forwarded-Proto": "http", "X-Forwarded-Host": request.headers.host };
    options.xfwd = true;
  }
  return { options, isBare: rest === undefined };
}

proxy.on("proxyRes", (answer, request) => {
  const { location } = answer.headers;
  if (request.front.startsWith("/proxy/") && location && location.startsWith("/")) {
    answer.headers.location = request.front + location;
  }
});
proxy.on("error", (error, request, response) => {
  if (response.writeHead) response.writeHead(502).end(String(error));
  else response.destroy();
});

const server = http.createServer((request, response) => {
  if (request.url === "/healthz") return response.end("ok");
  const found = route(request);
  if (!found) return response.writeHead(404).end();
  if (found.isBare) return response.writeHead(302, { location: `${request.front}/` }).end();
  return proxy.web(request, response, found.options);
});
server.on("upgrade", (request, socket, head) => {
  const found = route(request);
  if (!found) return socket.destroy();
  return proxy.ws(request, socket, head, found.options);
});
server.listen(Number(port), "127.0.0.1");
