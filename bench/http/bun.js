// SPDX-License-Identifier: Apache-2.0
//
// Bun's server of script/bench http: bun bun.js PORT.
const page = new TextEncoder().encode("abcdefghijklmnopqrstuvwxyz".repeat(40).slice(0, 1024));
const type = { headers: { "Content-Type": "text/plain; charset=utf-8" } };
Bun.serve({
    hostname: "127.0.0.1",
    port: Number(process.argv[2]),
    routes: {
        "/1k": () => new Response(page, type),
        "/post": {
            POST: async (request) => {
                const body = await request.bytes();
                return new Response(body.length === page.length ? "ok\n" : "no\n", type);
            },
        },
    },
    fetch: () => new Response("nothing is there\n", { status: 404 }),
});
