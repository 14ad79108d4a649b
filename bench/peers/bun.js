// SPDX-License-Identifier: Apache-2.0
//
// Bun (its server is uWebSockets): bun bun.js PORT [CERT KEY]
const [port, cert, key] = process.argv.slice(2);
Bun.serve({
    hostname: "127.0.0.1",
    port: Number(port),
    ...(cert && { tls: { cert: Bun.file(cert), key: Bun.file(key) } }),
    fetch(request, server) {
        const { pathname } = new URL(request.url);
        return server.upgrade(request, { data: { pathname } }) ? undefined
            : new Response("upgrade only", { status: 426 });
    },
    websocket: {
        perMessageDeflate: false,
        maxPayloadLength: 64 << 20,
        backpressureLimit: 1 << 30,
        idleTimeout: 0,
        sendPings: false,
        open(ws) {
            if (ws.data.pathname === "/fanout") ws.subscribe("all");
        },
        message(ws, message) {
            if (ws.data.pathname === "/fanout") ws.publish("all", message);
            else ws.send(message);
        },
    },
});
