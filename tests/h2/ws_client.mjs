// SPDX-License-Identifier: Apache-2.0
// Node's ws as a client of whatever stands in front of the server, for the scripts of the proxies.
//     node ws_client.mjs URL ORIGIN COUNT
// COUNT sockets at once: each has all sizes echoed, fragments with a ping inside, and a clean close.
// Says "ok COUNT" when all of it was so.
import assert from "node:assert/strict";
import { once } from "node:events";
import { fragmentsPass } from "../e2e/harness.mjs";
import { WebSocket } from "../e2e/ws.mjs";

const [url, origin, count] = process.argv.slice(2);

async function talk(number) {
    const socket = new WebSocket(url, { origin, maxPayload: 1 << 24, perMessageDeflate: true });
    await once(socket, "open");
    for (const size of [0, 1, 125, 126, 65535, 65536, 300000]) {
        const data = Buffer.alloc(size, number);
        socket.send(data);
        const [reply, isBinary] = await once(socket, "message");
        assert.ok(isBinary && data.equals(reply), `${size}`);
    }
    await fragmentsPass(socket);
    socket.close(4000 + number, "done");
    const [code, reason] = await once(socket, "close");
    assert.equal(code, 4000 + number);
    return String(reason);
}

const reasons = await Promise.all(Array.from({ length: Number(count) }, (_, i) => talk(i)));
assert.ok(reasons.every((reason) => reason === "done" || reason === ""), String(reasons));
console.log(`ok ${reasons.length}`);
process.exit(0);
