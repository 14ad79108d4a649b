#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`wring bench`: the words of the report, the short report and the panel."""
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import termios
import time

from bench_tools import bench
from server import Server, frame, run
from tools import Listener, environment, read_head, response
from wire import read_client_frame

FAST = ("--warmup", 0, "-d", "300ms")


def answering(answer):
    """A server that gives answer(number of the message, opcode, payload); None: closes the stream."""
    def serve(sock):
        sock.sendall(response(read_head(sock)))
        count = 0
        while True:
            opcode, payload = read_client_frame(sock)
            count += 1
            said = frame(8, payload, mask=None) if opcode == 8 else answer(count, opcode, payload)
            if said is None:
                return
            sock.sendall(said)
            if opcode == 8:
                return
    return Listener(serve)


def echo(_, opcode, payload):
    return frame(opcode, payload, mask=None)


def text_and_json(*arguments, code=0):
    """Of one run: the report, its JSON, and what stood on standard error."""
    got, out, err = bench("-q", "-o", "/dev/stderr", *arguments)
    assert got == code, (got, out, err)
    end = err.rindex("}") + 1
    return out, json.loads(err[err.index("{"):end]), err[end:]


def counts_say_of_which_time_they_are():
    with Server() as server:
        out, got, _ = text_and_json(server.url(), "-c", 1, "-t", 1, "-d", "300ms", "--warmup", "100ms")
    messages, totals = got["messages"], got["totals"]
    assert f"{messages['sent']:,} sent, {messages['received']:,} answered in the measured time\n" in out
    assert f"whole run    {totals['sent']:,} sent: 0 lost, 0 repeated, 0 out of order\n" in out, out
    assert messages["sent"] < totals["sent"], got
    assert "\n1 connection on 1 thread," in out and "errors       none" in out, out


def lost_messages_are_errors():
    # the third is never answered, and all those after it are
    with answering(lambda n, op, data: b"" if n == 3 else echo(n, op, data)) as server:
        out, got, _ = text_and_json(f"ws://127.0.0.1:{server.port}/", "-c", 1, "-n", 10,
                                    "--pipeline", 2, code=4)
    assert got["messages"]["lost"] == 1 and got["errors"] == {}, got
    assert "errors       messages: 1 lost, 0 repeated, 0 out of order" in out, out
    assert "errors       none" not in out, out


def wrong_answers_are_no_rate():
    with answering(lambda n, op, data: frame(op, data if n % 2 else b"no", mask=None)) as server:
        out, got, _ = text_and_json(f"ws://127.0.0.1:{server.port}/", "-c", 1, "-n", 20, code=4)
    assert got["messages"]["received"] == 20 and got["messages"]["wrong"] == 10, got
    assert abs(got["rate"]["messages_per_s"] * got["duration_s"] - 10) < 0.01, got
    assert "20 sent, 20 answered (10 wrongly) in the measured time" in out, out
    assert sum(sample["messages"] for sample in got["series"]) == 10, got["series"]


def a_number_that_was_not_reached_is_no_heading():
    with answering(lambda n, op, data: b"" if n > 3 else echo(n, op, data)) as server:
        out, _, _ = text_and_json(f"ws://127.0.0.1:{server.port}/", "-c", 1, "-n", 5000, "-d",
                                  "500ms", code=4)
    assert re.search(r"\n0\.5 s, 3 of 5,000 messages answered\n", out), out
    with Server() as server:
        out, _, _ = text_and_json(server.url(), "-c", 2, "-n", 5000)
        assert re.search(r"\n[\d.]+ s for 5,000 messages\n", out), out
        out, _, _ = text_and_json("connect", server.url(), "-c", 1, "-n", 1)
        assert re.search(r"\n[\d.e-]+ s for 1 handshake\n", out), out


def a_rate_without_connections_is_not_the_servers_slowness():
    with answering(lambda n, op, data: None) as server:
        out, got, _ = text_and_json(f"ws://127.0.0.1:{server.port}/", "-c", 1, "-r", 100, *FAST,
                                    code=4)
    assert got["messages"]["unsent"] > 0 and got["connections"]["lost"] == 1, got
    assert "The rate was not kept: all connections were lost.\n" in out, out
    assert "slower" not in out, out


def connect_speaks_of_handshakes():
    with Server() as server:
        out, _, _ = text_and_json("connect", server.url(), "-c", 1, *FAST, "--summary", "-")
    assert " us a handshake (" in out and "a message" not in out, out
    assert out.count("| handshake | ") == 1 and "| latency | " not in out, out


def a_bound_without_a_figure_says_so():
    with Server() as server:
        out, _, err = text_and_json("idle", server.url(), "-c", 1, *FAST, "--fail", "p99>1h", code=6)
    assert "--fail 'p99>1h': nothing was measured\n" in err, err
    assert "p99>1h: nothing was measured, CROSSED" in out, out


def the_panel_fits_its_terminal():
    for columns, shown in ((80, False), (100, True)):
        with Server() as server:
            leader, follower = pty.openpty()
            fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
            process = subprocess.Popen([os.environ["WRING"], "bench", "-d", "600ms", "--warmup", "0",
                                        "-c", "1", server.url()], stdout=subprocess.DEVNULL,
                                       stderr=follower, env=environment(TERM="xterm", NO_COLOR="1"))
            os.close(follower)
            text = b""
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                try:
                    piece = os.read(leader, 65536)
                except OSError:
                    break  # the other end is closed
                text += piece
            os.close(leader)
            assert process.wait(timeout=60) == 0
        rows = re.findall(r"  latency +([^\x1b]*)\x1b", text.decode())
        assert rows and all(re.search(r"max [\d.]+ [mun]?s$", row) for row in rows), rows
        assert all(("p90 " in row) == shown and "p99.9 " in row for row in rows), rows


run([counts_say_of_which_time_they_are, lost_messages_are_errors, wrong_answers_are_no_rate,
     a_number_that_was_not_reached_is_no_heading,
     a_rate_without_connections_is_not_the_servers_slowness, connect_speaks_of_handshakes,
     a_bound_without_a_figure_says_so, the_panel_fits_its_terminal])
