// SPDX-License-Identifier: Apache-2.0
//
// Bun (its server is uWebSockets): bun bun.js PORT [CERT KEY]. With DEFLATE=shared or dedicated in the
// environment it compresses.
const [port, cert, key] = process.argv.slice(2);
const kind = process.env.DEFLATE;
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
        perMessageDeflate: kind ? { compress: kind, decompress: kind } : false,
        maxPayloadLength: 64 << 20,
        backpressureLimit: 1 << 30,
        idleTimeout: 0,
        sendPings: false,
        open(ws) {
            if (ws.data.pathname === "/fanout") ws.subscribe("all");
        },
        message(ws, message) {
            if (ws.data.pathname === "/fanout") ws.publish("all", message, Boolean(kind));
            else ws.send(message, Boolean(kind));
        },
    },
});
