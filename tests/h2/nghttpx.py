#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Behind nghttpx, which speaks HTTP/2 to the server, in clear text and over TLS: requests and
WebSockets of clients of HTTP/1.1, and HTTP/2 all the way."""
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from h2_proxied import sockets_pass
from http2_clients import load_passes, requests_pass
from http_proxied import Proxied, exchanges_pass
from http_tools import HttpServer, need
from server import run
from tools import Certs, Program, free_port

NGHTTPX = need("nghttpx")
certs = Certs()


class Nghttpx(Proxied):
    """One in front of a server; `errors` is what it complained of when it has ended."""

    def __init__(self, server, secure):
        self.server, self.secure, self.port = server, secure, free_port()

    def __enter__(self):
        self.errors_file = tempfile.NamedTemporaryFile("r")
        backend = f"{self.server.address.replace(':', ',')};;proto=h2"
        if self.secure:
            backend += ";tls;sni=localhost"
        self.program = Program(NGHTTPX, "--conf=/dev/null", f"--frontend=127.0.0.1,{self.port};no-tls",
                               f"--backend={backend}", f"--cacert={certs.ca}", "--single-process",
                               "--no-ocsp", f"--errorlog-file={self.errors_file.name}",
                               port=self.port)
        return self

    def __exit__(self, *exc):
        self.program.__exit__(*exc)
        self.errors = [line for line in self.errors_file if " ERROR " in line or " FATAL " in line]
        self.errors_file.close()
        assert exc[0] or not self.errors, self.errors


def on_both(test):
    def twice():
        for secure in (False, True):
            with HttpServer("--http2", "all", *(("--tls", certs.folder.name) if secure else ())) as server:
                with Nghttpx(server, secure) as proxy:
                    test(proxy, server)
    twice.__name__ = test.__name__
    return twice


def exchanges(proxy, server):
    peers = exchanges_pass(proxy, 20, "public.example", None)
    assert len(set(peers)) == 1, peers
    assert all("MESSAGE_TOO_BIG" in line for line in server.faults()), server.faults()


def with_http2_in_front(proxy, server):
    requests_pass(proxy.port, 20)
    assert server.faults() == []


def websockets(proxy, server):
    said = sockets_pass(proxy)
    assert len(set(said)) == 1, said  # all of them are streams of one connection
    assert server.faults() == [], server.faults()


def more_requests_at_once_than_the_default():
    """nghttpx has one connection for all its clients, and no second try for what is refused there."""
    with HttpServer("--http2", "many") as server:
        with Nghttpx(server, False) as proxy:
            load_passes(proxy.port, 800, 8)
        assert server.faults() == []


if __name__ == "__main__":
    run([on_both(exchanges), on_both(with_http2_in_front), on_both(websockets),
         more_requests_at_once_than_the_default])
