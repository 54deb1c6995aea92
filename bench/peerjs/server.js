/**
 * The PeerJS server and the two pages on one port, for a measurement; `bench.systems` starts it.
 * Prints one line of JSON, its port, and serves until it is ended. Takes the host and port to listen on, and how many
 * clients there may be, where that is not PeerJS's own limit.
 */

import { createServer } from "node:http";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import express from "express";
import { ExpressPeerServer } from "peer";

const [host, port, clients] = process.argv.slice(2);
const client = createRequire(import.meta.url).resolve("peerjs/package.json");
const app = express();
const server = createServer(app);
app.use("/peerjs", ExpressPeerServer(server, clients ? { concurrent_limit: Number(clients) } : {}));
app.get("/peerjs.min.js", (_request, response) => {
  response.sendFile(fileURLToPath(new URL("dist/peerjs.min.js", `file://${client}`)));
});
app.use(express.static(fileURLToPath(new URL("pages", import.meta.url))));
server.listen(Number(port), host, () => {
  console.log(JSON.stringify({ port: server.address().port }));
});
