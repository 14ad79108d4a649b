#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`wring connect` in scripts: what is refused, what blocks nothing, how it ends."""
import os
import re
import signal
import socket
import struct
import tempfile
import threading
import time

from connect_tools import (close_frame, converse, read_client_frame, sends, shell, start, wait_until)
from server import Server, run
from tools import PATIENCE, Listener, node_server, read_head, response

URL = "ws://127.0.0.1:{}/"


# ---- close codes -----------------------------------------------------------------------------------

def codes_registered_after_the_rfc_are_told_by_name():
    for code, name in [(1012, "service_restart"), (1013, "try_again_later"),
                       (1014, "bad_gateway")]:
        with Listener(sends(close_frame(code, b"later"))) as server:
            got = converse("-v", URL.format(server.port))
            assert got[0] == 3 and f"the server closed with {code} ({name}) later" in got[2], got
            assert f"< close {code} ({name}) later" in got[2], got


def a_servers_words_do_not_drive_the_terminal():
    reason = "\x1b[2J\x07é\u009b".encode()
    with Listener(sends(close_frame(1011, reason))) as server:
        err = converse("-v", URL.format(server.port))[2]
        assert "1011 (internal_error) \\x1b[2J\\x07é\\u009b\n" in err, err
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", err), err
    with Listener(lambda sock: sock.sendall(
            response(read_head(sock), status=b"403 \x80No\t\x9b"))) as server:
        err = converse(URL.format(server.port))[2]
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f]", err), err


def reconnecting_says_why_the_session_ended():
    for serve, why in [(sends(close_frame(1000)), r"the server closed with 1000 \(normal\)"),
                       (sends(close_frame(1001, b"bye")),
                        r"the server closed with 1001 \(going_away\) bye"),
                       (sends(b"\x88\x00"), r"the server closed with 1005 \(.*\)"),
                       (sends(close_frame(1012)), r"the server closed with 1012 \(.*\)"),
                       (sends(b"", end=True), "the stream ended without a close handshake")]:
        with Listener(serve) as server:
            process = start("--reconnect", "20", URL.format(server.port))
            line = process.stderr.readline().decode()
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=PATIENCE)
            assert re.match(f"wring: {why}; again in \\d+ ms\n", line), line


# ---- input -----------------------------------------------------------------------------------------

def input_that_is_not_utf8_is_refused_with_its_line():
    with Server() as server:
        code, out, err = converse(server.url(), say=b"one\ntwo\nth\xffree\nfour\n")
        assert (code, out) == (1, b"one\ntwo\n"), (code, out, err)
        assert "line 3 of the input was not sent: it is not UTF-8" in err and "--binary" in err, err
        code, out, err = converse("--binary", server.url(), say=b"th\xffree\n")
        assert (code, out, err) == (0, b"th\xffree\n", ""), (code, out, err)


def lines_of_every_kind():
    """As Node's ws and a raw server see them."""
    got = []

    def serve(sock):
        sock.sendall(response(read_head(sock)))
        while (frame := read_client_frame(sock)) is not None:
            got.append(frame)
            if frame[0] == 8:
                sock.sendall(close_frame(1000))
    with Listener(serve) as server:
        assert converse("--linger", "0", URL.format(server.port),
                        say=b"dos\r\n\r\n\nnul\0nul\ncr\rcr\nlast\r")[::2] == (0, "")
    assert [text for opcode, text in got if opcode == 1] == [
        b"dos", b"", b"", b"nul\0nul", b"cr\rcr", b"last\r"], got
    with node_server() as port:
        code, out, err = converse(f"ws://127.0.0.1:{port}/echo", say="grüße\r\n€\n".encode())
        assert (code, out.decode(), err) == (0, "grüße\n€\n", ""), (code, out, err)


def a_line_too_long_ends_the_input():
    with Server() as server:
        code, out, err = converse("--max-message", "200000", server.url(),
                                  say=b"short\n" + b"x" * (1 << 20))
        assert (code, out) == (1, b"short\n"), (code, out[:99], err)
        assert "line 2 of the input is longer than 200000 bytes" in err, err


def input_that_cannot_be_read():
    with Server() as server:
        url = server.url()
        code, _, err = shell(f"$WRING connect {url} < /")
        assert code == 1 and "cannot read standard input: Is a directory" in err, (code, err)
        assert shell(f"$WRING connect {url} <&-") == (0, b"", "")
        assert shell(f"$WRING connect {url} < /dev/null") == (0, b"", "")


def lingering_for_one_message_ends():
    with Listener(sends(b"")) as silent:
        code, out, err = converse("--one", "--linger", "50", URL.format(silent.port), say=b"x\n")
        assert (code, out) == (4, b"") and "no message came within 50 ms" in err, (code, out, err)
    with Server() as server:
        code, out, err = converse("--one", "--linger", "60000", server.url(), say=b"x\n")
        assert (code, out, err) == (0, b"x\n", ""), (code, out, err)


