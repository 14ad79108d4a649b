#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`wring bench`: what its requests say, what it makes of every kind of answer to them, and how it
tells what went wrong."""
import base64
import os
import pty
import subprocess
import tempfile

from bench_tools import bench, report
from server import Server, frame, run
from tools import Certs, Listener, environment, read_head, response
from wire import read_client_frame

QUICK = ("-c", 1, "-d", "300ms", "--warmup", 0)


def echo(sock):
    while True:
        opcode, payload = read_client_frame(sock)
        sock.sendall(frame(opcode, payload, mask=None))
        if opcode == 8:
            return


class Echo(Listener):
    """Keeps the heads of requests; `before` is sent in front of the 101, in pieces."""

    def __init__(self, *before, more=b""):
        self.heads = []

        def serve(sock):
            head = read_head(sock)
            self.heads.append(head)
            for piece in before:
                sock.sendall(piece)
            sock.sendall(response(head, more=more))
            echo(sock)
        super().__init__(serve)

    def url(self, user=""):
        return f"ws://{user}127.0.0.1:{self.port}/"

    def lines(self, name):
        """The values of that header in the first request."""
        prefix = name.lower().encode() + b":"
        return [line.split(b":", 1)[1].strip().decode() for line in self.heads[0].split(b"\r\n")
                if line.lower().startswith(prefix)]


def interim_answers_are_skipped():
    hints = (b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n",
             b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 102 Processing\r\n\r\n")
    whole = b"".join(hints)
    for before in ((whole,), hints, [whole[i:i + 1] for i in range(len(whole))], hints[:1]):
        with Echo(*before) as server:
            got = report(server.url(), *QUICK)
            assert got["messages"]["received"] > 0 and got["errors"] == {}, (before, got)

    def refuse(sock):
        read_head(sock)
        sock.sendall(whole + b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    with Listener(refuse) as server:
        code, _, err = bench("-q", f"ws://127.0.0.1:{server.port}/", *QUICK)
        assert code == 1 and "HTTP status 403" in err, err


def a_flood_of_interim_answers_ends():
    """As many as a client takes, and no more, however long the connect timeout is."""
    def flood(sock):
        read_head(sock)
        while True:
            sock.sendall(b"HTTP/1.1 102 Processing\r\n\r\n" * 10)
    few = b"HTTP/1.1 103 Early Hints\r\n\r\n" * 16
    with Echo(few) as server:
        assert report(server.url(), *QUICK)["errors"] == {}
    for before in ((few + few[:len(few) // 16],), (few[:100], few[100:], few[:100])):
        with Echo(*before) as server:
            code, _, err = bench("-q", server.url(), *QUICK, "--connect-timeout", "1h")
            assert code == 1 and "more than 16 interim answers (HTTP status 103)" in err, err
    with Listener(flood) as server:
        code, _, err = bench("-q", f"ws://127.0.0.1:{server.port}/", *QUICK, "--connect-timeout",
                             "1h")
        assert code == 1 and "more than 16 interim answers (HTTP status 102)" in err, err


def user_and_password_of_the_url_are_sent_and_not_shown():
    with Echo() as server:
        code, out, err = bench("-q", server.url("ann:p%40ss@"), *QUICK)
        assert code == 0, err
        assert server.lines("Authorization") == \
            ["Basic " + base64.b64encode(b"ann:p@ss").decode()], server.heads
        assert "ann:***@127.0.0.1" in out and "p%40ss" not in out, out
    with Echo() as server:
        assert report(server.url("ann:secret@"), "-H", "authorization: Bearer T", *QUICK)["url"] \
            == server.url("ann:***@")
        assert server.lines("Authorization") == ["Bearer T"], server.heads


def headers_given_replace_what_would_be_sent():
    with Echo(more=b"Sec-WebSocket-Protocol: b") as server:
        got = report(server.url(), "-H", "Host: example.com", "-H", "origin: http://there",
                     "--origin", "http://here", "-H", "Sec-WebSocket-Protocol: a, b",
                     "--subprotocol", "c", "-H", "User-Agent: mine", *QUICK)
        assert got["errors"] == {} and got["messages"]["received"] > 0, got
        for name, value in (("Host", "example.com"), ("Origin", "http://there"),
                            ("Sec-WebSocket-Protocol", "a, b"), ("User-Agent", "mine")):
            assert server.lines(name) == [value], (name, server.heads)


def headers_that_would_break_the_handshake_are_refused():
    for name in ("Upgrade", "connection", "Sec-WebSocket-Key", "sec-websocket-version",
                 "Content-Length", "Transfer-Encoding"):
        code, _, err = bench("-H", f"{name}: 1", "ws://127.0.0.1:1/")
        assert code == 2 and name.lower() in err.lower() and "break the handshake" in err, err
    code, _, err = bench("-H", "Sec-WebSocket-Extensions: x", "ws://127.0.0.1:1/")
    assert code == 2 and "--deflate" in err, err
    for header, why in (("TE: x", "'TE'"), ("A: b\r\nC: d", "control byte"), ("a b: c", "'a b'")):
        code, _, err = bench("-H", header, "ws://127.0.0.1:1/")
        assert code == 2 and "-H: " in err and why in err, err


def a_refusal_is_shown_whole_on_request():
    def refuse(*pieces):
        def serve(sock):
            read_head(sock)
            for piece in pieces:
                sock.sendall(piece)
        return Listener(serve)
    text = b"no room:\x1b[2J try later\r\nsecond line"
    length = b"HTTP/1.1 503 Busy\r\nContent-Length: %d\r\n\r\n" % len(text)
    chunks = b"%x\r\n%s\r\n0\r\n\r\n" % (len(text), text)
    for pieces in ((length + text,), (length, text[:5], text[5:]),
                   (b"HTTP/1.1 503 Busy\r\n\r\n" + text,),
                   (b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n", chunks)):
        with refuse(*pieces) as server:
            url = f"ws://127.0.0.1:{server.port}/"
            code, _, err = bench("-qv", url, "-c", 3, "-d", "100ms")
            assert code == 1 and "< HTTP/1.1 503 Busy" in err, err
            assert "< no room:\\x1b[2J try later" in err and "< second line" in err, err
            assert err.count("503 Busy") == 1 and "handshake: HTTP status 503 (none of 3" in err, err
            assert "no room" not in bench("-q", url, "-c", 3, "-d", "100ms")[2]


def close_codes_have_their_names():
    for code, name in ((1012, "service_restart"), (1013, "try_again_later"), (1014, "bad_gateway")):
        def serve(sock):
            sock.sendall(response(read_head(sock)))
            sock.sendall(frame(8, code.to_bytes(2, "big") + b"soon", mask=None))
            read_client_frame(sock)
        with Listener(serve) as server:
            got = report(f"ws://127.0.0.1:{server.port}/", *QUICK, code=4)
            assert list(got["errors"]) == [f"closed by the server: {code} ({name}) soon"], got


def a_server_that_turns_connections_away_is_seen_by_connect():
    """`connect` closes what has opened at once: that close is not to hide the server's own."""
    full = frame(8, (1013).to_bytes(2, "big") + b"full", mask=None)
    done = frame(8, (1000).to_bytes(2, "big"), mask=None)
    ended = "lost: the stream ended without a close handshake"

    def run_against(more, later, *options, code, hangs_up=False):
        def serve(sock):
            sock.sendall(response(read_head(sock)) + more)
            sock.sendall(later)
            if not hangs_up:
                read_client_frame(sock)
        with Listener(serve) as server:
            return report("connect", *options, "-c", 2, "-n", 20, "-d", "1m",
                          f"ws://127.0.0.1:{server.port}/", code=code)
    turned_away = "closed by the server: 1013 (try_again_later) full"
    for more, later, text in ((full, b"", turned_away), (b"", full, turned_away),
                              (done, b"", "closed by the server: 1000 (normal)")):
        got = run_against(more, later, code=4)
        assert got["errors"] == {text: 20}, got
        assert got["connections"]["opened"] == got["connections"]["lost"] == 20, got
        run_against(more, later, "--fail", "errors>0", code=6)
        run_against(more, later, "--fail", "lost>20", "--fail", "errors>20", code=0)
    got = run_against(b"", b"", code=4, hangs_up=True)
    assert sum(got["errors"].values()) == 20 == got["connections"]["lost"], got
    got = run_against(b"", b"", code=4)  # took our close, and left without its own
    assert got["errors"] == {ended: 20}, got


