# SPDX-License-Identifier: Apache-2.0
"""The rows of what a request says. See h2_owed.py."""
from h2_owed import answered, answers, because, begun, malformed, nothing, noted, resets, row
from h2_wire import (END_HEADERS, END_STREAM, NO_ERROR, PROTOCOL, block, data, get, head, headers,
    literal, post, split)


def asks(fields, stream=3):
    return headers(stream, fields)


# ---- names and values ----------------------------------------------------------------------------

because("9113 8.2.1")
for name, field in {"a capital letter": ("A", "b"), "a capital letter within": ("x-Abc", "b"),
        "no bytes": ("", "b"), "a space": ("a b", "c"), "a space at the end": ("a ", "c"),
        "a tab": ("a\tb", "c"), "NUL": ("a\0", "b"), "CR": ("a\r", "b"), "LF": ("a\nb", "c"),
        "DEL": ("a\x7f", "b"), "a byte above ASCII": ("\xe9", "b"), "a colon within": ("a:b", "c"),
        "a bracket": ("a(b)", "c")}.items():
    row(f"name: {name}", malformed(3), get(3, "/hello", field))
for name, value in {"NUL": "a\0b", "CR": "a\rb", "LF": "a\nb", "CR LF and a field": "a\r\nb: c",
        "a space before": " a", "a space behind": "a ", "a tab before": "\ta",
        "a tab behind": "a\t", "a space only": " "}.items():
    row(f"value: {name}", malformed(3), get(3, "/hello", ("a", value)))
for name, value in {"DEL": "a\x7fb", "a control byte": "a\x01b"}.items():  # RFC 9110 5.5: may be rejected
    row(f"value: {name}", malformed(3) | answers(3, 200), get(3, "/hello", ("a", value)),
        why="9110 5.5")
for name, value in {"obs-text": "\xe9\xff", "a tab within": "a\tb", "nothing": "",
        "a colon": "a:b"}.items():
    row(f"value: {name}", answers(3, 200), get(3, "/hello", ("a", value)))
row("name: every token byte", answers(3, 200), get(3, "/hello", ("!#$%&'*+-.^_`|~09az", "x")))
because("9113 8.2.2")
for field in (("connection", "close"), ("connection", "keep-alive"), ("keep-alive", "timeout=5"),
        ("proxy-connection", "keep-alive"), ("transfer-encoding", "chunked"),
        ("transfer-encoding", "gzip"), ("upgrade", "websocket"), ("te", "gzip"),
        ("te", "trailers, gzip"), ("te", "")):
    row(f"hop: {field[0]}: {field[1]}", malformed(3), get(3, "/hello", field))
row("hop: te: trailers", answers(3, 200), get(3, "/hello", ("te", "trailers")))
row("hop: te: Trailers", answers(3, 200) | malformed(3), get(3, "/hello", ("te", "Trailers")))
row("hop: http2-settings", answers(3, 200) | malformed(3),
    get(3, "/hello", ("http2-settings", "AAMAAABk")), why="9113 3.1")
row("hop: connection in trailers", malformed(3), post(3) + data(3, b"abc")
    + headers(3, literal("connection", "close")))
row("cookie: in crumbs", answers(3, 200), get(3, "/hello", ("cookie", "a=b"), ("cookie", "c=d")),
    why="9113 8.2.3")

# ---- pseudo-header fields ------------------------------------------------------------------------

because("9113 8.3")
row("pseudo: behind a field", malformed(3), asks(block(("a", "b")) + head()))
row("pseudo: the last behind a field", malformed(3), asks(head(None, ("a", "b"),
    (":path", "/hello"))))
row("pseudo: an unknown one", malformed(3), asks(head(first=[(":foo", "bar")])))
row("pseudo: one without a name", malformed(3), asks(head(first=[(":", "bar")])))
row("pseudo: :status", malformed(3), asks(head(first=[(":status", "200")])))
row("pseudo: a capital letter", malformed(3), asks(head(None, first=[(":Path", "/hello")])))
for name, value in {":method": "GET", ":scheme": "https", ":path": "/hello",
        ":authority": "localhost"}.items():
    row(f"pseudo: {name} twice", malformed(3), asks(head(first=[(name, value)])))
