# SPDX-License-Identifier: Apache-2.0
"""The rows of what is legal and too much. See h2_owed.py."""
from h2_owed import answered, answers, because, begun, dies, flood, nothing, noted, row
from h2_wire import (ACK, CALM, COMPRESSION, CONTINUATION, END_HEADERS, END_STREAM, FRAME_SIZE,
    HEADERS, INITIAL_WINDOW, INTERNAL, PRIORITY, PROTOCOL, STREAM_CLOSED, connect, cut, data, frame,
    get, head, headers, indexed, literal, message, padded, ping, post, priority, reset, settings,
    table_size, window_update)

MANY = 20000


def forget(c):
    """What came of single streams is not looked at: only whether the connection goes on."""
    for number in [number for number in c.streams if number > 1]:
        del c.streams[number]


def floods(name, owed, piece, *before, count=MANY, waits=0, **options):
    row(f"flood: {name}", owed, *before, flood(piece, count, waits=waits), forget, flood=True,
        apart=True, pongs=None, **options)


def nth(i):
    return 3 + 2 * i


because("9113 10.5")
floods("requests that are reset at once", dies(CALM), lambda i: get(nth(i), "/never")
    + reset(nth(i)))
floods("WebSockets that are reset at once", dies(CALM), lambda i: connect(nth(i)) + reset(nth(i)))
floods("requests that are answered and then reset", dies(CALM) | nothing, lambda i: get(nth(i))
    + reset(nth(i)))
floods("bodies that are reset at once", dies(CALM), lambda i: post(nth(i)) + reset(nth(i)))
floods("malformed requests", dies(CALM), lambda i: headers(nth(i), head("/hello", ("A", "b"))),
    waits=40)
floods("malformed bodies", dies(CALM), lambda i: headers(nth(i),
    head("/hello", ("content-length", "1"), method="POST"), END_HEADERS)
    + data(nth(i), b"", END_STREAM), waits=40)
floods("WINDOW_UPDATE of 0 to new streams", dies(CALM, PROTOCOL), lambda i: post(nth(i))
    + window_update(nth(i), 0), waits=40)
floods("windows of new streams that overflow", dies(CALM, 3), lambda i: post(nth(i))
    + window_update(nth(i), 0x7fffffff), waits=40)
floods("DATA of streams that have ended", dies(CALM, STREAM_CLOSED), lambda i: get(nth(i), "/never")
    + data(nth(i), b"x"), waits=40)
floods("streams above the limit", dies(CALM, PROTOCOL), lambda i: post(nth(i), "/never"))
floods("bodies that nobody wants", dies(CALM, PROTOCOL) | nothing, lambda i: post(nth(i), "/nowhere"),
    waits=40)
floods("WebSockets that are refused", dies(CALM) | nothing, lambda i: connect(nth(i), "/nowhere"),
    waits=40)
floods("PRIORITY of itself", dies(CALM, PROTOCOL) | nothing, priority(3, 3))
floods("PING", dies(CALM), ping(b"12345678"))
floods("ACKs of PING", dies(CALM) | nothing, ping(b"12345678", ACK))
floods("SETTINGS", dies(CALM), settings())
row("flood: PING, all at once", dies(CALM), ping(b"12345678") * 5000, flood=True, apart=True,
    pongs=None)
row("flood: SETTINGS, all at once", dies(CALM), settings() * 5000, flood=True, apart=True)
floods("SETTINGS of values", dies(CALM), settings((INITIAL_WINDOW, 65535), (4, 1000)))
floods("SETTINGS of windows that change", dies(CALM), lambda i: settings((INITIAL_WINDOW, 1000
    + i % 2)))
row("flood: a SETTINGS of 2,000 values", dies(CALM) | nothing,
    settings(*[(0x100, i) for i in range(2000)]), flood=True, apart=True)
floods("PRIORITY of idle streams", dies(CALM) | nothing, lambda i: priority(nth(i), 1))
floods("PRIORITY of one stream", dies(CALM) | nothing, lambda i: priority(1, nth(i)))
floods("WINDOW_UPDATE of 1", dies(CALM) | nothing, window_update(0, 1))
floods("WINDOW_UPDATE of 1 to a stream", dies(CALM) | nothing, window_update(1, 1))
floods("frames that are unknown", dies(CALM) | nothing, frame(0x16, 0, 0, b"x"))
floods("frames that are unknown and empty", dies(CALM) | nothing, frame(0x16, 0, 1))
floods("GOAWAY", dies(CALM, PROTOCOL) | nothing, frame(7, 0, 0, bytes(8)), probe=False)
floods("RST_STREAM of one stream", dies(CALM, STREAM_CLOSED) | nothing, reset(3), get(3),
    answered(3))
floods("DATA that is empty", dies(CALM), data(3), post(3))
floods("DATA that is empty, in a session", dies(CALM), data(1))
floods("DATA of padding only", dies(CALM), data(3, padded(b"", 0), 8), post(3), count=10000)
floods("CONTINUATION that is empty", dies(CALM, PROTOCOL, INTERNAL), frame(CONTINUATION, 0, 3),
    frame(HEADERS, END_STREAM, 3, head()))
