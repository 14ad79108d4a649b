# SPDX-License-Identifier: Apache-2.0
"""The rows of half-closes and upgrades. See http_rows.py."""
from http_rows import CLOSE, CUT, ENDS, FRAME, KEY, NEXT, OPEN, WAITS, because, chunked, get, post, row, upgrade

# ---- half-closes ---------------------------------------------------------------------------------

because("9112 9.6")
for name, data in {"at once": "", "behind an empty line": "\r\n", "in a method": "GE",
                   "in a target": "GET /hel", "in a version": "GET /hello HTT",
                   "in a name": "GET /hello HTTP/1.1\r\nHo", "in a value": "GET /hello HTTP/1.1\r\nHost: x",
                   "before the last line end": "GET /hello HTTP/1.1\r\nHost: x\r\n"}.items():
    row("half-close: " + name, data, [], ENDS, shut=True)
row("half-close: behind a request", get(), [200], ENDS, shut=True)
row("half-close: behind two", get() + NEXT, [200, 200], ENDS, shut=True)
row("half-close: behind a late one", get("/late"), [201], ENDS, shut=True)
row("half-close: behind a late one and another", get("/late") + NEXT, [201, 200], ENDS, shut=True)
row("half-close: behind a late one and a half", get("/late") + "GET /hel", [201], ENDS, shut=True)
row("half-close: in a body", get("/hello", "Content-Length: 9", method="POST") + "abcde", [400], ENDS, shut=True)
row("half-close: in a body behind a late one", get("/late") + get("/hello", "Content-Length: 9", method="POST") + "abcde", [201, 400], ENDS, shut=True)
row("half-close: in a chunk's size", chunked("/hello", "3"), [400], ENDS, shut=True)
row("half-close: in a chunk", chunked("/hello", "9\r\nabc"), [400], ENDS, shut=True)
row("half-close: before the last chunk", chunked("/hello", "3\r\nabc\r\n"), [400], ENDS, shut=True)
row("half-close: in trailers", chunked("/hello", "0\r\nA: b\r\n"), [400], ENDS, shut=True)
row("half-close: in a body that is dropped", get("/no", "Content-Length: 9", method="POST") + "abc",
    [404], ENDS, shut=True)
row("half-close: in a body whose answer is begun",
    get("/mirror", "Content-Length: 9", method="POST") + "abc", [], CUT, shut=True, begins=200)
row("half-close: in a paused body", get("/slow", "Content-Length: 900", method="POST") + "x" * 300,
    [400], ENDS, shut=True)
row("half-close: while big is sent", get("/big") * 8, [200] * 8, ENDS, shut=True)
row("half-close: behind an upgrade", upgrade(), [101], ENDS, shut=True)
row("half-close: behind a late upgrade", upgrade("/auth", "X-Do: later"), [101], ENDS, shut=True)

# ---- upgrades ------------------------------------------------------------------------------------

