#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A WebSocket echo server that misbehaves. `hostile_server.py SEED FAULT...` prints "port N"; each
connection gets a fault by chance, which strikes at a moment of its own. "none" is a fault too."""
import random
import resource
import select
import socket
import struct
import sys

from server import frame
from tools import response

SILENT = "silent"  # reads no more, writes no more, leaves everything open


def plain(opcode, payload, **more):
    return frame(opcode, payload, mask=None, **more)


def header(length, opcode=1):
    """The header of a frame that promises `length` bytes in the longest form."""
    return bytes([0x80 | opcode, 127]) + struct.pack(">Q", length)


class Peer:
    """One connection: what came, what is to be sent, and how it goes wrong."""

    def __init__(self, server, sock, fault):
        self.server, self.sock, self.fault = server, sock, fault
        self.rng = server.rng
        self.data = b""
        self.out = b""
        self.upgraded = False
        self.patience = self.rng.choice((0, 0, 1, 2, 5, 40, 200))  # messages before the fault
        self.is_silent = False
        self.leaves = False
        if fault.startswith("accept-"):
            self.end(fault.removeprefix("accept-"))

    # ---- the ways to end -----------------------------------------------------------------------

    def end(self, how=None):
        how = how or self.rng.choice(("rst", "fin", SILENT))
        if how == SILENT:
            self.is_silent = True
            return
        if how == "rst":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.leaves = True

    # ---- bytes ---------------------------------------------------------------------------------

    def send(self, data):
        self.out += data
        try:
            sent = self.sock.send(self.out)
        except BlockingIOError:
            sent = 0
        self.out = self.out[sent:]

    def readable(self):
        try:
            data = self.sock.recv(65536)
        except BlockingIOError:
            return
        if not data:
            self.leaves = True
        self.data += data
        if not self.upgraded and b"\r\n\r\n" in self.data:
            head, self.data = self.data.split(b"\r\n\r\n", 1)
            self.upgrade(head + b"\r\n\r\n")
        while self.upgraded and not self.is_silent and not self.leaves and self.frame_take():
            pass

    def frame_take(self):
        data = self.data
        if len(data) < 6:
            return False
        length, at = data[1] & 127, 2
        if length > 125:
            at += 2 if length == 126 else 8
            length = int.from_bytes(data[2:at], "big")
        if len(data) < at + 4 + length:
            return False
        mask = int.from_bytes(data[at:at + 4] * (length // 4 + 1), "big")
        padded = data[at + 4:at + 4 + length] + bytes(4 - length % 4)
        payload = (int.from_bytes(padded, "big") ^ mask).to_bytes(len(padded), "big")[:length]
        self.data = data[at + 4 + length:]
        self.message(data[0] & 15, payload)
        return True

    # ---- what it does --------------------------------------------------------------------------

    def upgrade(self, head):
        self.upgraded = True
        good = response(head)
        way = getattr(self, "upgrade_" + self.fault.replace("-", "_"), None)
        if way is None:
            self.send(good)
        else:
            way(good)

    def upgrade_head_half(self, good):
        self.send(good[:self.rng.randrange(len(good))])
        self.end()

    def upgrade_head_drip(self, good):
        for i in range(len(good)):
            self.send(good[i:i + 1])

    def upgrade_head_wrong(self, good):
        self.send(self.rng.choice((
            b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", b"SSH-2.0-OpenSSH_9\r\n",
            good.replace(b"101", b"200"), good.replace(b"ccept: ", b"ccept: x"), b"\0" * 100,
            good[:-2] + b"X: " + b"y" * 40000 + b"\r\n\r\n", good[:-2] + b"X:1\r\n" * 500 + b"\r\n")))

    def upgrade_head_more(self, good):
        more = self.rng.choice((plain(1, b"hello"), plain(9, b"?") * 3, plain(8, b"\x03\xe9"),
                                plain(8, b""), plain(1, b"half")[:3], header(1 << 62), b"\xff" * 40))
        self.send(good + more)

    def message(self, opcode, payload):
        if opcode == 8:
            self.farewell(payload)
        elif opcode in (1, 2):
            self.patience -= 1
            way = getattr(self, "answer_" + self.fault.replace("-", "_"), None)
            if way is None or self.patience >= 0:
                self.send(plain(opcode, payload))
            else:
                way(opcode, payload)

    def answer_gone(self, opcode, payload):
        self.end()

    def answer_half(self, opcode, payload):
        whole = plain(opcode, payload)
        self.send(whole[:self.rng.randrange(len(whole))])
        self.end()

    def answer_more(self, opcode, payload):
        self.send(plain(opcode, payload) * self.rng.randrange(2, 5))

    def answer_never(self, opcode, payload):
        pass

    def answer_later(self, opcode, payload):
        """In bursts, and in the wrong order."""
        self.held = [(opcode, payload)] + getattr(self, "held", [])
        if len(self.held) > 3 or self.rng.random() < 0.3:
            self.send(b"".join(plain(*one) for one in self.held))
            self.held = []

    def answer_size(self, opcode, payload):
        self.send(plain(opcode, self.rng.choice((b"", payload[1:], payload * 2, b"x" * 70000))))

    def answer_pieces(self, opcode, payload):
        at = self.rng.randrange(len(payload) + 1)
        self.send(plain(opcode, payload[:at], fin=False) + plain(9, b"p" * self.rng.randrange(126))
                  + plain(0, b"", fin=False) + plain(0, payload[at:]) + plain(10, b"nobody asked"))

    def answer_pieces_unfinished(self, opcode, payload):
        self.send(plain(opcode, payload, fin=False) + plain(0, payload, fin=False))
        self.send(plain(opcode, payload) if self.rng.random() < 0.5 else plain(8, b"\x03\xe8"))

    def answer_close(self, opcode, payload):
        reason = self.rng.choice((b"", b"\x03", b"\x03\xe8", b"\x03\xf5\xff\xfe\x1b[2J\0%s%n\"",
                                  b"\0\0", self.rng.randbytes(125)))
        self.send(plain(8, reason) + plain(opcode, payload) * self.rng.randrange(3))
        if self.rng.random() < 0.5:
            self.end()

    def answer_promise(self, opcode, payload):
        self.send(header(self.rng.choice((1 << 62, (1 << 64) - 1, 1 << 40, 5000))) + payload)

    def answer_garbage(self, opcode, payload):
        self.send(self.rng.randbytes(self.rng.randrange(1, 4000)))

    def answer_pings(self, opcode, payload):
        self.send(plain(9, b"ping") * 200 + plain(opcode, payload))

    def answer_deaf(self, opcode, payload):
        self.end(SILENT)

    def farewell(self, payload):
        fault = self.fault if self.fault.startswith("close-") else "close-good"
        if fault == "close-never":
            return
        if fault == "close-more":
            self.send(plain(1, b"more") * 3)
        self.send(plain(8, payload[:2]) * (2 if fault == "close-twice" else 1))
        if fault == "close-open":
            return  # our side of the stream stays open
        self.end("rst" if fault == "close-rst" else "fin")


FAULTS = (["none"] + ["accept-" + how for how in ("rst", "fin", SILENT)]
          + [name.removeprefix("upgrade_").replace("_", "-") for name in vars(Peer)
             if name.startswith("upgrade_")]
          + [name.removeprefix("answer_").replace("_", "-") for name in vars(Peer)
             if name.startswith("answer_")]
          + ["close-" + how for how in ("never", "more", "twice", "open", "rst")])


class Server:
    def __init__(self, seed, faults):
        self.rng = random.Random(seed)
        self.faults = faults
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
        self.listener.setblocking(False)
        self.epoll = select.epoll()
        self.epoll.register(self.listener, select.EPOLLIN)
        self.peers = {}

    def accept(self):
        for _ in range(64):
            try:
                sock, _ = self.listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            peer = Peer(self, sock, self.rng.choice(self.faults))
            self.peers[sock.fileno()] = peer
            self.epoll.register(sock, select.EPOLLIN)
            self.settle(peer)

    def settle(self, peer):
        """After an event: gone, deaf, or waiting for what it has to wait for."""
        number = peer.sock.fileno()
        if peer.leaves and not peer.out:
            self.drop(peer)
        elif peer.is_silent:
            self.epoll.modify(number, 0)
        else:
            self.epoll.modify(number, select.EPOLLIN | (select.EPOLLOUT if peer.out else 0))

    def drop(self, peer):
        del self.peers[peer.sock.fileno()]
        peer.sock.close()

    def serve(self):
        while True:
            for number, events in self.epoll.poll():
                if number == self.listener.fileno():
                    self.accept()
                    continue
                peer = self.peers[number]
                try:
                    if events & select.EPOLLIN:
                        peer.readable()
                    if events & select.EPOLLOUT:
                        peer.send(b"")
                    if events & select.EPOLLHUP or (events & select.EPOLLERR):
                        peer.leaves, peer.out = True, b""
                    self.settle(peer)
                except OSError:
                    self.drop(peer)


if __name__ == "__main__":
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # it may be given 12,000 connections
    hostile = Server(int(sys.argv[1]), sys.argv[2:] or FAULTS)
    print("port", hostile.listener.getsockname()[1], flush=True)
    hostile.serve()
