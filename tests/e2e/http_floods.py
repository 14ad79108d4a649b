#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Floods of slow, greedy, endless and vanishing clients; while each goes on, a well-behaved neighbour's
requests and WebSocket messages on the same worker are answered, and what the server holds stays within
bounds. Afterwards it holds nothing. Over TCP, then over TLS.
Usage: http_floods.py [a part of the floods' names]"""
import contextlib
import os
import signal
import subprocess
import sys
import time

from http_attack import (PATIENCE, UPGRADE, Line, Neighbour, Reader, Target, WebSocketNeighbour,
                         answer_read)
from tools import Certs

BIG_BYTES = 256 * 1024          # as /big answers
HELD_MAX = 2 << 20              # of one connection: pause_bytes, and what one answer goes beyond it
MANY = 200


def request(path, method="GET", *fields):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *fields, "", ""]).encode()


LONG_BODY = request("/hello", "POST", "Content-Length: 90000")
CHUNKS = request("/hello", "POST", "Transfer-Encoding: chunked")
MIRROR = request("/mirror", "POST", "Transfer-Encoding: chunked")


class Visitors:
    """A neighbour that is another one each time."""

    def __init__(self, target):
        self.target = target
        self.line = None  # that stays

    def ask(self):
        neighbour = Neighbour(self.target)
        neighbour.ask()
        neighbour.line.close()


class Scene:
    """A target, and its neighbours."""

    def __init__(self, certs, *options):
        self.target = Target("--quiet", 1, *options, certs=certs)
        self.certs = certs
        self.neighbours = [Neighbour(self.target), WebSocketNeighbour(self.target)]
        self.ask()

    def connect(self, count=1, **options):
        return [self.target.connect(**options) for _ in range(count)]

    def ask(self, times=5):
        """The neighbours are served, and so many connections hold no more than they may."""
        for _ in range(times):
            for neighbour in self.neighbours:
                neighbour.ask()
        stats = self.target.statistics()
        assert stats["held"] <= HELD_MAX * stats["connections"], stats
        return stats

    def wait(self, what, is_there):
        """Until the statistics are as wanted; the neighbours are served meanwhile."""
        deadline = time.monotonic() + PATIENCE
        while not is_there(stats := self.ask(1)):
            assert time.monotonic() < deadline, f"{what}: {stats}"
            time.sleep(0.005)
        return stats

    def over(self, resting=64):
        """Nothing is left of the flood; nor, behind the neighbours, anything at all, but for the memory
        of messages that came in pieces: the worker keeps some for the next one, and counts it."""
        count = sum(neighbour.line is not None for neighbour in self.neighbours)
        self.wait("something is left", lambda stats: stats["connections"] == count and
                  stats["sessions"] == 1 and stats["begun"] == stats["ended"])
        neighbours, self.neighbours = self.neighbours, []
        close([neighbour.line for neighbour in neighbours if neighbour.line])
        deadline = time.monotonic() + PATIENCE
        while (stats := self.target.statistics())["connections"] > 0 or stats["held"] > resting:
            assert time.monotonic() < deadline, f"something is held: {stats}"
            Line(self.target.port).reset()  # a worker without anything to do does not count
        self.target.end()


def close(lines):
    for line in lines:
        line.close()


def dribble(scene, lines, data, step=1):
    """Each line gets a piece of the data in turns, and the neighbours are asked between the turns."""
    for at in range(0, len(data), step):
        for line in lines:
            line.send(data[at:at + step])
        if at % (8 * step) == 0:
            scene.ask(1)


def refused(lines, status):
    """Each is answered with the status, and ended in order."""
    for line in lines:
        reader = Reader(line)
        got, _ = answer_read(reader)
        assert got == status and reader.rest() == (b"", True), (got, status, reader.in_order)


# ---- slow ones -----------------------------------------------------------------------------------

def slow_heads(certs):
    scene = Scene(certs)
    lines = scene.connect(MANY)
    dribble(scene, lines, request("/hello?slow", "GET", "A: " + "b" * 40)[:-1])
    for line in lines[::2]:  # every other one is served in the end
        line.send(b"\n")
        status, body = answer_read(Reader(line))
        assert status == 200 and b"?slow" in body, body
    close(lines)
    scene.over()


