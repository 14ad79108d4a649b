# SPDX-License-Identifier: Apache-2.0
"""The rows of bodies and pipelines. See http_rows.py."""
from http_rows import CLOSE, CUT, ENDS, KEPT, NEXT, OPEN, WAITS, because, chunked, get, hello, post, row

# ---- the length of a body ------------------------------------------------------------------------

because("9112 6.3")

def length(value, body="abcde"):
    return get("/hello", f"Content-Length: {value}", method="POST") + body


for value in ("+5", "-1", "-0", "0x5", "5, 5", "5,5", "5,", ",5", "5 5", "5.0", "1e1", "five", "", "5;",
              "\xb25", "9223372036854775808", "18446744073709551621", "9" * 60, "5\t5", "\"5\""):
    row(f"length: {value!r}", length(value) + NEXT, [400], ENDS, headers={0: CLOSE})
for value in ("05", "0" * 40 + "5", " \t5\t "):
    row(f"length: {value!r}", length(value) + NEXT, [200, 200], OPEN, body={0: "[abcde]"})
row("length: 0", length("0", "") + NEXT, [200, 200], OPEN)
row("length: two that are equal", length("5\r\nContent-Length: 5") + NEXT, [400], ENDS)
row("length: two that differ", length("5\r\nContent-Length: 6") + NEXT, [400], ENDS)
row("length: two, the second with other capitals", length("5\r\ncontent-length: 5") + NEXT, [400],
    ENDS)
row("length: of a GET", get("/hello", "Content-Length: 5") + "abcde" + NEXT, [200, 200], OPEN,
    body={0: "[abcde]", 1: "?next"})
row("length: of a HEAD", get("/hello", "Content-Length: 5", method="HEAD") + "abcde" + NEXT,
    ["HEAD 200", 200], OPEN)
row("length: none of a POST", get(method="POST") + NEXT, [200, 200], OPEN, body={0: "[]"})
because("9110 15.5.14")
row("length: as much as is taken", post("/hello", "x" * 100000) + NEXT, [200, 200], OPEN)
row("length: one more than is taken", post("/hello", "x" * 100001) + NEXT, [413], ENDS,
    headers={0: CLOSE})
row("length: much more than is taken", length("9223372036854775807", "x") + NEXT, [413], ENDS)
row("length: the body is a request", post("/hello", get("/hello?hidden")) + NEXT, [200, 200], OPEN,
    body={1: "?next"})

# ---- transfer codings ----------------------------------------------------------------------------

because("9112 6.1")

def coded(value, body="0\r\n\r\n", **options):
    return get("/hello", f"Transfer-Encoding: {value}", method="POST", **options) + body


for value in ("xchunked", "chunkedx", "gzip", "identity", "chunked, chunked", "chunked, gzip", "",
              "chunked;q=1", "\"chunked\"", "ch\xfcnked", "\x0bchunked", "chunk ed", "chunked\0"):
    row(f"coding: {value!r}", coded(value) + NEXT, [400], ENDS, headers={0: CLOSE})
row("coding: gzip, chunked", coded("gzip, chunked") + NEXT, [501], ENDS, headers={0: CLOSE})
for value in ("Chunked", " chunked", "\tchunked\t"):
    row(f"coding: {value!r}", coded(value, "3\r\nabc\r\n0\r\n\r\n") + NEXT, [200, 200], OPEN,
        body={0: "[abc]"})
row("coding: two fields", coded("chunked\r\nTransfer-Encoding: chunked") + NEXT, [400], ENDS)
row("coding: two fields, the last is chunked", coded("identity\r\nTransfer-Encoding: chunked") + NEXT,
    [400], ENDS)
row("coding: with a length", coded("chunked\r\nContent-Length: 5") + NEXT, [400], ENDS)
row("coding: behind a length", length("5\r\nTransfer-Encoding: chunked", "0\r\n\r\n") + NEXT, [400],
    ENDS)
row("coding: with a length of 0", coded("chunked\r\nContent-Length: 0") + NEXT, [400], ENDS)
row("coding: HTTP/1.0", coded("chunked", version="1.0") + NEXT, [400], ENDS)
row("coding: HTTP/1.0 kept alive",
    get("/hello", "Transfer-Encoding: chunked", "Connection: keep-alive", method="POST",
        version="1.0") + "0\r\n\r\n" + NEXT, [400], ENDS)
