# SPDX-License-Identifier: Apache-2.0
"""The rows of the preface and of single frames. See h2_owed.py."""
from h2_owed import (answered, answers, because, begun, dies, either, ends, http1, noted, nothing,
    resets, row, session, shut, talk)
from h2_wire import (ACK, CALM, CONTINUATION, CONNECT_PROTOCOL, DATA, END_HEADERS, END_STREAM,
    ENABLE_PUSH, FLOW_CONTROL, FRAME_MAX, FRAME_SIZE, GOAWAY, HEADER_LIST_MAX, HEADERS,
    INITIAL_WINDOW, INTERNAL, NO_ERROR, NO_PRIORITIES, PADDED, PING, PREFACE, PRIORITY, PROTOCOL,
    PUSH_PROMISE, RST_STREAM, SETTINGS, STREAM_CLOSED, STREAMS_MAX, TABLE_SIZE, WINDOW_UPDATE,
    WITH_PRIORITY, connect, data, frame, get, goaway, head, headers, padded, ping, post, priority,
    reset, settings, split, window_update)

BEGIN = PREFACE + settings()
EIGHT = b"12345678"

# ---- the preface ---------------------------------------------------------------------------------

because("9113 3.4")
row("preface: and no more", nothing, PREFACE + settings(), raw=True)
row("preface: and SETTINGS of values", nothing,
    PREFACE + settings((ENABLE_PUSH, 0), (STREAMS_MAX, 100), (INITIAL_WINDOW, 1 << 20)), raw=True)
row("preface: requests right behind it", answers(1, 200) & answers(3, 200),
    BEGIN + get(1, "/hello?one") + get(3, "/hello?two"), raw=True, body="?two")
row("preface: a byte of it is wrong", http1(400, 505) | dies(PROTOCOL) | ends,
    PREFACE.replace(b"SM", b"SN") + settings(), raw=True)
row("preface: its first line is of 1.1", http1(400, 505) | dies(PROTOCOL) | ends,
    PREFACE.replace(b"2.0", b"1.1") + settings(), raw=True)
row("preface: in capitals and small letters", http1(400, 405, 505) | dies(PROTOCOL) | ends,
    b"pri" + PREFACE[3:] + settings(), raw=True)
row("preface: only frames", http1(400) | dies(PROTOCOL) | ends, settings() + get(1), raw=True)
row("preface: twice", dies(FRAME_SIZE, PROTOCOL), BEGIN + PREFACE, raw=True)
row("preface: PING instead of SETTINGS", dies(PROTOCOL), PREFACE + ping(EIGHT), raw=True)
row("preface: HEADERS instead of SETTINGS", dies(PROTOCOL), PREFACE + get(1), raw=True)
row("preface: an ACK instead of SETTINGS", dies(PROTOCOL), PREFACE + settings(flags=ACK), raw=True)
row("preface: an unknown frame instead of SETTINGS", dies(PROTOCOL), PREFACE + frame(0x16),
    raw=True)
row("preface: SETTINGS of a stream", dies(PROTOCOL), PREFACE + settings(stream=1), raw=True)
row("preface: SETTINGS of 5 bytes", dies(FRAME_SIZE, PROTOCOL), PREFACE
    + frame(SETTINGS, payload=b"12345"), raw=True)
row("preface: too large a frame", dies(FRAME_SIZE, PROTOCOL),
    PREFACE + frame(SETTINGS, payload=b"", length=16386) + bytes(16386), raw=True)
row("preface: half of it, then the end", ends | http1(400), PREFACE[:11], shut, raw=True)
row("preface: nothing, then the end", ends, shut, raw=True)
row("preface: the end behind it", ends, BEGIN, shut, raw=True)
row("preface: within SETTINGS the end", ends | dies(PROTOCOL), PREFACE + settings((1, 0))[:12],
    shut, raw=True)
row("preface: within HEADERS the end", ends | dies(PROTOCOL), BEGIN + get(1)[:20], shut, raw=True)
H1 = b"GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close"
row("preface: HTTP/1.1 instead", http1(200), H1 + b"\r\n\r\n", raw=True, only="tcp")
row("preface: HTTP/1.1 where h2 was chosen", dies(PROTOCOL) | ends, H1 + b"\r\n\r\n", raw=True,
    only="tls")
