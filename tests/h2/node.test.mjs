// SPDX-License-Identifier: Apache-2.0
// Node's http2, in clear text and over TLS: requests with bodies both ways, and WebSockets by extended
// CONNECT, whose frames are those of the ws package.
import test from "node:test";
import assert from "node:assert/strict";
import http2 from "node:http2";
import { once } from "node:events";
import { Certs } from "../e2e/harness.mjs";
import { BIG, HttpServer } from "../e2e/http_tools.mjs";
import { PerMessageDeflate, Receiver, Sender, extension } from "../e2e/ws.mjs";

const certs = new Certs();
test.after(() => certs.remove());
const limits = { timeout: 120000 }; // what hangs has failed
const LARGE = Buffer.concat(Array(5).fill(BIG));

// `talk(session, server)`, on one connection; both must end well.
async function served(secure, talk, how = "all") {
    const server = await HttpServer.start(secure ? certs : undefined, "--http2", how);
    const session = http2.connect(server.url(""), { ca: certs.read("ca.pem"), maxSessionMemory: 256 });
    const failed = once(session, "error").then(([error]) => { throw error; });
    try {
        await Promise.race([once(session, "remoteSettings"), failed]);
        await Promise.race([talk(session, server), failed]);
        await new Promise((resolve) => session.close(resolve));
    } finally {
        session.destroy();
        await server.stop();
    }
    return server;
}

// An answer: its headers, and its body when that is there.
async function ask(session, path, { method = "GET", body, headers = {}, ...options } = {}) {
    const stream = session.request({ ":path": path, ":method": method, ...headers },
        { endStream: body === undefined, ...options });
    if (typeof body === "function") body(stream);
    else if (body !== undefined) stream.end(body);
    const [answer] = await once(stream, "response");
    const pieces = [];
    for await (const piece of stream) pieces.push(piece);
    assert.equal(stream.rstCode, 0, path);
    return { status: answer[":status"], headers: answer, body: Buffer.concat(pieces),
        json() { return JSON.parse(this.body); } };
}

// A WebSocket on a stream of `session`. `next()` is the next message.
class Socket {
    static async open(session, path, { headers = {}, compress } = {}) {
        const socket = new Socket();
        const deflate = new PerMessageDeflate({ isServer: false, maxPayload: 1 << 24, threshold: 0,
            concurrencyLimit: 10 });
        if (compress) {
            headers["sec-websocket-extensions"] = extension.format({ "permessage-deflate": deflate.offer() });
        }
        socket.stream = session.request({ ":method": "CONNECT", ":protocol": "websocket", ":path": path,
            "sec-websocket-version": "13", ...headers }, { endStream: false });
        socket.ended = once(socket.stream, "close");
        [socket.answer] = await once(socket.stream, "response");
        socket.status = socket.answer[":status"];
        const accepted = socket.answer["sec-websocket-extensions"];
        const extensions = {};
        if (accepted) {
            deflate.accept(extension.parse(accepted)["permessage-deflate"]);
            extensions["permessage-deflate"] = deflate;
        }
        socket.messages = [];
        socket.waiting = [];
        socket.sender = new Sender(socket.stream, extensions);
        socket.receiver = new Receiver({ isServer: false, maxPayload: 1 << 24, extensions });
        socket.receiver.on("message", (data) => {
            if (socket.waiting.length > 0) socket.waiting.shift()(data);
            else socket.messages.push(data);
        });
        socket.compress = compress === true && accepted !== undefined;
        socket.failed = once(socket.receiver, "error").then(([error]) => { throw error; });
        socket.failed.catch(() => {}); // whoever waits for something hears of it
        socket.closed = once(socket.receiver, "conclude");
        if (socket.status === 200) socket.stream.pipe(socket.receiver);
        else socket.stream.resume();
        return socket;
    }
    next() {
        if (this.messages.length > 0) return Promise.resolve(this.messages.shift());
        return Promise.race([new Promise((resolve) => this.waiting.push(resolve)), this.failed]);
    }
    send(data, fin = true) {
        const binary = typeof data !== "string";
        this.sender.send(data, { binary, fin, compress: this.compress, mask: true });
    }
    async close(code, reason = "") {
        this.sender.close(code, reason, true);
        const [told] = await Promise.race([this.closed, this.failed]);
        assert.equal(told, code);
        this.stream.end();
        await this.ended;
        assert.equal(this.stream.rstCode, 0);
    }
}

