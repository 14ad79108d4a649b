#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Behind HAProxy that speaks HTTP/2 to the server, in clear text and over TLS, to clients of HTTP/1.1
and of HTTP/2: requests, WebSockets of python3-websockets and of Node's ws, health checks."""
import asyncio
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from h2_proxied import at_once, sockets_pass
from haproxy_tools import Haproxy, checks_pass, stop_is_noticed
from http2_clients import requests_pass
from http_proxied import exchanges_pass, kept_exchanges_pass
from http_tools import HttpServer, need
from server import run
from tools import Certs

need("haproxy")
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
            peers = kept_exchanges_pass(proxy)
            assert lines != "http-reuse always" or len(peers) == 1, peers
    assert all("MESSAGE_TOO_BIG" in line for line in server.faults()), server.faults()


def with_http2_in_front(server, options, _check):
    """HTTP/2 all the way: many streams of clients share few connections to the server."""
    with Haproxy(server.port, ("http-reuse always", options), binds=["proto h2"]) as proxy:
        requests_pass(proxy.port, 20)
    assert server.faults() == []


def websockets(server, options, _check):
    """HAProxy passes Host on as the authority: the Origin's rule needs no configuration."""
    with Haproxy(server.port, ("http-reuse always", options)) as proxy:
        sockets_pass(proxy)
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
    run([on_both(exchanges), on_both(with_http2_in_front), on_both(websockets),
         without_websockets, on_both(health_checks), on_both(a_server_that_stops)])
