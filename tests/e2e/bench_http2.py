#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`wring bench --http2`: sessions as streams, in every mode, in the clear and inside TLS, counted
exactly; servers that refuse, reset or go away; servers that nobody here wrote."""
import math
import os
import re
import subprocess
import sys

from bench_tools import bench, report
from haproxy_tools import Haproxy
from http_tools import found
from server import Server, run
from tools import Certs, Program, free_port

try:
    from h2.errors import ErrorCodes
    from h2_server import H2Server
except ImportError:
    print("python3-h2 or python3-wsproto is not installed")
    sys.exit(77)

QUICK = ("-d", "300ms", "--warmup", 0)
certs = Certs()
TLS = ("--tls-cert", certs.pair("server")[0], "--tls-key", certs.pair("server")[1])


def tls_url(server, path="/echo"):
    return f"wss://localhost:{server.port}{path}"


def http2(*arguments, code=0):
    return report("--http2", "-t", 1, *arguments, code=code)


def in_the_clear_and_inside_tls(check):
    """`check(url, options)` of a server of ours."""
    with Server("--http2", "--workers", "2") as server:
        check(server.url, ())
    with Server("--workers", "2", *TLS) as server:
        check(lambda path="/echo": tls_url(server, path), ("--ca", certs.ca))


def sessions_share_connections():
    def check(url, options):
        for sessions, streams in ((1, 1), (7, 1), (10, 10), (25, 10), (100, 100), (3, 1000)):
            got = http2(url(), "-c", sessions, "--streams", streams, "-n", 500, *options)
            assert got["http2"] == {"connections": math.ceil(sessions / streams)}, got
            assert got["connections"] == {"wanted": sessions, "opened": sessions, "failed": 0,
                                          "lost": 0, "unanswered": 0, "unclosed": 0}, got
            assert got["config"]["http2"] and got["config"]["streams"] == streams, got["config"]
            assert got["totals"]["sent"] == got["totals"]["received"] == 500, got["totals"]
            assert got["connect_us"]["count"] == sessions and got["errors"] == {}, got
    in_the_clear_and_inside_tls(check)


def a_foreign_server_counts_the_same():
    for context in (None, certs.server_context()):
        if context:
            context.set_alpn_protocols(["h2"])
        with H2Server(context) as server:
            options = ("--ca", certs.ca) if context else ()
            got = http2(server.url("/a?b"), "-c", 12, "--streams", 5, "-n", 300, "-H",
                        "X-Mixed-Case: Yes", "--origin", "http://o.example", *options)
        assert got["errors"] == {} and got["http2"]["connections"] == server.connections == 3, got
        assert got["totals"]["received"] == server.messages == 300, (got, server.messages)
        assert server.asked == 12
        for fields in server.requests:
            assert fields[":method"] == "CONNECT" and fields[":protocol"] == "websocket", fields
            assert fields[":path"] == "/a?b" and fields["x-mixed-case"] == "Yes", fields
            assert fields[":scheme"] == ("https" if context else "http"), fields
            assert fields["origin"] == "http://o.example", fields
            assert fields["sec-websocket-version"] == "13", fields


def threads_have_connections_of_their_own():
    with Server("--http2") as server:
        for sessions, streams, threads, want in ((40, 10, 2, 4), (40, 10, 8, 4), (9, 10, 4, 1)):
            got = report("--http2", server.url(), "-c", sessions, "--streams", streams, "-t",
                         threads, "-n", 400)
            assert got["http2"]["connections"] == want, got
            assert got["config"]["threads"] == min(threads, math.ceil(sessions / streams)), got


def messages_of_every_size():
    def check(url, options):
        for more in (("--size", 0), ("--size", 1), ("--size", 125), ("--size", 126),
                     ("--size", 65535), ("--size", "64k", "--pipeline", 4), ("--size", "1m"),
                     ("--size", "0-300", "--pipeline", 8), ("--binary", "--size", "5k"),
                     ("--size", "10:9,100k:1"), ("--message", "hello \u00e9"), ("--message", "")):
            got = http2(url(), "-c", 6, "--streams", 3, "--verify", *QUICK, *more, *options)
            assert got["totals"]["sent"] == got["totals"]["received"] > 0, (more, got)
            assert got["errors"] == {} and got["messages"]["lost"] == 0, (more, got)
    in_the_clear_and_inside_tls(check)


def compressed_messages():
    with Server("--http2", "--deflate") as server:
        got = http2(server.url(), "-c", 4, "--streams", 4, "--deflate", "--verify", "-n", 400)
        assert got["totals"]["received"] == 400 and got["errors"] == {}, got
    with Server("--http2") as server:
        code, _, err = bench("-q", "--http2", server.url(), "--deflate", *QUICK)
        assert code == 1 and "the server declined permessage-deflate" in err, err


def a_constant_rate_is_kept():
    with Server("--http2") as server:
        got = http2(server.url(), "-c", 9, "--streams", 3, "-r", 500, "-d", "1s", "--warmup", 0)
    assert abs(got["totals"]["sent"] - 500) <= 1 and got["messages"]["unsent"] == 0, got
    assert got["latency_us"]["count"] == got["totals"]["sent"], got


def fanout_loses_nothing():
    def check(url, options):
        got = http2("fanout", url("/topic/all"), "-c", 30, "--publishers", 2, "--streams", 8, "-n",
                    200, *options)
        assert got["http2"]["connections"] == 4 and got["errors"] == {}, got
        assert got["totals"]["sent"] == 200 and got["totals"]["received"] == 200 * 30, got["totals"]
        assert not any(got["messages"][key] for key in ("lost", "duplicated", "reordered")), got
    in_the_clear_and_inside_tls(check)


def connect_opens_a_connection_for_so_many_handshakes():
    def check(url, options):
        for streams, most in ((1, 200), (10, 20), (200, 1)):
            got = http2("connect", url(), "-c", 4, "--streams", streams, "-n", 200, *options)
            assert got["connections"]["opened"] == 200 and got["errors"] == {}, got
            assert got["connections"]["unclosed"] == 0, got
            assert got["http2"]["connections"] == most, (streams, got)
    in_the_clear_and_inside_tls(check)


def dials_keep_their_rate():
    with Server("--http2") as server:
        got = http2("connect", server.url(), "-c", 8, "--streams", 4, "--connect-rate", 100, "-d",
                    "1s")
        assert abs(got["connections"]["opened"] - 100) <= 1 and got["errors"] == {}, got
        assert got["http2"]["connections"] == math.ceil(got["connections"]["opened"] / 4), got
        got = http2(server.url(), "--streams", 4, "--connect-ramp", "100ms:10", "-r", 200,
                    "-d", "500ms")
        assert got["connections"]["opened"] == 10 and got["http2"]["connections"] == 3, got


def idle_holds_sessions():
    with Server("--http2") as server:
        got = http2("idle", server.url(), "-c", 300, "--streams", 100, "-d", "200ms")
    assert got["connections"]["opened"] == 300 and got["http2"]["connections"] == 3, got
    assert got["connections"]["lost"] == 0 and got["errors"] == {}, got


def find_max_searches():
    with Server("--http2") as server:
        got = http2("find-max", server.url(), "--p99", "1us", "-r", "1k", "-c", 4, "--streams", 2,
                    "-d", "50ms", "--warmup", 0, code=5)
        assert got["find_max"]["rate"] == 0 and got["http2"]["connections"] == 2, got


def the_report_speaks_of_sessions():
    with Server("--http2") as server:
        code, out, _ = bench("-q", "--http2", server.url(), "-c", 20, "--streams", 10, "-t", 1,
                             *QUICK)
        assert code == 0, out
        assert "20 sessions of HTTP/2, 10 streams a connection on 1 thread" in out, out
        assert re.search(r"^  sessions     20 of 20 opened in .*\n"
                         r"               carried by 2 connections of HTTP/2$", out, re.M), out


def options_that_do_not_go_together():
    code, _, err = bench("--streams", 5, "ws://127.0.0.1:1/")
    assert code == 2 and "--streams is about HTTP/2: give --http2 as well" in err, err
    for value in ("0", "x", "1.5", "17m"):
        code, _, err = bench("--http2", "--streams", value, "ws://127.0.0.1:1/")
        assert code == 2 and f"--streams '{value}' is not a number from 1 to" in err, err


# ---- servers that do not want to ----------------------------------------------------------------


def cannot(url, said, *options):
    code, _, err = bench("-q", "--http2", url, "-c", 6, "--streams", 3, "-t", 1, *QUICK, *options)
    assert code == 1 and said in err and "(none of 6 " in err, (code, said, err)


def servers_without_http2_or_without_websockets_over_it():
    with Server("--http2", "--no-http2-websockets") as server:
        cannot(server.url(), "the server takes no WebSockets over HTTP/2 (its settings have no "
                             "ENABLE_CONNECT_PROTOCOL)")
    with H2Server(websockets=False) as server:
        cannot(server.url(), "its settings have no ENABLE_CONNECT_PROTOCOL")
    with Server("--no-http2", *TLS) as server:
        cannot(tls_url(server), "no HTTP/2", "--ca", certs.ca)
    with Server() as server:
        cannot(server.url(), " HTTP/2 (none of 6")  # by what it answers, or that it closes
    cannot(f"ws://127.0.0.1:{free_port()}/", "connect: Connection refused")
    with Server(*TLS) as server:
        cannot(tls_url(server), "certificate")


def refusals_are_counted_by_what_they_say():
    with Server("--http2") as server:
        cannot(server.url("/nothing"), "handshake: HTTP status 404")
        _, _, err = bench("-q", "-v", "--http2", server.url("/nothing"), *QUICK)
        assert "< HTTP/2 404\n" in err and "404 Not Found" in err, err
    with H2Server(status=403) as server:
        _, _, err = bench("-q", "-v", "--http2", server.url(), *QUICK)
        assert "< HTTP/2 403\n" in err and "not for you" in err, err
    with H2Server(refused=(2, 4, 5), code=ErrorCodes.REFUSED_STREAM) as server:
        got = http2(server.url(), "-c", 6, "--streams", 6, *QUICK, code=4)
        assert got["connections"]["opened"] == 3 and got["connections"]["failed"] == 3, got
        text = "handshake: the server refused the stream (REFUSED_STREAM)"
        assert got["errors"] == {text: 3}, got
        assert got["http2"]["connections"] == 1, got
    with H2Server(refused=(1, 2, 3), code=ErrorCodes.INTERNAL_ERROR) as server:
        got = http2(server.url(), "-c", 6, "--streams", 2, *QUICK, code=4)
        assert got["errors"] == {"handshake: the server reset the stream (INTERNAL_ERROR)": 3}, got
        assert got["connections"]["opened"] == 3, got


def a_server_that_takes_fewer_streams():
    with H2Server(streams_max=2) as server:
        got = http2(server.url(), "-c", 8, "--streams", 4, *QUICK, code=4)
        assert got["connections"]["opened"] == 4 and got["connections"]["failed"] == 4, got
        assert got["errors"] == {"handshake: the server takes 2 streams on a connection at a time":
                                 4}, got
    with Server("--http2", "--http2-sessions", "5", "--http2-requests", "1") as server:
        got = http2(server.url(), "-c", 6, "--streams", 6, *QUICK, code=4)
        assert got["connections"]["opened"] == 5 and got["connections"]["failed"] == 1, got


def streams_that_are_reset_in_the_middle():
    with H2Server(reset_after=50, code=ErrorCodes.CANCEL) as server:
        got = http2(server.url(), "-c", 5, "--streams", 5, "-d", "500ms", "--warmup", 0, code=4)
    assert got["connections"]["lost"] == 1 and got["connections"]["opened"] == 5, got
    assert got["errors"] == {"lost: the server reset the stream (CANCEL)": 1}, got
    assert got["totals"]["received"] > 50, got  # the others go on


def goaway_in_the_middle():
    for code in (ErrorCodes.NO_ERROR, ErrorCodes.ENHANCE_YOUR_CALM):
        with H2Server(goaway_after=40, code=code) as server:
            got = http2(server.url(), "-c", 9, "--streams", 3, "-d", "500ms", "--warmup", 0, code=4)
        assert got["connections"]["opened"] == 9 and got["connections"]["lost"] == 3, got["errors"]
        assert got["errors"] == {f"lost: the server sent GOAWAY ({code.name}) and ended the "
                                 "connection": 3}, got["errors"]
        assert got["totals"]["received"] > 40, got  # the others go on


def a_server_that_goes_slowly():
    """Its sessions go on, and the next ones get a connection of their own."""
    with H2Server(goaway_after=40, stays=True) as server:
        got = http2(server.url(), "-c", 6, "--streams", 6, "-n", 500)
    assert got["errors"] == {} and got["totals"]["received"] == 500, got
    with H2Server(goaway_every=5, stays=True) as server:
        got = http2("connect", server.url(), "-c", 1, "--streams", 100, "-n", 20)
    assert got["errors"] == {} and got["connections"]["opened"] == 20, got
    assert got["http2"]["connections"] == server.connections == 4, (got, server.connections)


def a_server_that_ends_all_its_sessions():
    """It drains: close frames first, then GOAWAY."""
    with Server("--http2") as server:
        with Program(os.environ["WRING"], "bench", "--http2", "-o", "/dev/stdout", "-c", "6",
                     "--streams", "3", "-d", "3s", "--warmup", "0", "--interval", "100ms",
                     server.url(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as tester:
            tester.process.stderr.readline()  # an interval has passed
            server.process.terminate()
            _, err = tester.process.communicate(timeout=120)
        assert tester.process.returncode == 4 and "6 errors" in err, err


# ---- in front of ours ----------------------------------------------------------------------------

def found_or_left_out(program):
    path = found(program)
    if path is None:
        print(f"{program} is not installed: left out")
    return path


def through_haproxy():
    if found_or_left_out("haproxy") is None:
        return
    for options in ("", "proto h2 ws h2"):
        with Server("--http2") as server, \
                Haproxy(server.port, ("", options), binds=["proto h2"], threads=2) as proxy:
            got = http2(f"ws://127.0.0.1:{proxy.port}/echo", "-c", 20, "--streams", 10, "-n", 500)
        assert got["errors"] == {} and got["http2"]["connections"] == 2, (options, got)
        assert got["totals"]["sent"] == got["totals"]["received"] == 500, got["totals"]


def through_nghttpx():
    nghttpx = found_or_left_out("nghttpx")
    if nghttpx is None:
        return
    cert, key = certs.pair("server")
    for proto in ("h2", "http/1.1"):
        with Server("--http2") as server:
            port = free_port()
            with Program(nghttpx, f"--frontend=127.0.0.1,{port}",
                         f"--backend=127.0.0.1,{server.port};;proto={proto}", "--workers=1",
                         "--conf=/dev/null", key, cert, port=port):
                got = http2(f"wss://localhost:{port}/echo", "--ca", certs.ca, "-c", 20, "--streams",
                            10, "-n", 500)
        assert got["errors"] == {} and got["http2"]["connections"] == 2, (proto, got)
        assert got["totals"]["sent"] == got["totals"]["received"] == 500, got["totals"]


run([sessions_share_connections,
     a_foreign_server_counts_the_same,
     threads_have_connections_of_their_own,
     messages_of_every_size,
     compressed_messages,
     a_constant_rate_is_kept,
     fanout_loses_nothing,
     connect_opens_a_connection_for_so_many_handshakes,
     dials_keep_their_rate,
     idle_holds_sessions,
     find_max_searches,
     the_report_speaks_of_sessions,
     options_that_do_not_go_together,
     servers_without_http2_or_without_websockets_over_it,
     refusals_are_counted_by_what_they_say,
     a_server_that_takes_fewer_streams,
     streams_that_are_reset_in_the_middle,
     goaway_in_the_middle,
     a_server_that_goes_slowly,
     a_server_that_ends_all_its_sessions,
     through_haproxy,
     through_nghttpx])
