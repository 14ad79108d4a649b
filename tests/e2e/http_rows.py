# SPDX-License-Identifier: Apache-2.0
"""Hostile and odd requests, and what RFC 9110, 9112, 3986 and 6455 owe them. See http_hostile.py.

row(name, bytes, statuses in order, end): `end` is what becomes of the connection:
  OPEN   it takes the next request
  ENDS   the server ends it in order: no reset, nothing more is answered
  WAITS  nothing is owed yet: the request is not whole, or its answer is not due
  CUT    the server breaks it, so that the client sees that the answer is not whole
A status "HEAD 200" has no body. Options: headers={index: {name: value}}, None for one that is not
there; body={index: text within it}; shut=True: the client ends its half behind the last byte;
continues=True: asks to be told to go on, None: may be told; frame=True: the frame "hi" is echoed
after 101; begins=200: such an answer is begun and not ended; unannounced=True: nothing says before
that the connection ends, since that was not known; why: the section of the RFC, "9112"
alone where none is named; because(why) sets that of the rows below it."""
import dataclasses

OPEN, ENDS, WAITS, CUT = "open", "ends", "waits", "cut"
ROWS = []
KEY = "dGhlIHNhbXBsZSBub25jZQ=="


@dataclasses.dataclass
class Row:
    name: str
    data: bytes
    statuses: list
    end: str
    why: str
    headers: dict = dataclasses.field(default_factory=dict)
    body: dict = dataclasses.field(default_factory=dict)
    shut: bool = False
    continues: bool = False
    frame: bool = False
    begins: int = 0
    unannounced: bool = False
    may_lose: bool = False  # the answers before it: http_hostile.py's

    def replace(self, **changes):
        return dataclasses.replace(self, **changes)

    def difference(self, other):
        return {name: value for name, value in vars(other).items() if getattr(self, name) != value}


reasons = ["9112"]


def because(why):
    reasons.append(why)


def row(name, data, statuses, end, why=None, **options):
    data = data.encode("latin1") if isinstance(data, str) else data
    assert name not in (known.name for known in ROWS), name
    ROWS.append(Row(name, data, statuses, end, why or reasons[-1], **options))


def get(path="/hello", *fields, version="1.1", method="GET", host="Host: x"):
    lines = [f"{method} {path} HTTP/{version}", *([host] if host else []), *fields]
    return "\r\n".join(lines) + "\r\n\r\n"


def post(path, body, *fields, **options):
    return get(path, f"Content-Length: {len(body)}", *fields, method="POST", **options) + body


def chunked(path, body, *fields, **options):
    return get(path, "Transfer-Encoding: chunked", *fields, method="POST", **options) + body


def upgrade(path="/ws", *fields, without="", method="GET", version="1.1", **changed):
    given = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
             "Sec-WebSocket-Key": KEY}
    given.update({name.replace("_", "-"): value for name, value in changed.items()})
    lines = [f"{name}: {value}" for name, value in given.items() if name != without]
    return get(path, *lines, *fields, method=method, version=version)


def hello(tag):
    """A legal request, to follow another: when it is answered, its tag is in the body."""
    return get(f"/hello?{tag}")


NEXT = hello("next")
FRAME = "\x81\x82\x00\x00\x00\x00hi"
CLOSE = {"Connection": "close"}
KEPT = {"Connection": None}


# ---- request lines -------------------------------------------------------------------------------

because("9112 3")
def bad_line(name, line, status=400):
    row("line: " + name, line + "\r\nHost: x\r\n\r\n" + NEXT, [status], ENDS, headers={0: CLOSE})


