// SPDX-License-Identifier: Apache-2.0
// permessage-deflate between `wring serve` and Node's ws, and Chromium.
import test from "node:test";
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { once } from "node:events";
import { chromium } from "playwright-core";
import WebSocket from "ws";
import { Server } from "./harness.mjs";

const server = await Server.start("--deflate", "--deflate-server-takeover",
    "--deflate-client-takeover", "--deflate-server-bits", "15", "--deflate-client-bits", "15",
    "--deflate-min-bytes", "1");
test.after(() => server.stop());

const sizes = [0, 1, 30, 125, 126, 1000, 65535, 65536, 300000];
const text = (size) => "{\"price\":12.5,\"été\":true},".repeat(size / 20 + 1).slice(0, size);

async function echoes(socket) {
    for (const size of sizes) {
        for (const data of [text(size), Buffer.alloc(size, 7), Buffer.from(
            Array.from({ length: size }, (_, i) => (i * 7919 + (i >> 3) * 31) & 255))]) {
            socket.send(data);
            const [reply, binary] = await once(socket, "message");
            assert.equal(binary, typeof data !== "string");
            assert.ok(Buffer.from(data).equals(reply), `${size}`);
        }
    }
}

for (const takeover of [0, 1, 2, 3]) {
    test(`Node ws, takeover ${takeover & 1} of the server, ${takeover >> 1} of the client`, async () => {
        for (let bits = 9; bits <= 15; bits++) {
            for (const [serverBits, clientBits] of [[bits, 15], [15, bits]]) {
                const socket = new WebSocket(server.url("/echo"), {
                    maxPayload: 1 << 27,
                    perMessageDeflate: {
                        serverNoContextTakeover: !(takeover & 1),
                        clientNoContextTakeover: !(takeover >> 1),
                        serverMaxWindowBits: serverBits, clientMaxWindowBits: clientBits,
                        threshold: 0,
                    },
                });
                const opened = once(socket, "open");
                const [response] = await once(socket, "upgrade");
                const granted = response.headers["sec-websocket-extensions"];
                assert.match(granted, new RegExp(`server_max_window_bits=${serverBits}(;|$)`));
                await opened;
                await echoes(socket);
                socket.close(1000);
                const [code] = await once(socket, "close");
                assert.equal(code, 1000);
            }
        }
    });
}

// What does not compress, sent again: a few bytes when the client refers to its kept window.
for (const hint of [false, true]) {
    test(`Node ws ${hint ? "offers not to keep" : "keeps and refers to"} its window`, async () => {
        const socket = new WebSocket(server.url("/echo"),
            { perMessageDeflate: { clientNoContextTakeover: hint, threshold: 0 } });
        const opened = once(socket, "open");
        const [response] = await once(socket, "upgrade");
        const granted = response.headers["sec-websocket-extensions"];
        assert.equal(granted.includes("client_no_context_takeover"), hint);
        await opened;
        const data = Array.from({ length: 2000 }, (_, i) =>
            String.fromCharCode(33 + ((i * i * 7919 + (i * 104729 >> 5)) & 63))).join("");
        for (let copy = 0; copy < 5; copy++) {
            const before = response.socket.bytesWritten;
            socket.send(data);
            const [reply] = await once(socket, "message");
            assert.equal(reply.toString(), data);
            const sent = response.socket.bytesWritten - before;
            assert.equal(sent < 100, copy > 0 && !hint, `copy ${copy}: ${sent} bytes`);
        }
        socket.close(1000);
        await once(socket, "close");
    });
}

test("Node ws as it comes, and what it publishes to others", async () => {
    const sockets = [];
    for (let i = 0; i < 4; i++) {
        const options = i === 3 ? { perMessageDeflate: false } : {};
        const socket = new WebSocket(server.url("/topic/deflate"), options);
        await once(socket, "open");
        sockets.push(socket);
    }
    for (const size of [1, 300, 20000, 300]) {
        const data = text(size);
        const others = sockets.slice(1).map((socket) => once(socket, "message"));
        sockets[0].send(data);
        for (const [reply] of await Promise.all(others)) assert.equal(reply.toString(), data);
    }
    for (const socket of sockets) {
        socket.close();
        await once(socket, "close");
    }
});

const program = "/usr/bin/chromium";
test("Chromium", { skip: fs.existsSync(program) ? false : "no Chromium" }, async () => {
    const profile = fs.mkdtempSync(path.join(os.tmpdir(), "wring-chromium-"));
    const context = await chromium.launchPersistentContext(profile, {
        executablePath: program, headless: true,
        args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    });
    const others = [server,
        await Server.start("--deflate"), // as it comes: no takeover
        await Server.start("--deflate", "--deflate-server-bits", "9", "--deflate-client-bits", "9",
            "--deflate-server-takeover", "--deflate-client-takeover")];
    try {
        const page = await context.newPage();
        for (const one of others) {
            await page.goto(one.page("/healthz"));
            const extensions = await page.evaluate(async ([url, sizes]) => {
                const socket = new WebSocket(url);
                socket.binaryType = "arraybuffer";
                await new Promise((resolve, reject) => {
                    socket.onopen = resolve;
                    socket.onerror = reject;
                });
                for (const size of sizes) {
                    const bytes = Uint8Array.from({ length: size },
                        (_, i) => size === 1000 ? i * 7919 + (i >> 3) : i % 23);
                    for (const data of ["{\"price\":12.5},".repeat(size / 10).slice(0, size), bytes]) {
                        const reply = new Promise((resolve) => { socket.onmessage = resolve; });
                        socket.send(data);
                        const got = (await reply).data;
                        const same = typeof data === "string" ? got === data
                            : new Uint8Array(got).every((b, i) => b === data[i])
                                && got.byteLength === size;
                        if (!same) throw new Error(`${size} came back changed`);
                    }
                }
                const closed = new Promise((resolve) => { socket.onclose = resolve; });
                socket.close(1000);
                if ((await closed).code !== 1000) throw new Error("the close");
                return socket.extensions;
            }, [one.url("/echo"), sizes]);
            assert.match(extensions, /permessage-deflate/);
        }
    } finally {
        await context.close();
        fs.rmSync(profile, { recursive: true, force: true });
        for (const one of others.slice(1)) await one.stop();
    }
});
