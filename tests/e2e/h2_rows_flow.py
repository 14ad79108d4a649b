# SPDX-License-Identifier: Apache-2.0
"""The rows of windows. See h2_owed.py."""
from h2_owed import (answered, answers, because, begins, begun, dies, either, has, noted, nothing,
    resets, row, session, talk)
from h2_wire import (END_STREAM, FLOW_CONTROL, INITIAL_WINDOW, WINDOW_START, connect, data, get,
    message, post, settings, window_update)

BIG = 256 * 1024
ALL = (1 << 31) - 1


def came(stream, count):
    """Exactly so many bytes: more would be too many when a PING behind them was answered."""
    def step(c):
        has(stream, count)(c)
        noted(c)
        assert c.over or len(c.streams[stream].body) == count, (len(c.streams[stream].body), count)
    return step


# ---- what the server may send --------------------------------------------------------------------

because("9113 6.9.2")


def initial(size):
    """SETTINGS that leave stream 1 a window."""
    return settings((INITIAL_WINDOW, size)) + window_update(1, WINDOW_START)


NARROW = initial(0)
row("window: none, and then all of it", answers(3, 200), NARROW + get(3), begun(3), came(3, 0),
    window_update(3, 65535), body="GET /hello")
row("window: none, then bit by bit", answers(3, 200), NARROW + get(3), came(3, 0),
    window_update(3, 1), came(3, 1), window_update(3, 2), came(3, 3), window_update(3, 100),
    credits=False)
row("window: 1 byte for each of three", answers(3, 200) & answers(5, 200) & answers(7, 200),
    initial(1) + get(3) + get(5) + get(7), came(3, 1), came(5, 1), came(7, 1),
    window_update(5, 99), answered(5), window_update(3, 99) + window_update(7, 99), credits=False)
row("window: SETTINGS widen it", answers(3, 200), NARROW + get(3), came(3, 0),
    settings((INITIAL_WINDOW, 1)), came(3, 1), settings((INITIAL_WINDOW, 3)), came(3, 3),
    settings((INITIAL_WINDOW, 65535)), credits=False)
row("window: SETTINGS make it negative", answers(3, 200), initial(3) + get(3), came(3, 3),
    settings((INITIAL_WINDOW, 2)), noted, window_update(3, 1), came(3, 3), window_update(3, 2),
    came(3, 5), window_update(3, 100), credits=False)
row("window: SETTINGS make it very negative", answers(3, 200), get(3, "/big"),
    came(3, WINDOW_START), NARROW, noted, window_update(0, BIG) + window_update(3, WINDOW_START),
    came(3, WINDOW_START), window_update(3, 7), came(3, WINDOW_START + 7),
    settings((INITIAL_WINDOW, 1 << 20)), credits=False)
row("window: of the connection is used up", answers(3, 200), settings((INITIAL_WINDOW, 1 << 20))
    + get(3, "/big"), came(3, WINDOW_START), window_update(0, 1), came(3, WINDOW_START + 1),
    window_update(0, BIG), credits=False, apart=True)
row("window: of a stream is used up, others go on", begins(3) & answers(5, 200),
    window_update(0, ALL - WINDOW_START) + get(3, "/big"), came(3, WINDOW_START), get(5),
    answered(5), credits=False)
row("window: none for a session", session(3), NARROW + connect(3), begun(3),
    data(3, message(b"yo")), came(3, 0), window_update(3, 3), came(3, 3), window_update(3, 1),
    came(3, 4), echoes=True, credits=False)
row("window: none, and nothing is to be sent", answers(3, 204), NARROW + get(3, "/204"),
    answered(3))
row("window: none, and no body is owed", answers(3, 200), NARROW + get(3, method="HEAD"),
    answered(3))
row("window: as large as can be", answers(3, 200), settings((INITIAL_WINDOW, ALL))
    + window_update(0, ALL - WINDOW_START) + get(3, "/big"), credits=False)
row("window: a stream that waits is reset", nothing, NARROW + get(3, "/big"), begun(3), noted,
    lambda c: c.send(b"\0\0\4\3\0" + (3).to_bytes(4, "big") + b"\0\0\0\x08"),
    lambda c: c.streams.pop(3), settings((INITIAL_WINDOW, 65535)))

# ---- windows that overflow -----------------------------------------------------------------------

because("9113 6.9.1")
row("overflow: of the connection", dies(FLOW_CONTROL), window_update(0, ALL))
row("overflow: of the connection, by two", dies(FLOW_CONTROL), window_update(0, ALL - WINDOW_START)
    + window_update(0, 1), apart=True)
