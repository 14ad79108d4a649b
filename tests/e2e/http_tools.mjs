// SPDX-License-Identifier: Apache-2.0
// What the tests of HTTP in Node share: e2e-http-server, and Chromium where it is installed.
import { spawn } from "node:child_process";
import { once } from "node:events";
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";

export const BIG = Buffer.alloc(1 << 20);
for (let i = 0; i < BIG.length; i++) BIG[i] = i % 251;

// Stopped by the end of its input; then `exchanges` and `connections` are those of its whole life.
export class HttpServer {
    static async start(certs, ...more) {
        const server = new HttpServer();
        assert.ok(process.env.E2E_HTTP_SERVER, "E2E_HTTP_SERVER must name the server");
        const options = [...(certs ? ["--tls", certs.folder] : []), ...more];
        server.scheme = certs ? "https" : "http";
        server.child = spawn(process.env.E2E_HTTP_SERVER, options, { stdio: "pipe" });
        server.exited = once(server.child, "close"); // when all of its log is there
        server.out = server.log = "";
        server.child.stderr.on("data", (piece) => { server.log += piece; });
        const listens = new Promise((resolve) => server.child.stdout.on("data", (piece) => {
            server.out += piece;
            if (server.out.includes("\n")) resolve();
        }));
        await Promise.race([listens, server.exited]);
        server.port = Number(/^port (\d+)/.exec(server.out)?.[1]);
        assert.ok(server.port, server.log);
        return server;
    }
    url(to, scheme = this.scheme) { return `${scheme}://localhost:${this.port}${to}`; }
    socket(to) { return this.url(to, this.scheme === "https" ? "wss" : "ws"); }
    // What it logs comes by another way than what it answers.
    async waitForLog(pattern) {
        while (!pattern.test(this.log)) await once(this.child.stderr, "data");
    }
    // Lines about exchanges that did not end well, and calls that failed.
    get faults() { return this.log.split("\n").filter((line) => line && !line.startsWith("log ")); }
    stop() {
        this.stopping ??= this.end();
        return this.stopping;
    }
    async end() {
        this.child.stdin.end();
        const [code, signal] = await this.exited;
        assert.deepEqual([code, signal], [0, null], this.log);
        const counts = /^exchanges (\d+) connections (\d+)/m.exec(this.out);
        this.exchanges = Number(counts[1]);
        this.connections = Number(counts[2]);
    }
}

const program = "/usr/bin/chromium";
export const noChromium = fs.existsSync(program) ? false : "no Chromium";

// A browser with a profile of its own; close() removes it.
export async function browser(...more) {
    const profile = fs.mkdtempSync(path.join(os.tmpdir(), "wring-chromium-"));
    const context = await chromium.launchPersistentContext(profile, {
        executablePath: program, headless: true,
        args: ["--ignore-certificate-errors", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--no-proxy-server",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", ...more],
    });
    return {
        context,
        async close() {
            await context.close();
            fs.rmSync(profile, { recursive: true, force: true });
        },
    };
}