def slow_bodies(certs):
    scene = Scene(certs)
    lines = scene.connect(MANY // 2)
    for line in lines:
        line.send(LONG_BODY)
    dribble(scene, lines, b"x" * 50)
    chunked = scene.connect(MANY // 2)
    for line in chunked:
        line.send(CHUNKS)
    dribble(scene, chunked, b"1\r\nx\r\n" * 10)
    for line in lines[::2]:
        line.send(b"x" * (90000 - 50))
        assert answer_read(Reader(line))[0] == 200
    for line in chunked[::2]:
        line.send(b"0\r\n\r\n")
        status, body = answer_read(Reader(line))
        assert status == 200 and b"[xxxxxxxxxx]" in body, body
    close(lines + chunked)
    scene.over()


def slow_ones_are_timed_out(certs):
    """Heads, bodies, readers, and who says nothing. Of the neighbours the WebSocket stays: it is open."""
    scene = Scene(certs, "--timeout", 2000)
    scene.neighbours[0].line.close()
    scene.neighbours[0] = Visitors(scene.target)
    heads, bodies, silent = [scene.connect(20) for _ in range(3)]
    readers = scene.connect(4, receive_bytes=65536)
    for head, body in zip(heads, bodies):
        head.send(b"GET /hello HTTP/1.1\r\nA: b")
        body.send(CHUNKS + b"1\r\nx\r\n")
    for reader in readers:
        reader.send(request("/big") * 64)
    scene.wait("slow ones are left", lambda stats: stats["connections"] == 1)
    refused(heads, 408)
    refused(bodies, 408)
    for line in readers:
        data, _ = Reader(line).rest()
        assert 0 < len(data) < 64 * BIG_BYTES
    refused(silent, 408)
    close(heads + bodies + readers + silent)
    scene.over()


def slow_readers(certs):
    scene = Scene(certs)
    lines = scene.connect(40, receive_bytes=4096)
    for line in lines:
        line.send(request("/big") * 12 + request("/hello?end"))
    scene.wait("nothing is held", lambda stats: stats["held"] > 10 * BIG_BYTES)
    scene.ask(50)
    for line in lines[::2]:  # every other one reads all in the end
        reader = Reader(line)
        for _ in range(12):
            status, body = answer_read(reader)
            assert status == 200 and len(body) == BIG_BYTES
        assert b"?end" in answer_read(reader)[1]
    for line in lines[1::2]:
        line.reset()
    close(lines[::2])
    scene.over()


# ---- greedy ones ----------------------------------------------------------------------------------

def pipelines_unread(certs):
    scene = Scene(certs)
    count = 20000
    lines = scene.connect(4, receive_bytes=4096)
    data = b"".join(request(f"/hello?n{i}.") for i in range(count))
    threads = [line.send_aside(data) for line in lines]
    scene.ask(50)
    greedy = scene.connect(4, receive_bytes=4096)
    threads += [line.send_aside(request("/big") * 5000) for line in greedy]
    scene.wait("nothing is held", lambda stats: stats["held"] > BIG_BYTES)
    scene.ask(50)
    for line in greedy:
        line.reset()
    for line in lines:
        reader = Reader(line)
        for i in range(count):
            status, body = answer_read(reader)
            assert status == 200 and b"?n%d." % i in body, (i, body)
            if i % 2000 == 0:
                scene.ask(1)
    for thread in threads:
        thread.join(PATIENCE)
    close(lines)
    scene.over()


def endless_chunks(certs):
    """Extensions and trailers without an end, and chunks of one byte up to the limit of a body."""
    scene = Scene(certs)
    for start, more, status in (
            (CHUNKS + b"1;", b"e" * 1000, 400), (CHUNKS + b"0\r\n", b"A: b\r\n" * 200, 400),
            (CHUNKS + b"0\r\nA: ", b"b" * 1000, 400), (CHUNKS, b"1;e=f\r\nx\r\n" * 1000, 400),
            (CHUNKS, b"1\r\nx\r\n" * 1000, 413),
            (CHUNKS + b"0\r\nA", b"b" * 1000, 400), (CHUNKS, b"0" * 1000, 400)):
        lines = scene.connect(5)
        threads = [line.send_aside(start + more * 110) for line in lines]
        scene.ask(10)
        refused(lines, status)
        for thread in threads:
            thread.join(PATIENCE)
        close(lines)
    scene.over()


def chunks_mirrored_unread(certs):
    """Each of many small chunks is answered with one, and nobody reads them."""
    scene = Scene(certs)
    lines = scene.connect(6, receive_bytes=4096)
    threads = [line.send_aside(MIRROR + b"1\r\nx\r\n" * 50000 + b"0\r\n\r\n") for line in lines]
    scene.ask(50)
    for line in lines[::2]:
        status, body = answer_read(Reader(line))
        assert status == 200 and body == b"x" * 50000, (status, len(body))
    for line in lines[1::2]:
        line.reset()
    for thread in threads:
        thread.join(PATIENCE)
    close(lines)
    scene.over()


# ---- many -----------------------------------------------------------------------------------------

def ends_unanswered(line):
    data, _ = Reader(line).rest()
    assert data == b"", data


def many_to_the_limit(certs):
    scene = Scene(certs, "--connections", 100)
    lines = scene.connect(98)
    for line in lines:
        line.send(request("/hello")[:-2])
    scene.ask()
    for _ in range(50):  # one more is one too many
        with contextlib.suppress(ConnectionError):
            ends_unanswered(scene.target.connect())
        scene.ask(1)
    assert scene.ask()["refused_total"] == 50
    for line in lines:  # whoever was there is served
        line.send(b"\r\n")
        assert answer_read(Reader(line))[0] == 200
    close(lines[:10])
    scene.wait("no room", lambda stats: stats["connections"] == 90)
    more = scene.connect(10)
    for line in more:
        line.send(request("/hello"))
        assert answer_read(Reader(line))[0] == 200
    close(lines[10:] + more)
    scene.over()


def handshakes_to_the_limit(certs):
    """The oldest unfinished one has to go; whoever has been served is not among them."""
    scene = Scene(certs, "--handshakes", 50)
    lines = scene.connect(300)
    # who had to go is counted before its connection is closed
    scene.wait("nobody had to go", lambda stats: stats["evicted"] == 250
               and stats["connections"] == 52)
    for line in lines[250:]:
        line.send(request("/hello"))
        assert answer_read(Reader(line))[0] == 200
    close(lines)
    scene.over()


# ---- vanishing ones -------------------------------------------------------------------------------

PHASES = {
    "nothing sent": b"", "an empty line": b"\r\n", "a method": b"GE", "a target": b"GET /hel",
    "a field": b"GET /hello HTTP/1.1\r\nHost: x", "a head but for its end": request("/hello")[:-1],
    "answered": request("/hello"), "a body": LONG_BODY + b"x" * 5000, "no body yet": LONG_BODY,
    "a chunk's size": CHUNKS + b"3", "a chunk": CHUNKS + b"9\r\nabc", "trailers": CHUNKS + b"0\r\nA: b",
    "awaits 100": request("/hello", "POST", "Content-Length: 5", "Expect: 100-continue"),
    "streamed": MIRROR + b"3\r\nabc\r\n", "paused": request("/slow", "POST", "Content-Length: 9") + b"x",
    "dropped": request("/no", "POST", "Content-Length: 60000") + b"x" * 100, "late": request("/late"),
    "late, and more": request("/late") + request("/hello") * 100, "never": request("/never"),
    "never, with a body": request("/never", "POST", "Content-Length: 5") + b"abcde",
    "info is under way": request("/asked", "POST", "Content-Length: 2") + b"ab",
    "big": request("/big") * 8, "begun": request("/begin"), "refused": b"GET\r\n\r\n" + b"x" * 5000,
    "too large": request("/hello", "POST", "Content-Length: 200000") + b"x" * 5000,
    "upgraded": UPGRADE, "in a frame": UPGRADE + b"\x81\xfe\x10\0\0\0\0\0half",
    "upgrade is late": UPGRADE.replace(b"/ws", b"/auth").replace(b"Host", b"X-Do: later\r\nHost"),
    "upgrade is undecided": UPGRADE.replace(b"/ws", b"/auth").replace(b"Host", b"X-Do: never\r\nHost"),
}


# Who only ends his half may still wait for the answer: here it never comes.
RESETS_ONLY = ("never", "never, with a body", "upgrade is undecided", "begun")


def resets_in_every_phase(certs):
    scene = Scene(certs)
    for name, data in PHASES.items():
        for how in (Line.reset,) if name in RESETS_ONLY else (Line.reset, Line.close):
            for is_seen in (False, True):
                lines = scene.connect(5)
                for line in lines:
                    line.send(data)
                if is_seen:
                    scene.ask(2)
                for line in lines:
                    how(line)
        scene.ask(1)
    scene.over(resting=32 * 1024)


def handshakes_that_vanish(certs):
    """Of TLS: within the ClientHello, or behind it."""
    scene = Scene(certs)
    hello = b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(80)
    for count in range(0, len(hello), 10):
        for how in (Line.reset, Line.close):
            line = Line(scene.target.port)
            line.send(hello[:count])
            scene.ask(1)
            how(line)
    scene.over()


# ---- stopped ones ---------------------------------------------------------------------------------

def client(port, ca, count):
    """Another process: so many connections that read the beginning of what they asked for, wait for a
    word, and then read the rest of it."""
    import ssl
    lines = [Line(port, ssl.create_default_context(cafile=ca) if ca else None, receive_bytes=65536)
             for _ in range(count)]
    readers = [Reader(line) for line in lines]
    for line in lines:
        line.send(request("/big") * 20)
    heads = [reader.head() for reader in readers]
    echoes = [Line(port, ssl.create_default_context(cafile=ca) if ca else None) for _ in range(count)]
    for line in echoes:
        line.send(UPGRADE + b"\x81\x82\0\0\0\0hi" * 1000)
    print("going", flush=True)
    sys.stdin.readline()
    answers = 0
    for reader, (status, fields) in zip(readers, heads):
        answers += len(reader.body(status, fields)) == BIG_BYTES
        for _ in range(19):
            answers += len(answer_read(reader)[1]) == BIG_BYTES
    messages = 0
    for line in echoes:
        reader = Reader(line)
        assert reader.head()[0] == 101
        messages += reader.take(4000) == b"\x81\x02hi" * 1000
    print(answers, messages, flush=True)


def clients_that_are_stopped(certs):
    scene = Scene(certs)
    ca = certs.ca if certs else ""
    arguments = [sys.executable, os.path.abspath(__file__), "--client", str(scene.target.port), ca, "8"]
    clients = [subprocess.Popen(arguments, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
               for _ in range(2)]
    for process in clients:
        assert process.stdout.readline() == "going\n"
        process.send_signal(signal.SIGSTOP)
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
    scene.wait("nothing is held", lambda stats: stats["held"] > BIG_BYTES)
    scene.ask(100)
    clients[0].send_signal(signal.SIGCONT)  # gets everything
    out, _ = clients[0].communicate("on\n", timeout=PATIENCE)
    assert out == "160 8\n", out
    clients[1].kill()  # never wakes up
    clients[1].communicate()
    scene.over()


FLOODS = [slow_heads, slow_bodies, slow_ones_are_timed_out, slow_readers, pipelines_unread,
          endless_chunks, chunks_mirrored_unread, many_to_the_limit, handshakes_to_the_limit,
          resets_in_every_phase, handshakes_that_vanish, clients_that_are_stopped]


def main(only=""):
    for name, certs in ("TCP", None), ("TLS", Certs()):
        for flood in FLOODS:
            if only in flood.__name__:
                print(f"{name}: {flood.__name__}", flush=True)
                flood(certs)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--client"]:
        client(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    else:
        main(*sys.argv[1:])
