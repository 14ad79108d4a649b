#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""permessage-deflate with programs nobody here wrote: `wring serve` with python3-websockets, our
client with python3-websockets, Node's ws and libwebsockets. With and without takeover, windows of 9
to 15 bits in both directions."""
import asyncio
import concurrent.futures
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import urllib.request

import websockets
from websockets.extensions.permessage_deflate import (ClientPerMessageDeflateFactory,
                                                      ServerPerMessageDeflateFactory)

from server import Server, run
from tools import Program, client_echoes, free_port, node_server

random.seed(7)
WORDS = ["price", "12.75", '"bid":', "volume", "{", "}", "été", "\n"]
SIZES = [0, 1, 20, 125, 126, 300, 5000, 65536, 200000]
# server takeover, client takeover, server bits, client bits
SETS = [(takeover & 1, takeover >> 1, server_bits, client_bits)
        for takeover in range(4)
        for server_bits, client_bits in ([(b, 15) for b in range(9, 16)] +
                                         [(15, b) for b in range(9, 15)] + [(9, 9), (11, 13)])]


def messages():
    for size in SIZES:
        yield " ".join(random.choices(WORDS, k=size // 5 + 1))[:size]
        yield random.randbytes(size)
        yield b"\0" * size


async def echoes(socket):
    for message in messages():
        await socket.send(message)
        assert await socket.recv() == message, len(message)


def our_server_with_python():
    """One server that allows everything; what the client asks for decides."""
    async def one(server, wish):
        server_takeover, client_takeover, server_bits, client_bits = wish
        factory = ClientPerMessageDeflateFactory(
            server_no_context_takeover=not server_takeover,
            client_no_context_takeover=not client_takeover,
            server_max_window_bits=server_bits, client_max_window_bits=client_bits)
        async with websockets.connect(server.url(), compression=None, extensions=[factory],
                                      max_size=1 << 26) as socket:
            [extension] = socket.extensions
            assert extension.remote_max_window_bits == server_bits, (wish, extension)
            assert extension.local_max_window_bits == client_bits, (wish, extension)
            assert extension.remote_no_context_takeover == (not server_takeover), (wish, extension)
            assert extension.local_no_context_takeover == (not client_takeover), (wish, extension)
            await echoes(socket)

    with Server("--deflate", "--deflate-server-takeover", "--deflate-client-takeover",
                "--deflate-server-bits", "15", "--deflate-client-bits", "15", "--deflate-min-bytes",
                "1") as server:
        for wish in SETS:
            asyncio.run(one(server, wish))


def our_server_as_it_comes():
    """Defaults on both sides; then a limit of what a message may inflate to."""
    async def go(server):
        async with websockets.connect(server.url(), max_size=1 << 26) as socket:
            assert socket.extensions, "nothing was negotiated"
            await echoes(socket)

    async def bomb(server):
        async with websockets.connect(server.url(), max_size=1 << 26) as socket:
            await socket.send(b"\0" * 100000)
            assert len(await socket.recv()) == 100000
            await socket.send(b"\0" * 100001)
            try:
                await socket.recv()
            except websockets.ConnectionClosed as end:
                assert end.code == 1009, end
            else:
                raise AssertionError("a message over the limit came back")

    with Server("--deflate") as server:
        asyncio.run(go(server))
    with Server("--deflate", "--deflate-max-inflated", "100000") as server:
        asyncio.run(bomb(server))


def its_figures():
    """Two echoes and one published message, as /stats tells them."""
    async def go(server):
        text = "a text that is worth it, " * 40
        async with websockets.connect(server.url()) as socket:
            for _ in range(2):
                await socket.send(text)
                assert await socket.recv() == text
        topic = [await websockets.connect(server.url("/topic/x")) for _ in range(3)]
        await topic[0].send(text)
        assert [await one.recv() for one in topic[1:]] == [text, text]
        with urllib.request.urlopen(f"http://127.0.0.1:{server.admin_port}/stats") as answer:
            stats = json.load(answer)
        for one in topic:
            await one.close()
        assert stats["deflate_connections"] >= 3, stats
        assert (stats["deflate_published"], stats["deflate_tx_messages"]) == (1, 2), stats
        assert stats["deflate_rx_messages"] == 3, stats
        assert stats["deflate_rx_bytes_after"] == 3 * len(text), stats
        assert 0 < stats["deflate_published_bytes_after"] < len(text) / 4, stats

    with Server("--deflate", "--admin-port", "0") as server:
        asyncio.run(go(server))


def a_kept_window_is_referred_to():
    """The second copy of what does not compress is a few bytes, where the client keeps its window:
    also when the server has released what rests meanwhile. A client that offers not to keep it, and
    one of a server that does not want it, sends every copy whole."""
    text = "".join(random.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=2000))
    copies = 20

    async def go(server, factory, kept):
        async with websockets.connect(server.url(), compression=None,
                                      extensions=[factory]) as socket:
            [extension] = socket.extensions
            assert extension.local_no_context_takeover == (not kept), extension
            for _ in range(copies):
                await socket.send(text)
                assert await socket.recv() == text
                await asyncio.sleep(0.02)
        with urllib.request.urlopen(f"http://127.0.0.1:{server.admin_port}/stats") as answer:
            stats = json.load(answer)
        assert stats["deflate_rx_messages"] == copies, stats
        assert stats["deflate_rx_bytes_after"] == copies * len(text), stats
        wholes = stats["deflate_rx_bytes_before"] / (len(text) / 2)
        assert wholes < 3 if kept else wholes > copies, stats

    takeover = ("--deflate-client-takeover",)
    for options, hint, kept in ((takeover, False, True), (takeover, True, False), ((), False, False),
                                ((*takeover, "--deflate-idle", "1"), False, True)):
        with Server("--deflate", "--admin-port", "0", *options) as server:
            factory = ClientPerMessageDeflateFactory(client_no_context_takeover=hint,
                                                     client_max_window_bits=True)
            asyncio.run(go(server, factory, kept))


def long_replies_are_made_in_shares():
    """A message of many shares comes back whole, and others had their turns meanwhile."""
    async def go(server, shares):
        text = "".join(random.choices(WORDS, k=4000000))[:8 << 20]
        async with websockets.connect(server.url(), max_size=1 << 26) as socket:
            await socket.send(text)
            await socket.ping()
            assert await socket.recv() == text
        with urllib.request.urlopen(f"http://127.0.0.1:{server.admin_port}/stats") as answer:
            stats = json.load(answer)
        assert stats["deflate_tx_messages"] == 1, stats
        assert stats["deflate_tx_bytes_after"] < len(text) / 2, stats
        assert stats["deflate_tx_interrupted"] >= shares - 1, stats
        assert shares > 0 or stats["deflate_tx_interrupted"] == 0, stats

    for options, shares in ((), 128), (("--deflate-compress-turn-bytes", "1000000"), 8), \
            (("--deflate-compress-turn-bytes", "100000000"), 0):
        with Server("--deflate", "--admin-port", "0", *options) as server:
            asyncio.run(go(server, shares))


def our_server_without():
    async def go(server):
        async with websockets.connect(server.url(), max_size=1 << 26) as socket:
            assert not socket.extensions
            await echoes(socket)
    with Server() as server:
        asyncio.run(go(server))


# ---- our client --------------------------------------------------------------------------------------

def client_option(wish):
    return ("--deflate", " ".join(str(int(n)) for n in wish))


class Python:
    """A websockets server in a thread: it echoes, and serves nobody without compression."""

    def __init__(self, wish):
        server_takeover, client_takeover, server_bits, client_bits = wish
        self.factory = ServerPerMessageDeflateFactory(
            server_no_context_takeover=not server_takeover,
            client_no_context_takeover=not client_takeover,
            server_max_window_bits=server_bits, client_max_window_bits=client_bits)
        self.started = concurrent.futures.Future()
        self.thread = threading.Thread(target=asyncio.run, args=(self.main(),))

    async def echo(self, socket):
        assert socket.extensions
        async for message in socket:
            await socket.send(message)

    async def main(self):
        stop = asyncio.Event()
        async with websockets.serve(self.echo, "127.0.0.1", 0, compression=None, max_size=1 << 26,
                                    extensions=[self.factory]) as server:
            self.started.set_result((server.sockets[0].getsockname()[1],
                                     asyncio.get_running_loop(), stop))
            await stop.wait()

    def __enter__(self):
        self.thread.start()
        port, self.loop, self.stop = self.started.result(timeout=30)
        return port

    def __exit__(self, *exc):
        self.loop.call_soon_threadsafe(self.stop.set)
        self.thread.join()


def our_client_with_python():
    for wish in SETS[::3]:
        with Python(wish) as port:
            client_echoes(f"ws://127.0.0.1:{port}/", *client_option(wish), "--max", "1048576")


def our_client_with_node():
    for wish in SETS[::3]:
        server_takeover, client_takeover, server_bits, client_bits = wish
        deflate = {"serverNoContextTakeover": not server_takeover,
                   "clientNoContextTakeover": not client_takeover,
                   "serverMaxWindowBits": server_bits, "clientMaxWindowBits": client_bits,
                   "threshold": 0}
        with node_server(WS_DEFLATE=json.dumps(deflate)) as port:
            client_echoes(f"ws://127.0.0.1:{port}/echo", *client_option(wish), "--max", "1048576")


def our_client_with_node_that_refuses_what_is_asked():
    """Node keeps its window, or has one size: what the first offer asks it answers by 400."""
    for deflate in ({"serverNoContextTakeover": False}, {"serverMaxWindowBits": False},
                    {"serverNoContextTakeover": False, "clientNoContextTakeover": False},
                    {"clientMaxWindowBits": 10}):
        with node_server(WS_DEFLATE=json.dumps({**deflate, "threshold": 0})) as port:
            for wish in ((0, 0, 15, 15), (0, 1, 9, 15), (1, 1, 9, 15)):
                client_echoes(f"ws://127.0.0.1:{port}/echo", *client_option(wish))


def our_client_with_libwebsockets():
    program = shutil.which("libwebsockets-test-server")
    if program is None:
        print("no libwebsockets-test-server: skipped")
        sys.exit(77)
    for wish in [(1, 1, 15, 15), (0, 0, 15, 15), (1, 0, 15, 10), (0, 1, 15, 12)]:
        port = free_port()
        with Program(program, f"--port={port}", port=port):
            client_echoes(f"ws://127.0.0.1:{port}/", *client_option(wish), "--max", "65536",
                          "--subprotocol", "lws-mirror-protocol", mode="mirror")


def our_client_with_our_server():
    with Server("--deflate", "--deflate-server-takeover", "--deflate-client-takeover",
                "--deflate-server-bits", "15", "--deflate-client-bits", "15", "--deflate-min-bytes",
                "1") as server:
        for wish in SETS[::3] + [(1, 1, 8, 8), (0, 0, 8, 8)]:
            client_echoes(server.url(), *client_option(wish), "--max", "1048576")


def the_strategy_is_asked_for_by_name():
    """The same text in other bytes; a name there is not is told, with those there are."""
    sizes = {}
    for name in ("default", "filtered", "huffman", "rle", "fixed"):
        with Server("--deflate", "--deflate-min-bytes", "1", "--deflate-strategy", name,
                    "--admin-port", "0") as server:
            done = subprocess.run([os.environ["WRING"], "bench", "-c", "1", "-d", "50ms", "--warmup",
                                   "0", "--deflate", "--verify", "--quiet", "-m",
                                   '{"price":12.25,"volume":1075},' * 40, server.url("/echo")],
                                  capture_output=True, text=True, timeout=60)
            assert done.returncode == 0, done
            with urllib.request.urlopen(f"http://127.0.0.1:{server.admin_port}/stats") as answer:
                stats = json.load(answer)
            sizes[name] = stats["deflate_tx_bytes_after"] // stats["deflate_tx_messages"]
    assert sizes["default"] < sizes["huffman"] and len(set(sizes.values())) > 2, sizes
    bad = subprocess.run([os.environ["WRING"], "serve", "--deflate", "--deflate-strategy", "best"],
                         capture_output=True, text=True, timeout=10)
    assert bad.returncode == 2 and "filtered, huffman, rle or fixed" in bad.stderr, bad


run([our_server_with_python, our_server_as_it_comes, its_figures, a_kept_window_is_referred_to,
     long_replies_are_made_in_shares, our_server_without,
     our_client_with_python, our_client_with_node, our_client_with_node_that_refuses_what_is_asked,
     our_client_with_libwebsockets, our_client_with_our_server, the_strategy_is_asked_for_by_name])