floods("CONTINUATION of one byte", dies(CALM, PROTOCOL, INTERNAL, COMPRESSION),
    frame(CONTINUATION, 0, 3, literal("a", "b")), frame(HEADERS, END_STREAM, 3, head()))
floods("CONTINUATION that is large", dies(CALM, PROTOCOL, INTERNAL),
    frame(CONTINUATION, 0, 3, literal("a", "b" * 16000)), frame(HEADERS, END_STREAM, 3, head()),
    count=2000)
floods("CONTINUATION of 200 empty ones, whole", dies(CALM, PROTOCOL, INTERNAL)
    | answers(3, 200, 431) | nothing, lambda i: frame(CONTINUATION, END_HEADERS if i == 199 else 0,
    3), frame(HEADERS, END_STREAM, 3, head()), count=200)
floods("heads without fields", dies(CALM, PROTOCOL), lambda i: headers(nth(i), b""), waits=40)
floods("HEADERS of padding", dies(CALM) | nothing, lambda i: headers(nth(i),
    padded(head("/nowhere"), 255), 5 | 8), count=2000, waits=40)

# ---- header lists --------------------------------------------------------------------------------

because("9113 10.5.1")
LARGE = literal("a", "x" * 4000, 0x40)
row("bomb: one entry, a thousand times", answers(3, 431) | dies(CALM),
    headers(3, head("/hello", LARGE, indexed(62) * 1000)), flood=True)
row("bomb: one entry, ten thousand times", answers(3, 431) | dies(CALM),
    headers(3, head("/hello", LARGE, indexed(62) * 10000)), flood=True)
row("bomb: in forty streams", nothing | dies(CALM), headers(3, head("/hello", LARGE))
    + b"".join(headers(nth(i), head("/hello", indexed(62) * 10000)) for i in range(1, 40)), noted,
    forget, flood=True)
row("bomb: cookies", answers(3, 431) | dies(CALM), headers(3,
    head("/hello", literal("cookie", "a=" + "b" * 3000, 0x40), indexed(62) * 5000)), flood=True)
row("bomb: fields of no bytes", answers(3, 431) | dies(CALM),
    headers(3, head("/hello", literal("a", "", 0x40), indexed(62) * 10000)), flood=True)
row("bomb: sizes of the table", answers(3, 200, 431) | dies(CALM, COMPRESSION),
    headers(3, table_size(0) * 16000 + head()), flood=True)
row("bomb: trailers", answers(3, 200, 431, 400) | dies(CALM) | answers(3, 200) , post(3)
    + data(3, b"abc") + headers(3, LARGE + indexed(62) * 10000), flood=True)

# ---- windows of nothing --------------------------------------------------------------------------

because("9113 10.5")


def sip(c):
    """An answer of 256 KiB, a byte at a time; all of it, or until the server has enough."""
    for _ in range(3000):
        size = len(c.streams[3].body)
        c.send(window_update(3, 1))
        if not c.until(lambda: len(c.streams[3].body) > size
                or c.streams[3].is_over) or c.streams[3].is_over:
            break
    c.streams.pop(3)


row("tiny: an answer by the byte", nothing | dies(CALM, INTERNAL), settings((INITIAL_WINDOW, 1))
    + get(3, "/big"), begun(3), sip, flood=True, apart=True, credits=False, echoes=False,
    probe=False)
row("tiny: many answers without a window", nothing | dies(CALM), settings((INITIAL_WINDOW, 0))
    + b"".join(get(nth(i), "/big") for i in range(60)), noted, forget, flood=True, apart=True,
    credits=False, probe=False, echoes=False)

# ---- what must not be taken for an attack ------------------------------------------------------------

because("9113 10.5")


def spread(c):
    """A browser's reader who leaves pages early: 20 streams, each reset once it is answered."""
    for i in range(20):
        c.send(get(nth(i), "/big"))
        begun(nth(i))(c)
        c.send(reset(nth(i)))
    noted(c)
    forget(c)


row("calm: twenty requests that are given up", nothing, spread, apart=True)
row("calm: twenty that are reset at once", nothing, b"".join(get(nth(i), "/never") + reset(nth(i))
    for i in range(20)), flood=True)
row("calm: twenty PINGs", nothing, b"".join(ping(b"%08d" % i) for i in range(20)),
    pongs=[b"%08d" % i for i in range(20)], flood=True)
row("calm: five SETTINGS", nothing, settings((INITIAL_WINDOW, 65535)) * 5, flood=True)
row("calm: twenty PRIORITY", nothing, b"".join(priority(nth(i), 1) for i in range(20)), flood=True)
row("calm: twenty empty DATA", answers(201, 200), post(201) + data(201) * 20
    + data(201, b"abc", END_STREAM), body="[abc]", flood=True)
row("calm: a body by the byte", answers(3, 200), post(3)
    + b"".join(data(3, b"x") for _ in range(2000)) + data(3, b"", END_STREAM), flood=True)
row("calm: a thousand messages", nothing, post(3), lambda c: [c.upload(1, message(b"x"))
    for _ in range(1000)], lambda c: c.until(lambda: len(c.streams[1].body) >= 3000), flood=True,
    apart=True)
assert cut and FRAME_SIZE and PRIORITY and noted
