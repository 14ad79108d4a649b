# SPDX-License-Identifier: Apache-2.0
"""Starts the wring command named by WRING and ends it by its pid; raw sockets for the tests."""
import os
import re
import signal
import socket
import subprocess
import sys
import time

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = ("GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n")


class Server:
    def __init__(self, *options):
        self.process = subprocess.Popen([os.environ["WRING"], "serve", "--port", "0", *options],
                                        stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        match = re.match(r"wring: listening on https?://(?:127\.0\.0\.1|0\.0\.0\.0):(\d+)/", line)
        assert match, f"no listening line: {line!r}"
        self.port = int(match.group(1))
        self.admin_port = None
        if "--admin-port" in options:
            line = self.process.stdout.readline()
            match = re.match(r"wring: admin on http://127\.0\.0\.1:(\d+)/", line)
            assert match, f"no admin line: {line!r}"
            self.admin_port = int(match.group(1))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=60)
        assert code == 0 or exc[0], f"the server ended with {code}"

    def url(self, path="/echo"):
        return f"ws://127.0.0.1:{self.port}{path}"

    def connect(self):
        sock = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock

    def upgraded(self, path="/echo"):
        sock = self.connect()
        sock.sendall(UPGRADE.format(path=path).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += sock.recv(1)
        assert head.startswith(b"HTTP/1.1 101 "), head
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head, head
        return sock


def frame(opcode, payload, fin=True, rsv=0, mask=b"\x11\x22\x33\x44"):
    """A client frame; mask=None leaves it unmasked."""
    out = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if mask else 0
    if len(payload) < 126:
        out += bytes([bit | len(payload)])
    elif len(payload) < 65536:
        out += bytes([bit | 126]) + len(payload).to_bytes(2, "big")
    else:
        out += bytes([bit | 127]) + len(payload).to_bytes(8, "big")
    if mask:
        out += mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
    else:
        out += payload
    return out


def read_exactly(sock, count):
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        assert piece, f"the stream ended after {len(data)} of {count} bytes"
        data += piece
    return data


def read_frame(sock):
    """(opcode, payload) of the next server frame."""
    first, second = read_exactly(sock, 2)
    assert first & 0x80 and not second & 0x80
    length = second
    if second == 126:
        length = int.from_bytes(read_exactly(sock, 2), "big")
    elif second == 127:
        length = int.from_bytes(read_exactly(sock, 8), "big")
    return first & 15, read_exactly(sock, length)


def at_end(sock):
    """Reads on; True when the peer ends the stream in order."""
    while sock.recv(65536):
        pass
    return True


def run(tests):
    """Runs functions one by one, and says which failed."""
    failed = 0
    for test in tests:
        begin = time.monotonic()
        try:
            test()
            print(f"ok {test.__name__} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Exception as error:  # a test may fail in any way
            failed += 1
            print(f"FAILED {test.__name__}: {type(error).__name__}: {error}")
    sys.exit(1 if failed else 0)