row("coding: a space before the colon",
    get("/hello", "Transfer-Encoding : chunked", method="POST") + NEXT, [400], ENDS)
row("coding: TE is not it", get("/hello", "TE: chunked, trailers"), [200], OPEN)

# ---- chunks --------------------------------------------------------------------------------------

because("9112 7.1")
for name, body in {
        "": "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", "capital digits": "A\r\n" + "x" * 10 + "\r\n0\r\n\r\n",
        "small digits": "a\r\n" + "x" * 10 + "\r\n0\r\n\r\n", "leading zeros": "003\r\nabc\r\n0\r\n\r\n",
        "16 digits": "0000000000000003\r\nabc\r\n0\r\n\r\n", "000": "3\r\nabc\r\n000\r\n\r\n",
        "an extension": "3;a=b\r\nabc\r\n0;c\r\n\r\n", "a quoted one": "3;a=\"b;c\"\r\nabc\r\n0\r\n\r\n",
        "blanks before one": "3 \t;a\r\nabc\r\n0\r\n\r\n", "the longest": None,
        "a trailer": "3\r\nabc\r\n0\r\nA: b\r\n\r\n", "an empty trailer": "3\r\nabc\r\n0\r\nA:\r\n\r\n",
        "a trailer that frames": "3\r\nabc\r\n0\r\nContent-Length: 99\r\n\r\n",
        "a trailer with obs-text": "0\r\nA: \xe9\r\n\r\n"}.items():
    body = body or "3;" + "e" * 100 + "\r\nabc\r\n0\r\n\r\n"
    row("chunk: legal " + name, chunked("/hello", body) + NEXT, [200, 200], OPEN, body={1: "?next"})
for name, body in {
        "no size": "\r\nabc\r\n0\r\n\r\n", "no hexadecimal digit": "g\r\nabc\r\n0\r\n\r\n",
        "a sign": "+3\r\nabc\r\n0\r\n\r\n", "a minus": "-3\r\nabc\r\n0\r\n\r\n",
        "0x": "0x3\r\nabc\r\n0\r\n\r\n", "a space before": " 3\r\nabc\r\n0\r\n\r\n",
        "a space behind": "3 \r\nabc\r\n0\r\n\r\n", "17 digits": "00000000000000003\r\nabc\r\n",
        "2^64 + 3": "10000000000000003\r\nabc\r\n0\r\n\r\n", "2^63": "8000000000000000\r\nabc",
        "ffffffffffffffff": "ffffffffffffffff\r\nabc", "a bare LF behind the size": "3\nabc\r\n0\r\n\r\n",
        "a bare CR behind the size": "3\rabc\r\n0\r\n\r\n", "an underscore": "0_3\r\nabc\r\n0\r\n\r\n",
        "no CRLF behind the data": "3\r\nabc0\r\n\r\n", "a bare LF behind the data": "3\r\nabc\n0\r\n\r\n",
        "more data than said": "3\r\nabcd\r\n0\r\n\r\n", "less data than said": "5\r\nabc\r\n0\r\n\r\n",
        "LF in an extension": "3;a\nb\r\nabc\r\n0\r\n\r\n", "CR in an extension": "3;a\rb\r\nabc\r\n",
        "NUL in an extension": "3;\0\r\nabc\r\n0\r\n\r\n", "LF in a quoted extension": "3;a=\"\n\"\r\nabc\r\n",
        "an extension too long": "3;" + "e" * 5000 + "\r\nabc\r\n0\r\n\r\n",
        "a trailer without a colon": "0\r\nbroken\r\n\r\n", "a trailer that is folded": "0\r\nA: b\r\n c\r\n\r\n",
        "a space before a trailer's colon": "0\r\nA : b\r\n\r\n", "a trailer without a name": "0\r\n: b\r\n\r\n",
        "LF in a trailer": "0\r\nA: b\nC: d\r\n\r\n", "LF at the end": "0\r\n\n",
        "too many trailers": "0\r\n" + "A: b\r\n" * 65 + "\r\n",
        "a trailer too long": "0\r\nA: " + "b" * 9000 + "\r\n\r\n"}.items():
    row("chunk: " + name, chunked("/hello", body) + NEXT, [400], ENDS, headers={0: CLOSE})
