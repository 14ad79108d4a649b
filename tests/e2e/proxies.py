#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP CONNECT and SOCKS5: through tinyproxy, microsocks and a proxy of a few lines; credentials;
the environment; and proxies that refuse, are silent, or leave half-way."""
import contextlib
import os
import shutil
import socket
import struct
import tempfile
import time

from proxy_servers import HttpProxy, SocksProxy
from server import Server, run
from tools import Certs, Listener, Program, client_echoes, client_events, environment, free_port

certs = Certs()
USER, PASSWORD = "us er", "p@ss:word"
USERINFO = "us%20er:p%40ss%3aword"
SERVER_TLS = ("--tls-cert", certs.file("server.pem"), "--tls-key", certs.file("server.key"))


# ---- proxies of ours ---------------------------------------------------------------------------------

def small(url, *options):
    client_echoes(url, "--max", "65536", *options)


def through_our_http_proxy():
    with Server() as server, HttpProxy() as proxy:
        small(server.url(), "--proxy", f"http://127.0.0.1:{proxy.port}")
        small(f"ws://localhost:{server.port}/echo", "--proxy", f"localhost:{proxy.port}")
        assert [head.split()[1] for head in proxy.asked] == [
            f"127.0.0.1:{server.port}".encode(), f"localhost:{server.port}".encode()]
    with Server(*SERVER_TLS) as server, HttpProxy(f"{USER}:{PASSWORD}") as proxy:
        small(f"wss://localhost:{server.port}/echo", "--ca", certs.ca, "--proxy",
              f"http://{USERINFO}@127.0.0.1:{proxy.port}")
        for userinfo in ("", "wrong:word@"):
            events = client_events(f"wss://localhost:{server.port}/echo", "--proxy",
                                   f"http://{userinfo}127.0.0.1:{proxy.port}")
            assert events[-1]["result"] == "ERR_PROXY" and "407" in events[-1]["why"], events


def through_our_socks_proxy():
    with Server() as server, SocksProxy() as proxy:
        small(server.url(), "--proxy", f"socks5://127.0.0.1:{proxy.port}")
        small(f"ws://localhost:{server.port}/echo", "--proxy", f"socks5h://127.0.0.1:{proxy.port}")
        # with credentials that nobody asks for
        small(server.url(), "--proxy", f"socks5://a:b@127.0.0.1:{proxy.port}")
        assert [host for host, _ in proxy.asked] == ["127.0.0.1", "localhost", "127.0.0.1"]
        assert proxy.kinds == [1, 3, 1], proxy.kinds  # RFC 1928 5: a number is no name
    with Server(*SERVER_TLS) as server, SocksProxy(USER, PASSWORD) as proxy:
        url = f"wss://localhost:{server.port}/echo"
        small(url, "--ca", certs.ca, "--proxy", f"socks5://{USERINFO}@127.0.0.1:{proxy.port}")
        for userinfo, why in [("", "wants a user and password"), ("a:b@", "wrong user or password")]:
            events = client_events(url, "--proxy", f"socks5://{userinfo}127.0.0.1:{proxy.port}")
            assert events[-1]["result"] == "ERR_PROXY" and why in events[-1]["why"], events


# ---- proxies of Debian's ---------------------------------------------------------------------------

TINYPROXY = """Port {port}
Listen 127.0.0.1
Timeout 60
MaxClients 20
LogFile "{folder}/log"
PidFile "{folder}/pid"
{more}
"""


@contextlib.contextmanager
def tinyproxy(more=""):
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(TINYPROXY.format(port=port, folder=folder, more=more))
        with Program(shutil.which("tinyproxy"), "-d", "-c", path, port=port):
            yield port


def through_tinyproxy():
    if shutil.which("tinyproxy") is None:
        print("no tinyproxy: skipped")
        return
    with Server(*SERVER_TLS) as server, tinyproxy() as port:
        client_echoes(f"wss://localhost:{server.port}/echo", "--ca", certs.ca, "--proxy",
                      f"http://127.0.0.1:{port}")
    with Server() as server, tinyproxy("BasicAuth user secret") as port:
        small(server.url(), "--proxy", f"http://user:secret@127.0.0.1:{port}")
        for userinfo, status in [("", "407"), ("user:wrong@", "401")]:
            events = client_events(server.url(), "--proxy", f"http://{userinfo}127.0.0.1:{port}")
            assert events[-1]["result"] == "ERR_PROXY" and status in events[-1]["why"], events
    with Server() as server, tinyproxy("ConnectPort 443") as port:
        events = client_events(server.url(), "--proxy", f"http://127.0.0.1:{port}")
        assert events[-1]["result"] == "ERR_PROXY" and "403" in events[-1]["why"], events


@contextlib.contextmanager
def microsocks(*options):
    port = free_port()
    with Program(shutil.which("microsocks"), "-i", "127.0.0.1", "-p", str(port), *options,
                 port=port):
        yield port


def through_microsocks():
    if shutil.which("microsocks") is None:
        print("no microsocks: skipped")
        return
    with Server(*SERVER_TLS) as server, microsocks() as port:
        client_echoes(f"wss://localhost:{server.port}/echo", "--ca", certs.ca, "--proxy",
                      f"socks5://127.0.0.1:{port}")
    with Server() as server, microsocks("-u", "user", "-P", "secret") as port:
        small(server.url(), "--proxy", f"socks5://user:secret@127.0.0.1:{port}")
        for userinfo in ("", "user:wrong@"):
            events = client_events(server.url(), "--proxy", f"socks5://{userinfo}127.0.0.1:{port}")
            assert events[-1]["result"] == "ERR_PROXY", events
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            events = client_events(f"ws://127.0.0.1:{closed.getsockname()[1]}/", "--proxy",
                                   f"socks5://user:secret@127.0.0.1:{port}")
            assert events[-1]["result"] == "ERR_PROXY", events
            assert "connection refused" in events[-1]["why"], events


# ---- the environment -------------------------------------------------------------------------------

def variables_of_the_environment():
    with Server() as plain, Server(*SERVER_TLS) as secure, HttpProxy() as one, SocksProxy() as two:
        ws = f"ws://localhost:{plain.port}/echo"
        wss = f"wss://localhost:{secure.port}/echo"
        http, socks = f"http://127.0.0.1:{one.port}", f"socks5://127.0.0.1:{two.port}"

        def used(url, *options, **variables):
            before = len(one.asked), len(two.asked)
            events = client_events(url, "--ca", certs.ca, "--say", "hi", *options,
                                   env=environment(**variables))
            assert events[-1]["result"] == "OK", (variables, events)
            return len(one.asked) - before[0], len(two.asked) - before[1]

        none, by_http, by_socks = (0, 0), (1, 0), (0, 1)
        assert used(ws, http_proxy=http) == none  # only when it is asked for
        for url, variables, want in [
            (ws, {"http_proxy": http}, by_http),
            (wss, {"http_proxy": http}, none),
            (wss, {"https_proxy": http}, by_http),
            (wss, {"HTTPS_PROXY": http}, by_http),
            (ws, {"HTTP_PROXY": http}, none),  # a CGI program's caller could set it
            (ws, {"all_proxy": socks}, by_socks),
            (wss, {"ALL_PROXY": socks}, by_socks),
            (wss, {"ALL_PROXY": socks, "https_proxy": http}, by_http),
            (ws, {"http_proxy": http, "no_proxy": "example.com, localhost"}, none),
            (ws, {"http_proxy": http, "NO_PROXY": "*"}, none),
            (ws, {"http_proxy": http, "no_proxy": "host"}, by_http),
            (ws, {"http_proxy": http, "no_proxy": "*.localhost"}, by_http),
            (ws, {"http_proxy": http, "no_proxy": ".localhost"}, none),
            (ws, {"http_proxy": ""}, none),
            (ws, {"http_proxy": http, "no_proxy": f"localhost:{plain.port}"}, none),
            (ws, {"http_proxy": http, "no_proxy": "localhost:1"}, by_http),
            (f"ws://127.0.0.1:{plain.port}/echo", {"http_proxy": http, "no_proxy": "127.0.0.0/8"},
             none),
        ]:
            assert used(url, "--env", **variables) == want, (url, variables)
        assert used(ws, "--env", "--proxy", socks, http_proxy=http) == by_socks
        events = client_events(ws, "--env", env=environment(http_proxy="ftp://x"))
        assert events[0]["result"] == "ERR_INVALID_CONFIG", events


# ---- proxies that are wrong ------------------------------------------------------------------------

def expect(serve, scheme, result, why, *options):
    with Listener(serve) as proxy:
        begin = time.monotonic()
        events = client_events("ws://127.0.0.1:9/", "--proxy", f"{scheme}127.0.0.1:{proxy.port}",
                               *options)
        assert events[-1]["result"] == result and why in events[-1]["why"], (result, events)
        assert time.monotonic() - begin < 10


def says(*pieces):
    """An answer for each thing that comes, then the end."""
    def serve(sock):
        for piece in pieces:
            sock.recv(4096)
            sock.sendall(piece)
            time.sleep(0.02)
    return serve


def reset(sock):
    """Takes what comes first, then a reset."""
    sock.recv(4096)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def silent(sock):
    while sock.recv(4096):
        pass


def proxies_that_are_wrong():
    good = b"HTTP/1.1 200 OK\r\n\r\n"
    for scheme in ("http://", "socks5://"):
        expect(silent, scheme, "ERR_TIMEOUT", "the proxy did not answer in time",
               "--timeout", "400")
        expect(says(b""), scheme, "ERR_TRUNCATED", "the proxy closed the connection before")
        expect(reset, scheme, "ERR_TRUNCATED", "the proxy reset the connection before it answered")
    for answer, why in [(b"HTTP/1.1 403 Forbidden\r\n\r\n", "403"),
                        (b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n", "302"),
                        (b"SSH-2.0-x\r\n", ""), (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70000, ""),
                        (good + b"\x81\x02hi", "more than its answer")]:
        expect(says(answer), "http://", "ERR_PROXY", why)
    expect(says(b"HTTP/1.1 200 O"), "http://", "ERR_TRUNCATED", "before it answered")
    expect(says(good, b""), "http://", "ERR_TRUNCATED", "the server closed")
    method, done = b"\x05\x00", b"\x05\x00\x00\x03\x03abc\x00\x00"
    for pieces, why in [((b"\x04\x00",), "version 5"), ((b"HTTP/1.1 400 Bad\r\n",), "version 5"),
                        ((b"\x05\xff",), ""), ((b"\x05\x02",), ""), ((b"\x05\x07",), ""),
                        ((method, b"\x05\x02\x00\x01\0\0\0\0\0\0"), "not allowed"),
                        ((method, b"\x05\x05\x00\x01\0\0\0\0\0\0"), "connection refused"),
                        ((method, b"\x05\x63\x00\x01\0\0\0\0\0\0"), "unknown reason"),
                        ((method, b"\x05\x00\x00\x09\0\0\0\0\0\0"), "malformed"),
                        ((method, done + b"x"), "more than its answer")]:
        expect(says(*pieces), "socks5://", "ERR_PROXY", why)
    expect(says(method, done, b""), "socks5://", "ERR_TRUNCATED", "the server closed")
    expect(says(method, done[:4]), "socks5://", "ERR_TRUNCATED", "the proxy closed")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        events = client_events("ws://127.0.0.1:9/", "--proxy",
                               f"http://127.0.0.1:{closed.getsockname()[1]}")
        assert events[-1]["result"] == "ERR_CONNECT", events


def proxy_urls_that_are_wrong():
    for text in ("ftp://x", "http://", "socks5://:1080", "http://x:0", "http://x:99999",
                 "http://[::1", "https://x", "http://u%00:p@x", "socks5://" + "u" * 256 + "@x"):
        events = client_events("ws://127.0.0.1/", "--proxy", text)
        assert events[0]["event"] == "refused", (text, events)
        assert events[0]["result"] == "ERR_INVALID_CONFIG", (text, events)


run([through_our_http_proxy, through_our_socks_proxy, through_tinyproxy, through_microsocks,
     variables_of_the_environment, proxies_that_are_wrong, proxy_urls_that_are_wrong])
