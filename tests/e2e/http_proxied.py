# SPDX-License-Identifier: Apache-2.0
"""e2e-http-server behind a proxy that listens at `port`: what has to pass through any of them."""
import contextlib
import http.client
import json

from http_tools import BIG, websocket_refusal, websocket_talk, welcome
from tools import PATIENCE

PUBLIC = "https://public.example"
TOKEN = {"Authorization": "Bearer let-me-in"}
# nginx as a test runs it: `daemon off` and one process, so that what is started is what is ended; all of
# its files in `folder`. `http` is what its block http has besides.
NGINX_CONFIG = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/error.log info;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
{http}
}}
"""
COOKIE = "sid=granted; Path=/; SameSite=Lax; HttpOnly"


class Proxied:
    """Asks as public.example, whatever the proxy's address is."""

    port = None

    def connection(self):
        return contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port,
                                                             timeout=PATIENCE))

    def ask(self, method, path, body=None, headers=None, connection=None):
        """(status, headers, body) on a connection of its own, unless one is given."""
        if connection is None:
            with self.connection() as connection:
                return self.ask(method, path, body, headers, connection)
        with contextlib.suppress(BrokenPipeError):  # a refusal may come before all of the body has left
            connection.request(method, path, body, {"Host": "public.example", **(headers or {})})
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()

    def talk(self, talk, path="/ws", origin=PUBLIC, **options):
        return websocket_talk("ws://public.example" + path, talk, self.port, origin=origin, **options)

    def refusal(self, path="/ws", origin=PUBLIC, **options):
        return websocket_refusal("ws://public.example" + path, self.port, origin=origin,
                                 **options)[0]


def exchanges_pass(proxy, version, host, echoed_max):
    """Everything that is no upgrade; gives what /hello heard of its peer, thrice."""
    peers = []
    for _ in range(3):
        status, _, body = proxy.ask("GET", "/hello?a=b")
        heard = json.loads(body)
        assert (status, heard["method"], heard["version"]) == (200, "GET", version), heard
        assert (heard["host"], heard["query"]) == (host, "a=b"), heard
        peers.append(heard["peer"])
    for size in (0, 1, 1000, 1 << 20):
        data = bytes(i % 256 for i in range(size))
        heard = json.loads(proxy.ask("POST", "/hello", data)[2])
        assert (heard["bytes"], heard["sum"]) == (size, sum(data)), heard
        assert proxy.ask("POST", "/copy", data * 4)[2] == data * 4
        assert proxy.ask("PUT", "/copy", iter([data, data]))[2] == data * 2  # chunked
        assert proxy.ask("POST", "/echo", data[:echoed_max])[2] == data[:echoed_max]
    for path in ("/big", "/big?how=pieces"):
        assert proxy.ask("GET", path)[::2] == (200, BIG)
        status, headers, body = proxy.ask("HEAD", path)
        assert (status, body) == (200, b"")
        assert headers["Content-Length"] == (str(len(BIG)) if path == "/big" else None), headers
    assert proxy.ask("GET", "/late")[::2] == (201, b"late\n")
    assert proxy.ask("GET", "/sse")[2].count(b"event: count\n") == 3
    assert proxy.ask("GET", "/nothing")[0] == 404
    assert proxy.ask("DELETE", "/hello")[0] == 405
    assert proxy.ask("POST", "/hello", b"x" * (2 << 20))[0] == 413
    return peers


def kept_exchanges_pass(proxy):
    """Five requests on one connection to the proxy; gives those whom /hello heard as its peers."""
    with proxy.connection() as connection:
        heard = [json.loads(proxy.ask("POST", "/hello", b"x" * i, connection=connection)[2])
                 for i in range(5)]
    assert [one["bytes"] for one in heard] == list(range(5)), heard
    return {one["peer"] for one in heard}


def hooks_pass(proxy):
    """What the application decides about an upgrade, with its headers."""
    for path, headers, who in [("/auth", TOKEN, "token"), ("/auth?how=later", {}, "later"),
                               ("/auth", {"Cookie": "sid=granted"}, "cookie")]:
        assert proxy.talk(welcome, path, extra_headers=headers) == (f"welcome {who}", COOKIE)
    for how, status in [("401", 401), ("403", 403), ("later403", 403)]:
        assert proxy.refusal(f"/auth?how={how}") == status
