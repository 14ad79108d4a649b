#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Behind nginx: as it proxies by default (HTTP/1.0, a connection a request), with kept connections,
and with its usual configuration for WebSockets, where the host that the browser asked for is hidden
from the server or passed on in either of the two ways."""
import json
import os
import tempfile

from http_proxied import NGINX_CONFIG, PUBLIC, Proxied, exchanges_pass, hooks_pass
from http_tools import HttpServer, echoes, need
from server import run
from tools import Program, free_port

NGINX = need("nginx")

HTTP = """
    client_max_body_size 64m;
    upstream wring {{ server {address}; {upstream} }}
    map $http_upgrade $connection_upgrade {{ default upgrade; '' close; }}
    server {{
        listen 127.0.0.1:{port};
        server_name public.example;
        location / {{ proxy_pass http://wring; {location} }}
    }}"""
KEPT = 'proxy_http_version 1.1; proxy_set_header Connection "";'
# https://nginx.org/en/docs/http/websocket.html
UPGRADE = ("proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
           "proxy_set_header Connection $connection_upgrade; ")
# nginx sends no more of a body when its answer has begun, so an echo has to be a small one.
ECHOED_MAX = 1000


class Nginx(Proxied):
    """One in front of a server. `errors` is its log when it has ended."""

    def __init__(self, server, location="", upstream=""):
        self.server, self.location, self.upstream = server, location, upstream
        self.port = free_port()

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="wring-nginx-")
        folder = self.folder.name
        path = os.path.join(folder, "nginx.conf")
        with open(path, "w", encoding="ascii") as file:
            http = HTTP.format(port=self.port, address=self.server.address,
                               location=self.location, upstream=self.upstream)
            file.write(NGINX_CONFIG.format(folder=folder, http=http))
        self.program = Program(NGINX, "-p", folder, "-e", os.path.join(folder, "error.log"), "-c",
                               path, port=self.port)
        return self

    def __exit__(self, *exc):
        self.program.__exit__(*exc)
        with open(os.path.join(self.folder.name, "error.log"), encoding="utf-8") as file:
            self.errors = [line for line in file if "[error]" in line or "[crit]" in line or
                           "[alert]" in line or "[emerg]" in line]
        self.folder.cleanup()
        assert exc[0] or not self.errors, self.errors


def by_default():
    """HTTP/1.0, Connection: close, and the name of the upstream as Host."""
    with HttpServer() as server:
        with Nginx(server) as nginx:
            peers = exchanges_pass(nginx, 10, "wring", ECHOED_MAX)
            assert len(set(peers)) == 3, peers
        assert all("MESSAGE_TOO_BIG" in line for line in server.faults()), server.faults()


def with_kept_connections():
    with HttpServer() as server:
        with Nginx(server, KEPT, "keepalive 4;") as nginx:
            peers = exchanges_pass(nginx, 11, "wring", ECHOED_MAX)
            assert len(set(peers)) == 1, peers
        assert all("MESSAGE_TOO_BIG" in line for line in server.faults()), server.faults()


def websockets_of_a_hidden_host():
    """Host is the upstream's: the Origin matches nothing, and the log says what to configure."""
    with HttpServer() as server:
        with Nginx(server, UPGRADE) as nginx:
            assert nginx.refusal() == 403
            server.wait_for_log(
                f'the origin "{PUBLIC}" is not of the host "wring": if its pages may connect, list '
                "it in the route's origins; if a proxy changed Host, let it pass Host on, or send "
                "X-Forwarded-Host and list 127.0.0.1 in trusted_proxies")
            nginx.talk(echoes, origin=None)  # not a browser
            assert nginx.ask("GET", "/hello")[0] == 200
        with Nginx(server, UPGRADE + "proxy_set_header X-Forwarded-Host $host;") as nginx:
            assert nginx.refusal() == 403
            server.wait_for_log("X-Forwarded-Host was not used: if the peer is your proxy, list "
                                "127.0.0.1 in trusted_proxies")


def websockets_of_a_forwarded_host():
    with HttpServer("--trust", "127.0.0.1") as server:
        with Nginx(server, UPGRADE + "proxy_set_header X-Forwarded-Host $host;") as nginx:
            nginx.talk(echoes)
            assert nginx.refusal(origin="https://evil.example") == 403
            server.wait_for_log('is not of the X-Forwarded-Host "public.example"')
            # what the client wrote there is replaced
            assert nginx.refusal(origin="https://evil.example",
                                 extra_headers={"X-Forwarded-Host": "evil.example"}) == 403
        with Nginx(server, UPGRADE) as nginx:  # trusted, but it passes on what the client wrote
            assert nginx.refusal() == 403


def websockets_of_a_passed_host():
    with HttpServer() as server:
        with Nginx(server, UPGRADE + "proxy_set_header Host $host;") as nginx:
            nginx.talk(echoes)
            assert nginx.refusal(origin="https://evil.example") == 403
            assert json.loads(nginx.ask("GET", "/hello")[2])["host"] == "public.example"


def hooks():
    """What the application decides about an upgrade passes through with its headers."""
    with HttpServer() as server:
        with Nginx(server, UPGRADE + "proxy_set_header Host $host;") as nginx:
            hooks_pass(nginx)
        assert server.faults() == []


if __name__ == "__main__":
    run([by_default, with_kept_connections, websockets_of_a_hidden_host,
         websockets_of_a_forwarded_host, websockets_of_a_passed_host, hooks])