row("pseudo: in any order", answers(3, 200), asks(block((":path", "/hello"),
    (":authority", "localhost"), (":scheme", "http"), (":method", "GET"))))
because("9113 8.3.1")
row("pseudo: none", malformed(3), asks(block(("a", "b"))))
row("pseudo: none, and no field", malformed(3), asks(b""))
row("pseudo: no :method", malformed(3), asks(head(method=None)))
row("pseudo: no :scheme", malformed(3), asks(head(scheme=None)))
row("pseudo: no :path", malformed(3), asks(head(None)))
row("pseudo: :method is empty", malformed(3), get(3, method=""))
row("pseudo: :method is no token", malformed(3), get(3, method="G@T"))
row("pseudo: :method has a space", malformed(3), get(3, method="GET /x"))
row("pseudo: :scheme is empty", malformed(3), get(3, scheme=""))
row("pseudo: :scheme is none", malformed(3), get(3, scheme="ht tp"))
row("pseudo: :scheme of something else", answers(3, 200, 400, 421) | malformed(3),
    get(3, scheme="ftp"))
row("pseudo: :path is empty", malformed(3), get(3, ""))
for name, path in {"no slash": "hello", "an authority": "x:80", "a whole URL": "http://x/hello",
        "a star for GET": "*", "a query only": "?q"}.items():
    row(f"path: {name}", malformed(3), get(3, path))
for name, path in {"a space": "/hel lo", "NUL": "/hel\0lo", "DEL": "/hel\x7flo",
        "CR LF": "/hello\r\nA: b", "a byte above ASCII": "/hel\xe9lo", "a fragment": "/hello#top",
        "a tab": "/hello\t"}.items():
    row(f"path: {name}", malformed(3), get(3, path))
because("3986 2.1")
for name, path in {"a bad escape": "/hello%zz", "%00": "/hello%00",
        "dot segments": "/u/1/../../hello", "encoded dot segments": "/u/1/%2e%2e/x"}.items():
    row(f"path: {name}", answers(3, 400), get(3, path))
row("path: %68ello", answers(3, 200), get(3, "/%68ello"), body="GET /hello?")
row("path: with a query", answers(3, 200), get(3, "/hello?a=b&c"), body="/hello?a=b&c ")
row("path: nothing is there", answers(3, 404), get(3, "/nowhere"))
row("path: as long as allowed", answers(3, 200), get(3, "/u/1/" + "a" * (1024 - 5)))
row("path: too long", answers(3, 414), get(3, "/u/1/" + "a" * (1024 - 4)), why="9110 15.5.15")
because("9113 8.3.1")
row("authority: Host instead", answers(3, 200), get(3, "/hello", ("host", "localhost"),
    authority=None))
row("authority: none, and no Host", malformed(3), get(3, authority=None))
row("authority: the same Host", answers(3, 200), get(3, "/hello", ("host", "localhost")))
row("authority: the same Host in capitals", answers(3, 200),
    get(3, "/hello", ("host", "LOCALHOST")))
row("authority: another Host", malformed(3), get(3, "/hello", ("host", "elsewhere")))
row("authority: another port of Host", malformed(3), get(3, "/hello", ("host", "localhost:81"),
    authority="localhost:82"))
row("authority: two Hosts", malformed(3), get(3, "/hello", ("host", "localhost"),
    ("host", "localhost"), authority=None))
row("authority: an empty Host", malformed(3), get(3, "/hello", ("host", ""), authority=None))
row("authority: is empty", malformed(3), get(3, authority=""))
for name, authority in {"blanks": "a b", "a user": "a@x", "a path": "x/y", "a bad port": "x:8o",
        "a port too large": "x:99999", "an open bracket": "[::1", "a backslash": "x\\y",
        "a bad escape": "%zz", "obs-text": "\xe9", "no name, but a port": ":80"}.items():
    row(f"authority: {name}", malformed(3), get(3, authority=authority))
