#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""wring_client_create against servers nobody here wrote: Node's ws, python3-websockets, libwebsockets'
test server; and against `wring serve`. Plain and over TLS; every kind of message, both closes."""
import asyncio
import concurrent.futures
import contextlib
import http
import os
import shutil
import subprocess
import sys
import tempfile
import threading

import websockets

from client_checks import expect_everything, expect_own_ping
from server import Server, run
from tools import (Certs, Program, client_echoes, client_events, environment, free_port,
                   node_server)

certs = Certs()
TRUST = ("--ca", certs.ca)


# ---- Node ------------------------------------------------------------------------------------------

def node_ws():
    with node_server() as port:
        expect_everything(f"ws://127.0.0.1:{port}")


def node_ws_over_tls():
    with node_server(*certs.pair("server")) as port:
        expect_everything(f"wss://localhost:{port}", *TRUST)


def node_ws_sees_the_headers():
    with node_server() as port:
        url = f"ws://us%65r:p%40ss@127.0.0.1:{port}/headers"
        events = client_events(url, "--subprotocol", "first", "--subprotocol", "second",
                               "--header", "X-One:1")
        assert events[0]["subprotocol"] == "second", events
        for text in ('"x-one":"1"', '"authorization":"Basic dXNlcjpwQHNz"', f'"host":"127.0.0.1:{port}"',
                     '"sec-websocket-protocol":"first, second"'):
            assert text in events[1]["payload"], (text, events)


# ---- python3-websockets ----------------------------------------------------------------------------

async def behave(socket, path):
    try:
        await PATHS[path](socket)
        await socket.wait_closed()
    except websockets.ConnectionClosed:
        pass  # the client has heard enough


async def refuse(path, headers):
    if path == "/refused":
        return http.HTTPStatus.FORBIDDEN, [("X-Test", "a peer")], b"no entry"
    return None


async def echo(socket):
    async for message in socket:
        await socket.send(message)


async def fragments(socket):
    async def pieces():
        yield "one "
        await socket.ping("mid")
        yield "two "
        yield "three"
    await socket.send(pieces())


async def ping(socket):
    await (await socket.ping("from the server"))
    await socket.send("pong from the server")


async def close(socket):
    await socket.close(4002, "enough")


async def terminate(socket):
    socket.transport.abort()


PATHS = {"/echo": echo, "/fragments": fragments, "/ping": ping, "/close": close,
         "/terminate": terminate}


@contextlib.contextmanager
def python(context=None):
    """A server in a thread and loop of its own; gives its port."""
    started = concurrent.futures.Future()

    async def main():
        stop = asyncio.Event()
        async with websockets.serve(behave, "127.0.0.1", 0, ssl=context, max_size=1 << 26,
                                    compression=None, process_request=refuse) as server:
            started.set_result((server.sockets[0].getsockname()[1], asyncio.get_running_loop(),
                                stop))
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    port, loop, stop = started.result(timeout=20)
    try:
        yield port
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def python_websockets():
    with python() as port:
        expect_everything(f"ws://127.0.0.1:{port}")


def python_websockets_over_tls():
    with python(certs.server_context()) as port:
        expect_everything(f"wss://127.0.0.1:{port}", *TRUST)


# ---- libwebsockets -----------------------------------------------------------------------------------

@contextlib.contextmanager
def libwebsockets(*options):
    program = shutil.which("libwebsockets-test-server")
    if program is None:
        print("no libwebsockets-test-server: skipped")
        sys.exit(77)
    port = free_port()
    with Program(program, f"--port={port}", *options, port=port):
        yield port


# Its mirror answers each piece it has read with a message of its own, to all clients there are.
MIRROR = ("--subprotocol", "lws-mirror-protocol", "--max", "65536")
COUNTER = ("--subprotocol", "dumb-increment-protocol", "--close-after", "5")


def expect_lws(url, *options):
    client_echoes(url, *MIRROR, *options, mode="mirror")
    events = client_events(url, *COUNTER, *options)
    texts = [event["payload"] for event in events if event["event"] == "text"]
    assert texts == ["0", "1", "2", "3", "4"], events
    assert (events[-1]["result"], events[-2]["code"]) == ("OK", 4001), events


def libwebsockets_server():
    with libwebsockets() as port:
        expect_lws(f"ws://127.0.0.1:{port}/")
        events = client_events(f"ws://127.0.0.1:{port}/", "--subprotocol", "no-such-protocol")
        assert events[0]["event"] == "closed" and events[0]["result"] != "OK", events


def libwebsockets_server_over_tls():
    with tempfile.TemporaryDirectory() as folder:
        for ours, theirs in [("server.pem", "libwebsockets-test-server.pem"),
                             ("server.key", "libwebsockets-test-server.key.pem")]:
            shutil.copy(certs.file(ours), os.path.join(folder, theirs))
        with libwebsockets("--ssl", "-r", folder) as port:
            expect_lws(f"wss://127.0.0.1:{port}/", *TRUST)


# ---- ourselves ---------------------------------------------------------------------------------------

def wring():
    with Server() as server:
        client_echoes(server.url())
        expect_own_ping(server.url(""))


def wring_over_tls():
    cert, key = certs.pair("server")
    with Server("--tls-cert", cert, "--tls-key", key) as server:
        client_echoes(f"wss://localhost:{server.port}/echo", *TRUST)
        expect_own_ping(f"wss://[::ffff:127.0.0.1]:{server.port}", "--insecure")


def a_server_that_stops_closes_with_1001():
    with Server() as server:
        process = subprocess.Popen([os.environ["E2E_CLIENT"], "--say", "x", "--close-after", "9",
                                    "listen", server.url()], stdout=subprocess.PIPE, text=True)
        lines = [process.stdout.readline() for _ in range(2)]
        assert '"text"' in lines[1], lines
    out, _ = process.communicate(timeout=20)
    assert '"event":"end","result":"OK","code":1001,"by_peer":true' in out, out


def the_example_client():
    cert, key = certs.pair("server")
    program = os.path.join(os.environ["EXAMPLES"], "echo_client")
    for options, url, more in [((), "ws://127.0.0.1:{}/echo", ()),
                               (("--tls-cert", cert, "--tls-key", key), "wss://localhost:{}/echo",
                                (certs.ca,))]:
        with Server(*options) as server:
            done = subprocess.run([program, url.format(server.port), *more], input="one\n\ntwo\n",
                                  capture_output=True, text=True, timeout=30, env=environment())
        assert (done.returncode, done.stdout, done.stderr) == (0, "one\n\ntwo\n", ""), done
    done = subprocess.run([program, "ws://127.0.0.1:1/"], capture_output=True, text=True, timeout=30)
    assert done.returncode == 1 and "refused" in done.stderr, done


run([node_ws, node_ws_over_tls, node_ws_sees_the_headers, python_websockets,
     python_websockets_over_tls, libwebsockets_server, libwebsockets_server_over_tls, wring,
     wring_over_tls, a_server_that_stops_closes_with_1001, the_example_client])
