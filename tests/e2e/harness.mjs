// SPDX-License-Identifier: Apache-2.0
// Starts the wring command given by WRING on a port of its own, and ends it by its pid.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

export class Server {
    static async start(...options) {
        const server = new Server();
        const program = process.env.WRING;
        assert.ok(program, "WRING must name the wring command");
        server.child = spawn(program, ["serve", "--port", "0", ...options],
            { stdio: ["ignore", "pipe", "inherit"] });
        server.exited = once(server.child, "exit");
        let text = "";
        for await (const piece of server.child.stdout) {
            text += piece;
            const match = /listening on https?:\/\/127\.0\.0\.1:(\d+)\//.exec(text);
            if (match) {
                server.port = Number(match[1]);
                return server;
            }
        }
        throw new Error(`the server ended before it listened: ${text}`);
    }
    url(path) { return `ws://127.0.0.1:${this.port}${path}`; }
    page(path) { return `http://127.0.0.1:${this.port}${path}`; }
    // SIGTERM must end it with 0, whatever the test did to it.
    async stop() {
        this.child.kill("SIGTERM");
        const [code, signal] = await this.exited;
        assert.equal(signal, null);
        assert.equal(code, 0);
    }
}

// A message in two fragments with a ping between them, to a server that echoes.
export async function fragmentsPass(socket) {
    socket.send("one ", { fin: false });
    socket.ping("mid");
    socket.send("two", { fin: true });
    const [[pong], [text]] = await Promise.all([once(socket, "pong"), once(socket, "message")]);
    assert.equal(`${pong} ${text}`, "mid one two");
}

export const sizes = [0, 1, 125, 126, 65535, 65536, 1 << 20, 16 << 20];

// A folder of certificates, made now by tests/certs/make.c: of those ca, server and client are good.
export class Certs {
    constructor() {
        this.folder = fs.mkdtempSync(path.join(os.tmpdir(), "wring-certs-"));
        execFileSync(process.env.MAKE_CERTS, [this.folder]);
    }
    file(name) { return path.join(this.folder, name); }
    read(name) { return fs.readFileSync(this.file(name)); }
    remove() { fs.rmSync(this.folder, { recursive: true, force: true }); }
    get serveOptions() {
        return ["--tls-cert", this.file("server.pem"), "--tls-key", this.file("server.key")];
    }
}
