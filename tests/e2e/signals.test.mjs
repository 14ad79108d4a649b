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

test("signals that ask for nothing end nothing, before the drain and in it", async () => {
    const server = await Server.start("--drain-ms", "60000");
    const early = new WebSocket(server.url("/echo"));
    await once(early, "open");
    const silent = ["SIGHUP", "SIGUSR1", "SIGUSR2", "SIGPIPE", "SIGXFSZ"];
    for (const signal of silent) server.child.kill(signal);
    early.send("still here");
    assert.equal(String((await once(early, "message"))[0]), "still here");
    early.close();
    await once(early, "close");
    const socket = await stubborn(server);
    server.child.kill("SIGTERM");
    await once(socket, "data"); // the close frame: the drain has begun
    for (const signal of silent) server.child.kill(signal);
    socket.destroy();
    assert.deepEqual(await server.exited, [0, null]);
});

test("a log that nobody reads any more ends nothing", async () => {
    const { spawn } = await import("node:child_process");
    const child = spawn(process.env.WRING, ["serve", "--port", "0"],
        { stdio: ["ignore", "pipe", "pipe"] });
    const exited = once(child, "exit");
    const line = String((await once(child.stdout, "data"))[0]);
    const port = Number(/:(\d+)\//.exec(line)[1]);
    child.stdout.destroy();
    child.stderr.destroy();
    const socket = new WebSocket(`ws://127.0.0.1:${port}/echo`);
    await once(socket, "open");
    child.kill("SIGHUP"); // is answered with a line
    socket.send("still here");
    assert.equal(String((await once(socket, "message"))[0]), "still here");
    const closed = once(socket, "close");
    child.kill("SIGINT");
    assert.equal((await closed)[0], 1001);
    assert.deepEqual(await exited, [0, null]);
});
