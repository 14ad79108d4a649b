// SPDX-License-Identifier: Apache-2.0
//
// Node with the package `ws` (and bufferutil, its native masking): node ws.mjs PORT [CERT KEY].
// With DEFLATE in the environment it compresses.
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { WebSocketServer } from "ws";

const [port, cert, key] = process.argv.slice(2);
const server = cert
    ? https.createServer({
        cert: readFileSync(cert), key: readFileSync(key),
        ciphers: "TLS_AES_128_GCM_SHA256", minVersion: "TLSv1.3",
    })
    : http.createServer();
const perMessageDeflate = process.env.DEFLATE
    ? { serverNoContextTakeover: true, clientNoContextTakeover: true } : false;
const options = { noServer: true, perMessageDeflate, maxPayload: 64 << 20 };
const echo = new WebSocketServer(options);
echo.on("connection", (ws) => {
    ws.on("message", (data, binary) => ws.send(data, { binary }));
});
const fanout = new WebSocketServer(options);
fanout.on("connection", (ws) => {
    ws.on("message", (data, binary) => {
        for (const other of fanout.clients) if (other !== ws) other.send(data, { binary });
    });
});
server.on("upgrade", (request, socket, head) => {
    const target = request.url === "/fanout" ? fanout : echo;
    target.handleUpgrade(request, socket, head, (ws) => {
        ws.on("error", () => {});
        target.emit("connection", ws);
    });
});
server.listen({ host: "127.0.0.1", port: Number(port), backlog: 4096 });
