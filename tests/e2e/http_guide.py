#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The configurations of nginx and HAProxy in docs/guide.md, as they stand there: with `wring serve` and
examples/http_api behind them."""
import contextlib
import http.client
import json
import os
import re
import tempfile
import time

import http_api
from http_proxied import NGINX_CONFIG
from http_tools import need, websocket_refusal, websocket_talk
from server import Server, run
from tools import PATIENCE, Program, free_port

GUIDE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/guide.md")
PUBLIC = "http://public.example"


def of_the_guide(language, port, server_port, page=GUIDE):
    """A block of the guide, or of another page, with other ports."""
    with open(page, encoding="utf-8") as file:
        block, = re.findall(rf"^```{language}\n(.*?)^```", file.read(), re.M | re.S)
    for old, new in (("127.0.0.1:8080", f"127.0.0.1:{server_port}"),
                     ("listen 80;", f"listen 127.0.0.1:{port};"),
                     ("bind :80\n", f"bind 127.0.0.1:{port}\n")):
        block = block.replace(old, new)
    assert str(port) in block and str(server_port) in block, block
    return block


@contextlib.contextmanager
def nginx(server_port, change=lambda text: text):
    """Gives its port."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="wring-guide-") as folder:
        path = os.path.join(folder, "nginx.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(NGINX_CONFIG.format(folder=folder,
                                           http=change(of_the_guide("nginx", port, server_port))))
        with Program(need("nginx"), "-p", folder, "-e", os.path.join(folder, "error.log"), "-c", path,
                     port=port):
            yield port


@contextlib.contextmanager
def haproxy(server_port, change=lambda text: text, page=GUIDE):
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="wring-guide-") as folder:
        path = os.path.join(folder, "haproxy.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(change(of_the_guide("haproxy", port, server_port, page)))
        with Program(need("haproxy"), "-db", "-f", path, port=port):
            yield port


def ask(port, method, path, body=None, **headers):
    """(status, body) of one request."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as peer:
        peer.request(method, path, body, {"Host": "public.example", **headers})
        answer = peer.getresponse()
        return answer.status, answer.read()


def ask_until(port, path, status):
    """HAProxy answers 503 until its checks have found the server."""
    deadline = time.monotonic() + PATIENCE
    while ask(port, "GET", path)[0] != status:
        assert time.monotonic() < deadline, (path, status)
        time.sleep(0.1)


def wait_for_exchanges(server, count):
    deadline = time.monotonic() + PATIENCE
    while json.loads(ask(server.admin_port, "GET", "/stats", Host="127.0.0.1")[1])["exchanges"] < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


async def echoes(websocket):
    for message in ("x" * 70000, b"\0\xff"):
        await websocket.send(message)
        assert await websocket.recv() == message


def everything_passes(port):
    """What a browser does with `wring serve` at public.example."""
    url = "ws://public.example"
    assert ask(port, "GET", "/healthz") == (200, b"ok\n")
    assert ask(port, "GET", "/")[0] == 200
    assert ask(port, "GET", "/nothing")[0] == 404
    for origin in (PUBLIC, "https://public.example", None):
        websocket_talk(url + "/echo", echoes, port, origin=origin)
    assert websocket_refusal(url + "/echo", port, origin="https://evil.example")[0] == 403

    async def hears(websocket):
        await (await websocket.ping())  # so the subscription is made
        assert ask(port, "POST", "/topic/news", b"hello", Origin=PUBLIC)[0] == 202
        return await websocket.recv()
    assert websocket_talk(url + "/topic/news", hears, port, origin=PUBLIC) == "hello"
    assert ask(port, "POST", "/topic/news", b"x", Origin="https://evil.example")[0] == 403


def nginx_of_the_guide():
    with Server() as server, nginx(server.port) as port:
        everything_passes(port)


def nginx_with_the_forwarded_host():
    """`Host` stays the upstream's. POSTs of pages need --origin then: the library compares the Origins of
    upgrades only, and a forwarded host is not the request's."""
    def change(text):
        return text.replace("proxy_set_header Host $host;", "proxy_set_header X-Forwarded-Host $host;")
    with Server("--trusted-proxy", "127.0.0.1", "--allow-publish", "*", "--origin", PUBLIC) as server, \
            nginx(server.port, change) as port:
        everything_passes(port)
    with Server("--trusted-proxy", "127.0.0.1") as server, nginx(server.port, change) as port:
        websocket_talk("ws://public.example/echo", echoes, port, origin=PUBLIC)
        assert ask(port, "POST", "/topic/news", b"x")[0] == 403  # by default nobody publishes


def haproxy_of_the_guide():
    with Server() as server, haproxy(server.port) as port:
        ask_until(port, "/healthz", 200)
        everything_passes(port)


def haproxy_with_its_own_check():
    """`option httpchk` alone, which asks with OPTIONS, and one with a version and a host."""
    for check in ("option httpchk", "option httpchk HEAD /healthz",
                  "option httpchk GET /healthz HTTP/1.1\n"
                  "    http-check send hdr Host public.example"):
        def change(text, check=check):
            return text.replace("option httpchk GET /healthz", check).replace(
                "check\n", "check inter 100ms\n") + "\n"
        with Server("--admin-port", "0") as server, haproxy(server.port, change) as port:
            ask_until(port, "/healthz", 200)
            wait_for_exchanges(server, 8)  # most are checks, and none of them marks it down
            assert ask(port, "GET", "/healthz") == (200, b"ok\n"), check


def a_server_that_is_gone_is_found_out():
    def change(text):
        return text.replace("check\n", "check inter 100ms fall 1\n")
    server = Server()
    with haproxy(server.port, change) as port:
        ask_until(port, "/healthz", 200)
        server.process.terminate()
        assert server.process.wait(PATIENCE) == 0
        ask_until(port, "/healthz", 503)


def event_streams(proxy):
    """An event reaches the client while the stream is open, through the proxy."""
    with http_api.Api() as api, proxy(api.port) as port:
        ask_until(port, "/notes", 200)
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port,
                                                           timeout=PATIENCE)) as peer:
            peer.request("GET", "/events")
            stream = peer.getresponse()
            assert stream.readline().startswith(b":") and stream.readline() == b"\n"
            for number in range(1, 4):
                status, _ = ask(port, "POST", "/notes", b'{"text":"x"}', **http_api.BEARER)
                assert status == 201, status
                assert stream.readline() == f"id: {number}\n".encode()
                assert stream.readline().startswith(b"data: ") and stream.readline() == b"\n"


def event_streams_through_nginx():
    event_streams(nginx)


def event_streams_through_haproxy():
    def with_a_check_of_its_own(server_port):
        return haproxy(server_port, lambda text: text.replace("/healthz", "/notes"))
    event_streams(with_a_check_of_its_own)


if __name__ == "__main__":
    need("nginx", "haproxy")
    tests = [nginx_of_the_guide, nginx_with_the_forwarded_host, haproxy_of_the_guide,
             haproxy_with_its_own_check, a_server_that_is_gone_is_found_out]
    if os.path.exists(os.path.join(os.environ["EXAMPLES"], "http_api")):
        tests += [event_streams_through_nginx, event_streams_through_haproxy]
    run(tests)
