#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`wring bench`: runs that end by a number of messages, rates and connections that change in stages,
bounds with an exit code, the short report."""
import json
import os
import re
import signal
import subprocess
import tempfile

from bench_tools import bench, report
from server import Server, frame, run
from tools import Listener, environment, read_head, response
from wire import read_client_frame

FAST = ("--warmup", 0, "-d", "300ms")


def a_number_of_messages_ends_the_run():
    with Server("--workers", "2") as server:
        for options in ((), ("--pipeline", 7), ("-t", 3), ("-r", "20k"), ("-r", "5k", "-t", 2),
                        ("-c", 200), ("--size", "200k")):
            got = report(server.url(), "-n", 500, *options)
            assert got["messages"]["sent"] == got["messages"]["received"] == 500, (options, got)
            assert got["totals"]["sent"] == got["latency_us"]["count"] == 500, (options, got)
            assert got["messages"]["unsent"] == got["messages"]["lost"] == 0, (options, got)
            assert got["config"]["messages"] == 500 and got["interrupted"] is False, got
        got = report(server.url(), "-n", "1k", "--warmup", "100ms", "-c", 3)
        assert got["messages"]["sent"] == 1000 < got["totals"]["sent"], got


def a_number_counts_what_is_published_and_handshakes():
    with Server("--workers", "2") as server:
        for options in ((), ("-r", "10k"), ("-P", 3, "-t", 2)):
            got = report("fanout", server.url("/topic/n"), "-c", 10, "-n", 200, *options)
            assert got["totals"]["sent"] == 200, (options, got)
            assert got["totals"]["received"] == 2000, (options, got)
        got = report("connect", server.url(), "-c", 4, "-n", 50)
        assert got["connections"]["opened"] == got["messages"]["received"] == 50, got


def a_number_that_cannot_be_reached_ends_all_the_same():
    def silent(sock):
        sock.sendall(response(read_head(sock)))
        read_client_frame(sock)
        while sock.recv(4096):
            pass

    def leaves(sock):
        sock.sendall(response(read_head(sock)))
        read_client_frame(sock)
    for serve, pipeline, lost in ((silent, 3, 3), (silent, 1, 1), (leaves, 1, 1)):
        with Listener(serve) as server:
            got = report(f"ws://127.0.0.1:{server.port}/", "-c", 1, "-n", 3, "--pipeline",
                         pipeline, code=4)
            assert got["messages"]["received"] == 0 and got["messages"]["lost"] == lost, got


def the_duration_ends_a_number_that_is_too_great():
    with Server() as server:
        got = report(server.url(), "-n", "1g", "-c", 2, *FAST)
        assert 0 < got["messages"]["sent"] < 1e9 and got["duration_s"] == 0.3, got


def a_rate_in_stages_sends_the_area_below_it():
    with Server() as server:
        for threads in (1, 2):
            got = report(server.url(), "-c", 4, "-t", threads, "--ramp", "1s:1k,500ms:1k,500ms:0")
            assert got["messages"]["unsent"] == 0 and got["duration_s"] == 2, got
            assert abs(got["totals"]["sent"] - 1250) <= 3, got["totals"]
            assert got["config"]["rate"] == 1000 and got["config"]["ramp"] == {
                "from": 0, "stages": [{"seconds": 1, "to": 1000}, {"seconds": 0.5, "to": 1000},
                                      {"seconds": 0.5, "to": 0}]}, got["config"]
        got = report(server.url(), "-c", 4, "-r", 1000, "--ramp", "1s:0")
        assert abs(got["totals"]["sent"] - 500) <= 3, got["totals"]
        got = report(server.url(), "-c", 4, "--ramp", "0s:2k", "-d", "500ms")
        assert abs(got["totals"]["sent"] - 1000) <= 3 and got["duration_s"] == 0.5, got["totals"]
        got = report("fanout", server.url("/topic/r"), "-c", 5, "--ramp", "1s:200")
        assert abs(got["totals"]["sent"] - 100) <= 3, got["totals"]
        assert got["totals"]["received"] == 5 * got["totals"]["sent"], got["totals"]


def connections_in_stages_are_opened_in_the_run():
    with Server("--workers", "2") as server:
        for options in ((), ("-r", 2000), ("-t", 2)):
            got = report(server.url(), "--connect-ramp", "500ms:20,500ms:20", *options)
            assert got["connections"] == {"wanted": 20, "opened": 20, "failed": 0, "lost": 0,
                                          "unanswered": 0, "unclosed": 0}, got
            assert got["messages"]["received"] > 0 and got["messages"]["lost"] == 0, got
            assert got["duration_s"] == 1, got
        got = report("idle", server.url(), "--connect-ramp", "500ms:100,1s:100")
        assert got["connections"]["opened"] == 100, got
        # what they took, and took up, is told of all that opened
        assert 0.3 < got["opening_s"] < 60, got["opening_s"]
        code, out, _ = bench("-q", "idle", server.url(), "--connect-ramp", "400ms:250,1s:250")
        assert code == 0 and "opened in 0 ns" not in out and "generator 0 B" not in out, out
        got = report("idle", server.url(), "--connect-ramp", "0s:20", "-d", "300ms")
        assert got["connections"]["opened"] == 20, got
        # half of them belong to stages after the end
        got = report(server.url(), "--connect-ramp", "500ms:10,1h:10,1h:20", "-d", "1s")
        assert got["connections"]["opened"] == 10, got


def ctrl_c_while_they_open_reports_those_that_did():
    with Server() as server:
        process = subprocess.Popen([os.environ["WRING"], "bench", "idle", "-c", "5k", "-t", "1",
                                    "--connect-rate", "300", "-o", "/dev/fd/2", server.url()],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=environment())
        opened = 0
        while opened < 300:
            line = process.stderr.readline()
            assert "opening" in line, line
            opened = int(re.search(r"([\d,]+) of", line)[1].replace(",", ""))
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    got = json.loads(err[err.index("{"):])
    assert process.returncode == 130 and got["interrupted"], err
    assert 300 <= got["connections"]["opened"] < 5000 and got["opening_s"] > 0.3, got
    assert got["memory"]["own_rss_after"] > got["memory"]["own_rss_before"], got["memory"]
    assert "opened in 0 ns" not in out and "generator 0 B" not in out, out


def what_does_not_go_together_is_told():
    for text, options in (
            ("--ramp '10s' is not like", ("--ramp", "10s")),
            ("--ramp '1s:0' is not like", ("--ramp", "1s:0")),
            ("--ramp '0s:2k' is a step, which takes no time: -d", ("--ramp", "0s:2k")),
            ("--connect-ramp '0s:9' is a step", ("--connect-ramp", "0s:9")),
            ("--connect-ramp '1s:9,1s:5': connections", ("--connect-ramp", "1s:9,1s:5")),
            ("leave out -c", ("--connect-ramp", "1s:9", "-c", "3")),
            ("leave out --warmup", ("--ramp", "1s:9", "--warmup", "1s")),
            ("--ramp is for echo and fanout", ("connect", "--ramp", "1s:9")),
            ("--connect-ramp is for echo and idle", ("fanout", "--connect-ramp", "1s:9")),
            ("-n 'x' is not", ("-n", "x")), ("-n '0' is not", ("-n", "0")),
            ("-n is for echo, fanout and connect", ("idle", "-n", "5")),
            ("--p99 is the bound of find-max", ("find-max", "--fail", "p99>1s")),
            ("would mix", ("--json", "--summary", "-"))):
        code, _, err = bench(*options, "ws://127.0.0.1:1/")
        assert code == 2 and text in err, (options, code, err)
    for bound in ("p99", "p99>", "p99>10", "p0>1s", "p101>1s", "pie>1s", "rate<5ms", "errors>1s",
                  "p99>10ms,", "connect.rate>1", "lag.>1s", "lag.rate>1", "rate<5%", "p99=10ms", ">5"):
        code, _, err = bench("--fail", bound, "ws://127.0.0.1:1/")
        assert code == 2 and f"--fail '{bound}' is not like" in err, (bound, code, err)


def rates_beyond_what_can_be_sent_are_refused():
    for option, text in (("-r", "1e300"), ("-r", "1.1g"), ("-r", "1e-300"), ("-r", "1e300g"),
                         ("--connect-rate", "1e30"), ("--ramp", "1s:1e30"),
                         ("--ramp", "1s:5,1s:1e-9")):
        code, _, err = bench(option, text, "ws://127.0.0.1:1/")
        assert code == 2, (option, text, err)
        assert f"{option} '{text}': a rate is from 0.001 to 1g" in err, err
    for option, text in (("--burst", 0), ("-P", 0)):
        code, _, err = bench("fanout", option, text, "ws://127.0.0.1:1/")
        assert code == 2 and "is not a number from 1 to" in err, err


def slow_rates_are_shown_as_they_are():
    with Server() as server:
        for options, heading in ((("-r", 0.4), ", 0.4/s\n"), (("-r", 0.1), ", 0.1/s\n"),
                                 (("--ramp", "300ms:0.25"), ", a ramp of up to 0.25/s\n")):
            code, out, _ = bench("-q", server.url(), "-c", 1, "-d", "300ms", *options)
            assert code == 0 and heading in out, out
        code, out, _ = bench("-q", server.url(), "-c", 1, "-d", "2s", "-r", 1, "--warmup", 0)
        assert code == 0 and re.search(r"rate         (0\.5|1) answers/s", out), out


def zero_means_automatic_and_the_help_says_so():
    with Server() as server:
        got = report(server.url(), "-t", 0, "-p", 0, "-c", 2, *FAST)
        assert got["config"]["threads"] > 0 and got["config"]["pipeline"] == 1, got["config"]
    _, out, _ = bench("--help")
    assert " ".join(out.split()).count("(0, automatic: ") == 2, out


def bounds_that_are_crossed_have_an_exit_code():
    with Server() as server:
        kept = ("p99<1ns", "p50 > 1h", "mean>=1h", "max>1h", "min>1h", "connect.p99>1h", "rate<1",
                "errors>0", "errors>1%", "failed>0", "lost>0", "unsent>0", "behind>1h",
                "p99.999>1h")
        options = [item for bound in kept for item in ("--fail", bound)]
        got = report(server.url(), "-c", 2, *FAST, *options)
        assert [bound["crossed"] for bound in got["bounds"]] == [False] * len(kept), got["bounds"]
        for bound in ("p99>1ns", "mean>=1ns", "max>1us", "connect.mean>1ns", "rate<1g", "errors<1"):
            got = report(server.url(), "-c", 2, *FAST, "--fail", bound, "--fail", "max>1h", code=6)
            assert [b["crossed"] for b in got["bounds"]] == [True, False], got["bounds"]
            assert got["bounds"][0]["bound"] == bound and got["bounds"][1]["value"] == 3.6e9, got
        code, out, err = bench("-q", server.url(), "-c", 2, *FAST, "--fail", "p99>1ns")
        assert code == 6 and re.search(r"bounds       p99>1ns: .*, CROSSED", out), out
        assert re.search(r"--fail 'p99>1ns': it was [\d.]+ [mu]?s", err), err
        got = report("idle", server.url(), "-c", 2, *FAST, "--fail", "p99>1h", code=6)
        assert got["bounds"][0]["measured"] is None, got["bounds"]


def bounds_of_the_generators_own_lag():
    with Server() as server:
        options = (server.url(), "-c", 2, "-r", 100, *FAST, "--fail", "lag.max>1h")
        got = report(*options, "--fail", "lag.p99>1ns", code=6)
        assert [bound["crossed"] for bound in got["bounds"]] == [False, True], got["bounds"]
        assert abs(got["bounds"][1]["measured"] - got["lag_us"]["p99"]) < 1e-3, got
        code, out, _ = bench("-q", *options, "--summary", "-", "-o", "/dev/stderr")
        assert code == 0 and "| generator's lag | " in out, out
        for rate in (50, "1m"):
            code, out, err = bench("-q", server.url(), "-c", 4, "-r", rate, *FAST, "--summary", "-",
                                   "-o", "/dev/stderr")
            lags = json.loads(err[err.index("{"):err.rindex("}") + 1])["generator_lags"]
            assert ("- the generator, not the server" in out) == lags, (out, err)
        # in a closed loop there is none
        got = report(server.url(), "-c", 2, *FAST, "--fail", "lag.p99>1h", code=6)
        assert got["bounds"][0]["measured"] is None, got["bounds"]


def bounds_about_errors_decide_which_are_too_many():
    def wrong(sock):
        sock.sendall(response(read_head(sock)))
        first = True
        while True:
            opcode, payload = read_client_frame(sock)
            payload = payload[:-1] if first and opcode == 1 else payload
            first = False
            sock.sendall(frame(opcode, payload, mask=None))
            if opcode == 8:
                return
    for bound, code in (("max>1h", 4), ("errors>0", 6), ("errors>1", 0), ("errors>=1", 6),
                        ("errors>50%", 0), ("errors>0.01%", 6)):
        with Listener(wrong) as server:
            report(f"ws://127.0.0.1:{server.port}/", "-c", 1, "-n", 20, "--fail", bound, code=code)


def messages_that_nobody_sent_are_told_and_are_no_error():
    def greets(sock):
        sock.sendall(response(read_head(sock)) + frame(1, b"hello", mask=None))
        while True:
            opcode, payload = read_client_frame(sock)
            sock.sendall(frame(opcode, payload, mask=None))
            if opcode == 8:
                return
    for mode in ("echo", "idle"):
        for more, code in (((), 0), (("--fail", "foreign>0"), 6), (("--fail", "foreign>1"), 0)):
            with Listener(greets) as server:
                got, out, _ = bench("-q", mode, f"ws://127.0.0.1:{server.port}/", "-c", 1, *FAST,
                                    *more)
                assert got == code and "1 messages more came that nobody here sent" in out, out


def the_summary_is_appended():
    with tempfile.TemporaryDirectory(prefix="wring-plan-") as folder, Server() as server:
        path = os.path.join(folder, "summary.md")
        assert bench("-q", server.url(), "-c", 2, "-n", 50, "--summary", path)[0] == 0
        assert bench("-q", server.url(), "-c", 2, "-n", 50, "--summary", path, "--fail",
                     "p99>1ns")[0] == 6
        with open(path) as file:
            text = file.read()
        assert text.count("### wring bench echo: ") == 2, text
        assert text.index("echo: passed") < text.index("echo: FAILED"), text
        assert text.count("| latency | ") == 2 and "- **crossed** `p99>1ns`: " in text, text
        code, out, _ = bench("-q", server.url(), "-c", 2, "-n", 50, "--summary", "-")
        assert code == 0 and "### wring bench echo: passed" in out, out


def files_are_tried_before_the_run():
    """Nothing listens at the port: a run would say so."""
    with tempfile.TemporaryDirectory(prefix="wring-plan-") as folder:
        for option in ("-o", "--summary", "--hdr", "--svg"):
            for path in ("/nowhere/file", folder):
                code, out, err = bench("ws://127.0.0.1:1/", "-d", "1h", option, path)
                assert code == 1 and out == "" and err.count("\n") == 1, (out, err)
                assert err.startswith(f"wring: cannot write {path}: "), err
        kept = os.path.join(folder, "kept")
        with open(kept, "w") as file:
            file.write("old")
        options = ("--hdr", kept, "--svg", os.path.join(folder, "new.svg"))
        code, _, err = bench("ws://127.0.0.1:1/", *options)
        assert code == 1 and "Connection refused" in err, err
        assert os.listdir(folder) == ["kept"] and open(kept).read() == "old"


def a_run_that_cannot_start_is_in_summary_and_json():
    url = "ws://user:secret@127.0.0.1:1/"
    with tempfile.TemporaryDirectory(prefix="wring-plan-") as folder:
        summary, file = os.path.join(folder, "summary.md"), os.path.join(folder, "file.json")
        for mode in ("echo", "fanout", "idle", "find-max"):
            code, out, err = bench("-jq", mode, url, "--summary", summary, "-o", file)
            got = json.loads(out)
            assert code == 1 and "Connection refused" in got["error"] and got["error"] in err, out
            assert got["interrupted"] is False and got["wring_bench"] == 1, got
            assert got["mode"] == mode.replace("find-max", "echo") and "secret" not in out, got
            assert json.load(open(file)) == got
        text = open(summary).read()
        assert text.count(": FAILED") == text.count("- connect: Connection refused") == 4, text
        assert "secret" not in text
        code, _, err = bench("compare", file, file)
        assert code == 1 and "is of a run without a result: connect" in err, err


def an_interrupted_run_says_so_in_its_summary():
    with tempfile.TemporaryDirectory(prefix="wring-plan-") as folder, Server() as server:
        summary = os.path.join(folder, "summary.md")
        for mode, duration in (("echo", "1h"), ("find-max", "1s")):
            process = subprocess.Popen([os.environ["WRING"], "bench", mode, "-d", duration, "-c", "3",
                                        "--warmup", "0", "--interval", "50ms", "--summary", summary,
                                        server.url()], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True, env=environment())
            while "p99" not in process.stderr.readline():
                pass
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)
            assert process.returncode == 130
        text = open(summary).read()
        assert text.count("### wring bench echo: interrupted") == 2, text
        assert "until a signal ended the run" in text and "passed" not in text, text


def json_is_one_object_all_the_same():
    with Server() as server:
        code, out, err = bench("-jq", server.url(), "-n", 10, "--fail", "p99>1ns")
        assert code == 6 and json.loads(out)["bounds"][0]["crossed"] is True, (out, err)


run([a_number_of_messages_ends_the_run, a_number_counts_what_is_published_and_handshakes,
     a_number_that_cannot_be_reached_ends_all_the_same,
     the_duration_ends_a_number_that_is_too_great, a_rate_in_stages_sends_the_area_below_it,
     connections_in_stages_are_opened_in_the_run,
     ctrl_c_while_they_open_reports_those_that_did, what_does_not_go_together_is_told,
     rates_beyond_what_can_be_sent_are_refused, slow_rates_are_shown_as_they_are,
     zero_means_automatic_and_the_help_says_so,
     bounds_that_are_crossed_have_an_exit_code, bounds_of_the_generators_own_lag,
     bounds_about_errors_decide_which_are_too_many,
     messages_that_nobody_sent_are_told_and_are_no_error,
     the_summary_is_appended, files_are_tried_before_the_run,
     a_run_that_cannot_start_is_in_summary_and_json, an_interrupted_run_says_so_in_its_summary,
     json_is_one_object_all_the_same])
