#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP with Python's requests, plain and over TLS: connections that are kept, uploads by generators,
answers as streams, redirects, cookies, refusals."""
import concurrent.futures
import contextlib
import sys

from http_tools import BIG, SKIPPED, HttpServer
from server import run
from tools import PATIENCE, Certs

try:
    import requests
except ImportError:
    print("not installed: python3-requests; script/setup --tests installs it")
    sys.exit(SKIPPED)

certs = Certs()
DATA = bytes(range(256)) * 4096  # 1 MiB, the most that is collected


class Asker(requests.Session):
    """A session with one server: paths instead of URLs."""

    def __init__(self, base):
        super().__init__()
        self.trust_env = False  # no proxy of the machine's
        self.verify = certs.ca
        self.base = base

    def request(self, method, url, *arguments, **options):
        options.setdefault("timeout", PATIENCE)
        return super().request(method, self.base + url, *arguments, **options)

    def peer(self):
        return self.get("/hello").json()["peer"]


@contextlib.contextmanager
def served(options, scheme):
    with HttpServer(*options) as server:
        base = f"{scheme}://localhost:{server.port}"
        with Asker(base) as session:
            session.server = server
            yield session


def of_both_kinds(test):
    """Runs it with a plain server and with one of TLS. It returns how the faults begin that it made."""
    def both():
        for options, scheme in [((), "http"), (("--tls", certs.folder.name), "https")]:
            with served(options, scheme) as session:
                allowed = test(session)
                faults = session.server.faults()
                assert all(allowed and fault.startswith(allowed) for fault in faults), faults
    both.__name__ = test.__name__
    return both


def pieces(data, size=10000):
    for at in range(0, len(data), size):
        yield data[at:at + size]


@of_both_kinds
def kept_connections(session):
    """Whatever was answered, the next request goes over the same connection."""
    peer = session.peer()
    for _ in range(5):
        assert session.get("/big").content == BIG
        assert session.get("/big?how=pieces").content == BIG
        assert session.post("/hello", b"abc").json()["bytes"] == 3
        assert session.post("/nothing", b"abc").status_code == 404
        assert session.put("/hello").status_code == 405
        assert session.head("/big").headers["Content-Length"] == str(len(BIG))
        assert session.options("/hello").headers["Allow"] == "GET, HEAD, POST, OPTIONS"
        assert session.get("/late").status_code == 201
        assert session.get("/ws").status_code == 426
        assert session.peer() == peer


def connections_are_counted():
    with HttpServer() as server:
        with Asker(server.url("")) as session:
            peers = {session.peer() for _ in range(50)}
            assert len(peers) == 1, peers
            assert session.get("/hello", headers={"Connection": "close"}).headers["Connection"] == \
                "close"
            assert session.peer() not in peers
        for _ in range(5):  # each of a session of its own
            with Asker(server.url("")) as session:
                peers.add(session.peer())
        assert len(peers) == 6
    assert (server.exchanges, server.connections) == (57, 7)


@of_both_kinds
def uploads(session):
    for body in (DATA, pieces(DATA), pieces(DATA, 1 << 20), pieces(DATA, 1000)):
        heard = session.post("/hello", data=body).json()
        assert (heard["bytes"], heard["sum"]) == (len(DATA), sum(DATA)), heard
    # requests reads nothing before it has sent all, so what answers meanwhile gets little
    for path, data in (("/echo", DATA[:50000]), ("/copy", DATA * 8)):
        assert session.post(path, data=data).content == data
        assert session.put(path, data=pieces(data)).content == data
        assert session.put(path, data=iter([])).content == b""
        assert session.post(path).content == b""
    heard = session.post("/hello", json={"a": [1, 2]}).json()
    assert heard["bytes"] == len('{"a": [1, 2]}'), heard
    heard = session.post("/hello", files={"file": ("name", DATA[:1000])}).json()
    assert heard["bytes"] > 1000, heard


@of_both_kinds
def streams(session):
    """Read as they come; one that is not read to its end costs its connection and nothing else."""
    peer = session.peer()
    for how in ("", "?how=pieces"):
        with session.get("/big" + how, stream=True) as answer:
            assert b"".join(answer.iter_content(777)) == BIG
    with session.get("/sse", stream=True) as answer:
        assert answer.headers["Content-Type"] == "text/event-stream"
        events = [line for line in answer.iter_lines(chunk_size=1) if line.startswith(b"data: ")]
        assert events == [b"data: event 1", b"data: event 2", b"data: event 3"], events
    assert session.peer() == peer
    with session.get("/big?how=pieces", stream=True) as answer:
        assert next(answer.iter_content(1000)) == BIG[:1000]
    assert session.peer() != peer
    return "done /big "


@of_both_kinds
def redirects(session):
    for status in (301, 302, 303, 307, 308):
        answer = session.get(f"/go?to=/hello%3Fa=b&status={status}")
        assert [step.status_code for step in answer.history] == [status]
        assert answer.json()["query"] == "a=b" and answer.json()["method"] == "GET"
        answer = session.post(f"/go?to=hello&status={status}", data=b"abc")
        kept = status in (307, 308)  # RFC 9110 15.4: these keep the method and the body
        heard = answer.json()
        assert (heard["method"], heard["bytes"]) == (("POST", 3) if kept else ("GET", 0)), heard
    answer = session.get("/go?to=/hello&status=302", allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/hello")


@of_both_kinds
def cookies(session):
    """One that an answer set is sent with each later request, as the redirect's target sees, too."""
    assert session.get("/hello").json()["cookie"] == ""
    assert session.get("/go?to=/hello&status=302").json()["cookie"] == "gone"
    assert session.post("/hello", b"abc").json()["cookie"] == "gone"
    session.cookies.clear()
    session.cookies.set("other", "1")
    session.cookies.set("sid", "mine")
    assert session.get("/hello").json()["cookie"] == "mine"


def refused_bodies():
    """The answer is read although the body was not: drained, or too long for that."""
    with HttpServer() as server:
        for length in (len(DATA) + 1, 2 << 20, 8 << 20, 32 << 20):
            for body in (bytes(length), pieces(bytes(length), 1 << 16)):
                with Asker(server.url("")) as session:
                    answer = session.post("/hello", data=body)
                    assert answer.status_code == 413, (length, answer)
                    assert session.get("/hello").json()["bytes"] == 0
        assert all("MESSAGE_TOO_BIG" in fault for fault in server.faults()), server.faults()


@of_both_kinds
def many_at_once(session):
    """64 threads that share a session, which keeps 10 connections."""
    def ask(number):
        path = ("/late", "/hello", "/big", "/echo")[number % 4]
        if path == "/echo":
            return session.post(path, data=pieces(DATA[:number * 10])).content == DATA[:number * 10]
        return session.get(f"{path}?n={number}").status_code in (200, 201)

    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        assert all(pool.map(ask, range(400)))


if __name__ == "__main__":
    run([kept_connections, connections_are_counted, uploads, streams, redirects, cookies,
         refused_bodies, many_at_once])
