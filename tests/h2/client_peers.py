#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""wring_client_create over HTTP/2, against servers nobody here wrote: Node's http2, HAProxy and nghttpx in
front of a server of HTTP/1.1, and hypercorn, in clear text and over TLS; through proxies; and against our
own server. Many clients share a connection; what a server cannot do falls back or is a typed error."""
import contextlib
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from client_checks import expect_everything, expect_own_ping, expect_refusal
from h2_tools import Server
from haproxy_tools import Haproxy
from http_tools import need
from proxy_servers import HttpProxy, SocksProxy
from server import run
from tools import Certs, Program, client_echoes, client_events, client_run, free_port, node_server

HERE = pathlib.Path(__file__).resolve().parent
_, _, NGHTTPX = need("node", "haproxy", "nghttpx")
certs = Certs()
TRUST = ("--ca", certs.ca)
PRIOR = ("--http2", "prior")
REQUIRED = ("--http2", "required", *TRUST)
ALLOWED = ("--http2", "allowed", *TRUST)


def event_of(url, *options):
    return client_events(url, *options)[-1]


def expect_crowd(url, count, *options):
    """That many clients at once on one worker."""
    code, out, err = client_run("crowd", url, "--crowd", str(count), *options)
    assert (code, out, err) == (0, f"{count} clients\n", ""), (code, out, err)


def method_of(url, *options):
    """CONNECT over HTTP/2, GET over HTTP/1.1."""
    events = client_events(url, "--say", "x", *options)
    assert events[-1]["result"] == "OK", events
    return events[0]["method"]


# ---- Node's http2 ------------------------------------------------------------------------------------

def node_http2(how, *pair):
    return node_server(how, *pair, script=HERE / "ws_server.mjs")


def said(url, *options):
    return next(e["payload"] for e in client_events(url, *options) if e["event"] == "text")


def node():
    with node_http2("websockets") as port:
        url = f"ws://127.0.0.1:{port}"
        expect_everything(url, *PRIOR)
        before = int(said(url + "/connections", *PRIOR))
        expect_crowd(url + "/echo", 90, *PRIOR)
        assert int(said(url + "/connections", *PRIOR)) == before + 2  # the crowd's, and this one


def node_over_tls():
    with node_http2("websockets", *certs.pair("server")) as port:
        url = f"wss://localhost:{port}"
        expect_everything(url, *REQUIRED)
        expect_crowd(url + "/echo", 90, *ALLOWED)
        assert method_of(url + "/echo", *ALLOWED) == "CONNECT"
        events = client_events(url + "/echo", "--say", "x", *REQUIRED)
        assert events[0]["alpn"] == "h2" and events[0]["verified"], events


def node_sees_the_headers():
    with node_http2("websockets") as port:
        url = f"ws://us%65r:p%40ss@127.0.0.1:{port}/headers"
        events = client_events(url, "--subprotocol", "first", "--subprotocol", "second", "--header",
                               "X-One:1", "--header", "Host:other.example", *PRIOR)
        assert events[0]["subprotocol"] == "second", events
        for text in ('"x-one":"1"', '"authorization":"Basic dXNlcjpwQHNz"', '":authority":"other.example"',
                     '"sec-websocket-protocol":"first, second"', '":scheme":"http"',
                     '"sec-websocket-version":"13"'):
            assert text in events[1]["payload"], (text, events)


def a_server_that_goes_away():
    """GOAWAY: the session goes on, and the next client has a new connection."""
    with node_http2("websockets") as port:
        events = client_events(f"ws://127.0.0.1:{port}/goaway", "--say", "still here", *PRIOR)
        assert (events[1]["payload"], events[-1]["result"]) == ("still here", "OK"), events


def a_server_that_refuses_streams():
    with node_http2("refuse") as port:
        expect_crowd(f"ws://127.0.0.1:{port}/echo", 3, *PRIOR)


def a_server_without_websockets_over_http2():
    with node_http2("none", *certs.pair("server")) as port:
        url = f"wss://localhost:{port}/echo"
        assert method_of(url, *ALLOWED) == "GET"
        expect_crowd(url, 50, *ALLOWED)
        event = event_of(url, *REQUIRED)
        assert event["result"] == "ERR_PEER_NO_CONNECT_PROTOCOL", event
        assert "switch them on there" in event["why"], event
    with node_http2("none") as port:
        event = event_of(f"ws://127.0.0.1:{port}/echo", *PRIOR)
        assert event["result"] == "ERR_PEER_NO_CONNECT_PROTOCOL", event


def a_server_that_wants_http1():
    """RFC 9113 7: HTTP_1_1_REQUIRED."""
    with node_http2("reset", *certs.pair("server")) as port:
        url = f"wss://localhost:{port}/echo"
        assert method_of(url, *ALLOWED) == "GET"
        assert event_of(url, *REQUIRED)["result"] == "ERR_STREAM_RESET"


def a_server_without_http2():
    with node_server(*certs.pair("server")) as port:
        url = f"wss://localhost:{port}/echo"
        assert method_of(url, *ALLOWED) == "GET"
        expect_crowd(url, 50, *ALLOWED)
        event = event_of(url, *REQUIRED)
        assert event["result"] == "ERR_TLS_NO_SHARED" and "protocol" in event["why"], event
    with node_server() as port:
        assert method_of(f"ws://127.0.0.1:{port}/echo", *ALLOWED) == "GET"
        event = event_of(f"ws://127.0.0.1:{port}/echo", *PRIOR)
        assert event["result"] in ("ERR_BAD_HTTP2", "ERR_TRUNCATED"), event


# ---- in front of a server of HTTP/1.1 ----------------------------------------------------------------

def in_front_is_haproxy():
    both = certs.file("both.pem")  # HAProxy wants them in one file
    with open(both, "w", encoding="ascii") as file:
        for part in certs.pair("server"):
            file.write(pathlib.Path(part).read_text(encoding="ascii"))
    binds = "proto h2", f"ssl crt {both} alpn h2,http/1.1"
    with node_server() as behind, Haproxy(behind, ("", ""), binds=binds, threads=2) as proxy:
        clear, secure = proxy.ports
        expect_everything(f"ws://127.0.0.1:{clear}", *PRIOR)
        expect_crowd(f"ws://127.0.0.1:{clear}/echo", 90, *PRIOR)
        expect_everything(f"wss://localhost:{secure}", *REQUIRED)
        expect_crowd(f"wss://localhost:{secure}/echo", 250, *REQUIRED)


@contextlib.contextmanager
def nghttpx(node_port):
    clear, secure = free_port(), free_port()
    cert, key = certs.pair("server")
    with Program(NGHTTPX, "--conf=/dev/null", f"-f127.0.0.1,{clear};no-tls", f"-f127.0.0.1,{secure}",
                 f"-b127.0.0.1,{node_port}", "--errorlog-file=/dev/null", key, cert, port=secure):
        yield clear, secure


def in_front_is_nghttpx():
    with node_server() as behind, nghttpx(behind) as (clear, secure):
        for url, options in ((f"ws://127.0.0.1:{clear}", PRIOR),
                             (f"wss://localhost:{secure}", REQUIRED)):
            client_echoes(url + "/echo", "--max", "1048576", *options)
            expect_refusal(url, *options)
            expect_own_ping(url, *options)
            expect_crowd(url + "/echo", 90, *options)


# ---- hypercorn ---------------------------------------------------------------------------------------

ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            kind = (await receive())["type"].rsplit(".", 1)[1]
            await send({"type": f"lifespan.{kind}.complete"})
            if kind == "shutdown":
                return
    assert scope["type"] == "websocket", scope
    await receive()
    await send({"type": "websocket.accept"})
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", **{k: event[k] for k in ("text", "bytes") if event.get(k)
                                                 is not None}})
"""


