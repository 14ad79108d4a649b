#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Compressed messages over TLS that a worker inflates over many turns: large ones with
python3-websockets, and one behind which the client has already ended its side (close_notify)."""
import asyncio
import json
import socket
import ssl
import time
import urllib.request
import zlib

import websockets

from server import UPGRADE, Server, frame, run
from tools import PATIENCE, Certs

certs = Certs()
PAIR = ("--tls-cert", certs.file("server.pem"), "--tls-key", certs.file("server.key"))
BOMB = 8 << 20
TURN = 128 << 10  # the default of --deflate-turn-bytes


def stats_of(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.admin_port}/stats") as answer:
        return json.load(answer)


def stats_when(server, wanted):
    end = time.monotonic() + PATIENCE
    while not wanted(stats := stats_of(server)):
        assert time.monotonic() < end, stats
        time.sleep(0.02)
    return stats


def large_messages_come_back():
    async def go(server):
        url = server.url().replace("ws://127.0.0.1", "wss://localhost")
        async with websockets.connect(url, ssl=certs.client_context(),
                                      max_size=1 << 26) as sock:
            assert sock.extensions, "nothing was negotiated"
            for size in (TURN - 1, TURN, TURN + 1, 10 * TURN, BOMB, 20):
                text = "a line of a log, " * (size // 17) + "x" * (size % 17)
                await sock.send(text)
                await sock.send("between")
                assert await sock.recv() == text, size
                assert await sock.recv() == "between"

    with Server("--deflate", *PAIR, "--admin-port", "0") as server:
        asyncio.run(go(server))
        assert stats_of(server)["deflate_rx_interrupted"] >= BOMB // TURN


def raw(server):
    sock = certs.client_context().wrap_socket(
        socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE),
        server_hostname="localhost")
    offer = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
    sock.sendall(UPGRADE.format(path="/echo").replace("\r\n\r\n", "\r\n" + offer + "\r\n").encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += sock.recv(1)
    assert b"permessage-deflate" in head, head
    return sock


def bomb():
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    wire = deflate.compress(b"\0" * BOMB) + deflate.flush(zlib.Z_SYNC_FLUSH)
    return frame(2, wire[:-4], rsv=4)


def what_came_before_close_notify_is_read():
    with Server("--deflate", *PAIR, "--workers", "1", "--admin-port", "0") as server:
        for rounds in range(1, 6):
            sock = raw(server)
            cork = rounds % 2  # both in one read of the server, or one after the other
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, cork)
            sock.sendall(bomb())
            sock.setblocking(False)
            try:
                sock.unwrap()  # close_notify goes out; the server's is not waited for
            except (ssl.SSLWantReadError, ssl.SSLError):
                pass
            stats = stats_when(server, lambda s: s["deflate_rx_messages"] == rounds
                               and s["connections"] == 0)
            assert stats["deflate_rx_bytes_after"] == rounds * BOMB, stats
            sock.close()


run([large_messages_come_back, what_came_before_close_notify_is_read])
