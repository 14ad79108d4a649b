# SPDX-License-Identifier: Apache-2.0
"""An HTTP CONNECT and a SOCKS5 proxy in a few lines each, which note what they were asked for."""
import base64
import contextlib
import socket
import struct
import threading
import time

from server import read_exactly
from tools import Listener, read_head


def pump(source, sink):
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def tunnel(sock, host, port):
    with socket.create_connection((host, port), timeout=20) as far:
        back = threading.Thread(target=pump, args=(far, sock))
        back.start()
        pump(sock, far)
        back.join()


class HttpProxy(Listener):
    def __init__(self, userinfo=None):
        self.asked = []
        self.credentials = userinfo and b"Basic " + base64.b64encode(userinfo.encode())
        super().__init__(self.connect)

    def connect(self, sock):
        head = read_head(sock)
        self.asked.append(head)
        lines = head.split(b"\r\n")
        method, target, version = lines[0].split(b" ")
        assert (method, version) == (b"CONNECT", b"HTTP/1.1"), head
        assert b"Host: " + target in lines, head
        if self.credentials and b"Proxy-Authorization: " + self.credentials not in lines:
            sock.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n"
                         b"Proxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n")
            return
        host, port = target.rsplit(b":", 1)
        # in two pieces, with a header as real ones have
        sock.sendall(b"HTTP/1.1 200 Connection esta")
        time.sleep(0.02)
        sock.sendall(b"blished\r\nVia: 1.1 test\r\n\r\n")
        tunnel(sock, host.strip(b"[]").decode(), int(port))


class SocksProxy(Listener):
    """RFC 1928 and RFC 1929; its answers come a byte at a time."""

    def __init__(self, user=None, password=None):
        self.asked = []
        self.kinds = []  # of addresses: 1, 3 or 4
        self.user, self.password = user, password
        super().__init__(self.connect)

    def say(self, sock, data):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in data:
            sock.sendall(bytes([byte]))

    def connect(self, sock):
        version, count = read_exactly(sock, 2)
        methods = read_exactly(sock, count)
        assert version == 5
        method = 0 if self.user is None else 2
        if method not in methods:
            self.say(sock, b"\x05\xff")
            return
        self.say(sock, bytes([5, method]))
        if method == 2:
            assert read_exactly(sock, 1) == b"\x01"
            user = read_exactly(sock, read_exactly(sock, 1)[0]).decode()
            password = read_exactly(sock, read_exactly(sock, 1)[0]).decode()
            good = (user, password) == (self.user, self.password)
            self.say(sock, b"\x01\x00" if good else b"\x01\x01")
            if not good:
                return
        version, command, _, kind = read_exactly(sock, 4)
        assert (version, command) == (5, 1), (version, command)
        if kind == 3:
            host = read_exactly(sock, read_exactly(sock, 1)[0]).decode()
        else:
            family, length = {1: (socket.AF_INET, 4), 4: (socket.AF_INET6, 16)}[kind]
            host = socket.inet_ntop(family, read_exactly(sock, length))
        self.kinds.append(kind)
        port, = struct.unpack(">H", read_exactly(sock, 2))
        self.asked.append((host, port))
        self.say(sock, b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x00")
        tunnel(sock, host, port)
