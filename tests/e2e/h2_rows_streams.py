# SPDX-License-Identifier: Apache-2.0
"""The rows of the states of streams, and of their numbers. See h2_owed.py."""
from h2_owed import (STREAMS_EACH, answered, answers, because, begins, begun, dies, either, nothing,
    noted, resets, row, session, talk)
from h2_wire import (CANCEL, CONTINUATION, END_HEADERS, END_STREAM, NO_ERROR, PADDED, PROTOCOL,
    REFUSED, STREAM_CLOSED, connect, data, frame, get, head, headers, literal, message, padded,
    post, reset, split, window_update)

# ---- idle ----------------------------------------------------------------------------------------

because("9113 5.1")
row("idle: DATA", dies(PROTOCOL), data(3, b"x"))
row("idle: DATA that ends", dies(PROTOCOL), data(3, b"", END_STREAM))
row("idle: DATA of a stream of the server's", dies(PROTOCOL), data(2, b"x"))
row("idle: padded DATA", dies(PROTOCOL), data(3, padded(b"x", 9), PADDED))

# ---- half-closed by the client -------------------------------------------------------------------

row("half-closed: DATA", either(3, STREAM_CLOSED), get(3, "/never") + data(3, b"x"))
row("half-closed: DATA that ends", either(3, STREAM_CLOSED), get(3, "/never")
    + data(3, b"", END_STREAM))
row("half-closed: HEADERS", either(3, STREAM_CLOSED), get(3, "/never") + get(3))
row("half-closed: HEADERS in two", either(3, STREAM_CLOSED), get(3, "/never")
    + split(3, head(), 20))
row("half-closed: CONTINUATION", dies(STREAM_CLOSED, PROTOCOL), get(3, "/never")
    + frame(CONTINUATION, END_HEADERS, 3, head()))
row("half-closed: trailers", either(3, STREAM_CLOSED), get(3, "/never")
    + headers(3, literal("a", "b")))
row("half-closed: WINDOW_UPDATE and RST_STREAM", nothing,
    get(3, "/never") + window_update(3, 5) + reset(3))
row("half-closed: behind a body, DATA", either(3, STREAM_CLOSED),
    post(3, "/never") + data(3, b"abc", END_STREAM) + data(3, b"x"))

# ---- closed --------------------------------------------------------------------------------------

both_ended = answers(3, 200) | resets(3, STREAM_CLOSED, status=200) | dies(STREAM_CLOSED)
row("closed: DATA behind both ends", both_ended, get(3), answered(3), data(3, b"x"))
row("closed: DATA that ends behind both ends", both_ended, get(3), answered(3),
    data(3, b"", END_STREAM))
# RFC 9113 5.1 lets HEADERS of a closed stream be (MAY), as nghttp2 does
row("closed: HEADERS behind both ends", both_ended | dies(PROTOCOL),
    get(3), answered(3), get(3))
row("closed: HEADERS in two behind both ends", both_ended | dies(PROTOCOL),
    get(3), answered(3), split(3, head(), 20))
row("closed: CONTINUATION behind both ends", dies(STREAM_CLOSED, PROTOCOL), get(3), answered(3),
    frame(CONTINUATION, END_HEADERS, 3, head()))
row("closed: CONTINUATION behind a reset", dies(STREAM_CLOSED, PROTOCOL), post(3) + reset(3)
    + frame(CONTINUATION, END_HEADERS, 3, head()))
row("closed: DATA behind a reset", nothing | either(3, STREAM_CLOSED), post(3) + reset(3)
    + data(3, b"x"))
row("closed: DATA behind a reset, long after", nothing | either(3, STREAM_CLOSED), post(3)
    + reset(3), noted, data(3, b"x"))
row("closed: HEADERS behind a reset", nothing | either(3, STREAM_CLOSED) | dies(PROTOCOL), post(3)
    + reset(3) + get(3))
row("closed: trailers behind a reset", nothing | either(3, STREAM_CLOSED) | dies(PROTOCOL),
    post(3) + reset(3), noted, headers(3, literal("a", "b")))
