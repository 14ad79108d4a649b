// SPDX-License-Identifier: Apache-2.0
// A server of Node's ws that the load tester is held against: it counts by itself, and does wrong
// exactly as often as it says. It prints "port N".
//   /echo     echoes; /stall too, and stands still for 100 ms once a second while one is connected
//   /fanout   to all others
//   /faulty/echo, /faulty/fanout   one answer or delivery in 10,000 each dropped, repeated, swapped
//   GET /stats   what was counted so far, as JSON
// `node bench_server.mjs deflate` compresses every message.
import http from "node:http";
import { WebSocketServer } from "ws";

const stats = { connections: 0, received: 0, sent: 0, stalls: 0, dropped: 0, repeated: 0, swapped: 0 };
const subscribers = new Set();

function send(socket, data, binary) {
    stats.sent++;
    socket.send(data, { binary });
}

// Drops, repeats or holds back every so many-th message. What was held back goes out behind the
// next one to the same socket; if none comes, by itself: then nothing was swapped.
let turn = 0;
function sendFaulty(socket, data, binary) {
    turn++;
    const place = turn % 10000;
    if (place === 3000) {
        stats.dropped++;
        return;
    }
    if (place === 6000) {
        stats.repeated++;
        send(socket, data, binary);
    }
    if (place === 9000 && !socket.held) {
        socket.held = setTimeout(() => {
            socket.held = null;
            send(socket, data, binary);
        }, 200);
        socket.heldData = data;
        return;
    }
    send(socket, data, binary);
    if (socket.held) {
        clearTimeout(socket.held);
        socket.held = null;
        stats.swapped++;
        send(socket, socket.heldData, binary);
    }
}

function fanOut(sender, way) {
    return (data, binary) => {
        for (const socket of subscribers) {
            if (socket !== sender) {
                way(socket, data, binary);
            }
        }
    };
}

const stalled = new Int32Array(new SharedArrayBuffer(4));
let stalling = 0;
function stall() {
    if (stalling > 0) {
        stats.stalls++;
        Atomics.wait(stalled, 0, 0, 100);
    }
}
setInterval(stall, 1000);

const paths = {
    "/echo": (socket) => (data, binary) => send(socket, data, binary),
    "/stall": (socket) => {
        stalling++;
        socket.on("close", () => stalling--);
        return (data, binary) => send(socket, data, binary);
    },
    "/faulty/echo": (socket) => (data, binary) => sendFaulty(socket, data, binary),
    "/fanout": (socket) => fanOut(socket, send),
    "/faulty/fanout": (socket) => fanOut(socket, sendFaulty),
};

const web = http.createServer((request, response) => response.end(JSON.stringify(stats)));
const perMessageDeflate = process.argv[2] === "deflate" ? { threshold: 0 } : false;
const sockets = new WebSocketServer({ server: web, maxPayload: 1 << 27, perMessageDeflate });
sockets.on("connection", (socket, request) => {
    stats.connections++;
    socket.on("error", () => {});
    const answer = paths[request.url](socket);
    if (request.url.endsWith("fanout")) {
        subscribers.add(socket);
        socket.on("close", () => subscribers.delete(socket));
    }
    socket.on("message", (data, binary) => {
        stats.received++;
        answer(data, binary);
    });
});
web.listen(0, "127.0.0.1", () => console.log(`port ${web.address().port}`));