@contextlib.contextmanager
def hypercorn(*pair):
    done = subprocess.run(["/usr/bin/python3", "-c", "import hypercorn"], capture_output=True, check=False)
    if done.returncode != 0:
        print("python3-hypercorn is not installed: skipped")
        sys.exit(77)
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "echo.py").write_text(ASGI, encoding="ascii")
        tls = ("--certfile", pair[0], "--keyfile", pair[1]) if pair else ()
        with Program("/usr/bin/python3", "-m", "hypercorn", "--bind", f"127.0.0.1:{port}",
                     "--websocket-ping-interval", "1000", *tls, "echo:app", cwd=folder, port=port):
            yield port


def python_hypercorn():
    with hypercorn() as port:
        client_echoes(f"ws://127.0.0.1:{port}/echo", "--max", "1048576", *PRIOR)
        expect_crowd(f"ws://127.0.0.1:{port}/echo", 60, *PRIOR)
    with hypercorn(*certs.pair("server")) as port:
        client_echoes(f"wss://localhost:{port}/echo", "--max", "1048576", *REQUIRED)
        expect_crowd(f"wss://localhost:{port}/echo", 60, *REQUIRED)


# ---- ourselves, and through proxies ------------------------------------------------------------------

def our_own_server():
    with Server() as server:
        client_echoes(f"ws://127.0.0.1:{server.port}/echo", *PRIOR)
        client_echoes(f"ws://127.0.0.1:{server.port}/echo", "--deflate", "1 1 15 15", *PRIOR)
        expect_crowd(f"ws://127.0.0.1:{server.port}/echo", 500, *PRIOR)
        expect_crowd(f"ws://127.0.0.1:{server.port}/echo", 100, "--http2", "prior-7")
    with Server(*certs.pair("server")) as server:
        client_echoes(f"wss://localhost:{server.port}/echo", *REQUIRED)
        expect_crowd(f"wss://localhost:{server.port}/echo", 500, *ALLOWED)


def through_proxies():
    with Server() as server, HttpProxy() as http, SocksProxy() as socks:
        for proxy in (f"http://127.0.0.1:{http.port}", f"socks5://127.0.0.1:{socks.port}"):
            options = ("--proxy", proxy, *PRIOR)
            client_echoes(f"ws://127.0.0.1:{server.port}/echo", "--max", "65536", *options)
            expect_crowd(f"ws://127.0.0.1:{server.port}/echo", 20, *options)
        assert len(http.asked) == 2 and len(socks.asked) == 2, (http.asked, socks.asked)
    with Server(*certs.pair("server")) as server, HttpProxy("a:b") as http:
        url = f"wss://localhost:{server.port}/echo"
        expect_crowd(url, 20, "--proxy", f"http://a:b@127.0.0.1:{http.port}", *REQUIRED)
        assert event_of(url, "--proxy", f"http://127.0.0.1:{http.port}", *REQUIRED)[
            "result"] == "ERR_PROXY"


run([node, node_over_tls, node_sees_the_headers, a_server_that_goes_away, a_server_that_refuses_streams,
     a_server_without_websockets_over_http2, a_server_that_wants_http1, a_server_without_http2,
     in_front_is_haproxy, in_front_is_nghttpx, python_hypercorn, our_own_server, through_proxies])