row("closed: the rest of a body whose request was refused", answers(3, 404),
    post(3, "/nowhere") + data(3, b"abc") + data(3, b"abc", END_STREAM))
row("closed: the rest of a body, behind the refusal", answers(3, 404)
    | resets(3, STREAM_CLOSED, status=404), post(3, "/nowhere") + data(3, b"abc"), begun(3), noted,
    data(3, b"abc") + data(3, b"", END_STREAM))
row("closed: DATA on its way when the server resets", resets(3, PROTOCOL),
    headers(3, head("/hello", ("A", "b"), method="POST"), END_HEADERS) + data(3, b"abc"), noted,
    data(3, b"abc") + data(3, b"", END_STREAM))
row("closed: trailers on their way when the server resets", resets(3, PROTOCOL),
    headers(3, head("/hello", ("A", "b"), method="POST"), END_HEADERS), noted,
    headers(3, literal("a", "b")))
row("closed: a handler that aborts", resets(3, CANCEL, 2), get(3, "/cut"))
row("closed: a handler that aborts a begun answer", resets(3, CANCEL, 2, status=200),
    get(3, "/torn"))

# ---- numbers -------------------------------------------------------------------------------------

because("9113 5.1.1")
row("number: even", dies(PROTOCOL), get(2))
row("number: large and even", dies(PROTOCOL), get(0x7ffffffe))
# Owed is the end of the connection. nghttp2 lets them be, since it cannot tell them from those of a stream
# that it has reset and forgotten.
row("number: less than one before", (nothing | resets(5, STREAM_CLOSED)) & answers(9, 200)
    | dies(PROTOCOL, STREAM_CLOSED), get(9), answered(9), get(5))
row("number: less than one before, which is open", (nothing | resets(5, STREAM_CLOSED))
    & answers(9, 201) | dies(PROTOCOL, STREAM_CLOSED), get(9, "/late") + get(5))
row("number: the same again while it is open", either(3, PROTOCOL, STREAM_CLOSED), post(3)
    + post(3))
row("number: gaps", answers(3, 200) & answers(33, 200) & answers(3333, 200), get(3) + get(33)
    + get(3333))
row("number: the largest", answers(0x7fffffff, 200), get(0x7fffffff), answered(0x7fffffff),
    probe=False)
row("number: none is left", (nothing | resets(3, STREAM_CLOSED)) & answers(0x7fffffff, 200)
    | dies(PROTOCOL, STREAM_CLOSED), get(0x7fffffff), answered(0x7fffffff), get(3), probe=False)
row("number: DATA of one that was skipped", dies(PROTOCOL, STREAM_CLOSED) | answers(9, 200)
    & (resets(5, STREAM_CLOSED) | nothing), get(9), answered(9), data(5, b"x"))

# ---- how many ------------------------------------------------------------------------------------

because("9113 5.1.2")


def all_open(more_requests, more_sessions):
    """As many as are allowed are open, stream 1 is one of them; then some more. Requests may use
    the places of WebSockets."""
    def step(c):
        number = 3
        for count, more, opened in ((STREAMS_EACH, more_requests, lambda n: post(n, "/never")),
                                    (STREAMS_EACH - 1, more_sessions, connect)):
            numbers = range(number, number + 2 * (count + more), 2)
            c.send(b"".join(map(opened, numbers)))
            noted(c)
            number = numbers.stop
            good, extra = [c.streams.pop(n) for n in numbers[:count]], [c.streams.pop(n)
                for n in numbers[count:]]
            assert c.over or all(s.reset is None for s in good), [s.text() for s in good]
            allowed = (REFUSED, PROTOCOL) if opened is connect else (None, REFUSED, PROTOCOL)
            assert c.over or all(s.reset in allowed for s in extra), [s.text() for s in extra]
        if not c.over:
            c.send(b"".join(reset(n) for n in range(3, 2 * STREAMS_EACH, 2)))
    return step


row("many: as many as allowed", nothing, all_open(0, 0), apart=True)
row("many: one request too many", nothing | dies(PROTOCOL), all_open(1, 0), apart=True)
row("many: one WebSocket too many", nothing | dies(PROTOCOL), all_open(0, 1), apart=True)
row("many: ten of each too many", nothing | dies(PROTOCOL), all_open(10, 10), apart=True)


