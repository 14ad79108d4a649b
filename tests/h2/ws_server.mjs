// SPDX-License-Identifier: Apache-2.0
// Node's http2 with Node's ws on its streams, for the client's tests: a server of HTTP/2 that nobody here
// wrote. It says "port N", and counts its connections for /connections.
//     node ws_server.mjs HOW [CERT KEY]
// HOW: "websockets"; "none": HTTP/2 without them, and WebSockets over HTTP/1.1; "refuse": every other
// stream is refused; "reset": each is reset with HTTP_1_1_REQUIRED.
import http2 from "node:http2";
import { WebSocket, WebSocketServer } from "../e2e/ws.mjs";
import { paths as common, identity, listen } from "../e2e/ws_paths.mjs";

const [how, ...files] = process.argv.slice(2);
const tls = identity(...files);
const options = { settings: { enableConnectProtocol: how !== "none" }, allowHTTP1: true };
const web = tls ? http2.createSecureServer({ ...options, ...tls }) : http2.createServer(options);
const { NGHTTP2_HTTP_1_1_REQUIRED, NGHTTP2_REFUSED_STREAM } = http2.constants;
let connections = 0, streams = 0;
const paths = {
    ...common,
    "/goaway": (socket, headers, stream) => {
        common["/echo"](socket);
        stream.session.goaway();
    },
    "/connections": (socket) => socket.send(String(connections)),
};

function socketOn(stream) {
    const socket = new WebSocket(null, undefined, { autoPong: true });
    socket._isServer = true;
    socket.setSocket(stream, Buffer.alloc(0), {
        allowSynchronousEvents: true, maxPayload: 1 << 27, skipUTF8Validation: false,
        maxBufferedChunks: 0, maxFragments: 0,
    });
    socket.on("error", () => {});
    return socket;
}

function serve(stream, headers) {
    const path = headers[":path"];
    streams++;
    if (how === "reset" || (how === "refuse" && streams % 2 === 0)) {
        return stream.close(how === "reset" ? NGHTTP2_HTTP_1_1_REQUIRED : NGHTTP2_REFUSED_STREAM);
    }
    if (headers[":protocol"] !== "websocket" || !(path in paths)) {
        stream.respond({ ":status": 403, "x-test": "a peer" });
        return stream.end("no entry");
    }
    const offered = (headers["sec-websocket-protocol"] ?? "").split(", ");
    // A stray accept, as some servers send it, and no harm done.
    stream.respond({ ":status": 200, "sec-websocket-accept": "AAAA",
        ...(offered.includes("second") ? { "sec-websocket-protocol": "second" } : {}) });
    paths[path](socketOn(stream), headers, stream);
}

web.on("session", () => connections++);
web.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    serve(stream, headers);
});
new WebSocketServer({ server: web, maxPayload: 1 << 27 })
    .on("connection", (socket, request) => paths[request.url](socket, request.headers, null));
listen(web);
