// SPDX-License-Identifier: Apache-2.0
// Node's fetch, plain and over TLS: connections that are kept and counted, bodies of every kind,
// answers as streams, redirects, requests that are given up.
import test from "node:test";
import assert from "node:assert/strict";
import { Certs } from "./harness.mjs";
import { BIG, HttpServer } from "./http_tools.mjs";

const certs = new Certs();
await fetch("data:,").then((answer) => answer.text()); // makes the dispatcher, whose class is no export
const Agent = globalThis[Symbol.for("undici.globalDispatcher.1")].constructor;
test.after(() => certs.remove());

// `ask(path, options)` is fetch, over at most so many connections of its own.
async function served({ secure, connections = 1, pipelining = 1 }, talk) {
    const server = await HttpServer.start(secure ? certs : undefined);
    const dispatcher = new Agent({ connections, pipelining, connect: { ca: certs.read("ca.pem") } });
    try {
        await talk((path, options) => fetch(server.url(path), { dispatcher, ...options }), server);
    } finally {
        await dispatcher.destroy();
        await server.stop();
    }
    return server;
}

const bytes = async (answer) => Buffer.from(await answer.arrayBuffer());
const sum = (data) => data.reduce((a, b) => a + b, 0);

function* cut(data, size) {
    for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}
const stream = (pieces) => new ReadableStream({
    pull(controller) {
        const { value, done } = pieces.next();
        if (done) controller.close();
        else controller.enqueue(value);
    },
});
const streamed = (data, size) => ({ body: stream(cut(data, size)), duplex: "half" });

for (const secure of [false, true]) {
    const over = secure ? " over TLS" : "";

    test(`one connection takes every request${over}`, async () => {
        let asked = 0;
        const server = await served({ secure }, async (ask) => {
            const peers = new Set();
            for (let i = 0; i < 20; i++) {
                peers.add((await (await ask("/hello")).json()).peer);
                assert.ok(BIG.equals(await bytes(await ask("/big"))));
                assert.ok(BIG.equals(await bytes(await ask("/big?how=pieces"))));
                assert.equal((await bytes(await ask("/nothing"))).length > 0, true);
                const posted = await ask("/hello", { method: "POST", body: "abc" });
                assert.equal((await posted.json()).bytes, 3);
                asked += 4; // what nobody serves is no exchange of a handler
            }
            assert.equal(peers.size, 1);
        });
        assert.deepEqual(server.faults, []);
        assert.deepEqual([server.exchanges, server.connections], [asked, 1]);
    });

    test(`bodies by length and in chunks${over}`, async () => {
        const server = await served({ secure, connections: 2 }, async (ask) => {
            for (const size of [0, 1, 1000, 65536, BIG.length]) {
                const data = BIG.subarray(0, size);
                for (const body of [() => ({ body: data }), () => streamed(data, 10000)]) {
                    const heard = await (await ask("/hello", { method: "POST", ...body() })).json();
                    assert.deepEqual([heard.method, heard.bytes, heard.sum], ["POST", size, sum(data)]);
                    for (const path of ["/copy", "/echo"]) {
                        const back = await bytes(await ask(path, { method: "PUT", ...body() }));
                        assert.ok(data.equals(back), `${path} ${size}`);
                    }
                }
            }
            const form = new FormData();
            form.set("file", new Blob([BIG.subarray(0, 5000)]), "name");
            const heard = await (await ask("/hello", { method: "POST", body: form })).json();
            assert.ok(heard.bytes > 5000);
            const pairs = new URLSearchParams({ a: "b c" });
            assert.equal((await (await ask("/hello", { method: "POST", body: pairs })).json()).bytes, 5);
        });
        assert.deepEqual(server.faults, []);
        assert.ok(server.connections <= 2);
    });

    test(`an echo is heard while the body is being sent${over}`, async () => {
        const server = await served({ secure }, async (ask) => {
            let say;
            const body = new ReadableStream({ start(controller) { say = controller; } });
            say.enqueue(Buffer.from("first"));
            const answer = await ask("/echo", { method: "POST", body, duplex: "half" });
            const reader = answer.body.getReader();
            assert.equal(Buffer.from((await reader.read()).value).toString(), "first");
            for (let i = 0; i < 20; i++) { // each piece comes back before the next is sent
                say.enqueue(Buffer.from(`piece ${i}`));
                assert.equal(Buffer.from((await reader.read()).value).toString(), `piece ${i}`);
            }
            say.close();
            assert.equal((await reader.read()).done, true);
        });
        assert.deepEqual(server.faults, []);
    });

    test(`chunks are read as they come${over}`, async () => {
        const server = await served({ secure }, async (ask) => {
            const answer = await ask("/sse", { headers: { "Last-Event-ID": "3" } });
            assert.equal(answer.headers.get("content-type"), "text/event-stream");
            assert.equal(answer.headers.get("content-length"), null);
            let text = "";
            let reads = 0;
            for await (const piece of answer.body) {
                text += Buffer.from(piece);
                reads++;
            }
            assert.deepEqual(text.match(/^data: .*$/gm), [4, 5, 6].map((i) => `data: event ${i}`));
            assert.ok(reads > 1, "all came at once");
            assert.equal((await ask("/sse", { headers: { "Last-Event-ID": "9" } })).status, 204);
        });
        assert.deepEqual(server.faults, []);
        assert.equal(server.connections, 1);
    });

    test(`200 at once over 8 connections${over}`, async () => {
        const server = await served({ secure, connections: 8 }, async (ask) => {
            const asked = Array.from({ length: 200 }, async (_, i) => {
                if (i % 4 === 0) return (await (await ask("/late")).text()) === "late\n";
                const body = BIG.subarray(0, i * 50);
                const answer = await ask("/copy", { method: "POST", ...streamed(body, 1000) });
                return body.equals(await bytes(answer));
            });
            assert.ok((await Promise.all(asked)).every((good) => good));
        });
        assert.deepEqual(server.faults, []);
        assert.deepEqual([server.exchanges, server.connections], [200, 8]);
    });
}

