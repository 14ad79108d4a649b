// SPDX-License-Identifier: Apache-2.0
// Messages that the library's user sends in fragments, read by Node's ws.
import test from "node:test";
import assert from "node:assert/strict";
import { once } from "node:events";
import { spawn } from "node:child_process";
import readline from "node:readline";
import WebSocket from "ws";

for (const options of [[], ["deflate"]]) {
    test(`each comes back whole, with pings between ${options}`, { timeout: 60000 }, async () => {
        const server = spawn(process.env.E2E_PIECES_SERVER, options,
            { stdio: ["pipe", "pipe", "inherit"] });
        const [line] = await once(readline.createInterface(server.stdout), "line");
        const socket = new WebSocket(`ws://127.0.0.1:${line.split(" ")[1]}/`,
            { perMessageDeflate: options.length > 0, maxPayload: 1 << 27 });
        let pings = 0;
        let shouts = 0;
        const got = [];
        socket.on("ping", (data) => { pings += data.toString() === "between"; });
        socket.on("message", (data, binary) => {
            const shout = !binary && data.toString() === "shout";
            shouts += shout;
            if (!shout) {
                got.push([data, binary]);
                socket.emit("answer");
            }
        });
        await once(socket, "open");
        for (const size of [0, 1, 2, 126, 5000, 70000, 300000]) {
            for (const data of ["é€😀x".repeat(size), Buffer.alloc(size, size & 255)]) {
                const answered = once(socket, "answer");
                socket.send(data);
                await answered;
                const [reply, binary] = got.pop();
                assert.equal(binary, typeof data !== "string");
                assert.ok(Buffer.from(data).equals(reply), `${size}`);
            }
        }
        socket.close(1000);
        const [code] = await once(socket, "close");
        assert.equal(code, 1000);
        assert.equal(shouts, 7); // every message of more than 255 bytes
        assert.ok(pings > 100, `${pings}`);
        server.stdin.end();
        const [status] = await once(server, "exit");
        assert.equal(status, 0);
    });
}
