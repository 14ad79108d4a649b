#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The configuration of HAProxy and the command of nghttpx in docs/http2.md, as they stand there, with `wring
serve` behind them: all of it goes over HTTP/2, and clients share connections."""
import asyncio
import contextlib
import json
import os
import re
import shlex

import websockets

from http_guide import GUIDE, ask, ask_until, everything_passes, haproxy
from http_tools import need
from server import Server, run
from tools import PATIENCE, Certs, Program, free_port

PAGE = os.path.join(os.path.dirname(GUIDE), "http2.md")
SOCKETS = 30
certs = Certs()


def line_of_the_page(beginning):
    with open(PAGE, encoding="utf-8") as file:
        line, = re.findall(rf"^    ({beginning}.*)$", file.read(), re.M)
    return line


@contextlib.contextmanager
def nghttpx(server_port):
    port = free_port()
    command = line_of_the_page("nghttpx ").replace("'*,3000;", f"'127.0.0.1,{port};")
    command = command.replace("127.0.0.1,8080;", f"127.0.0.1,{server_port};")
    assert str(port) in command and str(server_port) in command, command
    with Program(*shlex.split(command), "--conf=/dev/null", port=port):
        yield port


def with_tls(text):
    line = line_of_the_page("server wring1 127.0.0.1:8443 ").replace("cert.pem", certs.ca)
    text, count = re.subn(r"server wring1 127\.0\.0\.1:(\d+) .*",
                          lambda match: line.replace(":8443", ":" + match[1]), text)
    assert count == 1
    return text


def stats(server):
    return json.loads(ask(server.admin_port, "GET", "/stats", Host="127.0.0.1")[1])


async def at_once(port):
    """What the server must not have: a connection for each of them."""
    opened = await asyncio.gather(*[
        websockets.connect("ws://public.example/echo", host="127.0.0.1", port=port,
                           open_timeout=PATIENCE) for _ in range(SOCKETS)])
    for number, socket in enumerate(opened):
        await socket.send(str(number))
        assert await socket.recv() == str(number)
    return opened


def carries_them(server, port):
    async def talk():
        opened = await at_once(port)
        seen = await asyncio.to_thread(stats, server)
        await asyncio.gather(*[socket.close() for socket in opened])
        return seen
    ask_until(port, "/healthz", 200)
    everything_passes(port)
    seen = asyncio.run(talk())
    assert seen["sessions"] >= SOCKETS > seen["http2_connections"] > 0, seen
    assert seen["connections"] == seen["http2_connections"], seen


def haproxy_in_clear_text():
    with Server("--http2", "--admin-port", "0") as server, haproxy(server.port, page=PAGE) as port:
        carries_them(server, port)


def haproxy_with_tls():
    cert, key = certs.pair("server")
    with Server("--tls-cert", cert, "--tls-key", key, "--admin-port", "0") as server, \
            haproxy(server.port, with_tls, PAGE) as port:
        carries_them(server, port)


def nghttpx_in_clear_text():
    with Server("--http2", "--admin-port", "0") as server, nghttpx(server.port) as port:
        carries_them(server, port)


if __name__ == "__main__":
    need("haproxy", "nghttpx")
    run([haproxy_in_clear_text, haproxy_with_tls, nghttpx_in_clear_text])
