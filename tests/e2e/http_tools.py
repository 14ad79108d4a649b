# SPDX-License-Identifier: Apache-2.0
"""What the tests of HTTP share: e2e-http-server, and programs that are there or not."""
import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time

import websockets

from tools import PATIENCE

# As /big sends it.
BIG = bytes(i % 251 for i in range(1 << 20))
SKIPPED = 77


class HttpServer:
    """e2e-http-server, stopped by the end of its input."""

    def __init__(self, *options):
        self.errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen([os.environ["E2E_HTTP_SERVER"], *options], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors)
        self.port = int(self.process.stdout.readline().split()[1])
        self.address = f"127.0.0.1:{self.port}"
        self.exchanges = self.connections = None  # of its whole life, when it has ended

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        out, _ = self.process.communicate(timeout=PATIENCE)
        if out:
            self.exchanges, self.connections = int(out.split()[1]), int(out.split()[3])
        assert exc[0] or self.process.returncode == 0, (self.process.returncode, self.log())
        assert exc[0] or "Sanitizer" not in self.log(), self.log()

    def url(self, path, scheme="http"):
        return f"{scheme}://{self.address}{path}"

    def log(self):
        """What it wrote to standard error until now."""
        with open(f"/proc/self/fd/{self.errors.fileno()}", encoding="utf-8") as file:
            return file.read()

    def wait_for_log(self, text):
        deadline = time.monotonic() + PATIENCE
        while text not in self.log():
            assert time.monotonic() < deadline, (text, self.log())
            time.sleep(0.02)

    def faults(self):
        """Lines about exchanges that did not end well, and calls that failed."""
        return [line for line in self.log().splitlines() if not line.startswith("log ")]


def found(program):
    """Its path; None where it is not installed."""
    return shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")


def need(*programs):
    """Ends the test as skipped where one of them is not installed."""
    paths = [found(program) for program in programs]
    if None in paths:
        print(f"not installed: {programs[paths.index(None)]}; script/setup --tests installs it")
        sys.exit(SKIPPED)
    return paths if len(paths) > 1 else paths[0]


def output(*command, **options):
    """(exit code, standard output, standard error) of a program, as text unless asked otherwise."""
    options.setdefault("text", True)
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, **options)
    return done.returncode, done.stdout, done.stderr


# ---- python3-websockets ------------------------------------------------------------------------------

class Refused(Exception):
    """An upgrade that was answered otherwise: `status` and `headers`."""

    def __init__(self, error):
        super().__init__(str(error))
        self.status, self.headers = error.status_code, error.headers


async def conversation(port, url, talk, options):
    sock = socket.create_connection(("127.0.0.1", port), PATIENCE) if port else None
    try:
        async with websockets.connect(url, sock=sock, open_timeout=PATIENCE, max_size=None,
                                      **options) as websocket:
            return await asyncio.wait_for(talk(websocket), PATIENCE)
    except websockets.exceptions.InvalidStatusCode as error:
        raise Refused(error) from error


def websocket_talk(url, talk, port=None, **options):
    """Runs the coroutine `talk(websocket)` and gives its result.  port: connects there instead of to
    the URL's host, as a name server would have it. Raises Refused."""
    return asyncio.run(conversation(port, url, talk, options))


async def echoes(websocket):
    for size in (0, 1, 125, 126, 65535, 65536, 1 << 20):
        for message in ("x" * size, bytes(size)):
            await websocket.send(message)
            assert await websocket.recv() == message, size


async def welcome(websocket):
    """What /auth says first, and the cookie that its upgrade was answered with."""
    return await websocket.recv(), websocket.response_headers.get("Set-Cookie")


def websocket_refusal(url, port=None, **options):
    """The status and headers of a refused upgrade; (101, None) when it was not refused."""
    async def nothing(_websocket):
        return 101, None
    try:
        return websocket_talk(url, nothing, port, **options)
    except Refused as error:
        return error.status, error.headers