def one_for_another(c):
    """All that are allowed are open. In one piece, one is given up and the next begins."""
    first = 3
    for count, old, new in ((STREAMS_EACH, lambda n: post(n, "/never"), get),
            (STREAMS_EACH - 1, connect, connect)):
        numbers = range(first, first + 2 * count, 2)
        c.send(b"".join(map(old, numbers)))
        noted(c)
        c.send(reset(first) + new(numbers.stop))
        begun(numbers.stop)(c)
        assert c.streams[numbers.stop].status == 200, c.streams[numbers.stop].text()
        first = numbers.stop + 2
    c.send(b"".join(reset(number) for number in c.streams if number > 1))
    for number in [number for number in c.streams if number > 1]:
        del c.streams[number]


row("many: one is given up and the next begins at once", nothing, one_for_another, apart=True)


def again(c):
    for number in range(3, 1003, 2):
        c.send(get(number))
        answered(number)(c)
        assert c.streams.pop(number).status == 200, number


row("many: five hundred, one by one", nothing, again, flood=True)


def at_once(c):
    """Never more than are allowed."""
    numbers = [3 + 2 * i for i in range(STREAMS_EACH)]
    c.send(b"".join(get(number, f"/hello?{number}.") for number in numbers))
    answered(*numbers)(c)
    for number in numbers:
        assert b"?%d." % number in c.streams.pop(number).body, number


row("many: at once", nothing, at_once, apart=True)

# ---- ends ----------------------------------------------------------------------------------------

because("9113 8.1")
row("end: with HEADERS of a POST", answers(3, 200), headers(3, head(method="POST")), body="[]")
row("end: with trailers", answers(3, 200), post(3) + data(3, b"abc")
    + headers(3, literal("a", "b")), body="[abc]")
row("end: with trailers in two", answers(3, 200), post(3) + data(3, b"abc")
    + split(3, literal("a", "b" * 50), 20), body="[abc]")
row("end: with trailers and no body", answers(3, 200), post(3) + headers(3, literal("a", "b")),
    body="[]")
row("end: with trailers that do not end", resets(3, PROTOCOL), post(3) + data(3, b"abc")
    + headers(3, literal("a", "b"), END_HEADERS))
row("end: of a body that a handler mirrors", answers(3, 200, body=b"abcdef"), post(3, "/mirror")
    + data(3, b"abc") + data(3, b"def", END_STREAM))
row("end: of a body that a handler mirrors, with trailers", answers(3, 200, body=b"abcdef"),
    post(3, "/mirror") + data(3, b"abc") + data(3, b"def") + headers(3, literal("a", "b")))
row("end: an answer begins before the body ends", begins(3, body=b"abc"), post(3, "/mirror")
    + data(3, b"abc"), lambda c: c.until(lambda: len(c.streams[3].body) == 3))
row("end: a refusal before the body ends", answers(3, 405), post(3, "/big") + data(3, b"abc"))
row("end: never of a body", nothing, post(3) + data(3, b"abc"))
row("end: of a session, between frames", answers(3, 200, body=b"\x81\x02yo")
    | resets(3, NO_ERROR, CANCEL, status=200), connect(3), talk(3), data(3, b"", END_STREAM),
    answered(3), why="8441 5")
row("end: of a session, with a frame", answers(3, 200, body=b"\x81\x02yo")
    | resets(3, NO_ERROR, CANCEL, status=200), connect(3), begun(3),
    data(3, message(b"yo"), END_STREAM), answered(3), why="8441 5")
row("end: of a session, within a frame", answers(3, 200)
    | resets(3, NO_ERROR, CANCEL, PROTOCOL, status=200), connect(3), begun(3),
    data(3, message(b"yoyo")[:5], END_STREAM), answered(3), why="8441 5")
row("end: a session that was reset, beside another", session(5),
    connect(3) + connect(5), begun(3), reset(3), talk(5), lambda c: c.streams.pop(3), why="8441 5")