test("a pipeline of 10 on one connection keeps its order", async () => {
    const server = await served({ pipelining: 10 }, async (ask) => {
        const answers = await Promise.all(Array.from({ length: 100 }, async (_, i) => {
            if (i % 10 === 3) return (await ask("/late")).text();
            return (await (await ask(`/hello?${i}`)).json()).query;
        }));
        assert.deepEqual(answers, Array.from({ length: 100 }, (_, i) => i % 10 === 3 ? "late\n" : `${i}`));
    });
    assert.deepEqual(server.faults, []);
    assert.deepEqual([server.exchanges, server.connections], [100, 1]);
});

// fetch ends its connection behind a HEAD, so as not to trust any server's answer to it.
test("HEAD has a length and no body", async () => {
    const server = await served({}, async (ask) => {
        for (const [path, length] of [["/big", `${BIG.length}`], ["/big?how=pieces", null]]) {
            const answer = await ask(path, { method: "HEAD" });
            assert.equal(answer.headers.get("content-length"), length);
            assert.equal((await bytes(answer)).length, 0);
        }
    });
    assert.deepEqual([server.exchanges, server.connections], [2, 2]);
});

test("redirects are followed; 307 and 308 keep the method and the body", async () => {
    const server = await served({}, async (ask) => {
        for (const status of [301, 302, 303, 307, 308]) {
            const answer = await ask(`/go?to=/hello%3Fa=b&status=${status}`, { method: "POST", body: "abc" });
            const heard = await answer.json();
            assert.ok(answer.redirected && answer.url.endsWith("/hello?a=b"));
            const [method, length] = status >= 307 ? ["POST", 3] : ["GET", 0];
            assert.deepEqual([heard.method, heard.bytes, heard.query], [method, length, "a=b"]);
        }
        const answer = await ask("/go?to=/hello&status=302", { redirect: "manual" });
        assert.deepEqual([answer.status, answer.headers.get("location")], [302, "/hello"]);
        assert.equal(answer.headers.getSetCookie()[0], "sid=gone; Path=/");
    });
    assert.deepEqual(server.faults, []);
});

test("a body that is too big is refused with an answer that is read", async () => {
    const server = await served({}, async (ask) => {
        for (const size of [(1 << 20) + 1, 2 << 20]) {
            const answer = await ask("/hello", { method: "POST", body: Buffer.alloc(size) });
            assert.equal(answer.status, 413);
            assert.match(await answer.text(), /413/);
        }
        assert.equal((await ask("/hello")).status, 200);
    });
    assert.ok(server.faults.every((line) => line.includes("MESSAGE_TOO_BIG")), server.log);
});

test("who gives up costs a connection, and nothing else", async () => {
    const server = await served({ connections: 4 }, async (ask, server) => {
        for (const path of ["/big?how=pieces", "/sse", "/late", "/big"]) {
            const control = new AbortController();
            const asked = ask(path, { signal: control.signal });
            if (path === "/late") {
                setImmediate(() => control.abort());
                await assert.rejects(asked, { name: "AbortError" });
            } else {
                await (await asked).body.getReader().read();
                control.abort();
            }
        }
        assert.equal((await (await ask("/hello")).json()).method, "GET");
        assert.ok(server.port);
    });
    assert.ok(server.faults.every((line) => /^(done|event|last event|late answer)/.test(line)), server.log);
});
