// SPDX-License-Identifier: Apache-2.0
// /echo with Node's ws, the most used client there is.
import test from "node:test";
import assert from "node:assert/strict";
import net from "node:net";
import { once } from "node:events";
import WebSocket from "ws";
import { Server, sizes } from "./harness.mjs";

const server = await Server.start();
test.after(() => server.stop());

async function open(path = "/echo", options = {}) {
    const socket = new WebSocket(server.url(path), { maxPayload: 1 << 27, ...options });
    await once(socket, "open");
    return socket;
}
async function echo(socket, data) {
    const binary = typeof data !== "string";
    socket.send(data);
    const [reply, isBinary] = await once(socket, "message");
    assert.equal(isBinary, binary);
    assert.ok(Buffer.from(data).equals(reply));
}
async function close(socket, code, reason) {
    socket.close(code, reason);
    return once(socket, "close");
}

test("text and binary of every size come back", async () => {
    const socket = await open();
    for (const size of sizes) {
        await echo(socket, Buffer.alloc(size, 0xA5));
        await echo(socket, "\u00e9".repeat(size / 2));
    }
    const [code] = await close(socket, 1000);
    assert.equal(code, 1000);
});

test("a frame over 16 MiB is 1009", async () => {
    const socket = await open();
    socket.send(Buffer.alloc((16 << 20) + 1));
    socket.on("error", () => {}); // the rest of the frame may meet a closed socket
    const [code] = await once(socket, "close");
    assert.ok(code === 1009 || code === 1006, `${code}`);
});

test("a ping is answered with its payload", async () => {
    const socket = await open();
    socket.ping("round trip");
    const [payload] = await once(socket, "pong");
    assert.equal(payload.toString(), "round trip");
    await close(socket);
});

for (const [code, reason] of [[1000, "bye"], [3000, ""], [4999, "x".repeat(123)]]) {
    test(`a close with ${code} is echoed`, async () => {
        const socket = await open();
        const [got] = await close(socket, code, reason);
        assert.equal(got, code);
    });
}

test("a fragmented message with a ping inside", async () => {
    const socket = await open();
    socket.send("one ", { fin: false });
    socket.ping("mid");
    socket.send("two ", { fin: false });
    socket.send("three", { fin: true });
    const [reply] = await once(socket, "message");
    assert.equal(reply.toString(), "one two three");
    await close(socket);
});

test("1,000 connections at once", async () => {
    const sockets = await Promise.all(Array.from({ length: 1000 }, () => open()));
    for (let round = 0; round < 3; round++) {
        await Promise.all(sockets.map((socket, i) => echo(socket, `message ${round} of ${i}`)));
    }
    await Promise.all(sockets.map((socket) => close(socket, 1000)));
});

test("neighbours do not notice connections that are cut", async () => {
    const witness = await open();
    for (let i = 0; i < 50; i++) {
        const victim = await open();
        victim.send(Buffer.alloc(100000));
        if (i % 2) victim.terminate();
        else victim._socket.resetAndDestroy();
        await echo(witness, `still here ${i}`);
    }
    await close(witness);
});

test("10,000 frames in one go come back in order", async () => {
    const socket = await open();
    const got = [];
    const all = new Promise((resolve) => socket.on("message", (data) => {
        got.push(data.toString());
        if (got.length === 10000) resolve();
    }));
    socket._socket.cork();
    for (let i = 0; i < 10000; i++) socket.send(`frame ${i}`);
    socket._socket.uncork();
    await all;
    got.forEach((text, i) => assert.equal(text, `frame ${i}`));
    await close(socket);
});

test("a peer that sends and never reads costs no memory without end", async () => {
    const socket = net.connect(server.port, "127.0.0.1");
    socket.write("GET /echo HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n");
    socket.pause();
    const frame = Buffer.alloc(8 + 65000);
    frame.set([0x82, 0xFE, 65000 >> 8, 65000 & 255, 0, 0, 0, 0]);
    let sent = 0;
    // The server stops reading: the socket buffers fill and the writes stop being taken.
    while (socket.write(frame) || socket.writableLength < 8 << 20) {
        sent += frame.length;
        if (sent > 64 << 20) break;
        await new Promise(setImmediate);
    }
    assert.ok(socket.writableLength >= 8 << 20, `the server took ${sent} bytes`);
    const witness = await open();
    await echo(witness, "unharmed");
    await close(witness);
    socket.destroy();
});