row("chunk: more than is taken", chunked("/hello", "186a1\r\n" + "x" * 100001 + "\r\n0\r\n\r\n") + NEXT,
    [413], ENDS)
row("chunk: many small ones", chunked("/hello", "1\r\nx\r\n" * 500 + "0\r\n\r\n") + NEXT, [200, 200], OPEN)
row("chunk: malformed behind an answer that was begun", chunked("/mirror", "3\r\nabc\r\nz"), [], CUT,
    begins=200)

# ---- Expect --------------------------------------------------------------------------------------

because("9110 10.1.1")
GO_ON = "Expect: 100-continue"
row("expect: a body", post("/hello", "abc", GO_ON) + NEXT, [200, 200], OPEN, continues=True)
row("expect: other capitals", post("/hello", "abc", "expect: 100-CONTINUE"), [200], OPEN,
    continues=True)
row("expect: chunked", chunked("/hello", "3\r\nabc\r\n0\r\n\r\n", GO_ON), [200], OPEN, continues=True)
row("expect: a body in pieces", post("/mirror", "abc", GO_ON), [200], OPEN, continues=None)
row("expect: no body", get("/hello", GO_ON) + NEXT, [200, 200], OPEN)
row("expect: Content-Length: 0", post("/hello", "", GO_ON) + NEXT, [200, 200], OPEN)
row("expect: HTTP/1.0", post("/hello", "abc", GO_ON, version="1.0"), [200], ENDS)
row("expect: something else", post("/hello", "abc", "Expect: tea") + NEXT, [417], ENDS)
row("expect: and something else", post("/hello", "abc", "Expect: 100-continue, tea") + NEXT, [417], ENDS)
row("expect: too large", get("/hello", "Content-Length: 100001", GO_ON, method="POST"), [413], ENDS)
# A client that was refused sends no body: what follows would be taken for it (RFC 9110 10.1.1).
row("expect: nothing is there", get("/no", "Content-Length: 5", GO_ON, method="POST") + NEXT, [404],
    ENDS, headers={0: CLOSE})
row("expect: a wrong method", get("/hello", "Content-Length: 5", GO_ON, method="PUT") + NEXT, [405],
    ENDS, headers={0: CLOSE})
row("expect: OPTIONS", get("/hello", "Content-Length: 5", GO_ON, method="OPTIONS") + NEXT, [204], ENDS,
    headers={0: CLOSE})
row("expect: the body never comes", get("/hello", "Content-Length: 5", GO_ON, method="POST"), [], WAITS,
    continues=True)

# ---- pipelines -----------------------------------------------------------------------------------

because("9112 9.3.2")
row("pipeline: 50 of them", "".join(hello(f"n{i}.") for i in range(50)), [200] * 50, OPEN,
    body={0: "?n0.", 17: "?n17.", 49: "?n49."})
row("pipeline: all kinds", hello("a") + get("/late") + post("/hello", "b") + get("/big") +
    chunked("/mirror", "3\r\nabc\r\n0\r\n\r\n") + get("/late?twice") + hello("c"),
    [200, 201, 200, 200, 200, 201, 200], OPEN, body={1: "late", 2: "[b]", 4: "abc", 6: "?c"})
for path, status in {"/204": 204, "/304": 304, "/418": 418, "/none": 500, "/no": 404, "/post": 405,
                     "/ws": 426, "/measured": 200, "/late": 201, "/late?twice": 201}.items():
    row(f"pipeline: behind {status} of {path}", get(path) + NEXT, [status, 200], OPEN,
        headers={0: KEPT if status != 426 else {"Upgrade": "websocket"}}, body={1: "?next"})
    method_status = 405 if status == 405 else status
    if path != "/ws":
        row(f"pipeline: behind HEAD {path}", get(path, method="HEAD") + NEXT,
            [f"HEAD {method_status}", 200], OPEN, body={1: "?next"})
