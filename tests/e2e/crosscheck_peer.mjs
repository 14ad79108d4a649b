// SPDX-License-Identifier: Apache-2.0
// An echo server of Node's ws that stamps each message's arrival by its own clock. It prints "port N";
// for each line on standard input it prints the stamps since the last one, in nanoseconds, as JSON.
import { WebSocketServer } from "ws";
import readline from "node:readline";

let stamps = [];
const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false, backlog: 4096 });
server.on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data, binary) => {
        stamps.push(Number(process.hrtime.bigint()));
        socket.send(data, { binary });
    });
});
server.on("listening", () => console.log(`port ${server.address().port}`));
readline.createInterface({ input: process.stdin })
    .on("line", () => {
        console.log(JSON.stringify(stamps));
        stamps = [];
    })
    .on("close", () => process.exit(0));