row("overflow: of the connection, not quite", nothing, window_update(0, ALL - WINDOW_START),
    apart=True)
row("overflow: of a stream", either(3, FLOW_CONTROL), post(3) + window_update(3, ALL))
row("overflow: of a stream, by two", either(3, FLOW_CONTROL), post(3)
    + window_update(3, ALL - WINDOW_START) + window_update(3, 1))
row("overflow: of a stream, not quite", nothing, post(3) + window_update(3, ALL - WINDOW_START))
row("overflow: of a session", resets(3, FLOW_CONTROL, status=200) | either(3, FLOW_CONTROL),
    connect(3), talk(3), window_update(3, ALL))
# Owed is the end of the connection; nghttp2 ends the stream.
row("overflow: by SETTINGS", either(3, FLOW_CONTROL), post(3) + window_update(3, ALL - WINDOW_START)
    + settings((INITIAL_WINDOW, 65536)), why="9113 6.9.2")
row("overflow: by SETTINGS, not quite", nothing, settings((INITIAL_WINDOW, 0)) + post(3)
    + window_update(3, ALL - 10) + settings((INITIAL_WINDOW, 10)), why="9113 6.9.2", echoes=False)

# ---- what the client may send --------------------------------------------------------------------

because("9113 6.9.1")


def stream_window(c):
    return c.settings.get(INITIAL_WINDOW, WINDOW_START)


def exceed(by):
    """All that the window of stream 3 has, and more. Nobody reads /paused."""
    def step(c):
        size = stream_window(c) + by
        for at in range(0, size, 8192):
            piece = bytes(min(8192, size - at))
            c.until(lambda: c.send_window >= len(piece))
            c.send(data(3, piece))
    return step


row("exceeded: of a stream, by 1", either(3, FLOW_CONTROL), post(3, "/paused"), noted, exceed(1),
    apart=True)
row("exceeded: of a stream, by much", either(3, FLOW_CONTROL), post(3, "/paused"), noted,
    exceed(65536), apart=True)
row("exceeded: of a stream, not quite", nothing, post(3, "/paused"), noted, exceed(0), apart=True)
row("exceeded: another's is its own", answers(5, 200), post(3, "/paused"), noted, exceed(0), post(5)
    + data(5, b"abc", END_STREAM), apart=True, body="[abc]")
because("9113 6.9")
row("credit: comes back for what is taken", answers(3, 200), post(3),
    lambda c: c.upload(3, b"x" * 99999), data(3, b"", END_STREAM), apart=True)
row("credit: comes back for a mirror", answers(3, 200), post(3, "/mirror"),
    lambda c: c.upload(3, b"x" * 99999), data(3, b"", END_STREAM), apart=True)
row("credit: comes back for padding", answers(3, 200), post(3),
    lambda c: c.upload(3, b"x" * 1500, size=1, padding=254), data(3, b"", END_STREAM), apart=True,
    flood=True, body="[" + "x" * 64)
row("credit: comes back for a body that nobody wants", answers(5, 200), post(3, "/nowhere"),
    answered(3), lambda c: c.send(b"".join(data(3, bytes(8192)) for _ in range(4))),
    lambda c: c.streams.pop(3), get(5), apart=True)


def unwanted(c):
    """Bodies of requests that were refused, more than the connection's window at once holds."""
    for number in range(3, 83, 2):
        c.send(post(number, "/nowhere"))
        c.until(lambda: c.send_window >= 16384)
        c.send(data(number, bytes(16384)))
        answered(number)(c)
        c.streams.pop(number)


row("credit: comes back for many bodies that nobody wants", nothing, unwanted, apart=True)


def reset_bodies(c):
    """The same with streams that are reset by the client."""
    for number in range(3, 63, 2):
        c.until(lambda: c.send_window >= 16384)
        c.send(post(number, "/paused") + data(number, bytes(16384)) + b"\0\0\4\3\0"
            + number.to_bytes(4, "big") + b"\0\0\0\x08")
        c.streams.pop(number)


row("credit: comes back for streams that are reset", nothing, reset_bodies, apart=True)
row("credit: comes back for a session", begins(3), connect(3), talk(3),
    lambda c: [c.upload(3, message(b"x" * 100)) for _ in range(2000)], has(3, 4 + 102 * 2000),
    apart=True, flood=True)
assert begins
