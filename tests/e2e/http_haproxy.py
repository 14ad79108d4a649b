#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Behind HAProxy: its health checks in all their forms, requests with kept connections and without,
HTTP/2 in front, TLS behind, and upgrades."""
from haproxy_tools import ONCE, Haproxy, checks_pass, heard_of, is_checked, stop_is_noticed
from http2_clients import requests_pass
from http_proxied import exchanges_pass, hooks_pass, kept_exchanges_pass
from http_tools import HttpServer, echoes, need
from server import run
from tools import Certs

need("haproxy")
HEAD_OF_AN_UPGRADE = ("hdr Connection Upgrade hdr Upgrade websocket hdr Sec-WebSocket-Version 13 "
                      "hdr Sec-WebSocket-Key dGhlIHNhbXBsZSBub25jZQ==")
# The lines of a backend, and the check_status and check_code that its server gets for them.
CHECKS = [
    ("option httpchk", "L7OK", 204),  # OPTIONS / HTTP/1.0, without Host
    ("option httpchk /hello", "L7OK", 204),
    ("option httpchk GET /hello", "L7OK", 200),
    ("option httpchk HEAD /hello", "L7OK", 200),
    ("option httpchk HEAD /big?how=pieces HTTP/1.0", "L7OK", 200),
    ("option httpchk GET /late", "L7OK", 201),
    ("option httpchk GET /nothing", "L7STS", 404),
    ("option httpchk DELETE /hello", "L7STS", 405),
    # by the rules: HTTP/1.1 has a Host (RFC 9112 3.2)
    ("option httpchk GET /hello HTTP/1.1", "L7STS", 400),
    ('option httpchk GET /hello "HTTP/1.1\\r\\nHost: public.example"', "L7OK", 200),
    ("option httpchk\nhttp-check send meth GET uri /hello ver HTTP/1.1 hdr Host public.example",
     "L7OK", 200),
    ("option httpchk\nhttp-check send meth OPTIONS uri * ver HTTP/1.1 hdr Host public.example\n"
     "http-check expect status 200-299", "L7OK", 204),
    ("option httpchk\nhttp-check send meth POST uri /hello ver HTTP/1.1 hdr Host public.example "
     'body "abc"\nhttp-check expect string "\\"bytes\\":3,\\"sum\\":294"', "L7OK", 200),
    ("option httpchk GET /hello\nhttp-check expect rstring method.*GET", "L7OK", 200),
    ("option httpchk GET /hello\nhttp-check expect ! string method", "L7RSP", 0),
    ("option httpchk GET /hello\nhttp-check expect hdr name content-type value application/json",
     "L7OK", 200),
    ("option httpchk GET /big?how=pieces\nhttp-check expect rstatus ^2", "L7OK", 200),
    # two requests, each on a connection of its own
    ("option httpchk\nhttp-check connect\nhttp-check send meth GET uri /hello\n"
     "http-check expect status 200\nhttp-check connect\nhttp-check send meth GET uri /nothing\n"
     "http-check expect status 404", "L7OK", 404),
    # https://www.haproxy.com/documentation: a WebSocket's upgrade as a check
    ("option httpchk\nhttp-check send meth GET uri /ws ver HTTP/1.1 hdr Host public.example " +
     HEAD_OF_AN_UPGRADE + "\nhttp-check expect status 101", "L7OK", 101),
    ("option httpchk\nhttp-check send meth GET uri /auth ver HTTP/1.1 hdr Host public.example " +
     HEAD_OF_AN_UPGRADE + "\nhttp-check expect status 401", "L7OK", 401),
    # in an HTTP/1.0 request the upgrade counts for nothing (RFC 9110 7.8)
    ("option httpchk\nhttp-check send meth GET uri /ws " + HEAD_OF_AN_UPGRADE, "L7STS", 426),
]


def health_checks():
    with HttpServer() as server:
        checks_pass(server, CHECKS)


def health_checks_over_tls():
    certs = Certs()
    options = f"check {ONCE} ssl verify required ca-file {certs.ca} verifyhost localhost"
    with HttpServer("--tls", certs.folder.name) as server:
        with Haproxy(server.port, ("option httpchk\nhttp-reuse always", options),
                     ("option httpchk GET /hello", options),
                     ("option httpchk\nhttp-check send meth GET uri /hello ver HTTP/1.1 "
                      "hdr Host localhost", options + " check-alpn http/1.1")) as proxy:
            rows = proxy.wait_for(is_checked)
            heard = [heard_of(row) for row in rows]
            assert heard == [("L7OK", 204), ("L7OK", 200), ("L7OK", 200)], heard
            peers = exchanges_pass(proxy, 11, "public.example", None)
            proxy.talk(echoes)
            assert len(set(peers)) == 1, peers
        assert all("MESSAGE_TOO_BIG" in line for line in server.faults()), server.faults()


def a_server_that_stops():
    with HttpServer() as server:
        stop_is_noticed(server, "option httpchk")


def exchanges():
    """By default, with connections that clients share, and with none kept to the server or at all."""
    for lines, kept in [("", False), ("http-reuse always", True), ("option http-server-close", False),
                        ("option httpclose", False)]:
        with HttpServer() as server:
            with Haproxy(server.port, (lines or "option forwardfor", "")) as proxy:
                peers = exchanges_pass(proxy, 11, "public.example", None)
                assert len(set(peers)) == (1 if kept else 3), (lines, peers)
                peers = kept_exchanges_pass(proxy)
                # by default, HAProxy begins on a new connection and may go on with an idle one
                fewest, most = {"": (1, 2), "http-reuse always": (1, 1)}.get(lines, (5, 5))
                assert fewest <= len(peers) <= most, (lines, peers)
            assert all("MESSAGE_TOO_BIG" in line for line in server.faults()), server.faults()


def http2_in_front():
    """What browsers speak to HAProxy: to the server it is HTTP/1.1, also with bodies of no length."""
    with HttpServer() as server:
        with Haproxy(server.port, ("http-reuse always", ""), binds=["proto h2"]) as proxy:
            requests_pass(proxy.port, 11)
        assert server.faults() == []


FORWARDED_HOST = ("http-request set-header X-Forwarded-Host %[hdr(host)]\n"
                  "http-request set-header Host wring")


def websockets():
    """HAProxy passes Host on: the Origin's rule needs no configuration."""
    with HttpServer() as server:
        with Haproxy(server.port, ("http-reuse always", "")) as proxy:
            proxy.talk(echoes)
            proxy.talk(echoes, origin=None)
            assert proxy.refusal(origin="https://evil.example") == 403
            hooks_pass(proxy)
            assert proxy.ask("GET", "/hello")[0] == 200
        with Haproxy(server.port, (FORWARDED_HOST, "")) as proxy:
            assert proxy.refusal() == 403
            server.wait_for_log("X-Forwarded-Host was not used: if the peer is your proxy, list "
                                "127.0.0.1 in trusted_proxies")
        assert server.faults() == []
    with HttpServer("--trust", "127.0.0.1") as server:
        with Haproxy(server.port, (FORWARDED_HOST, "")) as proxy:
            proxy.talk(echoes)
            assert proxy.refusal(origin="https://evil.example") == 403
            server.wait_for_log('is not of the X-Forwarded-Host "public.example"')


if __name__ == "__main__":
    run([health_checks, health_checks_over_tls, a_server_that_stops, exchanges, http2_in_front,
         websockets])
