#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`wring bench` as a command: its modes against `wring serve`, reports and files, the panel on a
terminal, signals, exit codes, what it says when it cannot run."""
import json
import os
import pty
import re
import resource
import select
import signal
import subprocess
import tempfile
import time
import xml.etree.ElementTree
import zlib

from bench_tools import bench, report
from server import Server, frame, run
from tools import Certs, Listener, environment, free_port, read_head, response
from wire import read_client_frame

QUICK = ("-d", "500ms", "--warmup", 0)
EPOLL = os.environ.get("WRING_BACKEND") == "epoll"
LATENCY = {"count", "min", "mean", "p50", "p75", "p90", "p95", "p99", "p99.9", "p99.99", "p99.999",
           "max"}
folder = tempfile.TemporaryDirectory(prefix="wring-bench-")


def path(name):
    return os.path.join(folder.name, name)


def the_json_report_has_what_is_promised():
    with Server("--workers", "2") as server:
        got = report(server.url(), "-c", 5, "-d", "1s", "--warmup", "200ms", "--interval", "100ms")
    assert got["wring_bench"] == 1 and got["mode"] == "echo" and got["url"] == server.url(), got
    assert got["connections"] == {"wanted": 5, "opened": 5, "failed": 0, "lost": 0,
                                  "unanswered": 0, "unclosed": 0}, got
    assert got["duration_s"] == 1 and got["warmup_s"] == 0.2, got
    assert set(got["latency_us"]) == set(got["connect_us"]) == LATENCY, got
    assert got["connect_us"]["count"] == 5, got["connect_us"]
    assert len(got["series"]) == 10, got["series"]
    assert all({"t", "messages", "p50_us", "p99_us"} <= set(point) for point in got["series"])
    assert sum(point["messages"] for point in got["series"]) == got["messages"]["received"], got
    assert got["bytes"]["received"] == 64 * got["messages"]["received"], got
    assert got["cpu"]["us_per_message"] > 0 and got["errors"] == {}, got
    points = [got["latency_us"][name] for name in ("min", "p50", "p90", "p99", "p99.9", "max")]
    assert points == sorted(points), points


def echoes_of_every_size_and_kind():
    with Server() as server:
        for options in (("--size", 0), ("--size", 1), ("--size", 7), ("--size", 125), ("--size", 126),
                        ("--size", 65535), ("--size", "64k"), ("--size", "1m", "--pipeline", 4),
                        ("--size", "0-300", "--pipeline", 8), ("--size", "exp:5000"),
                        ("--size", "10:9,100k:1"), ("--message", "hello \u00e9"), ("--message", ""),
                        ("--binary", "--size", "5k"), ("--message-file", __file__)):
            got = report(server.url(), "-c", 3, "--verify", *QUICK, *options)
            assert got["totals"]["sent"] == got["totals"]["received"] > 0, (options, got)


def bursts_of_many_connections_keep_every_byte():
    """They share receive buffers, and the answers lie in them: no connection's may reach another's."""
    with Server("--workers", "2") as incremental, \
            Server("--workers", "2", "--receive-buffers", "16") as classic:
        for server in (incremental, classic):
            for sizes, kind in (("500-4000", "--text"), ("1-1500", "--binary")):
                got = report(server.url(), "-c", 60, "--size", sizes, "--pipeline", 32, "--verify",
                             "--warmup", 0, "-d", "2s", kind)
                assert got["messages"]["received"] > 1000 and got["errors"] == {}, got


def several_threads_share_the_connections():
    with Server("--workers", "2") as server:
        for threads in (1, 2, 3, 7):
            got = report(server.url(), "-c", 7, "-t", threads, *QUICK)
            assert got["connections"]["opened"] == 7 and got["config"]["threads"] == threads, got
            assert got["totals"]["sent"] == got["totals"]["received"] > 0, got
        assert report(server.url(), "-c", 2, "-t", 8, *QUICK)["config"]["threads"] == 2


def a_constant_rate_is_kept():
    with Server() as server:
        got = report(server.url(), "-c", 7, "-r", 500, "-d", "2s", "--warmup", "500ms")
    assert got["messages"]["unsent"] == 0, got["messages"]
    assert abs(got["totals"]["sent"] - 1250) <= 2, got["totals"]
    assert abs(got["latency_us"]["count"] - 1000) <= 2, got["latency_us"]
    assert set(got["lag_us"]) == LATENCY and got["lag_us"]["count"] == got["latency_us"]["count"], got
    assert got["messages"]["held"] == 0 and got["lag_us"]["max"] <= got["behind_max_us"], got
    slow = got["lag_us"]["p99"] > got["latency_us"]["p99"] / 10
    assert got["generator_lags"] == slow, got


def the_report_says_when_the_generator_is_what_was_measured():
    with Server() as server:
        for rate in ("-r 50", "-r 1m"):
            options = (server.url(), "-c", 4, *rate.split(), *QUICK, "-o", path("lag.json"))
            code, out, _ = bench("-q", *options)
            assert code in (0, 4) and "  lag          p50 " in out, out
            with open(path("lag.json"), encoding="utf-8") as file:
                got = json.load(file)
            assert ("The generator, not the server" in out) == got["generator_lags"], out


def one_publisher_of_several_threads_keeps_the_whole_rate():
    with Server() as server:
        got = report("fanout", server.url("/topic/one"), "-c", 4, "-P", 1, "-t", 3, "-r", 200, *QUICK)
    assert got["messages"]["unsent"] == 0 and abs(got["totals"]["sent"] - 100) <= 1, got


def fan_out_through_the_chat_wraps_what_is_published():
    with Server("--workers", "2") as server:
        got = report("fanout", server.url("/chat"), "-c", 20, *QUICK)
        assert got["totals"]["received"] == 20 * got["totals"]["sent"] > 0, got["totals"]
        assert got["messages"]["lost"] == got["messages"]["reordered"] == 0, got["messages"]


def fan_out_over_many_topics_reaches_each_its_own():
    with Server("--workers", "2") as server:
        got = report("fanout", server.url("/topic/t{topic}"), "-c", 30, "--topics", 3, "-P", 3,
                     "-r", 300, "-t", 2, *QUICK)
        assert got["totals"]["received"] == 10 * got["totals"]["sent"] > 0, got["totals"]
        assert got["messages"]["lost"] == got["messages"]["foreign"] == 0, got["messages"]
        burst = report("fanout", server.url("/topic/x"), "-c", 10, "--burst", 16, *QUICK)
        assert burst["totals"]["sent"] % 16 == 0, burst["totals"]
        assert burst["totals"]["received"] == 10 * burst["totals"]["sent"] > 0, burst["totals"]


def connect_counts_handshakes():
    with Server() as server:
        got = report("connect", server.url(), "-c", 5, *QUICK)
        assert got["messages"]["received"] == got["latency_us"]["count"] or \
            abs(got["messages"]["received"] - got["latency_us"]["count"]) <= 5, got
        assert got["connections"]["opened"] >= got["messages"]["received"] > 0, got
        assert got["connections"]["failed"] == 0 and got["errors"] == {}, got
        slow = report("connect", server.url(), "-c", 5, "--connect-rate", 50, "-d", "1s",
                      "--warmup", 0)
        assert 20 <= slow["connections"]["opened"] <= 56, slow["connections"]
        _, out, _ = bench("connect", server.url(), "-c", 5, "--connect-rate", 50, *QUICK)
        assert "connections due were not dialled" in out and "from when it was due" in out, out
        assert "from the dial" in bench("connect", server.url(), "-c", 5, *QUICK)[1]


def a_dead_port_is_dialled_less_and_less():
    port = free_port()
    code, out, err = bench("connect", f"ws://127.0.0.1:{port}/", "-c", 20, "-d", "1500ms", "--json")
    got = json.loads(out)
    assert code == 4 and got["connections"]["opened"] == 0, (code, out, err)
    # pauses of 10, 20, 40 ... 640 ms, and a second
    assert 1 <= got["connections"]["backoffs"] <= 9, got["connections"]
    assert got["connections"]["failed"] <= 20 * 9, got["connections"]
    assert 0 < got["connections"]["backoff_s"] <= 1.5, got["connections"]
    code, out, err = bench("connect", f"ws://127.0.0.1:{port}/", "-c", 20, "-d", "300ms", "-q")
    assert code == 4 and "dialling paused" in out, out


def idle_holds_what_it_opened():
    with Server() as server:
        code, out, err = bench("idle", server.url(), "-c", 300, "-d", "300ms", "--interval", "100ms")
        assert code == 0 and "300 of 300 opened" in out and "for each connection" in out, (out, err)
        assert "300 connections held, 0 lost" in err, err


def tls_is_verified_unless_told_not_to():
    certs = Certs()
    cert, key = certs.pair("server")
    with subprocess.Popen([os.environ["WRING"], "serve", "--port", "0", "--tls-cert", cert,
                           "--tls-key", key], stdout=subprocess.PIPE, text=True) as server:
        port = int(re.search(r":(\d+)/", server.stdout.readline()).group(1))
        url = f"wss://localhost:{port}/echo"
        for trust in (("-k",), ("--ca", certs.ca)):
            got = report(url, "-c", 4, "--pipeline", 4, "--size", "1-20000", "--verify", *trust, *QUICK)
            assert got["totals"]["sent"] == got["totals"]["received"] > 0, got["totals"]
        code, _, err = bench(url, "-q", *QUICK)
        assert code == 1 and "handshake: " in err, (code, err)
        got = report("connect", url, "-k", "-c", 2, *QUICK)
        assert got["connections"]["opened"] > 0 and got["errors"] == {}, got
        server.send_signal(signal.SIGTERM)


def compressed_messages_are_asked_for_and_counted():
    with Server("--deflate", "--deflate-min-bytes", "1") as server:
        for options in (("--size", 1000), ("--size", 0), ("--size", 7), ("--size", "300k"),
                        ("--message", "hello hello hello hello"), ("--size", 100, "--pipeline", 20)):
            for verify in ((), ("--verify",)):
                got = report(server.url(), "-c", 3, "--deflate", *verify, *QUICK, *options)
                assert got["totals"]["sent"] == got["totals"]["received"] > 0, (options, got)
        assert got["errors"] == {} and got["config"]["deflate"] is True, got
        got = report("fanout", server.url("/topic/x"), "-c", 10, "--size", 300, "--deflate", *QUICK)
        assert got["totals"]["received"] == 10 * got["totals"]["sent"] > 0, got["totals"]
    with Server() as server:
        code, _, err = bench(server.url(), "--deflate", "-q", *QUICK)
        assert code == 1 and "the server declined permessage-deflate" in err, err
    code, _, err = bench("--deflate", "--size", "1-9", "ws://127.0.0.1:1/")
    assert code == 2 and "--deflate needs messages of one --size" in err, err


def compressed_answers_are_verified_to_the_last_byte():
    agreed = (b"Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
              b"client_no_context_takeover")

    def kinds(answer, code):
        """A server that sends answer(plain, compress) as one compressed message, in pieces."""
        def compress(data):
            packer = zlib.compressobj(wbits=-15)
            return (packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]

        def serve(sock):
            sock.sendall(response(read_head(sock), more=agreed))
            while True:
                opcode, payload = read_client_frame(sock)
                if opcode == 8:
                    sock.sendall(frame(8, payload, mask=None))
                    return
                plain = zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff")
                out = answer(plain, compress)
                sock.sendall(frame(opcode, out[:20], fin=False, rsv=4, mask=None)
                             + frame(0, out[20:], mask=None)
                             if pieces else frame(opcode, out, rsv=4, mask=None))
        with Listener(serve) as server:
            return set(report(f"ws://127.0.0.1:{server.port}/", "-c", 1, "--deflate", "--verify",
                              "--size", 40000, "-d", "200ms", "--warmup", 0, code=code)["errors"])
    for pieces in (False, True):
        assert kinds(lambda plain, compress: compress(plain), 0) == set()
        assert kinds(lambda plain, compress: compress(plain[:-1] + b"!"), 4) == \
            {"answer: another content than was sent"}
        assert kinds(lambda plain, compress: compress(plain[:-1]), 4) == \
            {"answer: another length than was sent"}
        assert "answer: another length than was sent" in \
            kinds(lambda plain, compress: compress(plain + plain), 4)
        assert kinds(lambda plain, compress: compress(plain)[:40] + b"\xff" * 40, 4) == \
            {"protocol: a compressed message does not inflate"}


def files_are_written():
    with Server() as server:
        code, out, _ = bench(server.url(), "-q", "-c", 3, "-d", "1s", "--warmup", 0, "--svg",
                             path("a.svg"), "--hdr", path("a.hgrm"), "-o", path("a.json"))
    assert code == 0 and "answers/s" in out, out
    root = xml.etree.ElementTree.parse(path("a.svg")).getroot()
    lines = [e for e in root.iter() if e.tag.endswith("polyline")]
    assert len(lines) == 3 and all(len(e.get("points").split()) > 0 for e in lines), lines
    with open(path("a.json")) as file:
        got = json.load(file)
    with open(path("a.hgrm")) as file:
        rows = [line.split() for line in file if re.match(r" *[\d.]+ +[\d.]+ +\d+", line)]
    assert int(rows[-1][2]) == got["latency_us"]["count"] and float(rows[-1][1]) == 1, rows[-1]
    assert float(rows[-1][0]) == round(got["latency_us"]["max"], 3), rows[-1]
    code, _, err = bench(server.url(), "-q", "--svg", "/nowhere/a.svg", *QUICK)
    assert code == 1, err


def the_headers_asked_for_are_sent():
    heads = []

    def serve(sock):
        head = read_head(sock)
        heads.append(head)
        sock.sendall(response(head, more=b"Sec-WebSocket-Protocol: two"))
        while True:
            opcode, payload = read_client_frame(sock)
            sock.sendall(frame(opcode, payload, mask=None))
            if opcode == 8:
                return
    with Listener(serve) as server:
        got = report(f"ws://127.0.0.1:{server.port}/a?b=c", "-c", 1, *QUICK, "-H", "X-One: 1", "-H",
                     "X-Two:2", "--subprotocol", "one", "--subprotocol", "two", "--origin",
                     "http://here", "--source-ip", "127.0.0.7")
    assert got["messages"]["received"] > 0, got
    for line in (b"GET /a?b=c HTTP/1.1\r\n", b"X-One: 1\r\n", b"X-Two: 2\r\n", b"one, two\r\n",
                 b"Origin: http://here\r\n"):
        assert line in heads[0], heads[0]


def wrong(answer, *options, code=4):
    """A server that answers each message with answer(opcode, payload), as bytes on the wire."""
    def serve(sock):
        sock.sendall(response(read_head(sock)))
        while True:
            opcode, payload = read_client_frame(sock)
            sock.sendall(frame(8, payload, mask=None) if opcode == 8 else answer(opcode, payload))
            if opcode == 8:
                return
    with Listener(serve) as server:
        return report(f"ws://127.0.0.1:{server.port}/", "-c", 1, "-d", "200ms", "--warmup", 0,
                      *options, code=code)


def wrong_answers_are_told_apart():
    def kinds(answer, *options):
        return set(wrong(answer, *options)["errors"])
    assert kinds(lambda op, data: frame(op, data + b"x", mask=None)) == \
        {"answer: another length than was sent"}
    assert kinds(lambda op, data: frame(2, data, mask=None)) == \
        {"answer: text for binary, or binary for text"}
    assert kinds(lambda op, data: frame(op, b"!" * len(data), mask=None)) == \
        {"answer: another content than was sent"}
    assert kinds(lambda op, data: frame(op, data[:-1] + b"!", mask=None), "--verify") == \
        {"answer: another content than was sent"}
    # without --verify only the number at the beginning is compared (docs/load-testing.md)
    assert wrong(lambda op, data: frame(op, data[:-1] + b"!", mask=None), code=0)["errors"] == {}
    assert kinds(lambda op, data: frame(op, b"!" + data[1:], mask=None)) == \
        {"answer: another content than was sent"}
    assert kinds(lambda op, data: frame(op, b"?", mask=None), "--message", "!") == \
        {"answer: another content than was sent"}
    assert wrong(lambda op, data: frame(op, b"?", mask=None), "--any-answer", code=0)["errors"] == {}
    assert kinds(lambda op, data: frame(op, data)) == {"protocol: a server's frame is masked"}
    assert kinds(lambda op, data: frame(op, data, rsv=4, mask=None)) == \
        {"protocol: reserved bits are set"}
    assert kinds(lambda op, data: frame(0, data, mask=None)) == {"protocol: an opcode out of order"}
    assert kinds(lambda op, data: frame(3, data, mask=None)) == {"protocol: an opcode out of order"}
    assert kinds(lambda op, data: frame(9, data * 9, mask=None)) == {"protocol: a bad control frame"}
    assert kinds(lambda op, data: frame(8, b"\x03\xf0bye", mask=None)) == \
        {"closed by the server: 1008 (policy_violation) bye"}


def matching_goes_on_whatever_a_server_says():
    """What nobody asked for, what is repeated and what is wrong is counted as that, and once each."""
    for size in (4, 64):
        for options in ((), ("--pipeline", 5), ("-r", 400)):
            state = {"count": 0}

            def says_more(opcode, data):
                state["count"] += 1
                more = (b"hello, stranger", b"the news of today") if state["count"] == 2 else ()
                return b"".join(frame(1, text, mask=None) for text in more) + \
                    frame(opcode, data, mask=None)
            got = wrong(says_more, "--size", size, *options, code=0)
            assert got["errors"] == {} and got["messages"]["foreign"] == 2, got
            assert got["totals"]["received"] == got["totals"]["sent"] > 10, got["totals"]

            state["count"] = 0

            def repeats_then_errs(opcode, data):
                state["count"] += 1
                if state["count"] == 4:
                    return frame(1, b"error: too much", mask=None)
                return frame(opcode, data, mask=None) * (2 if state["count"] == 3 else 1)
            got = wrong(repeats_then_errs, "--size", size, *options)
            assert got["errors"] == {"answer: another length than was sent": 1}, got
            assert got["messages"]["duplicated"] == 1 and got["messages"]["lost"] == 0, got
            assert got["totals"]["received"] == got["totals"]["sent"] > 10, got["totals"]


def fragments_pings_and_pieces_make_no_difference():
    def pieces(op, data):
        return (frame(9, b"ping", mask=None) + frame(op, data[:3], fin=False, mask=None)
                + frame(9, b"", mask=None) + frame(0, b"", fin=False, mask=None)
                + frame(0, data[3:], mask=None))
    pongs = []

    def serve(sock):
        sock.sendall(response(read_head(sock)))
        while True:
            opcode, payload = read_client_frame(sock)
            if opcode == 10:
                pongs.append(payload)
                continue
            out = frame(8, payload, mask=None) if opcode == 8 else pieces(opcode, payload)
            for byte in out if len(out) < 200 else [out]:
                sock.sendall(bytes([byte]) if isinstance(byte, int) else byte)
            if opcode == 8:
                return
    with Listener(serve) as server:
        for size in (8, 64, 20000):
            got = report(f"ws://127.0.0.1:{server.port}/", "-c", 1, "--size", size, "--verify",
                         *QUICK)
            assert got["totals"]["received"] > 0 and got["errors"] == {}, got
    assert pongs and set(pongs) == {b"ping", b""}, set(pongs)


def a_server_that_leaves_is_lost():
    def serve(sock):
        sock.sendall(response(read_head(sock)))
        read_client_frame(sock)
    with Listener(serve) as server:
        got = report(f"ws://127.0.0.1:{server.port}/", "-c", 1, *QUICK, code=4)
    assert got["connections"]["lost"] == 1 and got["messages"]["lost"] == 1, got
    assert list(got["errors"])[0].startswith("lost: "), got["errors"]


def it_says_why_it_cannot_run():
    def says(code, text, *arguments, **options):
        got, out, err = bench(*arguments, **options)
        assert got == code and text in err, (got, out, err)
    says(2, "no URL")
    says(2, "-c 'x' is not", "-c", "x", "ws://127.0.0.1:1/")
    says(2, "-r 'fast' is not like", "-r", "fast", "ws://127.0.0.1:1/")
    says(2, "--size '5-' is not like", "--size", "5-", "ws://127.0.0.1:1/")
    says(2, "fanout numbers its messages", "fanout", "-m", "x", "ws://127.0.0.1:1/")
    says(2, "at least 26 bytes", "fanout", "--size", "10", "ws://127.0.0.1:1/")
    says(2, "unexpected argument", "ws://127.0.0.1:1/", "ws://127.0.0.1:2/")
    says(2, "is not like ws://", "http://127.0.0.1:1/")
    says(2, "'foo' is neither a mode (echo, fanout,", "foo")
    says(2, "'fan' is neither a mode", "find-max", "fan")
    says(1, "Connection refused", "ws://127.0.0.1:1/", "-c", "3")
    says(1, "cannot resolve", "ws://no.such.host.invalid/")
    says(1, "--source-ip A,B,C", "idle", "-c", "100k", "--source-ip", "127.0.0.1", "-t", "64",
         "ws://127.0.0.1:1/")
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (500, 500))
    says(1, "of 500 descriptors: on epoll each is one" if EPOLL else "give -t 23", "idle", "-c", "10k", "-t", "1", "ws://127.0.0.1:1/", preexec_fn=few)
    none = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (4, 4))
    files = "hard limit of 4 descriptors" if EPOLL else "Too many open files"
    says(1, files, "-c", "2", "-t", "1", "ws://127.0.0.1:1/", preexec_fn=none)
    says(1, files, "-c", "3", "-t", "3", "ws://127.0.0.1:1/", preexec_fn=none)
    with Server() as server:
        says(1, "HTTP status 404", server.url("/nowhere"))


def more_connections_than_descriptors():
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (400, 400))
    with Server() as server:
        got, out, err = bench("idle", server.url(), "-c", 1000, "-d", "200ms", "-j", "-q",
                              preexec_fn=few)
        if EPOLL:  # each is one of the process's
            assert got == 1 and "1000 connections do not fit under the hard limit of 400" in err, err
            return
        assert got == 0, (out, err)
        assert json.loads(out)["connections"]["opened"] == 1000, out


def ctrl_c_ends_with_the_report_so_far():
    with Server() as server:
        process = subprocess.Popen([os.environ["WRING"], "bench", "-d", "1h", "--json", "-c", "3",
                                    "--warmup", "0", "--interval", "100ms", server.url()],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=environment())
        while "p99" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    got = json.loads(out)
    assert process.returncode == 130 and got["interrupted"] is True, process.returncode
    assert got["messages"]["received"] > 0 and 0 < got["duration_s"] < 600, got
    assert got["totals"]["sent"] == got["totals"]["received"], got["totals"]


def compare_finds_a_regression():
    with Server() as server:
        report(server.url(), "-c", 3, *QUICK, "-o", path("x.json"))
    with open(path("x.json")) as file:
        got = json.load(file)
    got["rate"]["messages_per_s"] *= 0.9
    with open(path("y.json"), "w") as file:
        json.dump(got, file)
    code, out, _ = bench("compare", path("x.json"), path("x.json"))
    assert code == 0 and "B is not worse" in out, out
    code, out, _ = bench("compare", path("x.json"), path("y.json"))
    assert code == 3 and "WORSE" in out and "0.900" in out, out
    code, out, _ = bench("compare", path("x.json"), path("y.json"), "--tolerance", "15%")
    assert code == 0, out
    code, out, _ = bench("compare", path("y.json"), path("x.json"))
    assert code == 0 and "better" in out, out
    code, _, err = bench("compare", path("x.json"), __file__)
    assert code == 1 and "is no report" in err, err
    assert bench("compare", path("x.json"))[0] == 2


def compare_flags_runs_of_different_kinds():
    with Server() as server:
        for name, *options in (("closed", "--binary"), ("rate", "-r", 500), ("connect",)):
            mode = ("connect",) if name == "connect" else ("echo",)
            report(*mode, server.url(), "-c", 3, *QUICK, *options, "-o", path(name + ".json"))
    code, out, err = bench("compare", path("closed.json"), path("connect.json"))
    assert code == 2 and out == "" and re.search(r"closed.json is of echo, \S+connect.json of connect$",
                                                 err.strip()), (out, err)
    code, out, _ = bench("compare", path("closed.json"), path("rate.json"), "--tolerance", "99%")
    assert "note: one is a closed loop" in out and "note: only A is binary" in out, out
    assert "note: rate differs, 0 and 500" in out and "The settings differ, as noted" in out, out
    code, out, _ = bench("compare", path("rate.json"), path("rate.json"))
    assert code == 0 and "note:" not in out and "settings differ" not in out, out
    judged = {line[2:28].strip(): "not judged" not in line for line in out.splitlines()
              if line.startswith("  ") and line[2:28].strip()}
    assert judged["rate, messages/s"] and judged["latency p50, us"] and judged["latency p99, us"]
    assert not judged["latency max, us"] and not judged["handshake p50, us"], judged


def find_max_ends_at_a_rate_that_holds():
    with Server() as server:
        got = report("find-max", server.url(), "-c", 5, "-d", "150ms", "--warmup", "50ms", "--p99",
                     "200ms")
        steps = got["find_max"]["steps"]
        best = got["find_max"]["rate"]
        assert best == max(step["rate"] for step in steps if step["holds"]), got["find_max"]
        assert all(step["p99_us"] <= 200000 for step in steps if step["holds"]), steps
        assert got["latency_us"]["p99"] <= 200000, got["latency_us"]
        code, _, err = bench("find-max", server.url(), "-c", 5, "-d", "50ms", "--warmup", 0, "--p99",
                             "1ns")
        assert code == 5 and "keeps a p99 of 1 ns" in err, (code, err)


def find_max_reports_what_it_tried_when_nothing_held():
    def check(text, interrupted):
        found = json.loads(text)["find_max"]
        assert found["rate"] == 0 and found["steps"], found
        assert not any(step["holds"] for step in found["steps"]), found
        assert interrupted or found["steps"][-1]["rate"] <= 4, found
    options = ("-c", 5, "--warmup", 0, "--p99", "1ns")
    with Server() as server:
        code, out, _ = bench("find-max", server.url(), *options, "-d", "50ms", "--json")
        assert code == 5, code
        check(out, False)
        for more in ((), ("--json",)):
            process = subprocess.Popen([os.environ["WRING"], "bench", "find-max", server.url(),
                                        *map(str, options), "-d", "500ms", *more, "-o",
                                        path("none.json")], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True, env=environment())
            assert "is too slow" in process.stderr.readline()
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
            assert process.returncode == 130, process.returncode
            with open(path("none.json")) as file:
                check(file.read(), True)
            if more:
                check(out, True)
            else:
                assert "No rate that was tried kept a p99 of at most 1 ns" in out, out


def find_max_searches_a_fan_out_as_well():
    with Server() as server:
        got = report("find-max", "fanout", server.url("/topic/x"), "-c", 20, "-d", "150ms",
                     "--warmup", "50ms", "--p99", "200ms", "-r", 500)
    assert got["mode"] == "fanout" and got["find_max"]["rate"] > 0, got["find_max"]
    assert got["totals"]["received"] == 20 * got["totals"]["sent"] > 0, got["totals"]


def find_max_ends_where_nothing_is_answered():
    """Else it would halve its way down to a rate of 1, and wait for each."""
    def deaf(sock):
        sock.sendall(response(read_head(sock)))
        while read_client_frame(sock)[0] != 8:
            pass

    def errs(sock):
        sock.sendall(response(read_head(sock)))
        while read_client_frame(sock)[0] != 8:
            sock.sendall(frame(1, b"no", mask=None))

    def full(sock):
        sock.sendall(response(read_head(sock)) + frame(8, b"\x03\xf5full", mask=None))
        read_client_frame(sock)
    for serve, text in ((deaf, "nothing was answered at 1,000/s"),
                        (full, "at 1,000/s: closed by the server: 1013 (try_again_later) full"),
                        (errs, "no message was answered right at 1,000/s: answer: another length")):
        with Listener(serve) as server:
            code, out, err = bench("find-max", f"ws://127.0.0.1:{server.port}/", "-c", 1, "-d",
                                   "100ms", "--warmup", 0)
            assert code == 5 and out.startswith("No rate that was tried kept") and text in err, (code, out, err)
            assert server.accepted == 1 and err.count("/s  p50") == 1, err


def a_terminal_gets_a_panel():
    """Redrawn in place, and gone before the report."""
    with Server() as server:
        leader, follower = pty.openpty()
        process = subprocess.Popen([os.environ["WRING"], "bench", "-d", "1s", "--warmup", "0", "-c",
                                    "3", "--interval", "200ms", server.url()], stdout=follower,
                                   stderr=follower, env=environment(TERM="xterm"))
        os.close(follower)
        text = b""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if not select.select([leader], [], [], 1)[0]:
                continue
            try:
                piece = os.read(leader, 65536)
            except OSError:
                break  # all ends of the terminal are closed
            if not piece:
                break
            text += piece
        os.close(leader)
        assert process.wait(timeout=60) == 0
    shown = text.decode()
    for part in ("measuring", "p99.9", "errors       none", "Ctrl-C", "s left"):
        assert part in shown, (part, shown)
    assert any(block in shown for block in "\u2581\u2582\u2583\u2584\u2585\u2586\u2587\u2588")
    last = shown.rindex("\x1b[J")
    assert re.search(r"\x1b\[\d+A\x1b\[J$", shown[:last + 3]), "the panel was left standing"
    assert "answers/s" in shown[last:] and "measuring" not in shown[last:], shown[last:]


run([the_json_report_has_what_is_promised, echoes_of_every_size_and_kind,
     bursts_of_many_connections_keep_every_byte, several_threads_share_the_connections, a_constant_rate_is_kept,
     the_report_says_when_the_generator_is_what_was_measured,
     one_publisher_of_several_threads_keeps_the_whole_rate, a_dead_port_is_dialled_less_and_less,
     fan_out_through_the_chat_wraps_what_is_published,
     fan_out_over_many_topics_reaches_each_its_own, connect_counts_handshakes,
     idle_holds_what_it_opened, tls_is_verified_unless_told_not_to,
     compressed_messages_are_asked_for_and_counted,
     compressed_answers_are_verified_to_the_last_byte, files_are_written,
     the_headers_asked_for_are_sent, wrong_answers_are_told_apart,
     matching_goes_on_whatever_a_server_says,
     fragments_pings_and_pieces_make_no_difference, a_server_that_leaves_is_lost,
     it_says_why_it_cannot_run, more_connections_than_descriptors,
     ctrl_c_ends_with_the_report_so_far, compare_finds_a_regression,
     compare_flags_runs_of_different_kinds,
     find_max_ends_at_a_rate_that_holds, find_max_reports_what_it_tried_when_nothing_held,
     find_max_ends_where_nothing_is_answered, find_max_searches_a_fan_out_as_well,
     a_terminal_gets_a_panel])