const texts = (path) => Array.from({ length: 3 }, (_, i) => `${path} ${i}`);

for (const secure of [false, true]) {
    const over = secure ? " over TLS" : "";

    test(`requests of every kind on one connection${over}`, limits, async () => {
        const server = await served(secure, async (session, server) => {
            assert.equal(session.alpnProtocol, secure ? "h2" : "h2c");
            assert.equal(session.remoteSettings.enableConnectProtocol, true);
            const hello = await ask(session, "/hello?a=b", { headers: { cookie: ["x=y", "sid=granted"] } });
            const heard = hello.json();
            assert.deepEqual([hello.status, hello.headers["content-type"]], [200, "application/json"]);
            assert.deepEqual([heard.method, heard.version, heard.query, heard.cookie, heard.host],
                ["GET", 20, "a=b", "granted", `localhost:${server.port}`]);
            for (const path of ["/big", "/big?how=pieces"]) {
                const whole = await ask(session, path);
                assert.ok(BIG.equals(whole.body), path);
                const length = path === "/big" ? `${BIG.length}` : undefined;
                assert.equal(whole.headers["content-length"], length);
                const head = await ask(session, path, { method: "HEAD" });
                assert.deepEqual([head.status, head.headers["content-length"], head.body.length], [200, length, 0]);
            }
            assert.equal((await ask(session, "/late")).status, 201);
            assert.equal((await ask(session, "/nothing")).status, 404);
            assert.equal((await ask(session, "/hello", { method: "DELETE" })).status, 405);
            const options = await ask(session, "/hello", { method: "OPTIONS" });
            assert.deepEqual([options.status, options.headers.allow], [204, "GET, HEAD, POST, OPTIONS"]);
            const go = await ask(session, "/go?to=/hello&status=302");
            assert.deepEqual([go.status, go.headers.location, go.headers["set-cookie"]],
                [302, "/hello", ["sid=gone; Path=/"]]);
            const none = await ask(session, "/sse", { headers: { "last-event-id": "9" } });
            assert.deepEqual([none.status, none.body.length], [204, 0]);
            assert.equal((await ask(session, "/hello")).json().peer, heard.peer);
            await new Promise((resolve, reject) =>
                session.ping((error) => error ? reject(error) : resolve()));
        });
        assert.deepEqual(server.faults, []);
        assert.equal(server.connections, 1);
    });

    test(`5 MB up and down, eight at once${over}`, limits, async () => {
        const server = await served(secure, async (session) => {
            await Promise.all(Array.from({ length: 8 }, async (_, i) => {
                const length = i % 2 === 0 ? { "content-length": LARGE.length } : {};
                const path = i % 4 < 2 ? "/copy" : "/echo";
                const back = await ask(session, path, { method: "POST", body: LARGE, headers: length });
                assert.equal(back.status, 200);
                assert.ok(LARGE.equals(back.body), `${path} ${i}`);
            }));
            for (const size of [0, 1, 16384, 65535, 65536, BIG.length]) {
                const data = BIG.subarray(0, size);
                const heard = (await ask(session, "/hello", { method: "POST", body: data })).json();
                assert.deepEqual([heard.method, heard.bytes, heard.sum],
                    ["POST", size, data.reduce((a, b) => a + b, 0)]);
            }
        });
        assert.deepEqual(server.faults, []);
        assert.deepEqual([server.exchanges, server.connections], [14, 1]);
    });

    test(`100 Continue, and a refusal instead of it${over}`, limits, async () => {
        const server = await served(secure, async (session) => {
            const body = (stream) => stream.once("continue", () => stream.end(BIG));
            const headers = { expect: "100-continue" };
            const heard = await ask(session, "/hello", { method: "POST", body, headers });
            assert.equal(heard.json().bytes, BIG.length);
            const refused = await ask(session, "/nothing", { method: "POST", body, headers });
            assert.equal(refused.status, 404);
        });
        assert.deepEqual(server.faults, []);
    });

    test(`an echo is heard while the body is being sent; events as they come${over}`, limits, async () => {
        const server = await served(secure, async (session) => {
            const stream = session.request({ ":path": "/echo", ":method": "POST" });
            for (let i = 0; i < 20; i++) { // each piece comes back before the next is sent
                stream.write(`piece ${i}`);
                assert.equal(String((await once(stream, "data"))[0]), `piece ${i}`);
            }
            stream.end();
            await once(stream, "end");
            const events = session.request({ ":path": "/sse" });
            let text = "";
            let reads = 0;
            for await (const piece of events) {
                text += piece;
                reads++;
            }
            assert.deepEqual(text.match(/^data: .*$/gm), [1, 2, 3].map((i) => `data: event ${i}`));
            assert.ok(reads > 1, "all came at once");
        });
        assert.deepEqual(server.faults, []);
    });

    test(`who gives up costs a stream, and nothing else${over}`, limits, async () => {
        const server = await served(secure, async (session, server) => {
            const peer = (await ask(session, "/hello")).json().peer;
            for (const path of ["/sse", "/late", "/big?how=pieces"]) {
                const stream = session.request({ ":path": path });
                if (path === "/late") await new Promise((resolve) => setImmediate(resolve));
                else await once(stream, "response");
                stream.close(http2.constants.NGHTTP2_CANCEL);
                await once(stream, "close");
                // of /big all may have been queued before
                if (!path.startsWith("/big")) await server.waitForLog(new RegExp(`done ${path} ERR_STREAM_RESET`));
            }
            assert.equal((await ask(session, "/hello")).json().peer, peer);
        });
        assert.equal(server.connections, 1);
        assert.ok(server.faults.every((line) => /^(done|event|last event|late answer)/.test(line)), server.log);
    });

    test(`a stream that is not read holds up no other${over}`, limits, async () => {
        const server = await served(secure, async (session) => {
            const stuck = session.request({ ":path": "/big?how=pieces" });
            await once(stuck, "response"); // its body waits: nobody reads it
            const socket = await Socket.open(session, "/ws");
            for (let i = 0; i < 50; i++) {
                socket.send(`message ${i}`);
                assert.equal(String(await socket.next()), `message ${i}`);
                assert.ok(BIG.equals((await ask(session, "/big")).body));
            }
            await socket.close(1000);
            const pieces = [];
            for await (const piece of stuck) pieces.push(piece);
            assert.ok(BIG.equals(Buffer.concat(pieces)));
        });
        assert.deepEqual(server.faults, []);
        assert.equal(server.connections, 1);
    });

    test(`a WebSocket: every size, fragments, a ping, its close${over}`, limits, async () => {
        const server = await served(secure, async (session) => {
            for (const [path, compress] of [["/ws", false], ["/deflate", true], ["/deflate", false]]) {
                const socket = await Socket.open(session, path, { compress });
                assert.equal(socket.status, 200);
                assert.equal(socket.answer["sec-websocket-accept"], undefined);
                assert.equal("sec-websocket-extensions" in socket.answer, compress);
                for (const size of [0, 1, 125, 126, 65535, 65536, 70000, LARGE.length]) {
                    const data = LARGE.subarray(0, size);
                    socket.send(data);
                    assert.ok(data.equals(await socket.next()), `${path} ${size}`);
                }
                socket.send("one ", false);
                socket.sender.ping("mid", true);
                socket.send("two");
                const [[pong], text] = await Promise.all([once(socket.receiver, "pong"), socket.next()]);
                assert.deepEqual([String(pong), String(text)], ["mid", "one two"]);
                await socket.close(4001, "enough");
            }
        });
        assert.deepEqual(server.faults, []);
        assert.equal(server.connections, 1);
    });

    test(`80 WebSockets on one connection${over}`, limits, async () => {
        const server = await served(secure, async (session) => {
            const paths = Array.from({ length: 80 }, (_, i) => `/peer?${i}`);
            const sockets = await Promise.all(paths.map((path) => Socket.open(session, path)));
            assert.ok(sockets.every((socket) => socket.status === 200));
            const said = new Set(await Promise.all(sockets.map(async (socket) => String(await socket.next()))));
            const peer = `${(await ask(session, "/hello")).json().peer} 20`;
            assert.deepEqual([...said], [peer]); // the same connection for all, by the server's word
            await Promise.all(sockets.map(async (socket, i) => {
                const data = BIG.subarray(i, 100000 + 2 * i);
                for (const text of texts(paths[i])) socket.send(text);
                socket.send(data);
                for (const text of texts(paths[i])) assert.equal(String(await socket.next()), text);
                assert.ok(data.equals(await socket.next()));
            }));
            await Promise.all(sockets.map((socket, i) => socket.close(3000 + i)));
            assert.equal((await ask(session, "/hello")).status, 200);
        });
        assert.deepEqual(server.faults, []);
        assert.equal(server.connections, 1);
    });

    test(`a WebSocket that is reset ends alone${over}`, limits, async () => {
        await served(secure, async (session) => {
            const sockets = await Promise.all(Array.from({ length: 10 }, () => Socket.open(session, "/ws")));
            for (const socket of sockets.slice(1)) {
                socket.send(BIG);
                socket.stream.close(http2.constants.NGHTTP2_CANCEL);
                await socket.ended;
                sockets[0].send("still here");
                assert.equal(String(await sockets[0].next()), "still here");
            }
            await sockets[0].close(1000);
        });
    });

    test(`upgrades that are refused${over}`, limits, async () => {
        const server = await served(secure, async (session, server) => {
            for (const [path, headers, status] of [["/nothing", {}, 404], ["/hello", {}, 405],
                ["/auth", {}, 401], ["/auth?how=403", {}, 403], ["/auth?how=later403", {}, 403],
                ["/ws", { origin: "https://evil.example" }, 403], ["/ws", { "sec-websocket-version": "12" }, 426]]) {
                const { stream, status: told } = await Socket.open(session, path, { headers });
                assert.equal(told, status, path);
                stream.end();
                await once(stream, "close");
            }
            const good = await Socket.open(session, "/auth",
                { headers: { authorization: "Bearer let-me-in", origin: server.url("") } });
            assert.deepEqual([good.status, good.answer["set-cookie"]?.[0]],
                [200, "sid=granted; Path=/; SameSite=Lax; HttpOnly"]);
            assert.equal(String(await good.next()), "welcome token");
            await good.close(1000);
        });
        assert.equal(server.connections, 1);
    });

    test(`a server that stops says so to every stream${over}`, limits, async () => {
        const server = await HttpServer.start(secure ? certs : undefined, "--http2", "all");
        const session = http2.connect(server.url(""), { ca: certs.read("ca.pem") });
        const sockets = await Promise.all(Array.from({ length: 5 }, () => Socket.open(session, "/ws")));
        const late = ask(session, "/late");
        const goaway = once(session, "goaway");
        const ended = once(session, "close");
        await ask(session, "/hello"); // the late one is there, too
        const stopped = server.stop();
        for (const socket of sockets) {
            assert.equal((await socket.closed)[0], 1001);
            socket.sender.close(1001, "", true);
            socket.stream.end();
            await socket.ended;
            assert.equal(socket.stream.rstCode, 0);
        }
        assert.equal((await late).status, 201);
        assert.equal((await goaway)[0], http2.constants.NGHTTP2_NO_ERROR);
        await Promise.all([ended, stopped]);
        assert.equal(server.connections, 1);
    });

    test(`WebSockets are not announced where they are not wanted${over}`, limits, async () => {
        await served(secure, async (session) => {
            assert.notEqual(session.remoteSettings.enableConnectProtocol, true);
            assert.equal((await ask(session, "/hello")).json().version, 20);
        }, "requests");
    });
}
