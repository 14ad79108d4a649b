// SPDX-License-Identifier: Apache-2.0
// What signals do to a server with sessions.
import test from "node:test";
import assert from "node:assert/strict";
import net from "node:net";
import { once } from "node:events";
import WebSocket from "ws";
import { Server } from "./harness.mjs";

for (const signal of ["SIGTERM", "SIGINT"]) {
    test(`${signal} closes every session with 1001 and ends with 0`, async () => {
        const server = await Server.start();
        const sockets = await Promise.all(Array.from({ length: 20 }, async () => {
            const socket = new WebSocket(server.url("/echo"));
            await once(socket, "open");
            return socket;
        }));
        const closes = sockets.map((socket) => once(socket, "close"));
        server.child.kill(signal);
        for (const [code] of await Promise.all(closes)) assert.equal(code, 1001);
        assert.deepEqual(await server.exited, [0, null]);
    });
}

// A peer that upgrades and then does nothing at all.
async function stubborn(server) {
    const socket = net.connect(server.port, "127.0.0.1");
    socket.write("GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    await once(socket, "data");
    socket.on("error", () => {});
    return socket;
}

test("a second signal ends at once", async () => {
    const server = await Server.start();
    const socket = await stubborn(server);
    server.child.kill("SIGTERM");
    await once(socket, "data"); // the close frame: the drain has begun
    server.child.kill("SIGTERM");
    assert.deepEqual(await server.exited, [143, null]);
    socket.destroy();
});

test("the drain ends at its deadline whoever is left", async () => {
    const server = await Server.start("--drain-ms", "300");
    const socket = await stubborn(server);
    server.child.kill("SIGTERM");
    assert.deepEqual(await server.exited, [0, null]);
    socket.destroy();
});

test("a taken port is one clear sentence and exit code 1", async () => {
    const blocker = net.createServer().listen(0, "127.0.0.1");
    await once(blocker, "listening");
    const { spawnSync } = await import("node:child_process");
    const result = spawnSync(process.env.WRING, ["serve", "--port", String(blocker.address().port)],
        { encoding: "utf8" });
    blocker.close();
    assert.equal(result.status, 1);
    assert.match(result.stderr, /^wring: cannot listen on 127\.0\.0\.1 port \d+: bind: .*\n$/);
});
