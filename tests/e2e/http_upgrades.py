#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What an application decides about an upgrade, with python3-websockets, plain and over TLS: refused,
redirected, accepted at once or later, with a subprotocol, further headers and a cookie."""
import asyncio
import http.cookies
import json

from http_proxied import COOKIE, TOKEN
from http_tools import HttpServer, Refused, echoes, need, output, websocket_talk, welcome
from server import run
from tools import PATIENCE, Certs

CURL = need("curl")
certs = Certs()
COOKIE_SENT = {"Cookie": "sid=granted"}


def of_both_kinds(test):
    """Runs it with a plain server and with one of TLS: `talk(talk, path)` speaks with it."""
    def both():
        for options, scheme in [((), "ws"), (("--tls", certs.folder.name), "wss")]:
            tls = {"ssl": certs.client_context()} if scheme == "wss" else {}
            with HttpServer(*options) as server:
                def talk(talk, path, **more):
                    return websocket_talk(f"{scheme}://localhost:{server.port}{path}", talk,
                                          **tls, **more)
                test(talk)
                assert server.faults() == [], server.faults()
    both.__name__ = test.__name__
    return both


def refusal(talk, path, **options):
    """(status, headers) of an upgrade that must not come about."""
    try:
        talk(welcome, path, **options)
    except Refused as refused:
        return refused.status, refused.headers
    raise AssertionError(f"{path} was accepted")


@of_both_kinds
def refused(talk):
    status, headers = refusal(talk, "/auth?how=401")
    assert (status, headers["WWW-Authenticate"]) == (401, 'Bearer realm="e2e"'), headers
    status, headers = refusal(talk, "/auth?how=403")
    assert status == 403 and headers["Content-Type"].startswith("text/plain"), headers
    assert refusal(talk, "/auth?how=later403")[0] == 403
    # neither a token nor a cookie; then wrong ones
    for wrong in ({}, {"Authorization": "Bearer of-nothing"}, {"Cookie": "sid=guessed"},
                  {"Authorization": "Basic bGV0LW1lLWlu"}):
        assert refusal(talk, "/auth", extra_headers=wrong)[0] == 401
    # before the application is asked
    assert refusal(talk, "/auth?how=accept", origin="https://evil.example")[0] == 403
    assert refusal(talk, "/nothing")[0] == 404
    assert refusal(talk, "/hello?x")[0] == 200  # there is no WebSocket: an answer as to anybody


@of_both_kinds
def redirected(talk):
    """python3-websockets follows: to /ws, which echoes."""
    for status in (302, 307):
        talk(echoes, f"/auth?how={status}")


@of_both_kinds
def accepted(talk):
    assert talk(welcome, "/auth?how=accept") == ("welcome anybody", COOKIE)
    assert talk(welcome, "/auth?how=later") == ("welcome later", COOKIE)
    assert talk(welcome, "/auth", extra_headers=TOKEN) == ("welcome token", COOKIE)

    async def more_than_welcome(websocket):
        await websocket.recv()
        await echoes(websocket)
    for how in ("?how=accept", "?how=later"):
        talk(more_than_welcome, "/auth" + how)


@of_both_kinds
def early_frames(talk):
    """What the client says behind its handshake comes to the session, in order."""
    async def eager(websocket):
        await asyncio.gather(*[websocket.send(f"{i}") for i in range(1000)])
        heard = [await websocket.recv() for _ in range(1001)]
        assert heard[0].startswith("welcome") and heard[1:] == [f"{i}" for i in range(1000)]
    for how in ("accept", "later"):
        talk(eager, f"/auth?how={how}")


@of_both_kinds
def many_wait_at_once(talk):
    """60 upgrades that are decided on later, half of them with no."""
    async def others(_websocket):
        async def one(number):
            path = f"/auth?how={'later403' if number % 2 else 'later'}"
            return await asyncio.to_thread(attempt, path)

        def attempt(path):
            try:
                return talk(welcome, path)[0]
            except Refused as error:
                return error.status
        return await asyncio.gather(*[one(i) for i in range(60)])
    assert talk(others, "/ws") == ["welcome later", 403] * 30


@of_both_kinds
def a_cookie_is_sent_again(talk):
    """Refused without; set by an upgrade with a token; then good without the token."""
    assert refusal(talk, "/auth")[0] == 401
    jar = http.cookies.SimpleCookie(talk(welcome, "/auth", extra_headers=TOKEN)[1])
    again = {"Cookie": "; ".join(f"{name}={morsel.value}" for name, morsel in jar.items())}
    assert again == COOKIE_SENT and jar["sid"]["httponly"] and jar["sid"]["path"] == "/"
    assert talk(welcome, "/auth", extra_headers=again) == ("welcome cookie", COOKIE)
    # among others, and quoted
    assert talk(welcome, "/auth", extra_headers={"Cookie": 'a=b; sid="granted"; c=d'})[0] == \
        "welcome cookie"


@of_both_kinds
def subprotocols(talk):
    """The application chooses among the offered ones, and adds headers."""
    async def agreed(websocket):
        return (await websocket.recv(), websocket.subprotocol,
                websocket.response_headers["X-Further"], websocket.response_headers["Set-Cookie"])
    for name in ("one", "two", "three"):
        assert talk(agreed, f"/auth?how=choose&subprotocol={name}",
                    subprotocols=["one", "two", "three"]) == \
            (f"welcome chosen by {name}", name, "seen", COOKIE)
    assert talk(agreed, "/auth?how=choose", subprotocols=["one"]) == \
        ("welcome chosen", None, "seen", COOKIE)
    assert talk(agreed, "/auth?how=choose") == ("welcome chosen", None, "seen", COOKIE)
    for offered in (["two"], None):  # what was not offered cannot be chosen
        assert refusal(talk, "/auth?how=choose&subprotocol=one", subprotocols=offered)[0] == 400


def refusals_end_their_connections():
    """A refusal ends its connection, so that a client is not left with half an upgrade."""
    with HttpServer() as server:
        head = ("Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==").split("\r\n")
        options = [word for line in head for word in ("-H", line)]
        code, out, err = output(CURL, "-sS", "--noproxy", "*", "--max-time", str(PATIENCE),
                                *options, "-w", "%{num_connects} %{http_code}\n", "-o", "/dev/null",
                                "-o", "/dev/null", server.url("/auth?how=401"),
                                server.url("/auth?how=later403"))
        assert (code, out) == (0, "1 401\n1 403\n"), (out, err)
        code, out, err = output(CURL, "-sS", "--noproxy", "*", server.url("/hello"))
        assert json.loads(out)["method"] == "GET", (out, err)
        assert server.faults() == []


if __name__ == "__main__":
    run([refused, redirected, accepted, early_frames, many_wait_at_once, a_cookie_is_sent_again,
         subprotocols, refusals_end_their_connections])
