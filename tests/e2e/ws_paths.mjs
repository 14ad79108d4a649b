// SPDX-License-Identifier: Apache-2.0
// What the servers of Node's ws for the client's tests share, over HTTP/1.1 and over HTTP/2: what each
// path does with its socket, their certificate, and how they say where they listen.
import fs from "node:fs";

// path -> (socket, headers of the request)
export const paths = {
    "/echo": (socket) => socket.on("message", (data, binary) => socket.send(data, { binary })),
    "/fragments": (socket) => {
        socket.send("one ", { fin: false });
        socket.ping("mid");
        socket.send("two ", { fin: false });
        socket.send("three", { fin: true });
    },
    "/ping": (socket) => {
        socket.on("pong", (data) => socket.send(`pong ${data}`));
        socket.ping("from the server");
    },
    "/close": (socket) => socket.close(4002, "enough"),
    "/terminate": (socket) => socket.terminate(),
    "/headers": (socket, headers) => socket.send(JSON.stringify(headers)),
};

// The contents of two files, as options of a server; nothing when none are named.
export function identity(cert, key) {
    return cert && { cert: fs.readFileSync(cert), key: fs.readFileSync(key) };
}

// Says "port N".
export function listen(web) {
    web.listen(0, "127.0.0.1", () => console.log(`port ${web.address().port}`));
}
