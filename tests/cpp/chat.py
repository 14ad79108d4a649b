#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""chat.py PROGRAM: examples/chat_server.cpp with python3-websockets."""
import asyncio
import subprocess
import sys

try:
    import websockets
except ImportError:
    print("python3-websockets is not installed")
    sys.exit(77)


async def talk(port):
    def join(room, name):
        return websockets.connect(f"ws://127.0.0.1:{port}/{room}?{name}")

    async def hear(socket, *texts):
        for text in texts:
            heard = await asyncio.wait_for(socket.recv(), 60)
            assert heard == text, (heard, text)

    async with join("kitchen", "Ada") as ada:
        await hear(ada, "Ada is here")
        async with join("kitchen", "Bob") as bob, join("garden", "Eve") as eve:
            await hear(ada, "Bob is here")
            await hear(bob, "Bob is here")
            await hear(eve, "Eve is here")
            await bob.send("good morning")
            await hear(ada, "Bob: good morning")
            await hear(bob, "Bob: good morning")
            await bob.send("/who")
            await hear(bob, "2 here")
            await eve.send("/who")
            await hear(eve, "1 here")
        await hear(ada, "Bob has left")
        await ada.send("/who")
        await hear(ada, "1 here")
    try:
        async with join("a" * 300, "Mallory") as nobody:  # no topic may have this name
            await asyncio.wait_for(nobody.recv(), 60)
        assert False, "a room with a name that is too long"
    except websockets.ConnectionClosed as closed:
        assert closed.code == 1011, closed.code


def main():
    process = subprocess.Popen([sys.argv[1], "0"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    if not line:
        print(process.stderr.read())
        return 1
    asyncio.run(talk(int(line.split()[-1])))
    out, err = process.communicate(timeout=60)  # closes its standard input
    assert process.returncode == 0 and out == "", (process.returncode, out, err)
    assert err.count("\n") == 1 and "callback=constructor" in err, err
    return 0


sys.exit(main())
