# SPDX-License-Identifier: Apache-2.0
"""The rows of CONNECT and of WebSockets. See h2_owed.py."""
from h2_owed import (ANY, answered, answers, because, begins, begun, dies, either, has, malformed,
    noted, nothing, resets, row, session, talk)
from h2_wire import (CANCEL, END_HEADERS, END_STREAM, INTERNAL, NO_ERROR, PROTOCOL, SCHEME,
    STREAM_CLOSED, block, connect, data, frame, get, head, headers, literal, message, post,
    priority, reset, websocket, window_update)


def asks(fields, flags=END_HEADERS):
    return headers(3, fields, flags)


# ---- CONNECT of RFC 9113: this is no proxy ---------------------------------------------------------

because("9113 8.5")
PLAIN = block((":method", "CONNECT"), (":authority", "x:80"))
row("CONNECT: to another host", answers(3, 405, 501) | malformed(3), asks(PLAIN))
row("CONNECT: that ends", answers(3, 405, 501) | malformed(3),
    asks(PLAIN, END_HEADERS | END_STREAM))
row("CONNECT: with DATA behind it", answers(3, 405, 501) | malformed(3), asks(PLAIN)
    + data(3, b"GET / HTTP/1.1\r\n\r\n"))
row("CONNECT: without :authority", malformed(3), asks(block((":method", "CONNECT"))))
row("CONNECT: with :scheme", malformed(3), asks(block((":method", "CONNECT"), (":scheme", SCHEME),
    (":authority", "x:80"))))
row("CONNECT: with :path", malformed(3), asks(block((":method", "CONNECT"), (":authority", "x:80"),
    (":path", "/hello"))))
row("CONNECT: with :scheme and :path", malformed(3), asks(head(method="CONNECT")))
row("CONNECT: of a WebSocket without :protocol", malformed(3), asks(websocket(protocol=None)))
row("CONNECT: only Host", malformed(3), asks(block((":method", "CONNECT"), ("host", "x:80"))))

# ---- extended CONNECT ----------------------------------------------------------------------------

because("8441 4")
row("8441: a session", session(3), connect(3), talk(3),
    fields={"sec-websocket-accept": None, "sec-websocket-protocol": None, "content-length": None})
row("8441: a Date", session(3), connect(3), talk(3), fields={"date": ANY}, why="9110 6.6.1")
row("8441: two of them", session(3) & session(5), connect(3) + connect(5), talk(3), talk(5))
row("8441: beside a request", session(3) & answers(5, 200), connect(3) + get(5), talk(3))
row("8441: DATA before the answer", session(3), connect(3) + data(3, message(b"yo")), has(3, 4))
row("8441: a query", session(3), connect(3, "/ws?a=b"), talk(3))
row("8441: the rest of the fields first", session(3), asks(block((":path", "/ws"),
    (":protocol", "websocket"), (":authority", "x"), (":scheme", SCHEME), (":method", "CONNECT"),
    ("sec-websocket-version", "13"))), talk(3))
for name, without in {":scheme": {"scheme": None}, ":path": {"path": None},
        ":authority": {"authority": None}}.items():
    row(f"8441: no {name}", malformed(3), asks(websocket(**without)))
row("8441: :path is empty", malformed(3), connect(3, ""))
row("8441: :path is a star", malformed(3), connect(3, "*"))
row("8441: :scheme is empty", malformed(3), connect(3, scheme=""))
row("8441: :authority is empty", malformed(3), connect(3, authority=""))
row("8441: Host instead of :authority", session(3) | malformed(3),
    connect(3, "/ws", ("host", "x"), authority=None), talk(3))
row("8441: another Host", malformed(3), connect(3, "/ws", ("host", "elsewhere")))
row("8441: :protocol twice", malformed(3), asks(websocket(first=[(":protocol", "websocket")])))
row("8441: :protocol behind a field", malformed(3), asks(websocket("/ws",
    (":protocol", "websocket"), protocol=None)))
row("8441: :protocol of a GET", malformed(3), get(3, "/ws", protocol="websocket"))
row("8441: :protocol of a POST", malformed(3), post(3, "/ws", protocol="websocket"))
row("8441: :protocol in trailers", malformed(3), post(3)
    + headers(3, literal(":protocol", "websocket")))
row("8441: upgrade and connection", malformed(3), connect(3, "/ws", ("connection", "upgrade"),
    ("upgrade", "websocket")))
