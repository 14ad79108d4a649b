// SPDX-License-Identifier: Apache-2.0
// Server-sent events as Chromium's EventSource takes them, plain and over TLS: the server ends each
// stream, or it is cut half-way, and the page comes back with the id of the last event that it saw.
import test from "node:test";
import assert from "node:assert/strict";
import net from "node:net";
import { once } from "node:events";
import { Certs } from "./harness.mjs";
import { HttpServer, browser, noChromium } from "./http_tools.mjs";

const skip = noChromium;
const certs = new Certs();
const chrome = skip ? null : await browser();
test.after(async () => {
    await chrome?.close();
    certs.remove();
});

// A test that fails leaves no server behind, which would keep this program waiting.
async function startFor(t, certs) {
    const server = await HttpServer.start(certs);
    t.after(() => server.stop());
    return server;
}

// Passes connections on to the server; `judge(text)` is shown what it says and may have them cut.
async function passage(server, judge) {
    const pairs = new Set();
    const heads = [];
    const listener = net.createServer((near) => {
        const far = net.connect(server.port, "127.0.0.1");
        const pair = { near, far, text: "" };
        pairs.add(pair);
        const cut = () => {
            near.destroy();
            far.destroy();
            pairs.delete(pair);
        };
        near.on("data", (piece) => {
            heads.push(`${piece}`);
            far.write(piece);
        });
        far.on("data", (piece) => {
            near.write(piece);
            pair.text += piece;
            if (judge(pair.text)) setTimeout(cut, 20); // what was written goes out first
        });
        for (const end of [near, far]) end.on("close", cut).on("error", cut);
    });
    listener.listen(0, "127.0.0.1");
    await once(listener, "listening");
    return {
        port: listener.address().port, heads,
        close() {
            for (const { near } of pairs) near.destroy();
            listener.close();
        },
    };
}

// In the page: what an EventSource of this URL tells until it is closed or has said `enough`.
const listen = (page, url, enough = Infinity) => page.evaluate(({ url, enough }) => new Promise((resolve) => {
    const source = new EventSource(url);
    const heard = { opens: 0, breaks: 0, events: [], ids: [] };
    const over = () => {
        const state = source.readyState;
        source.close();
        resolve({ ...heard, state });
    };
    source.onopen = () => heard.opens++;
    source.onmessage = () => heard.events.push("of no type");
    source.addEventListener("count", (event) => {
        heard.events.push(event.data);
        heard.ids.push(event.lastEventId);
        if (heard.events.length === enough) over();
    });
    source.onerror = () => {
        if (source.readyState === EventSource.CLOSED) over();
        else heard.breaks++;
    };
}), { url, enough: enough === Infinity ? 1e9 : enough });

async function pageOf(url) {
    const page = await chrome.context.newPage();
    await page.goto(url);
    return page;
}

const CLOSED = 2;
const all = Array.from({ length: 9 }, (_, i) => `${i + 1}`);
const texts = all.map((id) => `event ${id}`);

for (const secure of [false, true]) {
    const over = secure ? " over TLS" : "";
    const start = (t) => startFor(t, secure ? certs : undefined);

    test(`streams that the server ends are taken up until it says 204${over}`, { skip }, async (t) => {
        const server = await start(t);
        const page = await pageOf(server.url("/"));
        const heard = await listen(page, "/sse");
        assert.deepEqual(heard.events, texts);
        assert.deepEqual(heard.ids, all);
        // three streams of three events; behind each the page comes again
        assert.deepEqual([heard.opens, heard.breaks, heard.state], [3, 3, CLOSED]);
        await page.close();
        await server.stop();
        assert.equal(server.exchanges, 5); // the page, three streams, 204
        assert.deepEqual(server.faults, []);
    });

    test(`four pages at once each get every event${over}`, { skip }, async (t) => {
        const server = await start(t);
        const pages = await Promise.all(Array.from({ length: 4 }, () => pageOf(server.url("/"))));
        for (const heard of await Promise.all(pages.map((page) => listen(page, "/sse")))) {
            assert.deepEqual(heard.events, texts);
        }
        for (const page of pages) await page.close();
        await server.stop();
        assert.deepEqual(server.faults, []);
    });

    test(`a page that goes away ends its stream${over}`, { skip }, async (t) => {
        const server = await start(t);
        const page = await pageOf(server.url("/"));
        const heard = await listen(page, "/sse", 1);
        assert.deepEqual(heard.events, ["event 1"]);
        await page.close();
        assert.deepEqual((await listen(await pageOf(server.url("/")), "/sse")).events, texts);
        await server.stop();
        // of the stream that was left, and of what was written to it afterwards
        assert.ok(server.faults.every((line) => /^(done \/sse|event|last event|post)/.test(line)),
            server.log);
    });

    test(`what is no stream of events is not asked for again${over}`, { skip }, async (t) => {
        const server = await start(t);
        const page = await pageOf(server.url("/"));
        for (const path of ["/nothing", "/hello", "/ws"]) {
            const heard = await listen(page, path);
            assert.deepEqual([heard.opens, heard.breaks, heard.events, heard.state], [0, 0, [], CLOSED], path);
        }
        await page.close();
        await server.stop();
        assert.equal(server.exchanges, 2); // the page, /hello
    });
}

test("a stream that is cut is taken up behind the last event that came", { skip }, async (t) => {
    const server = await startFor(t);
    // behind the first event of every stream but those that begin at 7 and later
    const cutter = await passage(server, (text) => {
        const ids = text.match(/^id: \d+$/gm) ?? [];
        return ids.length === 1 && Number(ids[0].slice(4)) < 7;
    });
    t.after(() => cutter.close());
    const page = await pageOf(`http://localhost:${cutter.port}/`);
    const heard = await listen(page, "/sse");
    // none is missing, in order; the last stream may go on to the eleventh
    assert.deepEqual(heard.events.slice(0, 9), texts);
    const last = cutter.heads.map((head) => /^last-event-id: (\d+)\r$/im.exec(head)?.[1]).filter(Boolean);
    assert.ok(last.length > 3 && Number(last.at(-1)) >= 9, `${last}`);
    assert.deepEqual(last, last.toSorted((a, b) => a - b), "it went back");
    await page.close();
});
