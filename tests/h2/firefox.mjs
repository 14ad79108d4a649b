// SPDX-License-Identifier: Apache-2.0
// Debian's Firefox without a window, driven by WebDriver BiDi: playwright knows only builds of its own.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { WebSocket } from "../e2e/ws.mjs";

const program = "/usr/bin/firefox-esr";
export const noFirefox = fs.existsSync(program) ? false : "no Firefox";

// Nothing but the pages it is told to load.
const PREFERENCES = `
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("app.update.enabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.proxy.type", 0);
user_pref("network.dns.disablePrefetch", true);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("toolkit.telemetry.enabled", false);
user_pref("services.settings.server", "");
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
`;

// The address that it says on standard error.
async function listens(child) {
    let text = "";
    for await (const piece of child.stderr) {
        text += piece;
        const match = /WebDriver BiDi listening on (ws:\/\/\S+)/.exec(text);
        if (match) return match[1];
    }
    throw new Error(`Firefox ended before it listened: ${text}`);
}

async function commands(url) {
    const socket = new WebSocket(`${url}/session`);
    await once(socket, "open");
    const waiting = new Map();
    socket.on("message", (text) => {
        const { id, result, error, message } = JSON.parse(text);
        const call = waiting.get(id);
        if (call === undefined) return; // an event
        waiting.delete(id);
        if (error === undefined) call.resolve(result);
        else call.reject(new Error(`${error}: ${message}`));
    });
    let last = 0;
    return (method, params) => new Promise((resolve, reject) => {
        waiting.set(++last, { resolve, reject });
        socket.send(JSON.stringify({ id: last, method, params }));
    });
}

// A page: go(url), run(script) for the script's string, close().
export async function firefox() {
    const profile = fs.mkdtempSync(path.join(os.tmpdir(), "wring-firefox-"));
    fs.writeFileSync(path.join(profile, "user.js"), PREFERENCES);
    const child = spawn(program, ["--headless", "--no-remote", "--profile", profile,
        "--remote-debugging-port", "0"], { stdio: ["ignore", "ignore", "pipe"],
        env: { ...process.env, HOME: profile, MOZ_CRASHREPORTER_DISABLE: "1" } });
    const ended = once(child, "exit");
    const close = async () => {
        child.kill("SIGTERM");
        await ended;
        fs.rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
    };
    try {
        const call = await commands(await listens(child));
        child.stderr.resume();
        await call("session.new", { capabilities: { alwaysMatch: { acceptInsecureCerts: true } } });
        const { contexts: [{ context }] } = await call("browsingContext.getTree", {});
        return {
            go: (url) => call("browsingContext.navigate", { context, url, wait: "complete" }),
            async run(expression) {
                const told = await call("script.evaluate",
                    { expression, target: { context }, awaitPromise: true });
                assert.equal(told.type, "success", JSON.stringify(told.exceptionDetails?.text));
                return told.result.value;
            },
            close,
        };
    } catch (error) {
        await close();
        throw error;
    }
}
