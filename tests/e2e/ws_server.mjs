// SPDX-License-Identifier: Apache-2.0
// A server of Node's ws for the client's tests: node ws_server.mjs [cert key]. It says "port N".
// /echo echoes; the other paths do what their names say. WS_DEFLATE: options of permessage-deflate in
// JSON, without which no client is served.
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import { WebSocketServer } from "ws";

const [cert, key] = process.argv.slice(2);
const web = cert
    ? https.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) })
    : http.createServer();
const deflate = process.env.WS_DEFLATE ? JSON.parse(process.env.WS_DEFLATE) : false;
const sockets = new WebSocketServer({
    server: web, maxPayload: 1 << 27, perMessageDeflate: deflate,
    verifyClient: ({ req }, answer) => req.url === "/refused"
        ? answer(false, 403, "no entry", { "X-Test": "a peer" }) : answer(true),
    handleProtocols: (offered) => offered.has("second") ? "second" : false,
});
const paths = {
    "/echo": (socket) =>
        socket.on("message", (data, binary) => socket.send(data, { binary })),
    "/fragments": (socket) => {
        socket.send("one ", { fin: false });
        socket.ping("mid");
        socket.send("two ", { fin: false });
        socket.send("three", { fin: true });
    },
    "/ping": (socket) => {
        socket.on("pong", (data) => socket.send(`pong ${data}`));
        socket.ping("from the server");
    },
    "/close": (socket) => socket.close(4002, "enough"),
    "/terminate": (socket) => socket.terminate(),
    "/headers": (socket, request) => socket.send(JSON.stringify(request.headers)),
};
sockets.on("connection", (socket, request) => {
    socket.on("error", () => {});
    if (deflate && !("permessage-deflate" in socket._extensions)) return socket.terminate();
    paths[request.url](socket, request);
});
web.listen(0, "127.0.0.1", () => console.log(`port ${web.address().port}`));
