#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Behind HAProxy that speaks HTTP/2 to the server, in clear text and over TLS, to clients of HTTP/1.1
and of HTTP/2: requests, WebSockets of python3-websockets and of Node's ws, health checks."""
import asyncio
import json
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from h2_proxied import SOCKETS, at_once, node_sockets_pass
from haproxy_tools import Haproxy, checks_pass, stop_is_noticed
from http_proxied import exchanges_pass, hooks_pass
from http_tools import BIG, HttpServer, echoes, need, output
from server import run
from tools import Certs

_, CURL, H2LOAD = need("haproxy", "curl", "h2load")
certs = Certs()
# To the server: the options of HAProxy's `server`, without and with a check, and those of ours.
CLEAR = ("proto h2 ws h2", "check check-proto h2", ())
SECURE = (f"ssl verify required ca-file {certs.ca} verifyhost localhost sni str(localhost) alpn h2 ws h2",
          "check check-alpn h2 check-sni localhost", ("--tls", certs.folder.name))


def on_both(test):
    def twice():
        for options, check, ours in (CLEAR, SECURE):
            with HttpServer("--http2", "all", *ours) as server:
                test(server, options, check)
    twice.__name__ = test.__name__
    return twice


def exchanges(server, options, _check):
    """With connections that clients share, by default, and with one for each request."""
    for lines in ("http-reuse always", "option forwardfor", "option httpclose"):
        with Haproxy(server.port, (lines, options)) as proxy:
            peers = exchanges_pass(proxy, 20, "public.example", None)
            assert lines != "http-reuse always" or len(set(peers)) == 1, (lines, peers)
            with proxy.connection() as connection:  # one client's requests
                heard = [json.loads(proxy.ask("POST", "/hello", b"x" * i, connection=connection)[2])
                         for i in range(5)]
            assert [one["bytes"] for one in heard] == list(range(5)), heard
            assert lines != "http-reuse always" or len({one["peer"] for one in heard}) == 1, heard
    assert all("MESSAGE_TOO_BIG" in line for line in server.faults()), server.faults()


def with_http2_in_front(server, options, _check):
    """HTTP/2 all the way: many streams of clients share few connections to the server."""
    with tempfile.NamedTemporaryFile() as file, \
            Haproxy(server.port, ("http-reuse always", options), binds=["proto h2"]) as proxy:
        file.write(BIG)
        file.flush()

        def curl(path, *more):
            code, out, err = output(CURL, "-sS", "--http2-prior-knowledge", "--noproxy", "*", *more,
                                    f"http://127.0.0.1:{proxy.port}{path}", text=False)
            assert code == 0, (path, err)
            return out

        heard = json.loads(curl("/hello?a=b"))
        assert (heard["version"], heard["host"]) == (20, f"127.0.0.1:{proxy.port}"), heard
        assert curl("/big") == BIG and curl("/big?how=pieces") == BIG
        assert curl("/echo", "--data-binary", "@" + file.name) == BIG
        assert curl("/copy", "-T", file.name, "-H", "Expect:") == BIG
        code, out, err = output(H2LOAD, "-n", "200", "-c", "2", "-m", "50",
                                f"http://127.0.0.1:{proxy.port}/late")
        assert code == 0 and "200 succeeded, 0 failed" in out, (out, err)
        assert "200 2xx, 0 3xx, 0 4xx, 0 5xx" in out, out
    assert server.faults() == []


def websockets_pass(server, options, _check):
    """HAProxy passes Host on as the authority: the Origin's rule needs no configuration."""
    with Haproxy(server.port, ("http-reuse always", options)) as proxy:
        proxy.talk(echoes)
        proxy.talk(echoes, path="/deflate")
        proxy.talk(echoes, origin=None)
        assert proxy.refusal(origin="https://evil.example") == 403
        assert proxy.refusal("/nothing") == 404
        hooks_pass(proxy)
        said = asyncio.run(at_once(proxy.port, "/peer"))
        assert len(said) == SOCKETS and all(line.endswith(" 20") for line in said), said
        node_sockets_pass(proxy.port)
        assert proxy.ask("GET", "/hello")[0] == 200
    assert server.faults() == [], server.faults()


def without_websockets():
    """Requests by HTTP/2, WebSockets by HTTP/1.1: HAProxy has to be told, by `ws h1`."""
    options = (f"ssl verify required ca-file {certs.ca} verifyhost localhost sni str(localhost) "
               "alpn h2,http/1.1 ws")
    with HttpServer("--http2", "requests", "--tls", certs.folder.name) as server:
        for how in ("h1", "h2"):
            with Haproxy(server.port, ("http-reuse always", f"{options} {how}")) as proxy:
                assert json.loads(proxy.ask("GET", "/hello")[2])["version"] == 20
                if how == "h1":
                    said = asyncio.run(at_once(proxy.port, "/peer"))
                    assert all(line.endswith(" 11") for line in said), said
                else:
                    assert proxy.refusal() == 502
                assert json.loads(proxy.ask("GET", "/hello")[2])["version"] == 20
        assert server.faults() == []


def check_of(request, expect="status 200-299"):
    return f"option httpchk\nhttp-check send {request} hdr Host public.example\nhttp-check expect {expect}"


CHECKS = [
    # A check without a Host has no authority at all, which is malformed: RFC 9113 8.3.1.
    ("option httpchk GET /hello", "SOCKERR", 0),
    (check_of("meth OPTIONS uri /"), "L7OK", 204),
    (check_of("meth OPTIONS uri *"), "L7OK", 204),
    (check_of("meth GET uri /hello"), "L7OK", 200),
    (check_of("meth HEAD uri /big?how=pieces"), "L7OK", 200),
    (check_of("meth GET uri /big?how=pieces"), "L7OK", 200),
    (check_of("meth GET uri /late"), "L7OK", 201),
    (check_of("meth GET uri /nothing"), "L7STS", 404),
    (check_of("meth DELETE uri /hello"), "L7STS", 405),
    (check_of("meth GET uri /hello", 'string "\\"version\\":20,"'), "L7OK", 200),
    (check_of("meth GET uri /hello", "hdr name content-type value application/json"), "L7OK", 200),
    (check_of('meth POST uri /hello body "abc"', 'string "\\"bytes\\":3,\\"sum\\":294"'), "L7OK", 200),
]


def health_checks(server, options, check):
    checks_pass(server, CHECKS, f"{options} {check}")


def a_server_that_stops(server, options, check):
    stop_is_noticed(server, check_of("meth GET uri /hello"), f"{options} {check}")


if __name__ == "__main__":
    run([on_both(exchanges), on_both(with_http2_in_front), on_both(websockets_pass),
         without_websockets, on_both(health_checks), on_both(a_server_that_stops)])
