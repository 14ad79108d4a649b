#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The conformance suite through HAProxy, which carries WebSockets from HTTP/1.1 to HTTP/2 and back: so
its HTTP/2, and not the tester's, meets that of `wring serve`.

    CONFORMANCE=build/debug/tests/conformance/conformance WRING=build/debug/wring haproxy.py [options]

Options are the tester's, for example --case 7."""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from haproxy_tools import Haproxy
from http_tools import need
from server import Server, run
from tools import environment, free_port

need("haproxy")
CONFORMANCE = os.environ["CONFORMANCE"]
# As conformance starts it: what an offer asks for decides.
SERVE = ("--http2", "--deflate", "--deflate-server-takeover", "--deflate-client-takeover",
         "--deflate-server-bits", "15", "--deflate-client-bits", "15", "--deflate-min-bytes", "1")
TO_HTTP2 = "proto h2 ws h2"


def judged(front, back_port, back, *options):
    """`front`, `back`: how HAProxy speaks to clients and to the server, as its options say it."""
    with Haproxy(back_port, ("http-reuse always", back), binds=[front]) as proxy:
        done = subprocess.run([CONFORMANCE, "--target", f"127.0.0.1:{proxy.port}", "--proxied", *options,
                               *sys.argv[1:]], env=environment(), check=False,
                              stdout=subprocess.PIPE, text=True)
        print(done.stdout)
        assert done.returncode == 0, done.returncode


def server_judged(link, front, back):
    with Server(*SERVE) as server:
        judged(front, server.port, back, "--link", link)


def from_http1_to_http2():
    server_judged("server-loopback", "", TO_HTTP2)


def from_http2_to_http1():
    server_judged("server-h2-loopback", "proto h2", "")


def from_http2_to_http2():
    server_judged("server-h2-loopback", "proto h2", TO_HTTP2)


def clients_from_http2_to_http1():
    back = free_port()
    judged("proto h2", back, "", "--link", "client-proxied", "--port", str(back))


if __name__ == "__main__":
    run([from_http1_to_http2, from_http2_to_http1, from_http2_to_http2,
         clients_from_http2_to_http1])