def an_answer_to_the_close_of_connect_is_no_error():
    for payload in (b"", (1000).to_bytes(2, "big"), (1000).to_bytes(2, "big") + b"bye"):
        def serve(sock):
            sock.sendall(response(read_head(sock)))
            read_client_frame(sock)
            sock.sendall(frame(8, payload, mask=None))
        with Listener(serve) as server:
            got = report("connect", "-c", 2, "-n", 20, "-d", "1m",
                         f"ws://127.0.0.1:{server.port}/")
            assert got["connections"]["lost"] == 0 and got["errors"] == {}, got


def close_codes_that_are_illegal_are_told_as_that():
    def serve(sock):
        sock.sendall(response(read_head(sock)))
        sock.sendall(frame(8, payload, mask=None))
        read_client_frame(sock)
    illegal = [(code.to_bytes(2, "big"), f"{code} (illegal on the wire)")
               for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535)]
    for payload, text in illegal + [(b"\x03", "1005 (a close frame of one byte, illegal)"),
                                    (b"\x0f\xa0", "4000 (private)")]:
        with Listener(serve) as server:
            got = report(f"ws://127.0.0.1:{server.port}/", *QUICK, code=4)
            assert list(got["errors"]) == [f"closed by the server: {text}"], got


def the_cause_of_a_failure_is_whole():
    certs = Certs()
    cert, key = certs.pair("other-host")
    with subprocess.Popen([os.environ["WRING"], "serve", "--port", "0", "--tls-cert", cert,
                           "--tls-key", key], stdout=subprocess.PIPE, text=True) as server:
        port = server.stdout.readline().split("/ (")[0].rsplit(":", 1)[1]
        code, _, err = bench("-q", "--ca", certs.ca, f"wss://127.0.0.1:{port}/echo", *QUICK)
        server.terminate()
    assert code == 1 and "not for the host '127.0.0.1' (none of 1 connections" in err, err