bad_line("only a method", "GET")
bad_line("no version (HTTP/0.9)", "GET /hello")
bad_line("two spaces before the target", "GET  /hello HTTP/1.1")
bad_line("two spaces before the version", "GET /hello  HTTP/1.1")
bad_line("a tab for a space", "GET\t/hello HTTP/1.1")
bad_line("a space before the method", " GET /hello HTTP/1.1")
bad_line("a space behind the version", "GET /hello HTTP/1.1 ")
bad_line("a space within the target", "GET /hel lo HTTP/1.1")
bad_line("a word behind the version", "GET /hello HTTP/1.1 x")
bad_line("an empty target", "GET  HTTP/1.1")
bad_line("no token as a method", "G@T /hello HTTP/1.1")
bad_line("an empty method", " /hello HTTP/1.1")
bad_line("a method of 33 bytes", "M" * 33 + " /hello HTTP/1.1")
bad_line("a method of 5,000 bytes", "M" * 5000 + " /hello HTTP/1.1")
bad_line("a version in small letters", "GET /hello http/1.1")
bad_line("a version with a comma", "GET /hello HTTP/1,1")
bad_line("a version without a minor", "GET /hello HTTP/1")
bad_line("a version of four digits", "GET /hello HTTP/1.10")
bad_line("another protocol", "GET /hello HTTQ/1.1")
bad_line("version 2.0", "GET /hello HTTP/2.0", 505)
bad_line("version 0.9", "GET /hello HTTP/0.9", 505)
bad_line("version 1.2", "GET /hello HTTP/1.2", 505)  # stricter than 9110 2.5: nobody sends it
bad_line("version 3.1", "GET /hello HTTP/3.1", 505)
bad_line("NUL in the target", "GET /hel\0lo HTTP/1.1")
bad_line("DEL in the target", "GET /hel\x7flo HTTP/1.1")
bad_line("a byte above ASCII in the target", "GET /hel\xe9lo HTTP/1.1")
bad_line("a bare CR in the target", "GET /hel\rlo HTTP/1.1")
bad_line("a fragment", "GET /hello#top HTTP/1.1")
bad_line("no slash", "GET hello HTTP/1.1")
bad_line("the prior knowledge preface of HTTP/2, broken", "PRI * HTTP/1.1")
bad_line("a TLS ClientHello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
row("line: ended by a bare LF", "GET /hello HTTP/1.1\nHost: x\r\n\r\n" + NEXT, [400], ENDS)
row("line: all ended by bare LF", "GET /hello HTTP/1.1\nHost: x\n\n" + NEXT, [400], ENDS)
because("9110 9.1")
row("line: an unknown method", get("/hello", method="BREW") + NEXT, [405, 200], OPEN,
    headers={0: {"Allow": "GET, HEAD, POST, OPTIONS", **KEPT}}, body={1: "?next"})
row("line: a method in small letters", get("/hello", method="get") + NEXT, [405, 200], OPEN)
row("line: a method of 32 bytes", get("/hello", method="M" * 32) + NEXT, [405, 200], OPEN)
row("line: a method of a route's own", get("/odd", method="BREW"), [200], OPEN)
row("line: TRACE", get("/any", "Cookie: secret", method="TRACE") + NEXT, [405, 200], OPEN)
row("line: DELETE where any is served", get("/any", method="DELETE"), [200], OPEN,
    body={0: "DELETE /any"})
because("9112 3")
row("line: the target is as long as allowed", get("/u/1/" + "a" * (1024 - 5)), [200], OPEN)
row("line: the target is too long", get("/u/1/" + "a" * (1024 - 4)) + NEXT, [414], ENDS)

# ---- targets -------------------------------------------------------------------------------------

because("9112 3.2")
row("target: absolute", get("http://x/hello?abs"), [200], OPEN, body={0: "/hello?abs"})
row("target: absolute, https", get("https://x/hello"), [200], OPEN)
row("target: absolute, capitals", get("HTTP://X/hello"), [200], OPEN)
row("target: absolute, port", get("http://x:8080/hello"), [200], OPEN)
row("target: absolute, IPv6", get("http://[::1]:80/hello"), [200], OPEN)
row("target: absolute wins over Host", get("http://y/hello", host="Host: x"), [200], OPEN)
row("target: absolute without Host", get("http://x/hello", host=None) + NEXT, [400], ENDS)
row("target: absolute without a path", get("http://x") + NEXT, [404, 200], OPEN)
row("target: absolute with a query only", get("http://x?q") + NEXT, [404, 200], OPEN)
row("target: absolute with a user", get("http://a@x/hello") + NEXT, [400], ENDS)
row("target: absolute without a host", get("http:///hello") + NEXT, [400], ENDS)
row("target: absolute of another scheme", get("ftp://x/hello") + NEXT, [400], ENDS)
row("target: authority for GET", get("x:80") + NEXT, [400], ENDS)
row("target: CONNECT", get("x:80", method="CONNECT") + NEXT, [405], ENDS)
row("target: CONNECT to a path", get("/hello", method="CONNECT") + NEXT, [405], ENDS)
because("9110 9.3.7")
row("target: OPTIONS *", get("*", method="OPTIONS"), [204], OPEN,
    headers={0: {"Content-Length": None, "Transfer-Encoding": None}})
row("target: GET *", get("*") + NEXT, [400], ENDS)
row("target: OPTIONS of a path", get("/post", method="OPTIONS"), [204], OPEN,
    headers={0: {"Allow": "POST, OPTIONS"}})
row("target: OPTIONS of nothing", get("/nowhere", method="OPTIONS"), [404], OPEN)
row("target: OPTIONS of a WebSocket", get("/ws", method="OPTIONS"), [204], OPEN)
row("target: OPTIONS with a body", get("/post", "Content-Length: 3", method="OPTIONS") + "abc" + NEXT,
    [204, 200], OPEN, body={1: "?next"})
because("3986 2.1")
row("target: %68ello", get("/%68ello"), [200], OPEN, body={0: "GET /hello?"})
row("target: %2F within a segment", get("/u/a%2Fb/c"), [200], OPEN)
row("target: %2F for a slash", get("/u%2Fa/c"), [404], OPEN)
for bad in ("%", "%2", "%zz", "%2x", "%u0041"):
    row(f"target: a bad escape {bad}", get("/hello" + bad) + NEXT, [400, 200], OPEN,
        body={1: "?next"})
row("target: a bad escape in the query is the application's", get("/hello?%zz"), [200], OPEN)
row("target: a slash too many", get("//hello"), [404], OPEN)

# ---- Host ----------------------------------------------------------------------------------------

because("9112 3.2")
for name, host in {
        "missing": None, "twice": "Host: x\r\nHost: x", "empty": "Host:", "blanks": "Host: a b",
        "a user": "Host: a@x", "a path": "Host: x/y", "two, by comma": "Host: x, y",
        "a bad port": "Host: x:8o", "a port too large": "Host: x:99999", "open bracket": "Host: [::1",
        "a backslash": "Host: x\\y", "a bad escape": "Host: %zz", "obs-text": "Host: \xe9",
        "a query": "Host: x?y", "no name, but a port": "Host: :80"}.items():
    row("host: " + name, get(host=host) + NEXT, [400], ENDS, headers={0: CLOSE})
for name, host in {"port": "Host: x:80", "an empty port": "Host: x:", "IPv6": "Host: [::1]:80",
                   "odd capitals": "hOsT: x", "no space": "Host:x", "an underscore": "Host: a_b"}.items():
    row("host: " + name, get(host=host), [200], OPEN)
because("9112 3.2")
row("host: HTTP/1.0 without", get(version="1.0", host=None), [200], ENDS)
row("host: HTTP/1.0, twice", get(version="1.0", host="Host: x\r\nHost: y"), [400], ENDS)
row("host: HEAD without", get(host=None, method="HEAD") + NEXT, ["HEAD 400"], ENDS)

# ---- fields --------------------------------------------------------------------------------------

because("9112 5")
for name, field in {
        "no colon": "broken", "an empty name": ": x", "a space before the colon": "A : x",
        "a tab before the colon": "A\t: x", "a space in the name": "A B: x", "folded": "A: x\r\n y",
        "folded by a tab": "A: x\r\n\ty", "a first line that is folded": " A: x", "NUL": "A: x\0y",
        "DEL": "A: x\x7fy", "a control byte": "A: x\x01y", "a bare LF": "A: x\ny: z",
        "a bare CR": "A: x\ry", "a name with NUL": "A\0: x", "a name in Latin-1": "\xe9: x",
        "a name with brackets": "A(b): x", "a bare CR as the line's end": "A: x\rB: y"}.items():
    row("field: " + name, get("/hello", field) + NEXT, [400], ENDS)
for name, field in {"obs-text": "A: \xe9\xff", "a tab": "A: x\ty", "an empty value": "A:",
                    "blanks only": "A: \t ", "every token byte": "!#$%&'*+-.^_`|~09azAZ: x",
                    "a colon in the value": "A: b:c"}.items():
    row("field: " + name, get("/hello", field), [200], OPEN)
because("9110 5.4")
row("field: 64 of them", get("/hello", *[f"A{i}: x" for i in range(63)]), [200], OPEN)
row("field: 65 of them", get("/hello", *[f"A{i}: x" for i in range(64)]) + NEXT, [431], ENDS)
HEAD_REST = 8192 - len(get("/hello", "A: "))
row("field: the head is as long as allowed", get("/hello", "A: " + "x" * HEAD_REST), [200], OPEN)
row("field: the head is one byte too long", get("/hello", "A: " + "x" * (HEAD_REST + 1)) + NEXT,
    [431], ENDS)
row("field: a head without an end", "GET /hello HTTP/1.1\r\nA: " + "x" * 9000, [431], ENDS)
row("field: a name without an end", "GET /hello HTTP/1.1\r\n" + "x" * 9000, [431], ENDS)
because("9112 2.2")
for count in (1, 2, 8):
    row(f"field: {count} empty lines before", "\r\n" * count + get(), [200], OPEN)
row("field: 9 empty lines before", "\r\n" * 9 + get() + NEXT, [400], ENDS)
row("field: an empty line of LF before", "\n" + get() + NEXT, [400], ENDS)
row("field: a CR without LF before", "\r" + get() + NEXT, [400], ENDS)
row("field: empty lines between requests", get() + "\r\n\r\n" + NEXT, [200, 200], OPEN)
row("field: empty lines behind a body", post("/hello", "abc") + "\r\n" + NEXT, [200, 200], OPEN)
because("3986 2.1")
for name, path in {"%00": "/hello%00", "an encoded line end": "/hello%0d%0aA:b", "DEL": "/u/a/%7f",
                   "dot segments": "/u/1/../../hello", "encoded dot segments": "/u/1/%2e%2e/%2E/x",
                   "a dot segment before %2F": "/u/1/..%2Fx"}.items():
    row("target: " + name, get(path) + NEXT, [400, 200], OPEN, body={1: "?next"})
row("target: %252e stays encoded", get("/u/1/%252e%252e/x"), [200], OPEN)
