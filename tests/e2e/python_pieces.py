#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Messages that the library's user sends in fragments, read by python3-websockets."""
import asyncio
import os
import random
import subprocess

import websockets

from server import run
from tools import Program

random.seed(11)
SIZES = [0, 1, 2, 3, 125, 126, 1000, 8191, 8192, 70000, 1000000]


async def answers(port, **options):
    """Each comes back whole, and what was published in the middle of it behind it."""
    url = f"ws://127.0.0.1:{port}/"
    async with websockets.connect(url, max_size=1 << 26, **options) as socket:
        for size in SIZES:
            for message in ("é€😀x" * size, random.randbytes(size)):
                await socket.send(message)
                assert await socket.recv() == message, size
                cuts = len(message.encode() if isinstance(message, str) else message) > 255
                if cuts:
                    assert await socket.recv() == "shout"
        await (await socket.ping())


def serve(*arguments):
    return Program(os.environ["E2E_PIECES_SERVER"], *arguments, stdin=subprocess.PIPE,
                   stdout=subprocess.PIPE, stderr=None)


def port_of(program):
    return int(program.process.stdout.readline().split()[1])


def text_and_binary():
    with serve() as program:
        asyncio.run(answers(port_of(program), compression=None))


def beside_compressed_messages():
    with serve("deflate") as program:
        asyncio.run(answers(port_of(program)))


run([text_and_binary, beside_compressed_messages])
