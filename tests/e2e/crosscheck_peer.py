#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""crosscheck_peer.mjs once more, by python3-websockets: echoes, and stamps each arrival by its own clock."""
import asyncio
import contextlib
import json
import sys
import time

import websockets

stamps = []


async def serve(connection, path=None):
    with contextlib.suppress(websockets.ConnectionClosed):
        async for message in connection:
            stamps.append(time.monotonic_ns())
            await connection.send(message)


async def main():
    server = await websockets.serve(serve, "127.0.0.1", 0, compression=None, ping_interval=None,
                                    backlog=4096)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(json.dumps(stamps), flush=True)
        stamps.clear()


asyncio.run(main())