row("pipeline: behind HEAD /hello", get(method="HEAD") + NEXT, ["HEAD 200", 200], OPEN,
    headers={0: {"Content-Length": "16"}}, body={1: "?next"})
row("pipeline: behind HEAD of what is begun", get("/begin", method="HEAD"), ["HEAD 200"], WAITS)
row("pipeline: behind a POST to nothing", post("/no", "x" * 5000) + NEXT, [404, 200], OPEN,
    body={1: "?next"})
row("pipeline: behind chunks to nothing", chunked("/no", "3\r\nabc\r\n0\r\n\r\n") + NEXT, [404, 200], OPEN)
row("pipeline: behind bad chunks to nothing", chunked("/no", "z\r\nabc\r\n0\r\n\r\n") + NEXT, [404], ENDS,
    unannounced=True)
row("pipeline: behind a long body to nothing", post("/no", "x" * 70000) + NEXT, [404], ENDS,
    headers={0: CLOSE})
because("9112 9.6")
row("pipeline: behind Connection: close", get("/hello", "Connection: close") + NEXT, [200], ENDS,
    headers={0: CLOSE})
row("pipeline: behind close among others", get("/hello", "Connection: TE, CLOSE") + NEXT, [200], ENDS)
row("pipeline: behind close, keep-alive", get("/hello", "Connection: close, keep-alive") + NEXT, [200],
    ENDS)
row("pipeline: behind a late close", get("/late", "Connection: close") + NEXT, [201], ENDS)
row("pipeline: behind HTTP/1.0", get(version="1.0") + NEXT, [200], ENDS)
row("pipeline: behind HTTP/1.0 kept alive", get("/hello", "Connection: keep-alive", version="1.0") + NEXT,
    [200, 200], OPEN, headers={0: {"Connection": "keep-alive"}})
row("pipeline: behind HTTP/1.0, close and keep-alive",
    get("/hello", "Connection: keep-alive, close", version="1.0") + NEXT, [200], ENDS)
row("pipeline: behind HTTP/1.0 in pieces",
    get("/begin", "Connection: keep-alive", version="1.0") + NEXT, [], WAITS, begins=200)
because("9112 9.3.2")
row("pipeline: behind a bad request", get("/hello", "broken") + NEXT, [400], ENDS)
row("pipeline: a bad one behind a good one", hello("a") + "GET\r\n\r\n" + NEXT, [200, 400], ENDS)
row("pipeline: a bad one behind a late one", get("/late") + "GET\r\n\r\n" + NEXT, [201, 400], ENDS)
row("pipeline: too large behind a late one",
    get("/late") + get("/hello", "Content-Length: 100001", method="POST"), [201, 413], ENDS)
row("pipeline: behind an abort", get("/cut") + NEXT, [], CUT)
row("pipeline: an abort behind a late one", get("/late") + get("/cut") + NEXT, [201], CUT)
row("pipeline: too short an answer", get("/measured?short") + NEXT, [], CUT, begins=200)
row("pipeline: behind chunks that break off", get("/torn") + NEXT, [], CUT, begins=200)
row("pipeline: behind an HTTP/1.0 answer that breaks off", get("/torn", version="1.0") + NEXT, [], CUT,
    begins=200, why="9112 8")
row("pipeline: behind what never answers", get("/never") + NEXT, [], WAITS)
row("pipeline: behind a body in pieces", post("/mirror", "abc") + NEXT, [200, 200], OPEN,
    body={0: "abc"})
row("pipeline: behind a paused body", post("/slow", "x" * 200) + NEXT, [200, 200], OPEN)
row("pipeline: the body of a late answer", post("/late", "x" * 3000) + NEXT, [201, 200], OPEN)
row("pipeline: the body is still there in info", post("/asked", "kept body") + NEXT, [200, 200], OPEN,
    body={0: "[kept body]", 1: "?next"})
row("pipeline: the chunked body is still there in info",
    chunked("/asked", "4\r\nkept\r\n5\r\n body\r\n0\r\n\r\n") + NEXT, [200, 200], OPEN,
    body={0: "[kept body]"})
row("pipeline: so too behind a late one", get("/late") + post("/asked", "kept body") + NEXT,
    [201, 200, 200], OPEN, body={1: "[kept body]"})