because("9220 3")
row("protocol: connect-udp", answers(3, 501), connect(3, protocol="connect-udp"))
row("protocol: an unknown one", answers(3, 501), connect(3, protocol="x"))
row("protocol: an unknown one where there is nothing", answers(3, 501, 404),
    connect(3, "/nowhere", protocol="x"))
row("protocol: empty", answers(3, 501) | malformed(3), connect(3, protocol=""))
row("protocol: no token", answers(3, 501) | malformed(3), connect(3, protocol="web socket"))
row("protocol: WebSocket", session(3) | answers(3, 501), connect(3, protocol="WebSocket"), talk(3),
    why="9110 7.8")
because("6455 4.2.2")
row("version: none", session(3) | answers(3, 400, 426), connect(3, without_version=True), talk(3),
    why="8441 5")
for value in ("8", "0", "14", "13, 8", ""):
    row(f"version: {value!r}", answers(3, 400, 426), connect(3, "/ws",
        ("sec-websocket-version", value), without_version=True),
        fields={"sec-websocket-version": "13", "upgrade": None, "connection": None})
row("version: twice", answers(3, 400, 426) | session(3),
    connect(3, "/ws", ("sec-websocket-version", "13")), talk(3))
because("8441 5")
row("socket: a key is let be", session(3), connect(3, "/ws",
    ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")), talk(3))
row("socket: a bad key is let be", session(3), connect(3, "/ws", ("sec-websocket-key", "x")),
    talk(3))
row("socket: nothing is there", answers(3, 404), connect(3, "/nowhere"))
row("socket: no WebSocket is there", answers(3, 400, 404, 405, 501), connect(3, "/hello"))
row("socket: a foreign Origin", answers(3, 403), connect(3, "/ws",
    ("origin", "http://evil.example")), why="6455 10.2")
row("socket: Origin null", answers(3, 403), connect(3, "/ws", ("origin", "null")), why="6455 10.2")
row("socket: its own Origin", session(3), connect(3, "/ws", ("origin", f"{SCHEME}://localhost")),
    talk(3), why="6455 10.2")
row("socket: a subprotocol", begins(3), connect(3, "/chat", ("sec-websocket-protocol", "x, chat")),
    begun(3), fields={"sec-websocket-protocol": "chat"})
row("socket: no subprotocol that is known", answers(3, 400),
    connect(3, "/chat", ("sec-websocket-protocol", "x")))
row("socket: no subprotocol", answers(3, 400), connect(3, "/chat"))
row("socket: an extension that is unknown", session(3),
    connect(3, "/ws", ("sec-websocket-extensions", "x-y")), talk(3),
    fields={"sec-websocket-extensions": None})
row("socket: a bad escape", answers(3, 400), connect(3, "/ws%zz"))
row("socket: refused by its hook", answers(3, 401), connect(3, "/auth", ("x-do", "refuse")))
row("socket: refused later", answers(3, 403), connect(3, "/auth", ("x-do", "denied")))
row("socket: accepted by its hook", session(3), connect(3, "/auth"), talk(3))
row("socket: accepted later", session(3), connect(3, "/auth", ("x-do", "later")), talk(3))
row("socket: accepted later, DATA before", session(3), connect(3, "/auth", ("x-do", "later"))
    + data(3, message(b"yo")), has(3, 4))
row("socket: never decided about", nothing, connect(3, "/auth", ("x-do", "never"))
    + data(3, message(b"yo")))
row("socket: no answer of its hook", answers(3, 500), connect(3, "/auth", ("x-do", "0")))
row("socket: aborted by its hook", resets(3, INTERNAL, CANCEL, NO_ERROR),
    connect(3, "/auth", ("x-do", "x")))
row("socket: refused, with DATA behind it", answers(3, 404), connect(3, "/nowhere")
    + data(3, message(b"yo")) + data(3, b"", END_STREAM))
row("socket: END_STREAM of the CONNECT", answers(3, 200) | answers(3, 400)
    | resets(3, PROTOCOL, NO_ERROR, CANCEL) | resets(3, PROTOCOL, NO_ERROR, CANCEL, status=200),
    connect(3, flags=END_HEADERS | END_STREAM), answered(3))
row("socket: a content-length", session(3) | malformed(3) | resets(3, PROTOCOL, status=200),
    connect(3, "/ws", ("content-length", "5")), talk(3), why="9110 9.3.6")

# ---- sessions ------------------------------------------------------------------------------------


def says(payload):
    """An unmasked close frame of the server's, and the end of the stream."""
    return answers(3, 200, body=payload)


def close(code):
    return b"\x88\x02" + code.to_bytes(2, "big")


def closes(name, code, *pieces):
    row(f"session: {name}", says(close(code)) | resets(3, NO_ERROR, status=200), connect(3),
        begun(3), *(data(3, piece) for piece in pieces), answered(3))


closes("a close frame", 1000, message(b"\x03\xe8", 8))
closes("a close frame in two DATA", 1000, message(b"\x03\xe8", 8)[:3], message(b"\x03\xe8", 8)[3:])
because("6455 5")
closes("a frame that is not masked", 1002, b"\x81\x02yo")
closes("a reserved bit", 1002, b"\xc1" + message(b"yo")[1:])
closes("an unknown opcode", 1002, message(b"yo", 3))
closes("text that is not UTF-8", 1007, message(b"\xff"))
closes("a fragment without a first", 1002, message(b"yo", 0))
because("8441 5")
row("session: a ping", begins(3, body=b"\x8a\x02yo"), connect(3), begun(3),
    data(3, message(b"yo", 9)), has(3, 4))
row("session: DATA that is empty", session(3), connect(3), begun(3), data(3) + data(3), talk(3))
row("session: a frame byte by byte", session(3), connect(3), begun(3),
    *(data(3, bytes([byte])) for byte in message(b"yo")), has(3, 4))
row("session: two frames in one DATA", begins(3, body=b"\x81\x02yo\x81\x03you"), connect(3),
    begun(3), data(3, message(b"yo") + message(b"you")), has(3, 9))
row("session: a close frame that ends the stream", says(close(1000))
    | resets(3, NO_ERROR, status=200), connect(3), begun(3),
    data(3, message(b"\x03\xe8", 8), END_STREAM), answered(3))
row("session: RST_STREAM of CANCEL", begins(3), connect(3), begun(3), reset(3))
row("session: RST_STREAM within a frame", begins(3), connect(3), begun(3),
    data(3, message(b"yo")[:3]) + reset(3))
row("session: DATA behind a close", says(close(1000)) | resets(3, NO_ERROR, STREAM_CLOSED,
    status=200), connect(3), begun(3), data(3, message(b"\x03\xe8", 8)), answered(3),
    data(3, message(b"yo")))
row("session: PRIORITY and WINDOW_UPDATE", session(3), connect(3), begun(3), priority(3, 1)
    + window_update(3, 5), talk(3))
because("9113 8.5")
row("session: HEADERS", resets(3, PROTOCOL, status=200) | dies(PROTOCOL), connect(3), begun(3),
    headers(3, literal("a", "b"), END_HEADERS))
row("session: HEADERS that end it", resets(3, PROTOCOL, status=200) | dies(PROTOCOL), connect(3),
    begun(3), headers(3, literal("a", "b")))
row("session: HEADERS of another request", resets(3, PROTOCOL, status=200) | dies(PROTOCOL),
    connect(3), begun(3), get(3))
row("session: PUSH_PROMISE", dies(PROTOCOL), connect(3), begun(3),
    frame(5, 4, 3, b"\0\0\0\2" + head()))
row("session: an unknown frame", session(3), connect(3), begun(3), frame(0x16, 0xff, 3, b"x"),
    talk(3), why="9113 5.5")

# ---- whose names these are -----------------------------------------------------------------------

because("9110 15.5.20")
row("421: the name of another certificate", answers(3, 421), get(3, authority="second.example"),
    only="tls")
row("421: the name of another certificate, with a port", answers(3, 421),
    get(3, authority="second.example:8443"), only="tls")
row("421: the name of another certificate, in capitals", answers(3, 421),
    get(3, authority="Second.Example"), only="tls")
row("421: the name of another certificate, of a session", answers(3, 421),
    connect(3, authority="second.example"), only="tls")
row("421: by Host", answers(3, 421), get(3, "/hello", ("host", "second.example"), authority=None),
    only="tls")
row("421: a name of nobody", answers(3, 200), get(3, authority="nobody.example"), only="tls")
row("421: behind it the connection goes on", answers(3, 421) & session(5),
    get(3, authority="second.example") + connect(5), talk(5), only="tls")
row("421: not without TLS", answers(3, 200), get(3, authority="second.example"), only="tcp")
assert either and noted