def what_is_wrong_with_the_options_ends_as_in_connect():
    """2, whether the URL, or a file of certificates that is none or not there."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"no certificate\n")
        file.flush()
        for options in (("--ca", file.name), ("--ca", "/nowhere"),
                        ("--cert", file.name, "--key", file.name)):
            url = "wss://127.0.0.1:1/"
            name = options[1]
            connect = subprocess.run([os.environ["WRING"], "connect", *options, url], text=True,
                                     stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                                     env=environment())
            assert connect.returncode == 2 and name in connect.stderr, connect
            for mode in ("echo", "connect", "idle", "find-max"):
                code, _, err = bench("-q", mode, *options, url)
                assert code == 2 and name in err, (mode, options, code, err)
    for mode in ("echo", "find-max"):
        assert bench("-q", mode, "http://127.0.0.1:1/")[0] == 2


def a_file_that_is_no_text_is_told_before_the_run():
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"caf\xe9 noir")
        file.flush()
        code, _, err = bench("--message-file", file.name, "ws://127.0.0.1:1/")
        assert code == 2 and "at byte 4 it is not UTF-8: send it with --binary" in err, err
        with Server() as server:
            got = report("--binary", "--message-file", file.name, server.url(), *QUICK)
            assert got["messages"]["received"] > 0, got


def a_file_is_read_no_further_than_a_message_may_be_long():
    def refused(path, why):
        code, _, err = bench("--binary", "--message-file", path, "ws://127.0.0.1:1/")
        assert code == 2 and f"--message-file {path}: " in err and why in err, err
    for path in ("/dev/zero", "/dev/urandom"):
        refused(path, "more than 64 MiB")
    refused("/", "Is a directory")
    refused("/nowhere", "No such file")
    with tempfile.TemporaryDirectory(prefix="wring-file-") as folder, Server() as server:
        big = os.path.join(folder, "big")
        with open(big, "wb") as file:
            file.truncate((64 << 20) + 1)
        refused(big, "more than 64 MiB")
        pipe = os.path.join(folder, "pipe")  # as a shell's <(command) is one
        os.mkfifo(pipe)
        with subprocess.Popen(["sh", "-c", 'printf %s hello > "$0"', pipe]):
            got = report("--message-file", pipe, server.url(), *QUICK)
        assert got["config"]["size_max"] == 5 and got["messages"]["received"] > 0, got
        got = report("--message-file", "/dev/null", server.url(), *QUICK)
        assert got["config"]["size_max"] == 0 and got["messages"]["received"] > 0, got


def no_color_is_honoured():
    def shown(**more):
        with Server() as server:
            leader, follower = pty.openpty()
            process = subprocess.Popen([os.environ["WRING"], "bench", *map(str, QUICK), server.url()],
                                       stdout=follower, stderr=follower,
                                       env=environment(TERM="xterm", **more))
            os.close(follower)
            text = b""
            while True:
                try:
                    piece = os.read(leader, 65536)
                except OSError:
                    break  # all ends of the terminal are closed
                text += piece
            os.close(leader)
            assert process.wait(timeout=60) == 0
        return text
    assert b"\x1b[1m" in shown() and b"\x1b[1m" in shown(NO_COLOR="")
    plain = shown(NO_COLOR="1")
    assert b"measuring" in plain or b"closing" in plain, plain
    for code in (b"\x1b[0m", b"\x1b[1m", b"\x1b[2m", b"\x1b[31m", b"\x1b[36m"):
        assert code not in plain, plain


run([interim_answers_are_skipped, user_and_password_of_the_url_are_sent_and_not_shown,
     headers_given_replace_what_would_be_sent, headers_that_would_break_the_handshake_are_refused,
     a_refusal_is_shown_whole_on_request, close_codes_have_their_names,
     close_codes_that_are_illegal_are_told_as_that, a_flood_of_interim_answers_ends,
     a_server_that_turns_connections_away_is_seen_by_connect,
     an_answer_to_the_close_of_connect_is_no_error, the_cause_of_a_failure_is_whole,
     what_is_wrong_with_the_options_ends_as_in_connect, a_file_that_is_no_text_is_told_before_the_run,
     a_file_is_read_no_further_than_a_message_may_be_long, no_color_is_honoured])