def answers_a_close(sock, seconds=PATIENCE):
    """Waits for one, at most so long. True: it came and was answered."""
    sock.settimeout(seconds)
    try:
        while (received := read_client_frame(sock)) is not None:
            if received[0] == 8:
                sock.sendall(close_frame(1000))
                return True
    except TimeoutError:
        pass
    return False


def a_feed_is_followed_without_input():
    """--linger off: neither silence nor a reconnect ends it; without it the first silence does."""
    def feed(count):
        def serve(sock):
            count[0] += 1
            sock.sendall(response(read_head(sock)) + b"\x81\x01" + b"%d" % count[0])
            if not answers_a_close(sock, 1) and count[0] == 2:  # longer than the default --linger
                sock.sendall(close_frame(4001))
                sock.settimeout(PATIENCE)
                sock.recv(100)
        return serve
    for options, expected in (("--linger off", (3, b"1\n2\n")), ("", (0, b"1\n"))):
        with Listener(feed([0])) as server:
            code, out, err = shell(f"$WRING connect --reconnect 10 {options} "
                                   f"{URL.format(server.port)} < /dev/null")
            assert (code, out) == expected, (code, out, err)


def silent(sock):
    sock.sendall(response(read_head(sock)))
    answers_a_close(sock)


def a_refused_line_ends_it_whatever_the_linger():
    with Listener(silent) as server:
        for options in (("--linger", "off"), ("--one",)):
            code, out, err = converse(*options, URL.format(server.port), say=b"h\xff\n")
            assert (code, out) == (1, b"") and "line 1 of the input" in err, (code, out, err)


def a_linger_after_a_reconnect_begins_anew():
    """Both sessions together outlast it, and none of them does."""
    seen = []

    def serve(sock):
        seen.append(True)
        sock.sendall(response(read_head(sock)))
        if not answers_a_close(sock, 2) and len(seen) == 2:
            sock.sendall(b"\x81\x02hi")
            answers_a_close(sock)
    with Listener(serve) as server:
        code, out, err = shell(f"$WRING connect --reconnect 1 --linger 3s "
                               f"{URL.format(server.port)} < /dev/null")
        assert (code, out) == (0, b"hi\n"), (code, out, err)


# ---- output ----------------------------------------------------------------------------------------

def a_reader_that_has_enough_ends_it_quietly():
    with Server() as server:
        script = f"set -o pipefail; yes | $WRING connect {server.url()} | head -1"
        code, out, err = shell(script)
        assert (out, err) == (b"y\n", "") and code in (141, -13), (code, out, err)
    closes = []

    def greets(sock):
        sock.sendall(response(read_head(sock)) + b"\x81\x02hi")
        while (frame := read_client_frame(sock)) is not None:
            if frame[0] == 8:
                closes.append(frame[1])
                sock.sendall(close_frame(1000))
    with Listener(greets) as server:
        process = start(URL.format(server.port))
        assert process.stdout.readline() == b"hi\n"
        process.stdout.close()
        assert process.wait(PATIENCE) == -signal.SIGPIPE and process.stderr.read() == b""
        process.stdin.close()
    assert closes[-1:] == [struct.pack("!H", 1000)], closes  # the session was closed in order


def output_that_cannot_be_written():
    with Server() as server:
        url = server.url()
        for target, why in [(">/dev/full", "No space left on device"),
                            (">&-", "Bad file descriptor")]:
            code, _, err = shell(f"echo hello | $WRING connect {url} {target}")
            assert code == 1 and f"cannot write to standard output: {why}" in err, (code, err)


def blocked_output(then):
    """A server floods a client whose output nobody reads, then pings it. `then(process, pinged)`."""
    stopped = threading.Event()

    def serve(sock):
        sock.sendall(response(read_head(sock)))
        message = b"\x82\x7e\x80\x00" + b"x" * 32768
        for _ in range(8):  # more than a pipe holds, less than the command keeps
            sock.sendall(message)
        sock.sendall(b"\x89\x04beat")
        assert read_client_frame(sock) == (10, b"beat")
        stopped.set()
        while (frame := read_client_frame(sock)) is not None:
            if frame[0] == 8:
                sock.sendall(close_frame(1000))
    with Listener(serve) as server:
        process = start(URL.format(server.port))
        assert stopped.wait(PATIENCE), "no pong came"
        then(process)


def blocked_output_delays_no_pong_and_no_signal():
    def terminated(process):
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 1
        assert b"some output was dropped" in process.stderr.read()
        process.communicate()
    blocked_output(terminated)

    def read_after_all(process):
        out, err = process.communicate(timeout=PATIENCE)  # ends the input as well
        assert process.returncode == 0 and out == (b"x" * 32768 + b"\n") * 8 and err == b""
    blocked_output(read_after_all)


