// SPDX-License-Identifier: Apache-2.0
// Node's http2 with Node's ws on its streams, for the client's tests: a server of HTTP/2 that nobody here
// wrote. It says "port N", and counts its connections for /connections.
//     node ws_server.mjs HOW [CERT KEY]
// HOW: "websockets"; "none": HTTP/2 without them, and WebSockets over HTTP/1.1; "refuse": every other
// stream is refused; "reset": each is reset with HTTP_1_1_REQUIRED.
import fs from "node:fs";
import http2 from "node:http2";
import { createRequire } from "node:module";

const WebSocket = createRequire(new URL("../e2e/", import.meta.url))("ws");
const [how, cert, key] = process.argv.slice(2);
const options = { settings: { enableConnectProtocol: how !== "none" }, allowHTTP1: true };
const web = cert
    ? http2.createSecureServer({ ...options, cert: fs.readFileSync(cert), key: fs.readFileSync(key) })
    : http2.createServer(options);
const { NGHTTP2_HTTP_1_1_REQUIRED, NGHTTP2_REFUSED_STREAM } = http2.constants;
let connections = 0, streams = 0;
const paths = {
    "/echo": (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })),
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
    "/goaway": (socket, headers, stream) => {
        socket.on("message", (data, binary) => socket.send(data, { binary }));
        stream.session.goaway();
    },
    "/headers": (socket, headers) => socket.send(JSON.stringify(headers)),
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
new WebSocket.WebSocketServer({ server: web, maxPayload: 1 << 27 })
    .on("connection", (socket, request) => paths[request.url](socket, request.headers, null));
web.listen(0, "127.0.0.1", () => console.log(`port ${web.address().port}`));