for name, alpn in {"without ALPN": [], "where HTTP/1.1 was chosen": ["http/1.1"]}.items():
    row(f"preface: {name}", http1(400, 505) | dies(PROTOCOL) | ends, BEGIN + get(1), raw=True,
        only="tls", alpn=alpn, why="9113 3.2")
row("preface: h2 comes first", answers(1, 200), BEGIN + get(1), raw=True, only="tls",
    alpn=["http/1.1", "h2"], why="9113 3.2")
row("preface: Upgrade: h2c is no more", http1(200), H1
    + b", Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n", raw=True, only="tcp", why="9113 3.1")
row("preface: behind a request of HTTP/1.1", http1(200), b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n"
    + BEGIN, raw=True, only="tcp")
row("preface: our SETTINGS are never acknowledged", answers(3, 200), get(3), acks=False,
    why="9113 6.5.3")

# ---- frames in general ---------------------------------------------------------------------------

because("9113 4.1")
for kind in (0x0a, 0x0b, 0x0c, 0x16, 0xff):
    row(f"frame: unknown type {kind:#x}", nothing, frame(kind, 0xff, 0, b"whatever"))
row("frame: unknown type, without a payload", nothing, frame(0x16))
row("frame: unknown type of an open stream", answers(3, 200),
    post(3) + frame(0x16, 1, 3, b"x") + data(3, b"abc", END_STREAM), body="[abc]")
row("frame: unknown type of an idle stream", nothing | dies(PROTOCOL), frame(0x16, 0, 3, b"x"),
    why="9113 5.5")
row("frame: unknown type of a closed stream", answers(3, 200) | dies(STREAM_CLOSED), get(3),
    answered(3), frame(0x16, 0, 3, b"x"), why="9113 5.5")
row("frame: PRIORITY_UPDATE", nothing, frame(0x10, 0, 0, (3).to_bytes(4, "big") + b"u=1, i"),
    why="9218 7.1")
row("frame: PRIORITY_UPDATE of an open stream", answers(3, 200), post(3)
    + frame(0x10, 0, 0, (3).to_bytes(4, "big") + b"u=1, i") + data(3, b"abc", END_STREAM),
    why="9218 7.1")
row("frame: unknown type, as large as allowed", nothing, frame(0x16, 0, 0, bytes(16384)),
    why="9113 4.2")
row("frame: unknown type, too large", dies(FRAME_SIZE), frame(0x16, 0, 0, bytes(16385)),
    why="9113 4.2")
row("frame: the reserved bit", answers(3, 200), frame(HEADERS, END_HEADERS | END_STREAM, 3
    | 1 << 31, head()))
row("frame: the reserved bit of a connection's frame", nothing, frame(PING, 0, 1 << 31, EIGHT),
    pongs=[EIGHT])
row("frame: undefined flags of HEADERS", answers(3, 200),
    headers(3, head(), 0xd2 | END_HEADERS | END_STREAM))
row("frame: undefined flags of DATA", answers(3, 200), post(3) + data(3, b"abc", 0xf6 | END_STREAM),
    body="[abc]")
row("frame: undefined flags of CONTINUATION", answers(3, 200),
    headers(3, head()[:5], END_STREAM) + frame(CONTINUATION, 0xfb | END_HEADERS, 3, head()[5:]))
row("frame: undefined flags of SETTINGS", nothing, settings(flags=0xfe))
row("frame: undefined flags of PING", nothing, ping(EIGHT, 0xfe), pongs=[EIGHT])
row("frame: undefined flags of WINDOW_UPDATE", nothing,
    frame(WINDOW_UPDATE, 0xff, 0, b"\0\0\0\x05"))
row("frame: undefined flags of PRIORITY", nothing, frame(PRIORITY, 0xff, 3, bytes(5)))
row("frame: undefined flags of RST_STREAM", nothing, post(3)
    + frame(RST_STREAM, 0xff, 3, b"\0\0\0\x08"))
