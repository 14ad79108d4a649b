// SPDX-License-Identifier: Apache-2.0
// /chat in two tabs of Chromium on different workers. WRING_SCREENSHOT=file keeps a picture.
import test from "node:test";
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { chromium } from "playwright-core";
import { Server, sizes } from "./harness.mjs";

const program = "/usr/bin/chromium";
const skip = fs.existsSync(program) ? false : "no Chromium";

let server, context, profile;
if (!skip) {
    server = await Server.start("--workers", "2");
    profile = fs.mkdtempSync(path.join(os.tmpdir(), "wring-chromium-"));
    context = await chromium.launchPersistentContext(profile, {
        executablePath: program, headless: true, viewport: { width: 640, height: 620 },
        args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    });
}
test.after(async () => {
    if (skip) return;
    await context.close();
    fs.rmSync(profile, { recursive: true, force: true });
    await server.stop();
});

async function tab() {
    const page = await context.newPage();
    await page.goto(server.page("/"));
    await page.waitForSelector("body[data-worker]");
    return { page, worker: await page.getAttribute("body", "data-worker") };
}
async function say(page, text) {
    await page.fill("#text", text);
    await page.keyboard.press("Enter");
}
const seen = (page, text) => page.waitForSelector(`li:has-text("${text}")`);

test("two tabs on different workers see each other", { skip }, async () => {
    const first = await tab();
    let second;
    for (let i = 0; i < 40; i++) { // the kernel spreads connections; a few tabs are enough
        second = await tab();
        if (second.worker !== first.worker) break;
        await second.page.close();
    }
    assert.notEqual(first.worker, second.worker);
    await say(first.page, "Hello from the first tab");
    await Promise.all([first, second].map((t) => seen(t.page, "Hello from the first tab")));
    await say(second.page, "Loud and clear: another worker, the same room");
    await Promise.all([first, second].map((t) => seen(t.page, "Loud and clear")));
    await say(first.page, '<b>"quoted" & \\ escaped</b>');
    await second.page.waitForFunction(() =>
        document.querySelector("li:last-child").textContent.includes('<b>"quoted" & \\ escaped</b>'));
    if (process.env.WRING_SCREENSHOT) {
        await picture([first.page, second.page], process.env.WRING_SCREENSHOT);
    }
    await first.page.close();
    await second.page.close();
});

// Both tabs side by side in one picture.
async function picture(pages, file) {
    const shots = [];
    for (const page of pages) {
        await page.bringToFront();
        shots.push((await page.screenshot()).toString("base64"));
    }
    const board = await context.newPage();
    await board.setViewportSize({ width: 1300, height: 620 });
    await board.setContent(`<body style="margin:0;display:flex;gap:20px;background:#cfd8df">` +
        shots.map((s) => `<img src="data:image/png;base64,${s}">`).join(""));
    await board.waitForTimeout(300);
    await board.screenshot({ path: file });
    await board.close();
}

test("Chromium echoes text and binary of every size", { skip }, async () => {
    const page = await context.newPage();
    await page.goto(server.page("/healthz"));
    const verdict = await page.evaluate(async ({ url, sizes }) => {
        const socket = new WebSocket(url);
        socket.binaryType = "arraybuffer";
        await new Promise((resolve) => { socket.onopen = resolve; });
        const next = () => new Promise((resolve) => { socket.onmessage = (e) => resolve(e.data); });
        for (const size of sizes) {
            const text = "x".repeat(size);
            socket.send(text);
            if (await next() !== text) return `text of ${size}`;
            const bytes = new Uint8Array(size).fill(size);
            socket.send(bytes);
            const reply = new Uint8Array(await next());
            if (reply.length !== size || reply.some((b) => b !== (size & 255))) return `binary of ${size}`;
        }
        const closed = new Promise((resolve) => { socket.onclose = resolve; });
        socket.close(4001, "done");
        const event = await closed;
        return event.wasClean && event.code === 4001 ? "all well" : `close ${event.code}`;
    }, { url: server.url("/echo"), sizes });
    assert.equal(verdict, "all well");
    await page.close();
});
