#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The load tester's figures against servers that count for themselves: Node's ws,
python3-websockets, wsproto; against one that stalls; against one that loses, repeats and swaps."""
import asyncio
import contextlib
import re
import shutil
import socket
import tempfile
import threading

import websockets
import wsproto
import wsproto.events as events

from bench_tools import agrees, bench, counting_server, report
from server import run
from tools import Program, free_port


def agree(got, received, sent):
    """All that was sent came in there, and all that went out there came in here. What comes when the
    time that is measured is over is not measured: a little, unless the machine is busy just then."""
    assert got["totals"]["sent"] == received, (got["totals"], received)
    assert got["totals"]["received"] == sent, (got["totals"], sent)
    measured = got["messages"]["received"]
    assert sent / 2 < measured <= sent, (measured, sent)
    agrees(got["rate"]["messages_per_s"] * got["duration_s"], measured)
    assert got["errors"] == {}, got["errors"]
    assert got["messages"]["lost"] == got["messages"]["duplicated"] == 0, got["messages"]


def node_ws_echo():
    with counting_server() as (port, stats):
        for options in (("-c", 8), ("-c", 8, "-r", 2000, "--size", "1-3000"),
                        ("-c", 8, "--pipeline", 16, "--binary", "--size", 20)):
            before = stats()
            got = report(f"ws://127.0.0.1:{port}/echo", "-d", "3s", "--warmup", 0, *options)
            after = stats()
            agree(got, after["received"] - before["received"], after["sent"] - before["sent"])
            assert after["connections"] - before["connections"] == 8
            assert got["connections"] == {"wanted": 8, "opened": 8, "failed": 0, "lost": 0,
                                          "unanswered": 0, "unclosed": 0}


def node_ws_fan_out():
    with counting_server() as (port, stats):
        got = report("fanout", f"ws://127.0.0.1:{port}/fanout", "-d", "3s", "--warmup", 0, "-c", 30,
                     "-P", 1)
        counted = stats()
        agree(got, counted["received"], counted["sent"])
        assert counted["sent"] == 30 * counted["received"], counted
        several = report("fanout", f"ws://127.0.0.1:{port}/fanout", "-d", "2s", "--warmup", 0,
                         "-c", 30, "-P", 3, "-r", 100, "-t", 2)
        assert several["messages"]["lost"] == 0, several["messages"]
        assert several["totals"]["received"] == 30 * several["totals"]["sent"], several["totals"]
        # each publisher is also a receiver of the others' messages
        assert several["totals"]["to_publishers"] == 2 * several["totals"]["sent"], several["totals"]


def node_ws_compressed():
    with counting_server("deflate") as (port, stats):
        before = stats()
        got = report(f"ws://127.0.0.1:{port}/echo", "-d", "2s", "--warmup", 0, "-c", 6, "--deflate",
                     "--size", 2000, "--pipeline", 3)
        after = stats()
        agree(got, after["received"] - before["received"], after["sent"] - before["sent"])
        assert got["bytes"]["received"] == 2000 * got["messages"]["received"], got["bytes"]
        for way in ("sent", "received"):
            assert got["totals"]["wire_bytes_" + way] < 1000 * got["totals"][way], got["totals"]
        before = stats()
        got = report("fanout", f"ws://127.0.0.1:{port}/fanout", "-d", "2s", "--warmup", 0, "-c", 10,
                     "--deflate", "--size", 500)
        after = stats()
        agree(got, after["received"] - before["received"], after["sent"] - before["sent"])


class WebsocketsEcho:
    """An echo server of python3-websockets in a thread, which counts."""

    def __init__(self):
        self.received = 0
        self.sent = 0
        self.loop = asyncio.new_event_loop()
        self.port = None
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.start(), self.loop).result(60)

    async def start(self):
        self.server = await websockets.serve(self.serve, "127.0.0.1", 0, compression=None,
                                             max_size=None)
        self.port = self.server.sockets[0].getsockname()[1]

    async def serve(self, connection, path=None):
        with contextlib.suppress(websockets.ConnectionClosed):
            async for message in connection:
                self.received += 1
                await connection.send(message)
                self.sent += 1


def python_websockets_echo():
    server = WebsocketsEcho()
    got = report(f"ws://127.0.0.1:{server.port}/", "-d", "3s", "--warmup", 0, "-c", 4)
    agree(got, server.received, server.sent)


class WsprotoEcho:
    """An echo server of wsproto, a thread for each connection, which counts."""

    def __init__(self):
        self.received = 0
        self.sent = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            sock, _ = self.listener.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.serve, args=(sock,), daemon=True).start()

    def serve(self, sock):
        protocol = wsproto.WSConnection(wsproto.ConnectionType.SERVER)
        with sock:
            while protocol.state is not wsproto.ConnectionState.CLOSED:
                data = sock.recv(65536)
                protocol.receive_data(data or None)
                out = b"".join(self.answer(protocol, event) for event in protocol.events())
                sock.sendall(out)
                if not data:
                    return

    def answer(self, protocol, event):
        if isinstance(event, events.Request):
            return protocol.send(events.AcceptConnection())
        if isinstance(event, events.CloseConnection):
            return protocol.send(event.response())
        if isinstance(event, events.TextMessage):
            with self.lock:
                self.received += event.message_finished
                self.sent += event.message_finished
            return protocol.send(events.TextMessage(data=event.data,
                                                    message_finished=event.message_finished))
        return b""


def wsproto_echo():
    server = WsprotoEcho()
    got = report(f"ws://127.0.0.1:{server.port}/", "-d", "3s", "--warmup", 0, "-c", 4, "--verify",
                 "--size", 1000)
    agree(got, server.received, server.sent)


def libwebsockets_mirror():
    program = shutil.which("libwebsockets-test-server")
    if program is None:
        print("no libwebsockets-test-server: skipped")
        return
    port = free_port()
    with Program(program, f"--port={port}", port=port):
        got = report("fanout", f"ws://127.0.0.1:{port}/", "--subprotocol", "lws-mirror-protocol",
                     "-c", 5, "-d", "2s", "--warmup", 0)
        assert got["totals"]["received"] == 5 * got["totals"]["sent"] > 0, got["totals"]
        assert got["messages"]["lost"] == got["messages"]["reordered"] == 0, got["messages"]


def report_and_slow(*arguments):
    """A report, and how many answers took more than 50 ms."""
    with tempfile.NamedTemporaryFile("r", suffix=".hgrm") as file:
        got = report(*arguments, "--hdr", file.name)
        rows = re.findall(r"^ *([\d.]+) +[\d.]+ +(\d+)", file.read(), re.M)
    fast = [int(count) for microseconds, count in rows if float(microseconds) <= 50000]
    return got, int(rows[-1][1]) - (fast[-1] if fast else 0)


def a_stall_shows_at_a_constant_rate_and_not_in_a_closed_loop():
    with counting_server() as (port, stats):
        url = f"ws://127.0.0.1:{port}/stall"
        constant, slow = report_and_slow(url, "-c", 10, "-r", 500, "-d", "5s", "--warmup", 0)
        stalls = stats()["stalls"]
        assert stalls >= 4, stalls
        # a stall of 100 ms a second keeps a tenth of all messages waiting: 5 % wait 50 ms or more
        assert constant["latency_us"]["p99.9"] > 80000, constant["latency_us"]
        assert constant["latency_us"]["p99"] > 50000, constant["latency_us"]
        assert slow >= 20 * (stalls - 1), (slow, stalls)
        assert constant["config"]["coordinated_omission"] is False
        closed, slow = report_and_slow(url, "-c", 1, "-d", "5s", "--warmup", 0)
        stalls = stats()["stalls"] - stalls
        assert stalls >= 4 and closed["latency_us"]["max"] > 80000, "no stall was seen at all"
        # once each; the rest is for pauses of a busy machine
        assert stalls - 1 <= slow <= 4 * stalls, (slow, stalls)
        assert closed["config"]["coordinated_omission"] is True
        code, out, _ = bench(url, "-c", 1, "-d", "200ms", "--warmup", 0, "-q")
        assert code == 0 and "coordinated omission" in out, out
        code, out, _ = bench(url, "-c", 1, "-d", "200ms", "--warmup", 0, "-q", "-r", 100)
        assert code == 0 and "a stall counts for every message" in out, out


def faults(mode, path, *options, server=()):
    """Runs against the server that does wrong; until each kind of fault was committed."""
    with counting_server(*server) as (port, stats):
        for seconds in (4, 20, 60):
            before = stats()
            got = report(mode, f"ws://127.0.0.1:{port}{path}", "-d", f"{seconds}s", "--warmup", 0,
                         *options, code=4)
            after = stats()
            done = {key: after[key] - before[key] for key in after}
            messages = got["messages"]
            assert messages["lost"] == done["dropped"], (messages, done)
            assert messages["duplicated"] == done["repeated"], (messages, done)
            assert messages["reordered"] == done["swapped"], (messages, done)
            if min(done["dropped"], done["repeated"], done["swapped"]) > 0:
                return
        raise AssertionError(f"the server was too slow to do wrong: {done}")


def one_delivery_in_10000_dropped_repeated_or_swapped_is_seen():
    faults("fanout", "/faulty/fanout", "-c", 40, "--pipeline", 8)
    faults("fanout", "/faulty/fanout", "-c", 40, "-t", 3, "-r", 400)


def one_echo_in_10000_dropped_repeated_or_swapped_is_seen():
    faults("echo", "/faulty/echo", "-c", 10, "--pipeline", 16)
    faults("echo", "/faulty/echo", "-c", 10, "-r", 8000)
    faults("echo", "/faulty/echo", "-c", 10, "--pipeline", 16, "--deflate", server=("deflate",))


run([node_ws_echo, node_ws_fan_out, node_ws_compressed, python_websockets_echo, wsproto_echo, libwebsockets_mirror,
     a_stall_shows_at_a_constant_rate_and_not_in_a_closed_loop,
     one_delivery_in_10000_dropped_repeated_or_swapped_is_seen,
     one_echo_in_10000_dropped_repeated_or_swapped_is_seen])