row("frame: undefined flags of GOAWAY", nothing, frame(GOAWAY, 0xff, 0, bytes(8)), probe=False)
because("9113 4.2")
row("frame: DATA as large as allowed", answers(3, 200), post(3) + data(3, b"x" * 16384, END_STREAM))
row("frame: DATA too large", either(3, FRAME_SIZE), post(3) + data(3, b"x" * 16385, END_STREAM))
row("frame: HEADERS too large", dies(FRAME_SIZE), headers(3, head("/hello", ("a", "x" * 16400))))
row("frame: the largest length, and no more", dies(FRAME_SIZE),
    frame(DATA, 0, 1, b"", (1 << 24) - 1))

# ---- DATA ----------------------------------------------------------------------------------------

because("9113 6.1")
row("DATA: of stream 0", dies(PROTOCOL), data(0, b"x"))
row("DATA: in one frame", answers(3, 200), post(3) + data(3, b"abc", END_STREAM), body="[abc]")
row("DATA: in three", answers(3, 200), post(3) + data(3, b"a") + data(3, b"b")
    + data(3, b"c", END_STREAM), body="[abc]")
row("DATA: the last one is empty", answers(3, 200), post(3) + data(3, b"abc")
    + data(3, b"", END_STREAM), body="[abc]")
row("DATA: only one that is empty", answers(3, 200), post(3) + data(3, b"", END_STREAM), body="[]")
row("DATA: padded", answers(3, 200), post(3) + data(3, padded(b"abc", 9), END_STREAM | PADDED),
    body="[abc]")
row("DATA: padded by 0", answers(3, 200), post(3) + data(3, padded(b"abc", 0), END_STREAM | PADDED),
    body="[abc]")
row("DATA: padded by 255", answers(3, 200), post(3) + data(3, padded(b"abc", 255), END_STREAM
    | PADDED), body="[abc]")
row("DATA: only padding", answers(3, 200), post(3) + data(3, padded(b"", 9), PADDED)
    + data(3, padded(b"", 99), END_STREAM | PADDED), body="[]")
row("DATA: padding that is not zero", answers(3, 200) | dies(PROTOCOL),
    post(3) + data(3, padded(b"abc", 9, b"x"), END_STREAM | PADDED))
row("DATA: padding as long as the payload", dies(PROTOCOL), post(3)
    + data(3, padded(b"", 3, said=4), PADDED))
row("DATA: padding longer than the payload", dies(PROTOCOL), post(3)
    + data(3, padded(b"abc", 0, said=200), PADDED))
row("DATA: padded without a length", dies(FRAME_SIZE, PROTOCOL), post(3) + data(3, b"", PADDED))
row("DATA: padded in a session", session(3), connect(3)
    + data(3, padded(b"\x81\x82\0\0\0\0yo", 50), PADDED), begun(3),
    lambda c: c.until(lambda: len(c.streams[3].body) >= 4))

# ---- HEADERS -------------------------------------------------------------------------------------

because("9113 6.2")
row("HEADERS: of stream 0", dies(PROTOCOL), get(0))
row("HEADERS: padded", answers(3, 200), headers(3, padded(head(), 9), 5 | PADDED))
row("HEADERS: padded by 255", answers(3, 200), headers(3, padded(head(), 255), 5 | PADDED))
row("HEADERS: padding as long as the payload", dies(PROTOCOL),
    headers(3, padded(b"", 3, said=4), 5 | PADDED))
row("HEADERS: padding longer than the payload", dies(PROTOCOL),
    headers(3, padded(head(), 0, said=250), 5 | PADDED))
row("HEADERS: padded without a length", dies(FRAME_SIZE, PROTOCOL), headers(3, b"", 5 | PADDED))
row("HEADERS: with a priority", answers(3, 200), headers(3, b"\0\0\0\1\x0f" + head(), 5
    | WITH_PRIORITY))
row("HEADERS: with a priority, exclusive of an idle stream", answers(3, 200),
    headers(3, b"\x80\0\0\x63\xff" + head(), 5 | WITH_PRIORITY))
row("HEADERS: padded and with a priority", answers(3, 200),
    headers(3, padded(b"\0\0\0\0\x0f" + head(), 9), 5 | PADDED | WITH_PRIORITY))
row("HEADERS: a priority that depends on itself", answers(3, 200) | either(3, PROTOCOL),
    headers(3, b"\0\0\0\3\x0f" + head(), 5 | WITH_PRIORITY), why="9113 5.3.2, 7540 5.3.1")
row("HEADERS: a priority of 4 bytes", dies(FRAME_SIZE, PROTOCOL),
    headers(3, bytes(4), 5 | WITH_PRIORITY))