because("6455 4.2.1")
row("upgrade: and a frame", upgrade() + FRAME, [101], OPEN, frame=True,
    headers={0: {"Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}})
row("upgrade: behind a request", get() + upgrade() + FRAME, [200, 101], OPEN, frame=True)
row("upgrade: behind a late one", get("/late") + upgrade() + FRAME, [201, 101], OPEN, frame=True)
row("upgrade: behind a late one, later", get("/late") + upgrade("/auth", "X-Do: later") + FRAME,
    [201, 101], OPEN, frame=True)
row("upgrade: behind a late one, by its hook", get("/late") + upgrade("/auth") + FRAME, [201, 101],
    OPEN, frame=True)
row("upgrade: behind a body", post("/hello", "abc") + upgrade() + FRAME, [200, 101], OPEN, frame=True)
for name, changed in {
        "websocket among others": {"Upgrade": "h2c, WebSocket"}, "by list": {"Connection": "keep-alive, upgrade"},
        "Content-Length: 0": {"Content_Length": "0"}, "loose bits in the key": {"Sec_WebSocket_Key": "AQIDBAUGBwgJCgsMDQ4PEC=="},
        "a host of HTTP/1.1": {"X": "y"}}.items():
    row("upgrade: " + name, upgrade(**changed) + FRAME, [101], OPEN, frame=True)
for name, status, data in (
        ("no Connection", 400, upgrade(without="Connection")),
        ("Connection: close", 400, upgrade(Connection="close")),
        ("no version", 426, upgrade(without="Sec-WebSocket-Version")),
        ("version 8", 426, upgrade(Sec_WebSocket_Version="8")),
        ("version 13, 8", 426, upgrade(Sec_WebSocket_Version="13, 8")),
        ("no key", 400, upgrade(without="Sec-WebSocket-Key")),
        ("an empty key", 400, upgrade(Sec_WebSocket_Key="")),
        ("a short key", 400, upgrade(Sec_WebSocket_Key="YWJj")),
        ("a long key", 400, upgrade(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZXM=")),
        ("a key without padding", 400, upgrade(Sec_WebSocket_Key=KEY[:-2])),
        ("a key of another alphabet", 400, upgrade(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25j-Q==")),
        ("two keys", 400, upgrade("/ws", f"Sec-WebSocket-Key: {KEY}")),
        ("a body", 400, upgrade(Content_Length="5") + "abcde"),
        ("chunks", 400, upgrade(Transfer_Encoding="chunked") + "0\r\n\r\n"),
        ("nothing is there", 404, upgrade("/no")),
        ("a foreign Origin", 403, upgrade(Origin="http://evil.example")),
        ("Origin null", 403, upgrade(Origin="null")),
        ("a malformed Origin", 403, upgrade(Origin="x")),
        ("two Origins", 403, upgrade("/ws", "Origin: http://x", "Origin: http://evil.example")),
        ("its own Origin twice", 403, upgrade("/ws", "Origin: http://x", "Origin: http://x")),
        ("no subprotocol that is known", 400, upgrade("/chat", "Sec-WebSocket-Protocol: x")),
        ("none at all", 400, upgrade("/chat")),
        ("refused", 401, upgrade("/auth", "X-Do: refuse")),
        ("denied later", 403, upgrade("/auth", "X-Do: denied")),
        ("no answer", 500, upgrade("/auth", "X-Do: 0"))):
    row("upgrade: " + name, data + FRAME + NEXT, [status], ENDS, headers={0: {"Sec-WebSocket-Accept": None}})
because("6455 4.2.2")
row("upgrade: aborted", upgrade("/auth", "X-Do: x") + FRAME, [], CUT)
row("upgrade: never decided", upgrade("/auth", "X-Do: never") + FRAME, [], WAITS)
row("upgrade: accepted by its hook", upgrade("/auth") + FRAME, [101], OPEN, frame=True)
row("upgrade: accepted later", upgrade("/auth", "X-Do: later") + FRAME, [101], OPEN, frame=True)
row("upgrade: its own Origin", upgrade(Origin="http://x") + FRAME, [101], OPEN, frame=True)
row("upgrade: a subprotocol", upgrade("/chat", "Sec-WebSocket-Protocol: x, chat") + FRAME, [101], OPEN,
    frame=True, headers={0: {"Sec-WebSocket-Protocol": "chat"}})
because("9110 7.8")
row("upgrade: HTTP/1.0", upgrade(version="1.0") + NEXT, [426], ENDS)
row("upgrade: POST", upgrade(method="POST") + NEXT, [405, 200], OPEN)
row("upgrade: HEAD", upgrade(method="HEAD") + NEXT, ["HEAD 426", 200], OPEN)
row("upgrade: h2c", upgrade("/hello", Upgrade="h2c", HTTP2_Settings="AAMAAABkAAQAAP__") + NEXT,
    [200, 200], OPEN)
row("upgrade: h2c of a WebSocket", upgrade(Upgrade="h2c") + NEXT, [426, 200], OPEN)
row("upgrade: where only exchanges are", upgrade("/hello") + NEXT, [200], ENDS)
row("upgrade: where both are", upgrade("/both") + FRAME, [101], OPEN, frame=True)
row("upgrade: none where both are", get("/both") + NEXT, [200, 200], OPEN)