def output_waits_within_bounds():
    """What is not read stays with the server."""
    sent = [0]
    piece = b"\x82\x7e\x80\x00" + b"y" * 32768
    total = 64 << 20

    def serve(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        sock.sendall(response(read_head(sock)))
        while sent[0] < total:
            sock.sendall(piece)
            sent[0] += 32768
        sock.sendall(close_frame(1000))
        while sock.recv(4096):
            pass
    with Listener(serve) as server:
        process = start("--ping", "50", URL.format(server.port))
        before = [-1]

        def stands():
            same, before[0] = sent[0] == before[0] > 0, sent[0]
            time.sleep(0.5)
            return same
        wait_until(stands, "the server never stood still")
        assert sent[0] < total // 2, sent
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, (process.returncode, err)
        assert len(out) == total // 32768 * 32769 and out.count(b"y") == total


def a_server_that_never_reads_does_not_hold_a_signal():
    """The close waits behind what is queued: its time ends the connection, too."""
    ended = threading.Event()

    def serve(sock):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.sendall(response(read_head(sock)))
        ended.wait(PATIENCE)
    with Listener(serve) as server:
        with yes_pipe() as endless:
            process = start("--json", URL.format(server.port), stdin=endless)
        assert b'"open"' in process.stdout.readline()
        time.sleep(1)  # both sockets fill
        times = [time.monotonic()]
        process.send_signal(signal.SIGINT)
        lines = [process.stdout.readline() for _ in range(2)]
        times.append(time.monotonic())
        code = process.wait(PATIENCE)
        times.append(time.monotonic())
        ended.set()
        # to drain the connection after its close would take twice as long as the close
        assert times[2] - times[1] < times[1] - times[0], times
        assert b'"close"' in lines[0] and b'"code":1006' in lines[0], lines
        err = process.stderr.read().decode()
        assert code == 3 and err == "wring: the server did not answer our close in time (5 s)\n", err


def a_signal_while_there_is_no_session():
    """Between two sessions nothing is lost: 0. Before the first one nothing was had: 130."""
    with Listener(sends(close_frame(1001), end=True)) as server:
        process = start("--reconnect", "30s", URL.format(server.port))
        assert b"again in" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out) == (0, b""), (process.returncode, out, err)
        assert re.fullmatch(rb"(wring: [^\n]*again in \d+ ms\n)*", err), err
    asked = threading.Event()

    def no_answer(sock):
        read_head(sock)
        asked.set()
        sock.recv(1)
    with Listener(no_answer) as server:
        process = start("--json", URL.format(server.port))
        assert asked.wait(PATIENCE)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 130 and b'"error"' in out, (process.returncode, out, err)
        assert err == b"wring: ended by a signal before a session was open\n", err


def ignored_signals_stay_ignored():
    """As nohup and a shell's background jobs have them."""
    with Server() as server:
        for number in (signal.SIGHUP, signal.SIGINT):
            process = start(server.url(), preexec_fn=lambda n=number: signal.signal(n, signal.SIG_IGN))
            process.stdin.write(b"one\n")
            process.stdin.flush()
            assert process.stdout.readline() == b"one\n"
            process.send_signal(number)
            out, err = process.communicate(b"two\n", timeout=PATIENCE)
            assert (process.returncode, out, err) == (0, b"two\n", b""), (number, out, err)


def yes_pipe():
    """Lines without end; their writer ends when nobody reads them any more."""
    reader, writer = os.pipe()

    def write():
        try:
            while True:
                os.write(writer, b"y\n" * 2048)
        except BrokenPipeError:
            os.close(writer)
    threading.Thread(target=write, daemon=True).start()
    return os.fdopen(reader, "rb")


def a_huge_file_goes_through():
    with Server() as server, tempfile.TemporaryFile() as file:
        data = os.urandom(1 << 20) * 24
        file.write(data)
        file.seek(0)
        process = start("--binary", server.url(), stdin=file)
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out == data, err) == (0, True, b""), (len(out), err)


run([codes_registered_after_the_rfc_are_told_by_name,
     a_servers_words_do_not_drive_the_terminal, reconnecting_says_why_the_session_ended,
     input_that_is_not_utf8_is_refused_with_its_line, lines_of_every_kind,
     a_feed_is_followed_without_input, a_refused_line_ends_it_whatever_the_linger,
     a_linger_after_a_reconnect_begins_anew, a_line_too_long_ends_the_input, input_that_cannot_be_read, lingering_for_one_message_ends,
     a_reader_that_has_enough_ends_it_quietly, output_that_cannot_be_written,
     blocked_output_delays_no_pong_and_no_signal, output_waits_within_bounds,
     a_signal_while_there_is_no_session, a_server_that_never_reads_does_not_hold_a_signal, ignored_signals_stay_ignored, a_huge_file_goes_through])