row("HEADERS: padding that leaves no priority", dies(FRAME_SIZE, PROTOCOL),
    headers(3, padded(bytes(4), 5), 5 | PADDED | WITH_PRIORITY))

# ---- CONTINUATION, and what may not come within a header block ------------------------------------

because("9113 6.10")
row("CONTINUATION: a block in two", answers(3, 200), split(3, head(), 20))
row("CONTINUATION: a block in eight", answers(3, 200), split(3, head("/hello?eight"),
    len(head("/hello?eight")) // 7))
row("CONTINUATION: behind an empty HEADERS", answers(3, 200),
    headers(3, b"", END_STREAM) + frame(CONTINUATION, END_HEADERS, 3, head()))
row("CONTINUATION: an empty one at the end", answers(3, 200),
    headers(3, head(), END_STREAM) + frame(CONTINUATION, END_HEADERS, 3))
row("CONTINUATION: of a session", session(3), split(3, head("/ws", ("sec-websocket-version", "13"),
    method="CONNECT", protocol="websocket"), 20, 0), talk(3))
row("CONTINUATION: of stream 0", dies(PROTOCOL), headers(3, head()[:5], 1)
    + frame(CONTINUATION, END_HEADERS, 0, head()[5:]))
row("CONTINUATION: of another stream", dies(PROTOCOL), headers(3, head()[:5], 1)
    + frame(CONTINUATION, END_HEADERS, 5, head()[5:]))
row("CONTINUATION: of an open other stream", dies(PROTOCOL), headers(3, head()[:5], 1)
    + frame(CONTINUATION, END_HEADERS, 1, head()[5:]))
row("CONTINUATION: behind a whole block", dies(PROTOCOL), get(3)
    + frame(CONTINUATION, END_HEADERS, 3, head()))
row("CONTINUATION: behind a whole block in two", dies(PROTOCOL), split(3, head(), 40)
    + frame(CONTINUATION, END_HEADERS, 3, b""))
row("CONTINUATION: behind DATA", dies(PROTOCOL), post(3) + data(3, b"abc")
    + frame(CONTINUATION, END_HEADERS, 3, b""))
row("CONTINUATION: with nothing before", dies(PROTOCOL),
    frame(CONTINUATION, END_HEADERS, 3, head()))
because("9113 4.3")
for name, middle in {"DATA": data(3, b"x"), "HEADERS": get(3), "HEADERS of another stream": get(5),
        "PRIORITY": priority(3), "RST_STREAM": reset(3), "SETTINGS": settings(),
        "an ACK": settings(flags=ACK), "PUSH_PROMISE": frame(PUSH_PROMISE, 4, 3, bytes(4)),
        "PING": ping(EIGHT), "GOAWAY": goaway(0), "WINDOW_UPDATE": window_update(0, 1),
        "an unknown frame": frame(0x16, 0, 3)}.items():
    row(f"CONTINUATION: {name} instead", dies(PROTOCOL), headers(3, head()[:5], END_STREAM) + middle
        + frame(CONTINUATION, END_HEADERS, 3, head()[5:]))

# ---- PRIORITY, RST_STREAM, PUSH_PROMISE ----------------------------------------------------------

because("9113 6.3")
row("PRIORITY: of stream 0", dies(PROTOCOL), priority(0))
row("PRIORITY: of an idle stream", answers(3, 200), priority(3) + priority(99, 3) + get(3))
row("PRIORITY: of an open stream", answers(3, 200), post(3) + priority(3, 1)
    + data(3, b"abc", END_STREAM), body="[abc]")
row("PRIORITY: the least and the largest weight", answers(3, 200), priority(3, 0, 0)
    + priority(3, 1 << 31 | 1, 255) + get(3))
row("PRIORITY: of a half-closed stream", nothing, get(3, "/never") + priority(3, 1))
row("PRIORITY: of a closed stream", answers(3, 200), get(3), answered(3), priority(3))
row("PRIORITY: of 4 bytes", either(3, FRAME_SIZE), post(3) + frame(PRIORITY, 0, 3, bytes(4)))
row("PRIORITY: of 6 bytes", either(3, FRAME_SIZE), post(3) + frame(PRIORITY, 0, 3, bytes(6)))
row("PRIORITY: of 4 bytes, of an idle stream", nothing | either(3, FRAME_SIZE),
    frame(PRIORITY, 0, 3, bytes(4)))
row("PRIORITY: that depends on itself", nothing | either(3, PROTOCOL), priority(3, 3),
    why="9113 5.3.2, 7540 5.3.1")
because("9113 6.4")
row("RST_STREAM: of stream 0", dies(PROTOCOL), reset(0))
row("RST_STREAM: of an idle stream", dies(PROTOCOL), reset(3))
row("RST_STREAM: of an idle stream of the server's", dies(PROTOCOL), reset(2))
row("RST_STREAM: of 3 bytes", dies(FRAME_SIZE), post(3) + frame(RST_STREAM, 0, 3, bytes(3)))
row("RST_STREAM: of 5 bytes", dies(FRAME_SIZE), post(3) + frame(RST_STREAM, 0, 3, bytes(5)))
row("RST_STREAM: of nothing", dies(FRAME_SIZE), post(3) + frame(RST_STREAM, 0, 3))
row("RST_STREAM: of a request without an answer", nothing, get(3, "/never") + reset(3))
row("RST_STREAM: within a body", nothing, post(3) + data(3, b"abc") + reset(3))
row("RST_STREAM: of an answer on its way", answers(3, 200, is_whole=False), get(3, "/big"),
    begun(3), noted, reset(3) + window_update(0, 1 << 20), credits=False)
row("RST_STREAM: with an unknown code", nothing, get(3, "/never") + reset(3, 0xffffff))
row("RST_STREAM: of NO_ERROR", nothing, get(3, "/never") + reset(3, NO_ERROR))
row("RST_STREAM: of a closed stream", answers(3, 200), get(3), answered(3), reset(3),
    why="9113 5.1")
row("RST_STREAM: twice", nothing | dies(STREAM_CLOSED), get(3, "/never") + reset(3) + reset(3),
    why="9113 5.1")
row("RST_STREAM: while an upgrade is decided about", nothing, connect(3, "/auth", ("x-do", "never"))
    + reset(3))
row("RST_STREAM: before a late answer", nothing | answers(3, 201), get(3, "/late") + reset(3)
    + get(5, "/late"), answered(5), lambda c: c.streams.pop(5))
because("9113 8.4")
row("PUSH_PROMISE: of stream 0", dies(PROTOCOL), frame(PUSH_PROMISE, 4, 0, b"\0\0\0\2" + head()))
row("PUSH_PROMISE: of an open stream", dies(PROTOCOL), post(3)
    + frame(PUSH_PROMISE, 4, 3, b"\0\0\0\2" + head()))
row("PUSH_PROMISE: of an idle stream", dies(PROTOCOL), frame(PUSH_PROMISE, 4, 3, b"\0\0\0\2"
    + head()))
row("PUSH_PROMISE: of 3 bytes", dies(PROTOCOL, FRAME_SIZE), post(3)
    + frame(PUSH_PROMISE, 4, 3, b"\0\0\2"))

# ---- PING ----------------------------------------------------------------------------------------

because("9113 6.7")
row("PING: is answered", nothing, ping(b"\0\1\2\3\4\5\6\xff"), pongs=[b"\0\1\2\3\4\5\6\xff"])
row("PING: three, in order", nothing, ping(b"11111111") + ping(b"22222222") + ping(b"33333333"),
    pongs=[b"11111111", b"22222222", b"33333333"])
row("PING: an ACK that nobody asked for", nothing, ping(EIGHT, ACK))
row("PING: of a stream", dies(PROTOCOL), frame(PING, 0, 1, EIGHT))
row("PING: of an idle stream", dies(PROTOCOL), frame(PING, 0, 3, EIGHT))
row("PING: an ACK of a stream", dies(PROTOCOL), frame(PING, ACK, 1, EIGHT))
for size in (0, 7, 9, 16):
    row(f"PING: of {size} bytes", dies(FRAME_SIZE), frame(PING, 0, 0, bytes(size)))
row("PING: an ACK of 7 bytes", dies(FRAME_SIZE), frame(PING, ACK, 0, bytes(7)))

# ---- GOAWAY --------------------------------------------------------------------------------------

because("9113 6.8")
row("GOAWAY: its streams go on", nothing, goaway(0), probe=False)
row("GOAWAY: with text behind it", nothing, goaway(0, NO_ERROR, b"so long"), probe=False)
row("GOAWAY: a request before it is answered", answers(3, 201), get(3, "/late") + goaway(0),
    probe=False)
row("GOAWAY: a body before it is taken", answers(3, 200), post(3) + goaway(0)
    + data(3, b"abc", END_STREAM), probe=False)
row("GOAWAY: with an unknown code", nothing | ends, goaway(0, 0xff), probe=False, why="9113 7")
row("GOAWAY: of INTERNAL_ERROR", nothing | ends, goaway(0, INTERNAL), probe=False)
row("GOAWAY: twice", nothing, goaway(0) + goaway(0), probe=False)
row("GOAWAY: of the largest stream, then of none", nothing | dies(PROTOCOL), goaway(0x7ffffffe)
    + goaway(0), probe=False)
row("GOAWAY: with a greater stream the second time", nothing | dies(PROTOCOL), goaway(0)
    + goaway(2), probe=False)
row("GOAWAY: with a stream of the client's", nothing | dies(PROTOCOL), goaway(1), probe=False)
row("GOAWAY: without a stream it ends the connection", ends, BEGIN + goaway(0), raw=True)
row("GOAWAY: behind the last stream's end", answers(1, 200) | ends, BEGIN + get(1) + goaway(0),
    lambda c: c.until(lambda: False), raw=True, probe=False)
row("GOAWAY: of a stream", dies(PROTOCOL), frame(GOAWAY, 0, 1, bytes(8)))
row("GOAWAY: of 7 bytes", dies(FRAME_SIZE), frame(GOAWAY, 0, 0, bytes(7)))
row("GOAWAY: of nothing", dies(FRAME_SIZE), frame(GOAWAY))

# ---- WINDOW_UPDATE, the frame: the windows are in h2_rows_flow.py ----------------------------------

because("9113 6.9")
row("WINDOW_UPDATE: of the connection", nothing, window_update(0, 1))
row("WINDOW_UPDATE: of an open stream", nothing, get(3, "/never") + window_update(3, 100))
row("WINDOW_UPDATE: of a closed stream", answers(3, 200), get(3), answered(3),
    window_update(3, 100), why="9113 5.1")
row("WINDOW_UPDATE: of an idle stream", dies(PROTOCOL), window_update(3, 100), why="9113 5.1")
row("WINDOW_UPDATE: of an idle stream of the server's", dies(PROTOCOL), window_update(2, 100),
    why="9113 5.1")
row("WINDOW_UPDATE: of 0", dies(PROTOCOL), window_update(0, 0))
row("WINDOW_UPDATE: of 0, but for the reserved bit", dies(PROTOCOL), window_update(0, 1 << 31))
row("WINDOW_UPDATE: with the reserved bit", nothing, window_update(0, 1 << 31 | 5))
row("WINDOW_UPDATE: of 0 to a stream", either(3, PROTOCOL), post(3) + window_update(3, 0))
row("WINDOW_UPDATE: of 0 to a session", either(3, PROTOCOL) | resets(3, PROTOCOL, status=200),
    connect(3), begun(3), window_update(3, 0))
for size in (0, 3, 5):
    row(f"WINDOW_UPDATE: of {size} bytes", dies(FRAME_SIZE),
        frame(WINDOW_UPDATE, 0, 0, bytes(size)))
row("WINDOW_UPDATE: of 3 bytes to a stream", dies(FRAME_SIZE), post(3)
    + frame(WINDOW_UPDATE, 0, 3, b"\0\0\1"))

# ---- SETTINGS ------------------------------------------------------------------------------------

because("9113 6.5")
row("SETTINGS: empty", nothing, settings())
row("SETTINGS: three of them", nothing, settings() + settings((STREAMS_MAX, 5)) + settings())
row("SETTINGS: of a stream", dies(PROTOCOL), settings(stream=1))
row("SETTINGS: of an idle stream", dies(PROTOCOL), settings((STREAMS_MAX, 5), stream=3))
for size in (1, 5, 7):
    row(f"SETTINGS: of {size} bytes", dies(FRAME_SIZE), frame(SETTINGS, payload=bytes(size)))
row("SETTINGS: an ACK with a payload", dies(FRAME_SIZE), settings((STREAMS_MAX, 5), flags=ACK))
row("SETTINGS: an ACK of a stream", dies(PROTOCOL), settings(flags=ACK, stream=1))
row("SETTINGS: an ACK too many", nothing | dies(PROTOCOL), settings(flags=ACK), apart=True)
because("9113 6.5.2")
for name, pair in {"an unknown one": (0xff, 0xffffffff), "one with the number 0": (0, 1),
        "HEADER_TABLE_SIZE 0": (TABLE_SIZE, 0), "HEADER_TABLE_SIZE, the largest": (TABLE_SIZE,
        0xffffffff), "ENABLE_PUSH 0": (ENABLE_PUSH, 0), "ENABLE_PUSH 1": (ENABLE_PUSH, 1),
        "MAX_CONCURRENT_STREAMS 0": (STREAMS_MAX, 0),
        "MAX_CONCURRENT_STREAMS, the largest": (STREAMS_MAX, 0xffffffff),
        "INITIAL_WINDOW_SIZE, the largest": (INITIAL_WINDOW, 0x7fffffff),
        "MAX_FRAME_SIZE, the least": (FRAME_MAX, 16384),
        "MAX_FRAME_SIZE, the largest": (FRAME_MAX, (1 << 24) - 1),
        "MAX_HEADER_LIST_SIZE": (HEADER_LIST_MAX, 8192),
        "ENABLE_CONNECT_PROTOCOL 1": (CONNECT_PROTOCOL, 1),
        "ENABLE_CONNECT_PROTOCOL 0": (CONNECT_PROTOCOL, 0)}.items():
    row(f"SETTINGS: {name}", answers(3, 200) & answers(5, 200), settings(pair) + get(3)
        + get(5, "/big"), apart=True)
for name, code, pair in (("ENABLE_PUSH 2", PROTOCOL, (ENABLE_PUSH, 2)),
        ("INITIAL_WINDOW_SIZE above the largest", FLOW_CONTROL, (INITIAL_WINDOW, 1 << 31)),
        ("INITIAL_WINDOW_SIZE of 32 bits", FLOW_CONTROL, (INITIAL_WINDOW, 0xffffffff)),
        ("MAX_FRAME_SIZE below the least", PROTOCOL, (FRAME_MAX, 16383)),
        ("MAX_FRAME_SIZE 0", PROTOCOL, (FRAME_MAX, 0)),
        ("MAX_FRAME_SIZE above the largest", PROTOCOL, (FRAME_MAX, 1 << 24))):
    row(f"SETTINGS: {name}", dies(code), settings(pair))
row("SETTINGS: bad behind good", dies(PROTOCOL), settings((STREAMS_MAX, 5), (ENABLE_PUSH, 7)))
row("SETTINGS: ENABLE_CONNECT_PROTOCOL 2", dies(PROTOCOL), settings((CONNECT_PROTOCOL, 2)),
    why="8441 3")
row("SETTINGS: ENABLE_CONNECT_PROTOCOL from 1 to 0", session(3) | dies(PROTOCOL),
    settings((CONNECT_PROTOCOL, 1)) + settings((CONNECT_PROTOCOL, 0)) + connect(3), talk(3),
    why="8441 3")
row("SETTINGS: NO_RFC7540_PRIORITIES 1", nothing, PREFACE + settings((NO_PRIORITIES, 1)), raw=True,
    why="9218 2.1")
row("SETTINGS: NO_RFC7540_PRIORITIES 2", dies(PROTOCOL) | nothing, settings((NO_PRIORITIES, 2)),
    why="9218 2.1")
row("SETTINGS: NO_RFC7540_PRIORITIES that changes", dies(PROTOCOL) | nothing,
    PREFACE + settings((NO_PRIORITIES, 1)) + settings((NO_PRIORITIES, 0)), raw=True, why="9218 2.1")
row("SETTINGS: 30 of them in a frame", nothing, settings(*[(0x100 + i, i) for i in range(30)]))
row("SETTINGS: a value twice, the last counts", answers(3, 200),
    settings((INITIAL_WINDOW, 0), (INITIAL_WINDOW, 65535)) + get(3), why="9113 6.5.3")
assert CALM
