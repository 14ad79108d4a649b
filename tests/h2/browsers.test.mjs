// SPDX-License-Identifier: Apache-2.0
// Chromium and Firefox: the page comes by HTTP/2, and its WebSocket is a stream of the same connection,
// by what the server says of it and by the server's count of connections.
//     node browsers.test.mjs chromium|firefox
import test from "node:test";
import assert from "node:assert/strict";
import { Certs } from "../e2e/harness.mjs";
import { HttpServer, browser, noChromium } from "../e2e/http_tools.mjs";
import { firefox, noFirefox } from "./firefox.mjs";

const limits = { timeout: 200000 }; // what hangs has failed
const certs = new Certs();
test.after(() => certs.remove());

// Connections whose TLS handshake was finished. Before that, browsers give up one or more: they come
// back when they have decided about the certificate, and that they have none of their own to show.
function secured(server) {
    return server.connections - (server.log.match(/^log tls_failed: /gm) ?? []).length;
}

// Runs in the page: a string, so that both browsers take it.
const script = `(async () => {
    const until = (target, name) => new Promise((resolve, reject) => {
        target.addEventListener(name, resolve, { once: true });
        target.addEventListener("error", () => reject(new Error("the socket failed")), { once: true });
    });
    const talk = async (path, size) => {
        const socket = new WebSocket("wss://" + location.host + path);
        socket.binaryType = "arraybuffer";
        const first = path === "/peer" ? until(socket, "message") : undefined;
        await until(socket, "open");
        const said = first && (await first).data;
        const sent = new Uint8Array(size).map((_, i) => i % 251);
        const came = until(socket, "message");
        socket.send(sent);
        const back = new Uint8Array((await came).data);
        const isSame = back.length === size && back.every((byte, i) => byte === sent[i]);
        const text = until(socket, "message");
        socket.send("\\u00e9".repeat(1000));
        const isText = (await text).data === "\\u00e9".repeat(1000);
        const ended = until(socket, "close");
        socket.close(1000, "done");
        const { code, wasClean, reason } = await ended;
        return { said, isSame, isText, code, wasClean, reason, extensions: socket.extensions };
    };
    const hello = await (await fetch("/hello?from=page")).json();
    const one = await talk("/peer", 300000);
    const many = await Promise.all(Array.from({ length: 20 }, () => talk("/peer", 10000)));
    const deflated = await talk("/deflate", 300000);
    const big = (await (await fetch("/big")).arrayBuffer()).byteLength;
    const posted = await (await fetch("/copy", { method: "POST", body: new Uint8Array(300000) })).arrayBuffer();
    const after = await (await fetch("/hello")).json();
    return JSON.stringify({ hello, one, many, deflated, big, posted: posted.byteLength, after });
})()`;

function isClean(socket) {
    return socket.isSame && socket.isText && socket.code === 1000 && socket.wasClean;
}

// Checks what `script` told, except for what /peer said to the sockets: the caller gets that.
function checkedPeers({ told, server }) {
    assert.deepEqual([told.hello.version, told.after.version], [20, 20]);
    assert.deepEqual([told.big, told.posted], [1 << 20, 300000]);
    assert.ok([told.one, told.deflated, ...told.many].every(isClean), JSON.stringify(told));
    assert.match(told.deflated.extensions, /permessage-deflate/);
    assert.equal(told.after.peer, told.hello.peer);
    assert.deepEqual(server.faults, []);
    return [told.one, ...told.many].map((socket) => socket.said);
}

const browsers = {
    chromium: { isMissing: noChromium, start: async () => {
        const { context, close } = await browser();
        const page = await context.newPage();
        return { go: (url) => page.goto(url), run: (text) => page.evaluate(text), close };
    } },
    firefox: { isMissing: noFirefox, start: firefox },
};
const name = process.argv[2];
const { isMissing, start } = browsers[name];
if (isMissing) {
    console.log(`${isMissing}; script/setup --tests installs it`);
    process.exit(77);
}

// `use(page, server)` with the first page of a server whose --http2 is `how`. Both have ended afterwards.
async function visit(how, use) {
    const server = await HttpServer.start(certs, "--http2", how);
    const page = await start();
    try {
        await page.go(server.url("/"));
        return { server, told: await use(page, server) };
    } finally {
        await page.close();
        await server.stop();
    }
}

async function tell(page) {
    return JSON.parse(await page.run(script));
}

test(`${name}: a page and its sockets on one connection`, limits, async () => {
    const visited = await visit("all", tell);
    assert.deepEqual(new Set(checkedPeers(visited)), new Set([`${visited.told.hello.peer} 20`]));
    assert.equal(secured(visited.server), 1);
});

test(`${name}: sockets go by HTTP/1.1 where HTTP/2 does not offer them`, limits, async () => {
    const visited = await visit("requests", tell);
    const peers = checkedPeers(visited);
    assert.ok(peers.every((peer) => / 11$/.test(peer)), String(peers));
    assert.equal(secured(visited.server), 23); // the page's, and one for each socket
});

test(`${name}: a server that stops closes the sockets of a page with 1001`, limits, async () => {
    const { server } = await visit("all", async (page, server) => {
        await page.run(`(async () => {
            globalThis.codes = Promise.all(Array.from({ length: 5 }, async () => {
                const socket = new WebSocket("wss://" + location.host + "/ws");
                const ended = new Promise((resolve) => { socket.onclose = resolve; });
                await new Promise((resolve) => { socket.onopen = resolve; });
                globalThis.count = (globalThis.count ?? 0) + 1;
                const { code, wasClean } = await ended;
                return code + " " + wasClean;
            }));
            while ((globalThis.count ?? 0) < 5) await new Promise((resolve) => setTimeout(resolve, 10));
            return "open";
        })()`);
        const stopped = server.stop();
        const codes = JSON.parse(await page.run("globalThis.codes.then((codes) => JSON.stringify(codes))"));
        assert.deepEqual(codes, Array(5).fill("1001 true"));
        await stopped;
    });
    assert.equal(secured(server), 1);
});
