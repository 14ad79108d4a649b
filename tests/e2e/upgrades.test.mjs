// SPDX-License-Identifier: Apache-2.0
// What an application decides about an upgrade, with Node's ws and with pages in Chromium, plain and
// over TLS: refused, redirected, accepted at once or later, with a subprotocol, headers and a cookie.
import test from "node:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import WebSocket from "ws";
import { Certs } from "./harness.mjs";
import { HttpServer, browser, noChromium } from "./http_tools.mjs";

const certs = new Certs();
const ca = certs.read("ca.pem");
const COOKIE = "sid=granted; Path=/; SameSite=Lax; HttpOnly";
const TOKEN = { headers: { Authorization: "Bearer let-me-in" } };
const servers = [[await HttpServer.start(), ""], [await HttpServer.start(certs), " over TLS"]];
const chrome = noChromium ? null : await browser();
test.after(async () => {
    await chrome?.close();
    for (const [server] of servers) await server.stop();
    certs.remove();
});

// ---- Node's ws ----------------------------------------------------------------------------------

// What came of it: { status, headers } refused; { headers, protocol, hello } accepted.
async function attempt(url, protocols, options) {
    const socket = new WebSocket(url, protocols, { ca, ...options });
    return new Promise((resolve, reject) => {
        let headers;
        socket.on("upgrade", (answer) => { headers = answer.headers; });
        socket.on("unexpected-response", (request, answer) => {
            request.destroy();
            resolve({ status: answer.statusCode, headers: answer.headers });
        });
        socket.on("message", (data) => {
            resolve({ status: 101, headers, protocol: socket.protocol, hello: `${data}` });
            socket.terminate();
        });
        socket.on("error", reject);
    });
}

for (const [server, over] of servers) {
    const get = (path, options, protocols) => attempt(server.socket(path), protocols, options);

    test(`ws: refused${over}`, async () => {
        const refused = await get("/auth?how=401");
        assert.equal(refused.status, 401);
        assert.equal(refused.headers["www-authenticate"], 'Bearer realm="e2e"');
        assert.equal((await get("/auth?how=403")).status, 403);
        assert.equal((await get("/auth?how=later403")).status, 403);
        assert.equal((await get("/auth")).status, 401);
        assert.equal((await get("/auth", { headers: { Authorization: "Bearer no" } })).status, 401);
        assert.equal((await get("/auth", { origin: "https://evil.example", ...TOKEN })).status, 403);
        assert.equal((await get("/nothing")).status, 404);
    });

    test(`ws: redirected, and following${over}`, async () => {
        for (const status of [302, 307]) {
            const path = `/auth?how=${status}`;
            const answer = await get(path);
            assert.deepEqual([answer.status, answer.headers.location], [status, "/ws"]);
            const socket = new WebSocket(server.socket(path), { ca, followRedirects: true });
            await once(socket, "open");
            assert.ok(socket.url.endsWith("/ws"));
            socket.send("hi");
            assert.equal(`${(await once(socket, "message"))[0]}`, "hi");
            socket.close(1000);
            assert.equal((await once(socket, "close"))[0], 1000);
        }
    });

    test(`ws: accepted at once and later, with a cookie that is sent again${over}`, async () => {
        for (const [path, options, who] of [["/auth?how=accept", {}, "anybody"],
            ["/auth?how=later", {}, "later"], ["/auth", TOKEN, "token"]]) {
            const accepted = await get(path, options);
            assert.deepEqual([accepted.hello, accepted.headers["set-cookie"]], [`welcome ${who}`, [COOKIE]]);
            const again = { headers: { Cookie: accepted.headers["set-cookie"][0].split(";")[0] } };
            assert.equal((await get("/auth", again)).hello, "welcome cookie");
        }
    });

    test(`ws: a subprotocol that the application chose, and headers${over}`, async () => {
        for (const name of ["one", "two", "three"]) {
            const path = `/auth?how=choose&subprotocol=${name}`;
            const accepted = await get(path, {}, ["one", "two", "three"]);
            assert.equal(accepted.hello, `welcome chosen by ${name}`);
            assert.equal(accepted.protocol, name);
            assert.equal(accepted.headers["x-further"], "seen");
        }
        assert.equal((await get("/auth?how=choose&subprotocol=one", {}, ["two"])).status, 400);
        assert.equal((await get("/auth?how=choose&subprotocol=one")).status, 400);
    });

    test(`ws: 100 at once that are decided on later${over}`, async () => {
        const all = await Promise.all(Array.from({ length: 100 }, (_, i) =>
            get(i % 2 ? "/auth?how=later403" : "/auth?how=later")));
        all.forEach((one, i) => assert.equal(one.status, i % 2 ? 403 : 101));
    });
}

