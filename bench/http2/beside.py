# SPDX-License-Identifier: Apache-2.0
"""bench/http2/beside.py: one stream that moves 100 MB beside small messages on another one of the
same connection. A message of 20 bytes is echoed, one at a time, while the download runs as fast
as this program reads it; and before that without the download. Prints their round trips.

The client is one thread of Python, so what waits in its own receive buffer counts as well. How many
bytes of the download came between a message and its echo does not depend on how fast it is."""
import pathlib
import socket
import struct
import subprocess
import sys
import time

SERVER = pathlib.Path(__file__).resolve().parents[2] / "build/release/bench/bench-http-server"
DATA, HEADERS, SETTINGS, WINDOW_UPDATE = 0, 1, 4, 8
END_STREAM, END_HEADERS, ACK = 1, 4, 1
WINDOW = 0x7FFFFFFF
MESSAGE = b"\x82\x94\0\0\0\0" + b"x" * 20  # masked with zeros
ECHO = b"\x82\x14" + b"x" * 20
QUIET = 5000  # messages without the download


def frame(kind, flags, stream, payload=b""):
    head = struct.pack(">I", len(payload))[1:] + bytes((kind, flags)) + struct.pack(">I", stream)
    return head + payload


def fields(*pairs):
    """HPACK, each a literal without indexing."""
    return b"".join(b"\0" + b"".join(bytes((len(text),)) + text for text in pair) for pair in pairs)


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer, self.at = b"", 0
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
                            + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, WINDOW))
                            + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", WINDOW - 65535)))

    def frame(self):
        while len(self.buffer) - self.at < 9:
            self.more()
        length = int.from_bytes(self.buffer[self.at:self.at + 3], "big")
        while len(self.buffer) - self.at < 9 + length:
            self.more()
        kind, flags, stream = struct.unpack_from(">BBI", self.buffer, self.at + 3)
        payload = self.buffer[self.at + 9:self.at + 9 + length]
        self.at += 9 + length
        if kind == SETTINGS and not flags & ACK:
            self.socket.sendall(frame(SETTINGS, ACK, 0))
        return kind, flags, stream, payload

    def more(self):
        came = self.socket.recv(1 << 18)
        assert came, "the server ended the connection"
        self.buffer, self.at = self.buffer[self.at:] + came, 0


def ask(connection, stream, path, *more, ends=True):
    method = b"GET" if ends else b"CONNECT"
    block = fields((b":method", method), (b":scheme", b"http"), (b":authority", b"x"),
                   (b":path", path), *more)
    flags = END_HEADERS | (END_STREAM if ends else 0)
    connection.socket.sendall(frame(HEADERS, flags, stream, block))


def echoes(connection, until):
    """(seconds, bytes of others before the echo) for each message until that says so."""
    rounds, had, total, between = [], b"", 0, 0
    sent = time.perf_counter()
    connection.socket.sendall(frame(DATA, 0, 1, MESSAGE))
    while True:
        kind, flags, stream, payload = connection.frame()
        if kind == DATA and stream != 1:
            total += len(payload)
            between += len(payload)
        elif kind == DATA:
            had += payload
            if had == ECHO:
                rounds.append((time.perf_counter() - sent, between))
                had, between = b"", 0
        if until(len(rounds), stream, kind, flags):
            return rounds, total
        if kind == DATA and stream == 1 and not had:
            sent = time.perf_counter()
            connection.socket.sendall(frame(DATA, 0, 1, MESSAGE))


def told(name, rounds):
    times, waits = sorted(t for t, _ in rounds), sorted(w for _, w in rounds)
    at = lambda list_, part: list_[min(len(list_) - 1, int(len(list_) * part))]
    print(f"| {name} | {len(rounds):,} | {at(times, .5) * 1e3:.2f} | {at(times, .99) * 1e3:.2f} | "
          f"{times[-1] * 1e3:.2f} | {at(waits, .99) / 1024:,.0f} |")


def main():
    port = 0
    with socket.socket() as picked:
        picked.bind(("127.0.0.1", 0))
        port = picked.getsockname()[1]
    server = subprocess.Popen([str(SERVER), str(port)])
    try:
        for _ in range(100):
            try:
                connection = Connection(port)
                break
            except ConnectionRefusedError:
                time.sleep(0.05)
        ask(connection, 1, b"/echo", (b":protocol", b"websocket"),
            (b"sec-websocket-version", b"13"), ends=False)
        while True:
            kind, _, stream, _ = connection.frame()
            if kind == HEADERS and stream == 1:
                break
        print("| small messages | echoes | p50, ms | p99, ms | longest, ms | "
              "others' KiB before one, p99 |")
        print("|---|--:|--:|--:|--:|--:|")
        rounds, _ = echoes(connection, lambda count, *_: count >= QUIET)
        told("alone", rounds)
        ask(connection, 3, b"/100m")
        began = time.perf_counter()
        rounds, total = echoes(connection, lambda _, stream, kind, flags: stream == 3
                               and kind == DATA and flags & END_STREAM)
        took = time.perf_counter() - began
        assert total == 100_000_000, total
        told("beside 100 MB on another stream", rounds)
        print(f"\nThe download took {took:.2f} s, {total / took / 1e6:.0f} MB/s.")
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    sys.exit(main())
