#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""WebSockets over HTTP/2 as programs see them that nobody here wrote: python3-h2 with
python3-wsproto, nghttp and h2load."""
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from h2_tools import Connection, Request, Server, message, wsproto
from server import run


def echoes_on_many_streams(context=None, *options):
    with Server(*options) as server:
        connection = Connection(server.port, context)
        sockets = [connection.open("/echo") for _ in range(8)]
        assert all(s.status == 200 for s in sockets)
        sent = [[os.urandom(size) for size in (0, 1, 126, 70000, 300000)] for _ in sockets]
        for s, payloads in zip(sockets, sent):
            for payload in payloads:
                s.send(message(payload))
            s.send(wsproto.events.Ping(payload=b"there?"))
        connection.until(lambda: all(s.pongs == 1 for s in sockets))
        assert [s.messages for s in sockets] == sent
        for s in sockets:
            s.send(wsproto.events.CloseConnection(code=1000, reason="done"))
        connection.until(lambda: all(s.ended for s in sockets))
        assert all(s.closed == 1000 and s.reset in (None, 0) for s in sockets)  # 0: NO_ERROR


def the_same_inside_tls():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([os.environ["MAKE_CERTS"], folder], check=True)
        context = ssl.create_default_context(cafile=os.path.join(folder, "ca.pem"))
        context.set_alpn_protocols(["h2"])
        echoes_on_many_streams(context, os.path.join(folder, "server.pem"),
                               os.path.join(folder, "server.key"))


def chat_across_connections():
    with Server() as server:
        port = server.port
        connections = [Connection(port) for _ in range(3)]
        sockets = [c.open("/chat") for c in connections for _ in range(3)]
        assert all(s.status == 200 for s in sockets)
        sockets[4].send(wsproto.events.TextMessage(data="hello"))
        for c in connections:
            mine = [s for s in sockets if s.connection is c]
            c.until(lambda: all(s.messages == ["hello"] for s in mine))


def a_reset_ends_one_stream():
    with Server() as server:
        connection = Connection(server.port)
        one, other = connection.open("/echo"), connection.open("/echo")
        one.unsent = one.ws.send(message(b"x" * 100000))[:20000]  # in the middle of a frame
        connection.flush()
        connection.h2.reset_stream(one.stream, 8)
        del connection.sockets[one.stream]
        connection.write()
        other.send(message(b"still here"))
        connection.until(lambda: other.messages == [b"still here"])


def a_server_that_stops_says_goodbye():
    with Server() as server:
        connection = Connection(server.port)
        sockets = [connection.open("/echo") for _ in range(3)]
        server.process.stdin.close()
        assert all(s.status == 200 for s in sockets)
        data, gone_away, told = b"", None, {}
        while gone_away is None or len(told) < len(sockets):
            data += connection.socket.recv(65536)  # h2 itself takes no frame after a GOAWAY
            while len(data) >= 9 and len(data) >= 9 + int.from_bytes(data[:3], "big"):
                size, kind = int.from_bytes(data[:3], "big"), data[3]
                stream, payload = int.from_bytes(data[5:9], "big"), data[9:9 + size]
                data = data[9 + size:]
                if kind == 7:
                    gone_away = int.from_bytes(payload[4:8], "big")
                elif kind == 0:
                    told[stream] = payload[:1] + payload[2:4]
        assert gone_away == 0
        assert all(told[s.stream] == b"\x88\x03\xe9" for s in sockets), told  # close, 1001


def bodies_that_are_paused():
    with Server() as server:
        connection = Connection(server.port)
        uploads = [Request(connection, "/upload", pieces) for pieces in range(1, 9)]
        connection.until(lambda: all(s.ended for s in uploads))
        for pieces, s in enumerate(uploads, 1):
            assert (s.status, s.answer) == (200, b"%d bytes\n" % (pieces * 1000)), (pieces, s.answer)


def refusals():
    with Server() as server:
        port = server.port
        connection = Connection(port)
        for path, method, protocol, status in (("/nowhere", "CONNECT", "websocket", 404),
                                               ("/echo", "GET", None, 405),
                                               ("/echo", "CONNECT", "connect-udp", 501)):
            s = connection.open(path, method, protocol)
            connection.until(lambda: s.ended)
            assert s.status == status, (path, s.status)
        assert connection.open("/echo").status == 200
        if shutil.which("nghttp") and shutil.which("h2load"):
            out = subprocess.run(["nghttp", "-v", f"http://127.0.0.1:{port}/echo"],
                                 capture_output=True, text=True, timeout=60).stdout
            assert ":status: 405" in out and "GOAWAY" in out, out
            out = subprocess.run(["h2load", "-n500", "-c5", "-m20", f"http://127.0.0.1:{port}/no"],
                                 capture_output=True, text=True, timeout=120).stdout
            assert "500 4xx" in out and "500 done" in out, out
        plain = socket.create_connection(("127.0.0.1", port))  # beside HTTP/1.1
        plain.sendall(b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n")
        assert plain.recv(100).startswith(b"HTTP/1.1 426 ")


run([echoes_on_many_streams, the_same_inside_tls, chat_across_connections, a_reset_ends_one_stream,
     a_server_that_stops_says_goodbye, bodies_that_are_paused, refusals])