// ---- Chromium -----------------------------------------------------------------------------------

// A page of the server, with the statuses and headers of the upgrades that it tries.
async function pageOf(server) {
    await chrome.context.clearCookies();
    const page = await chrome.context.newPage();
    const answers = [];
    const debug = await chrome.context.newCDPSession(page);
    await debug.send("Network.enable");
    debug.on("Network.webSocketHandshakeResponseReceived", ({ response }) => answers.push(response));
    const complaints = [];
    page.on("console", (message) => complaints.push(message.text()));
    await page.goto(server.url("/"));
    const open = (url, protocols = []) => page.evaluate(({ url, protocols }) => new Promise((resolve) => {
        const socket = new WebSocket(url, protocols);
        let opened = false;
        socket.onopen = () => { opened = true; };
        socket.onmessage = (event) => {
            resolve({ opened, hello: event.data, protocol: socket.protocol });
            socket.close(1000);
        };
        socket.onclose = (event) => resolve({ opened, code: event.code });
    }), { url, protocols });
    return { page, open, answers, complaints };
}

const refused = { opened: false, code: 1006 }; // all that a page may know of it

for (const [server, over] of servers) {
    const skip = noChromium;

    test(`Chromium: refused and redirected${over}`, { skip }, async () => {
        const { page, open, complaints } = await pageOf(server);
        const other = "Unexpected response code: ";
        // a browser follows no redirect of a WebSocket
        for (const [how, why] of [["401", "HTTP Authentication failed"], ["403", `${other}403`],
            ["later403", `${other}403`], ["302", `${other}302`], ["307", `${other}307`]]) {
            complaints.length = 0;
            assert.deepEqual(await open(server.socket(`/auth?how=${how}`)), refused);
            assert.ok(complaints.some((text) => text.includes(why)), `${how}: ${complaints}`);
        }
        assert.deepEqual(await open(server.socket("/auth")), refused);
        await page.close();
    });

    test(`Chromium: accepted at once and later; the cookie is sent again${over}`, { skip }, async () => {
        for (const [how, who] of [["accept", "anybody"], ["later", "later"]]) {
            const { page, open } = await pageOf(server); // without cookies
            assert.deepEqual(await open(server.socket("/auth")), refused);
            assert.deepEqual(await open(server.socket(`/auth?how=${how}`)),
                { opened: true, hello: `welcome ${who}`, protocol: "" });
            assert.deepEqual(await open(server.socket("/auth")),
                { opened: true, hello: "welcome cookie", protocol: "" });
            // requests have it as well, scripts do not
            assert.equal(await page.evaluate(async () => (await (await fetch("/hello")).json()).cookie),
                "granted");
            assert.equal(await page.evaluate(() => document.cookie), "");
            await page.close();
        }
    });

    test(`Chromium: a subprotocol that the application chose, and headers${over}`, { skip }, async () => {
        const { page, open, answers } = await pageOf(server);
        for (const name of ["one", "two"]) {
            const url = server.socket(`/auth?how=choose&subprotocol=${name}`);
            assert.deepEqual(await open(url, ["one", "two"]),
                { opened: true, hello: `welcome chosen by ${name}`, protocol: name });
            const { status, headers } = answers.at(-1);
            assert.deepEqual([status, headers["X-Further"], headers["Sec-WebSocket-Protocol"]],
                [101, "seen", name]);
        }
        const url = server.socket("/auth?how=choose&subprotocol=one");
        assert.deepEqual(await open(url, ["two"]), refused);
        await page.close();
    });

    test(`Chromium: a page of another origin is refused before the application is asked${over}`, { skip }, async () => {
        const { page, open } = await pageOf(server);
        const foreign = server.socket("/auth?how=accept").replace("localhost", "127.0.0.1");
        assert.deepEqual(await open(foreign), refused);
        // Over TLS Chromium may refuse the certificate's name before it asks.
        if (!over) await server.waitForLog(/the origin "http:\/\/localhost:\d+" is not of the host "127\.0\.0\.1/);
        await page.close();
    });

    test(`nothing failed${over}`, () => assert.deepEqual(server.faults, []));
}