for name, authority in {"a port": "x:80", "IPv6": "[::1]:80", "capitals": "LocalHost"}.items():
    row(f"authority: {name}", answers(3, 200), get(3, authority=authority))

# ---- methods -------------------------------------------------------------------------------------

because("9110 9")
row("method: HEAD", answers(3, 200, body=b""), get(3, method="HEAD"))
row("method: unknown", answers(3, 405), get(3, method="BREW"),
    fields={"allow": "GET, HEAD, POST, OPTIONS"})
row("method: in small letters", answers(3, 405), get(3, method="get"))
row("method: of a route's own", answers(3, 200), get(3, "/odd", method="BREW"))
row("method: OPTIONS *", answers(3, 204), get(3, "*", method="OPTIONS"), why="9113 8.3.1")
row("method: OPTIONS of a path", answers(3, 204), get(3, "/post", method="OPTIONS"),
    fields={"allow": "POST, OPTIONS"})
row("method: TRACE", answers(3, 405), get(3, "/any", method="TRACE"))
row("method: PRI", answers(3, 405) | malformed(3), get(3, method="PRI"))
row("method: 33 bytes", answers(3, 400, 405) | malformed(3), get(3, method="M" * 33))
row("method: a WebSocket's, by GET", answers(3, 400, 405, 426), get(3, "/ws"),
    fields={"upgrade": None, "connection": None}, why="9113 8.6")

# ---- sizes ---------------------------------------------------------------------------------------

because("6585 5")
row("size: 64 fields", answers(3, 200), get(3, "/hello", *[(f"a{i}", "x") for i in range(60)]))
row("size: too many fields", answers(3, 431), get(3, "/hello",
    *[(f"a{i}", "x") for i in range(100)]))
row("size: a large head", answers(3, 200), get(3, "/hello", ("a", "x" * 7500)))
row("size: too large a head", answers(3, 431), get(3, "/hello", ("a", "x" * 9000)))
row("size: too large a head, in two frames", answers(3, 431),
    split(3, head("/hello", ("a", "x" * 20000)), 16000))
row("size: too large a head of many fields", answers(3, 431),
    split(3, head("/hello", *[("a", "x" * 400)] * 60), 16000))
row("size: too large a head of a session", answers(3, 431),
    headers(3, head("/ws", ("sec-websocket-version", "13"), ("a", "x" * 9000), method="CONNECT",
    protocol="websocket"), END_HEADERS))
row("size: too large a head with a body", answers(3, 431), post(3, "/hello", ("a", "x" * 9000))
    + data(3, b"abc", END_STREAM))
row("size: too large trailers", answers(3, 200, 431, 400) | resets(3, PROTOCOL, 11), post(3)
    + data(3, b"abc") + headers(3, literal("a", "x" * 9000)))

# ---- content -------------------------------------------------------------------------------------

because("9113 8.1.1")


def length(value, *pieces, path="/hello", end=True):
    frames = [data(3, piece, END_STREAM if end and i == len(pieces) - 1 else 0) for i,
        piece in enumerate(pieces)]
    fields = head(path, ("content-length", value), method="POST")
    return headers(3, fields, END_HEADERS | (0 if pieces else END_STREAM)) + b"".join(frames)


row("length: as it is", answers(3, 200), length("3", b"abc"), body="[abc]")
row("length: of two pieces", answers(3, 200), length("6", b"abc", b"def"), body="[abcdef]")
row("length: 0", answers(3, 200), length("0"), body="[]")
row("length: 0, and an empty DATA", answers(3, 200), length("0", b""), body="[]")
row("length: of padded pieces", answers(3, 200), headers(3,
    head("/hello", ("content-length", "3"), method="POST"), END_HEADERS) + b"\0\0\x09\0\x09"
    + (3).to_bytes(4, "big") + b"\5abc" + bytes(5), body="[abc]")
