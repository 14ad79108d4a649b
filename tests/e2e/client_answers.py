#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a server or a proxy answers before a session, or in its place: interim answers are skipped, a
refusal is told whole, and nothing of it drives a terminal."""
import os
import subprocess

from server import run
from tools import (PATIENCE, Listener, client_events, environment, node_server, read_head,
                   response)

EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
PROCESSING = b"HTTP/1.1 102\r\n\r\n"
FAREWELL = b"\x88\x02\x03\xe8"


def drain(sock):
    while sock.recv(65536):
        pass


def says(make, end=drain, piece=None):
    """Answers a request by `make(head)`, whole or in pieces."""
    def serve(sock):
        data = make(read_head(sock))
        for at in range(0, len(data), piece or len(data)):
            sock.sendall(data[at:at + (piece or len(data))])
        end(sock)
    return serve


def leave(sock):
    pass


def events_of(serve, *options):
    with Listener(serve) as listener:
        return client_events(f"ws://127.0.0.1:{listener.port}/", *options)


def refusal(data, *options, **how):
    event = events_of(says(lambda head: data, **how), *options)[-1]
    assert event["event"] == "closed", event
    return event


# ---- interim answers -------------------------------------------------------------------------------

def interim_answers_are_skipped():
    for before in (EARLY, CONTINUE, PROCESSING, EARLY + CONTINUE + PROCESSING, CONTINUE * 16):
        for piece in (None, 1, 7):
            serve = says(lambda head: before + response(head) + FAREWELL, piece=piece)
            events = events_of(serve)
            assert [e["event"] for e in events] == ["open", "close", "end", "closed"], events
            assert events[-1]["result"] == "OK" and events[-1]["http_status"] == 101, events


def interim_answers_are_bounded():
    for before in (CONTINUE * 17, (b"HTTP/1.1 103 x\r\nX: " + b"y" * 9000 + b"\r\n\r\n") * 8):
        event = events_of(says(lambda head: before + response(head)))[-1]
        assert event["result"] == "ERR_HANDSHAKE_RESPONSE_TOO_BIG", event


def a_refusal_after_an_interim_answer():
    event = refusal(EARLY + b"HTTP/1.1 403 No\r\nContent-Length: 2\r\nX-Test: a\r\n\r\nhi")
    assert (event["answer"], event["body"], event["x_test"]) == (403, "hi", "a"), event


# ---- refusals --------------------------------------------------------------------------------------

def bodies_of_refusals():
    head = b"HTTP/1.1 503 Later\r\nX-Test: yes\r\n"
    long = b"z" * 5000
    chunks = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(part), part) for part in (b"one", b" two", b"!"))
    rows = [
        (b"Content-Length: 5\r\n\r\nhello", drain, "hello", True),
        (b"Content-Length: 5\r\n\r\nhello, more", drain, "hello", True),
        (b"Content-Length: 0\r\n\r\n", drain, "", True),
        (b"Content-Length: 50\r\n\r\nhello", leave, "hello", False),
        (b"Content-Length: 50\r\n\r\nhello", drain, "hello", False),  # silent: not for ever
        (b"\r\nuntil the end", leave, "until the end", False),
        (b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n", drain, "one two!", True),
        (b"Transfer-Encoding: chunked\r\n\r\n3\r\none\r\nx", drain, "one", False),
        (b"Content-Length: 5000\r\n\r\n" + long, drain, None, False),
    ]
    for data, end, body, whole in rows:
        for piece in (None, 3) if len(data) < 1000 else (None, 700):
            event = refusal(head + data, end=end, piece=piece)
            assert event["result"] == "ERR_UNEXPECTED_STATUS", event
            assert (event["http_status"], event["answer"], event["by_proxy"]) == (503, 503, False)
            assert event["reason"] == "Later" and event["x_test"] == "yes", event
            assert event["whole"] == whole, (data, event)
            if body is None:
                assert event["body_len"] == 4096, event
            else:
                assert event["body"] == body, (data, event)


def a_status_line_without_a_reason():
    for line in (b"HTTP/1.1 404\r\n", b"HTTP/1.1 404 \r\n"):
        event = refusal(line + b"Server: x\r\nContent-Length: 0\r\n\r\n")
        assert event["why"] == "the server answered the upgrade with 404 Not Found", event
        assert event["reason"] == "", event  # what the server said


def a_redirect_says_where_it_points():
    for status in (301, 302, 307, 308):
        event = refusal(b"HTTP/1.1 %d Moved\r\nLocation: wss://else.example/x\r\n"
                        b"Content-Length: 0\r\n\r\n" % status)
        assert event["result"] == "ERR_UNEXPECTED_STATUS", event
        assert "points to wss://else.example/x" in event["why"], event


# ---- proxies ---------------------------------------------------------------------------------------

def through(data, piece=None, end=leave):
    with Listener(says(lambda head: data, piece=piece, end=end)) as proxy:
        return client_events("ws://127.0.0.1:9/", "--proxy", f"http://127.0.0.1:{proxy.port}")[-1]


def a_proxy_says_why():
    for version in (b"1.0", b"1.1"):
        for piece in (None, 1):
            event = through(b"HTTP/" + version + b" 403 Not You\r\nX-Test: p\r\n"
                            b"Content-Length: 4\r\n\r\nwhy!", piece=piece, end=drain)
            assert event["result"] == "ERR_PROXY" and event["by_proxy"], event
            assert (event["answer"], event["body"], event["x_test"]) == (403, "why!", "p"), event
            assert event["why"] == "the proxy answered CONNECT with 403 Not You", event
            assert event["http_status"] == 0, event


def a_proxy_with_interim_answers():
    def serve(sock):
        read_head(sock)
        sock.sendall(EARLY + CONTINUE + b"HTTP/1.1 200 OK\r\n\r\n")
        sock.sendall(response(read_head(sock)) + FAREWELL)
        drain(sock)
    with Listener(serve) as proxy:
        events = client_events("ws://127.0.0.1:9/", "--proxy", f"http://127.0.0.1:{proxy.port}")
    assert events[-1]["result"] == "OK", events
    assert "too long" in through(CONTINUE * 17)["why"]


# ---- terminals -------------------------------------------------------------------------------------

EVIL = b"\x1b]0;owned\x07\xc2\x9b31m\xe2\x80\xae\xff\xc3\xa9"
TAMED = "\\x1b]0;owned"  # the escape byte is written out


def nothing_drives_a_terminal():
    """Latin 1 and UTF-8 control characters in all that can be quoted."""
    # an HTTP head has no control bytes below 0x20: the parser refuses it; those above pass it
    event = refusal(b"HTTP/1.1 404 \xc2\x9b31m\xe2\x80\xae\xff\xc3\xa9\r\nContent-Length: 0\r\n\r\n")
    assert event["why"] == r"the server answered the upgrade with 404 \u009b31m\u202e\xff" + \
        "\u00c3\u00a9", event  # the driver prints bytes: UTF-8 is shown as two of them
    event = through(b"HTTP/1.1 403 " + EVIL + b"\r\n\r\n")
    assert TAMED in event["why"] and r"\u009b31m" in event["why"], event
    assert not any(ord(c) < 0x20 for c in event["why"]), event


def a_close_reason_drives_no_terminal():
    """One with a code that the command reports."""
    reason = "go \x1b[2J\u009b\u202e\u00e9".encode()
    serve = says(lambda head: response(head) + b"\x88" + bytes([len(reason) + 2]) + b"\x0f\xa1" +
                 reason)
    with Listener(serve) as listener:
        for options in ((), ("-v",)):
            shown = command(f"ws://127.0.0.1:{listener.port}/", *options).decode()
            assert "go \\x1b[2J\\u009b\\u202e\u00e9" in shown and "\x1b" not in shown, shown


def command(url, *options):
    done = subprocess.run([os.environ["WRING"], "connect", *options, url], input=b"",
                          capture_output=True, timeout=PATIENCE, env=environment())
    assert b"Sanitizer" not in done.stderr, done.stderr
    return done.stderr


def the_command_shows_the_whole_answer():
    answer = (b"HTTP/1.1 401 Who\r\nWWW-Authenticate: Bearer\r\nX-Evil: \xc2\x9b2J\xe2\x80\xae\r\n"
              b"Content-Length: 13\r\n\r\nlog in \x1b[2J!\n")
    with Listener(says(lambda head: answer)) as listener:
        url = f"ws://127.0.0.1:{listener.port}/"
        shown = command(url, "-v").decode()
        assert "< HTTP/1.1 401 Who\n< WWW-Authenticate: Bearer\n" in shown, shown
        assert r"< X-Evil: \u009b2J\u202e" in shown, shown
        assert "log in \\x1b[2J!" in shown, shown
        quiet = command(url).decode()
        assert "Bearer" not in quiet and "401 Who" in quiet, quiet


# ---- headers that are given ------------------------------------------------------------------------

def asked(*headers, url="ws://user:word@127.0.0.1:{}/path", more=b"", options=()):
    """The request's lines, and the client's events."""
    seen = []

    def serve(sock):
        head = read_head(sock)
        seen.append(head.decode().split("\r\n")[:-2])
        sock.sendall(response(head, more=more) + FAREWELL)
        drain(sock)
    with Listener(serve) as listener:
        given = [word for header in headers for word in ("--header", header)]
        events = client_events(url.format(listener.port), *given, *options)
    return seen[0], events


def given_headers_replace_ours():
    lines, events = asked("Host:other.example", "Authorization:Bearer t", "User-Agent:me",
                          "Origin:https://o.example", "X-Two:1", "X-Two:2")
    assert events[-1]["result"] == "OK", events
    names = [line.split(":")[0].lower() for line in lines[1:]]
    for name in ("host", "authorization", "user-agent", "origin", "upgrade", "connection"):
        assert names.count(name) == 1, lines
    assert names.count("x-two") == 2, lines
    assert "Host: other.example" in lines and "Authorization: Bearer t" in lines, lines
    lines, _ = asked()
    assert "Authorization: Basic dXNlcjp3b3Jk" in lines, lines


def a_given_subprotocol_is_an_offer():
    offer = "Sec-WebSocket-Protocol:one, two"
    for chosen, result in ((b"two", "OK"), (b"three", "ERR_UNEXPECTED_SUBPROTOCOL")):
        lines, events = asked(offer, more=b"Sec-WebSocket-Protocol: " + chosen,
                              options=("--subprotocol", "three"))
        assert [line for line in lines if "protocol" in line.lower()] == \
            ["Sec-WebSocket-Protocol: one, two"], lines
        assert events[-1]["result"] == result, events
    with node_server() as port:  # Node's ws chooses "second"
        events = client_events(f"ws://127.0.0.1:{port}/close", "--header",
                               "Sec-WebSocket-Protocol:first, second", "--header", "Host:x.example")
        assert events[0]["subprotocol"] == "second" and events[-1]["code"] == 4002, events


def headers_of_the_handshake_are_refused():
    for name in ("Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
                 "Content-Length", "Transfer-Encoding", "TE"):
        events = client_events("ws://127.0.0.1:9/", "--header", name + ":x")
        assert events[0]["event"] == "refused", events
        assert events[0]["result"] == "ERR_INVALID_HEADER" and f"'{name}'" in events[0]["why"], events
    for words in (("connect", "-H", "TE: x"), ("bench", "--connections", "1", "-H", "TE: x")):
        done = subprocess.run([os.environ["WRING"], *words, "ws://127.0.0.1:9/"], input=b"",
                              capture_output=True, timeout=PATIENCE, env=environment())
        assert done.returncode != 0 and b"'TE'" in done.stderr, done


# ---- another attempt, or not -------------------------------------------------------------------------

def statuses(events):
    return [(e["event"], e["http_status"]) for e in events if e["event"] in ("waiting", "closed")]


def which_answers_are_final():
    """By the default rule; three attempts at most."""
    for status, again in ((404, False), (401, False), (302, False), (503, True), (429, True),
                          (500, True), (501, False)):
        serve = says(lambda head, status=status: b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n"
                     % status)
        events = events_of(serve, "--reconnect", "1", "--attempts", "3")
        want = [("waiting", status)] * 2 if again else []
        assert statuses(events) == want + [("closed", status)], events
    for code, again in ((1000, True), (1012, True), (1008, False), (4000, False), (4999, False)):
        close = b"\x88\x02" + code.to_bytes(2, "big")
        serve = says(lambda head, close=close: response(head) + close)
        events = events_of(serve, "--reconnect", "1", "--attempts", "2")
        assert [e["event"] for e in events].count("open") == (2 if again else 1), (code, events)


def retry_after_is_honoured():
    answer = b"HTTP/1.1 503 X\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n"
    events = events_of(says(lambda head: answer), "--reconnect", "1", "--attempts", "2")
    assert events[0]["event"] == "waiting" and 2000 <= events[0]["delay_ms"] <= 2001, events


def the_application_decides():
    for status, again in ((404, True), (503, False)):
        serve = says(lambda head, status=status: b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n"
                     % status)
        events = events_of(serve, "--reconnect", "5000", "--attempts", "3", "--retry", "404")
        assert [e["event"] for e in events] == (["waiting"] * 2 if again else []) + ["closed"], events
        assert all(e["delay_ms"] == 0 for e in events), events


def tokens_are_renewed():
    """A token for each attempt, from the callback or from another thread. What is NULL stays."""
    for way in ("now", "later", "token", "url", "token-now", "url-now"):
        heads = []

        def serve(sock, heads=heads):
            head = read_head(sock)
            heads.append(head)
            if len(heads) < 4:
                sock.sendall(b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n")
            else:
                sock.sendall(response(head) + FAREWELL)
            drain(sock)
        events = events_of(serve, "--reconnect", "1", "--attempts", "4", "--header",
                           "Authorization:none", "--renew", way)
        assert events[-1]["http_status"] == 101 and events[-1]["result"] == "OK", events
        for attempt, head in enumerate(heads, 1):
            lines = head.decode().split("\r\n")
            path = "/" if way.startswith("token") else "/renewed"
            assert lines[0] == f"GET {path} HTTP/1.1", (way, lines)
            token = "none" if way.startswith("url") else f"Bearer {attempt}"
            assert [x for x in lines if x.startswith("Auth")] == [f"Authorization: {token}"], way


def renewals_that_fail():
    def events(*options):
        return client_events("ws://127.0.0.1:9/", "--reconnect", "1", "--attempts", "2", *options)
    for result, name, count in (("-15", "ERR_CLOSED", 1), ("-97", "ERR_TIMEOUT", 2)):
        ends = events("--renew", result)
        assert [e["result"] for e in ends] == [name] * count, ends
        assert "renewed neither" in ends[-1]["why"], ends
    ends = events("--renew", "never", "--timeout", "100")
    assert [e["result"] for e in ends] == ["ERR_TIMEOUT"] * 2, ends
    assert ends[-1]["why"] == "the application did not renew URL and headers in time", ends


run([which_answers_are_final, retry_after_is_honoured, the_application_decides, tokens_are_renewed,
     renewals_that_fail, given_headers_replace_ours, a_given_subprotocol_is_an_offer,
     headers_of_the_handshake_are_refused,
     interim_answers_are_skipped, interim_answers_are_bounded, a_refusal_after_an_interim_answer,
     bodies_of_refusals, a_status_line_without_a_reason, a_redirect_says_where_it_points,
     a_proxy_says_why, a_proxy_with_interim_answers, nothing_drives_a_terminal, a_close_reason_drives_no_terminal,
     the_command_shows_the_whole_answer])
