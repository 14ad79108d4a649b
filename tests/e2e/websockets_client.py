#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""/echo and the example servers with python3-websockets; wsproto as a peer without I/O."""
import asyncio
import os
import subprocess

import websockets
import wsproto
from wsproto.events import AcceptConnection, CloseConnection, Request, TextMessage

from server import Server, run

SIZES = [0, 1, 125, 126, 65535, 65536, 1 << 20, 16 << 20]
server = Server()


def connect(url, **options):
    return websockets.connect(url, max_size=1 << 26, **options)


def sizes_and_kinds():
    async def go():
        async with connect(server.url()) as socket:
            for size in SIZES:
                for message in (b"\xa5" * size, "é" * (size // 2)):
                    await socket.send(message)
                    assert await socket.recv() == message, size
            await (await socket.ping(b"there?"))
    asyncio.run(go())


def a_thousand_connections():
    async def go():
        sockets = await asyncio.gather(*[connect(server.url(), open_timeout=60)
                                         for _ in range(1000)])
        for text in ("one", "two"):
            await asyncio.gather(*[socket.send(text) for socket in sockets])
            replies = await asyncio.gather(*[socket.recv() for socket in sockets])
            assert replies == [text] * 1000
        await asyncio.gather(*[socket.close() for socket in sockets])
        assert all(socket.close_code == 1000 for socket in sockets)
    asyncio.run(go())


def fragments():
    async def go():
        async with connect(server.url()) as socket:
            await socket.send(["one ", "two ", "three"])
            assert await socket.recv() == "one two three"
    asyncio.run(go())


def wsproto_peer():
    with server.connect() as sock:
        peer = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        sock.sendall(peer.send(Request(host="localhost", target="/echo")))
        seen = []
        while CloseConnection not in seen:
            peer.receive_data(sock.recv(65536))
            for event in peer.events():
                seen.append(type(event))
                if isinstance(event, AcceptConnection):
                    sock.sendall(peer.send(TextMessage(data="through wsproto")))
                elif isinstance(event, TextMessage):
                    assert event.data == "through wsproto"
                    sock.sendall(peer.send(CloseConnection(code=3333)))
                elif isinstance(event, CloseConnection):
                    assert event.code == 3333
        assert seen == [AcceptConnection, TextMessage, CloseConnection], seen
        assert sock.recv(1) == b""


def example(name):
    """An example program, and the port it says it listens on."""
    process = subprocess.Popen([os.path.join(os.environ["EXAMPLES"], name), "0"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return process, int(process.stdout.readline().split()[-1])


def end(process):
    process.stdin.close()  # the examples end with their input
    assert process.wait(timeout=20) == 0


def example_echo_server():
    async def go(port):
        async with connect(f"ws://127.0.0.1:{port}/any") as socket:
            await socket.send("hello")
            assert await socket.recv() == "hello"
    process, port = example("echo_server")
    asyncio.run(go(port))
    end(process)


def example_chat_server():
    async def go(port):
        async with connect(f"ws://127.0.0.1:{port}/a") as one, \
                connect(f"ws://127.0.0.1:{port}/a") as two, \
                connect(f"ws://127.0.0.1:{port}/b") as other:
            await one.send("to room a")
            assert await one.recv() == "to room a"
            assert await two.recv() == "to room a"
            await other.send("to room b")
            assert await other.recv() == "to room b"  # and nothing of room a before it
    process, port = example("chat_server")
    asyncio.run(go(port))
    end(process)


def embedded(name):
    """Whole messages, big ones, pings and a clean close, through a program's own event loop."""
    async def go(port):
        for _ in range(3):
            async with connect(f"ws://127.0.0.1:{port}/") as socket:
                for message in ("hello", b"", b"x" * 1000000, "é" * 70000):
                    await socket.send(message)
                    assert await socket.recv() == message
                await (await socket.ping(b"there?"))
            assert socket.close_code == 1000
    process, port = example(name)
    asyncio.run(go(port))
    end(process)


def example_embed_poll():
    embedded("embed_poll")


def example_embed_libuv():
    embedded("embed_libuv")


with server:
    run([sizes_and_kinds, a_thousand_connections, fragments, wsproto_peer, example_echo_server,
         example_chat_server, example_embed_poll, example_embed_libuv])