for name, sent in {"too long": ("5", b"abc"), "too long of nothing": ("5",),
        "too long of an empty DATA": ("5", b""), "too short": ("3", b"abcd"),
        "too short in the second piece": ("4", b"abc", b"de"),
        "0 of something": ("0", b"abc")}.items():
    row(f"length: {name}", malformed(3), length(*sent))
row("length: too short before the end", malformed(3), length("3", b"abcd", end=False))
row("length: too long, with trailers", malformed(3), length("5", b"abc", end=False)
    + headers(3, literal("a", "b")))
row("length: too long for a mirror", resets(3, PROTOCOL) | resets(3, PROTOCOL, status=200)
    | malformed(3), length("5", b"abc", path="/mirror"))
row("length: too short for a mirror", resets(3, PROTOCOL) | resets(3, PROTOCOL, status=200)
    | malformed(3), length("3", b"abcd", path="/mirror"))
for value in ("+5", "-1", "0x5", "5 5", "five", "", "5.0", "9" * 60):
    row(f"length: {value[:9]!r}", malformed(3), length(value, b"abcde"), why="9110 8.6")
row("length: '5, 5'", malformed(3) | answers(3, 200), length("5, 5", b"abcde"), why="9110 8.6")
row("length: two that differ", malformed(3), headers(3,
    head("/hello", ("content-length", "5"), ("content-length", "6"), method="POST"), END_HEADERS)
    + data(3, b"abcde", END_STREAM))
row("length: two that are equal", malformed(3) | answers(3, 200),
    headers(3, head("/hello", ("content-length", "5"), ("content-length", "5"), method="POST"),
    END_HEADERS) + data(3, b"abcde", END_STREAM), why="9110 8.6")
row("length: of a GET with a body", answers(3, 200), headers(3,
    head("/hello", ("content-length", "3")), END_HEADERS) + data(3, b"abc", END_STREAM))
row("length: a GET with a body of none", answers(3, 200), headers(3, head("/hello"), END_HEADERS)
    + data(3, b"abc", END_STREAM))
row("length: a HEAD with a body", answers(3, 200), headers(3, head("/hello", method="HEAD"),
    END_HEADERS) + data(3, b"abc", END_STREAM))
row("length: a GET that is malformed by it", malformed(3),
    headers(3, head("/hello", ("content-length", "5")), END_HEADERS) + data(3, b"abc", END_STREAM))
because("9110 15.5.14")
row("length: more than is taken", answers(3, 413), length("100001", b"x", end=False))
row("length: much more than is taken", answers(3, 413),
    length("9223372036854775807", b"x", end=False))


def too_much(c):
    c.upload(3, b"x" * 100001)
    answered(3)(c)


row("length: none, and too much comes", answers(3, 413), post(3), too_much, apart=True)
because("9110 10.1.1")
row("expect: 100-continue", answers(3, 200), post(3, "/hello", ("expect", "100-continue")), noted,
    data(3, b"abc", END_STREAM), body="[abc]")
row("expect: something else", answers(3, 417), post(3, "/hello", ("expect", "tea")), begun(3))
because("9113 8.1")
row("trailers: a pseudo-header field", malformed(3), post(3) + data(3, b"abc")
    + headers(3, literal(":path", "/x")))
row("trailers: :status", malformed(3), post(3) + data(3, b"abc")
    + headers(3, literal(":status", "200")))
row("trailers: a pseudo-header field behind a field", malformed(3), post(3) + data(3, b"abc")
    + headers(3, literal("a", "b") + literal(":path", "/x")))
row("trailers: a capital letter", malformed(3), post(3) + data(3, b"abc")
    + headers(3, literal("A", "b")))
row("trailers: NUL in a value", malformed(3), post(3) + data(3, b"abc")
    + headers(3, literal("a", "b\0")))
row("trailers: content-length", answers(3, 200) | malformed(3), post(3) + data(3, b"abc")
    + headers(3, literal("content-length", "9")))
row("trailers: a mirror with bad ones", malformed(3) | resets(3, PROTOCOL, status=200),
    post(3, "/mirror") + data(3, b"abc") + headers(3, literal("A", "b")))
assert nothing and NO_ERROR == 0
