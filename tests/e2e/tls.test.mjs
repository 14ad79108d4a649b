// SPDX-License-Identifier: Apache-2.0
// wss:// with Node's ws and with a page in Chromium.
import test from "node:test";
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import https from "node:https";
import os from "node:os";
import path from "node:path";
import tls from "node:tls";
import { once } from "node:events";
import { chromium } from "playwright-core";
import WebSocket from "ws";
import { Certs, Server, fragmentsPass, sizes } from "./harness.mjs";

const certs = new Certs();
const ca = certs.read("ca.pem");
const server = await Server.start(...certs.serveOptions, "--workers", "2");
const url = `wss://localhost:${server.port}/echo`;
test.after(async () => {
    await server.stop();
    certs.remove();
});

async function open(options = {}, to = url) {
    const socket = new WebSocket(to, { ca, maxPayload: 1 << 27, ...options });
    await once(socket, "open");
    return socket;
}
async function close(socket, code) {
    socket.close(code);
    return (await once(socket, "close"))[0];
}

for (const version of ["TLSv1.2", "TLSv1.3"]) {
    test(`Node: text and binary of every size over ${version}`, async () => {
        const socket = await open({ minVersion: version, maxVersion: version });
        assert.equal(socket._socket.getProtocol(), version);
        for (const size of sizes) {
            for (const data of [Buffer.alloc(size, 0xA5), Buffer.from("\u00e9".repeat(size / 2))]) {
                socket.send(data);
                const [reply] = await once(socket, "message");
                assert.ok(data.equals(reply), `${size}`);
            }
        }
        assert.equal(await close(socket, 4999), 4999);
    });
}

test("Node: fragments, a ping inside, 10,000 frames in one go", async () => {
    const socket = await open();
    await fragmentsPass(socket);
    const got = [];
    const all = new Promise((resolve) => socket.on("message", (data) => {
        if (got.push(data.toString()) === 10000) resolve();
    }));
    socket._socket.cork();
    for (let i = 0; i < 10000; i++) socket.send(`frame ${i}`);
    socket._socket.uncork();
    await all;
    got.forEach((reply, i) => assert.equal(reply, `frame ${i}`));
    assert.equal(await close(socket, 1000), 1000);
});

test("Node: a session is resumed, in both versions", async () => {
    for (const version of ["TLSv1.2", "TLSv1.3"]) {
        const options = { ca, port: server.port, host: "localhost", servername: "localhost",
            minVersion: version, maxVersion: version };
        let session;
        for (const reused of [false, true]) {
            const socket = tls.connect({ ...options, session });
            socket.on("session", (fresh) => { session = fresh; });
            await once(socket, "secureConnect");
            assert.equal(socket.isSessionReused(), reused, version);
            socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            let answer = "";
            for await (const piece of socket) answer += piece;
            assert.match(answer, /^HTTP\/1\.1 200 OK/);
        }
    }
});

test("Node: neighbours do not notice connections that are cut", async () => {
    const witness = await open();
    for (let i = 0; i < 30; i++) {
        const victim = await open();
        victim.send(Buffer.alloc(100000));
        victim.terminate();
        witness.send(`still here ${i}`);
        const [reply] = await once(witness, "message");
        assert.equal(reply.toString(), `still here ${i}`);
    }
    assert.equal(await close(witness, 1000), 1000);
});

test("Node: https of the pages, and a certificate it does not trust", async () => {
    const [answer] = await once(https.get(`https://localhost:${server.port}/healthz`, { ca }), "response");
    assert.equal(answer.statusCode, 200);
    answer.resume();
    const socket = new WebSocket(url); // the system's authorities do not know ours
    const [error] = await once(socket, "error");
    assert.match(error.code, /UNABLE_TO_VERIFY_LEAF_SIGNATURE|SELF_SIGNED_CERT_IN_CHAIN/);
});

const program = "/usr/bin/chromium";
const skip = fs.existsSync(program) ? false : "no Chromium";

test("Chromium: the chat page over https, its socket over wss", { skip }, async () => {
    const profile = fs.mkdtempSync(path.join(os.tmpdir(), "wring-chromium-"));
    // this one key is trusted, whoever signed it; any other is an error as ever
    const spki = crypto.createHash("sha256").update(
        new crypto.X509Certificate(certs.read("server.pem")).publicKey.export(
            { type: "spki", format: "der" })).digest("base64");
    const context = await chromium.launchPersistentContext(profile, {
        executablePath: program, headless: true,
        args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            `--ignore-certificate-errors-spki-list=${spki}`],
    });
    try {
        const page = await context.newPage();
        const sockets = [];
        page.on("websocket", (socket) => sockets.push(socket.url()));
        await page.goto(`https://localhost:${server.port}/`);
        await page.waitForSelector("body[data-worker]");
        await page.fill("#text", "over TLS");
        await page.keyboard.press("Enter");
        await page.waitForSelector('li:has-text("over TLS")');
        assert.deepEqual(sockets, [`wss://localhost:${server.port}/chat`]);
        const verdict = await page.evaluate(async ({ url, sizes }) => {
            const socket = new WebSocket(url);
            socket.binaryType = "arraybuffer";
            await new Promise((resolve) => { socket.onopen = resolve; });
            const next = () => new Promise((resolve) => { socket.onmessage = (e) => resolve(e.data); });
            for (const size of sizes) {
                const text = "x".repeat(size);
                socket.send(text);
                if (await next() !== text) return `text of ${size}`;
                socket.send(new Uint8Array(size).fill(size));
                const reply = new Uint8Array(await next());
                if (reply.length !== size || reply.some((b) => b !== (size & 255))) return `binary of ${size}`;
            }
            const closed = new Promise((resolve) => { socket.onclose = resolve; });
            socket.close(4001, "done");
            const event = await closed;
            return event.wasClean && event.code === 4001 ? "all well" : `close ${event.code}`;
        }, { url, sizes });
        assert.equal(verdict, "all well");
    } finally {
        await context.close();
        fs.rmSync(profile, { recursive: true, force: true });
    }
});
