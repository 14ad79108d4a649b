// SPDX-License-Identifier: Apache-2.0
// A server of Node's ws for the client's tests: node ws_server.mjs [cert key]. It says "port N".
// /echo echoes; the other paths do what their names say. WS_DEFLATE: options of permessage-deflate in
// JSON, without which no client is served.
import http from "node:http";
import https from "node:https";
import { WebSocketServer } from "ws";
import { identity, listen, paths } from "./ws_paths.mjs";

const tls = identity(...process.argv.slice(2));
const web = tls ? https.createServer(tls) : http.createServer();
const deflate = process.env.WS_DEFLATE ? JSON.parse(process.env.WS_DEFLATE) : false;
const sockets = new WebSocketServer({
    server: web, maxPayload: 1 << 27, perMessageDeflate: deflate,
    verifyClient: ({ req }, answer) => req.url === "/refused"
        ? answer(false, 403, "no entry", { "X-Test": "a peer" }) : answer(true),
    handleProtocols: (offered) => offered.has("second") ? "second" : false,
});
sockets.on("connection", (socket, request) => {
    socket.on("error", () => {});
    if (deflate && !("permessage-deflate" in socket._extensions)) return socket.terminate();
    paths[request.url](socket, request.headers);
});
listen(web);
