#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The command line of `wring`: numbers with units in every subcommand, what it says of a wrong one,
and help under every name people try."""
import contextlib
import json
import os
import socket
import subprocess
import tempfile

from server import run
from tools import Program, free_port

WRING = os.environ["WRING"]


def wring(*arguments):
    """(exit code, standard output, standard error)."""
    done = subprocess.run([WRING, *arguments], capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)
    assert "Sanitizer" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def config(*options):
    """What `wring serve --print-config` prints, as a dictionary."""
    code, out, err = wring("serve", *options, "--print-config")
    assert code == 0, (options, err)
    return dict(line.split(" = ", 1) for line in out.splitlines())


def refused(text, *arguments):
    code, out, err = wring(*arguments)
    assert code == 2 and text in err and err.count("\n") == 1, (arguments, code, out, err)


def sizes_times_and_counts_take_units():
    for options, name, value in (
            (("--max-message", "1MiB"), "max-message", "1048576"),
            (("--max-message", "65536"), "max-message", "65536"),
            (("--max-frame", "64k"), "max-frame", "65536"),
            (("--max-handshake-size", "8k"), "max-handshake-size", "8192"),
            (("--memory-budget", "2g"), "memory-budget", str(2 << 30)),
            (("--idle-timeout", "30s"), "idle-timeout", "30000"),
            (("--idle-timeout", "30000"), "idle-timeout", "30000"),
            (("--ping-interval", "1m30s"), "ping-interval", "90000"),
            (("--drain", "500ms"), "drain-ms", "500"),
            (("--drain-ms", "500"), "drain-ms", "500"),
            (("--drain-ms", "2s"), "drain-ms", "2000"),
            (("--coalesce", "2ms"), "coalesce-us", "2000"),
            (("--coalesce-us", "50"), "coalesce-us", "50"),
            (("--busy-poll", "1ms"), "busy-poll-us", "1000"),
            (("--busy-poll-us", "20"), "busy-poll-us", "20"),
            (("--max-connections", "20k"), "max-connections", "20000"),
            (("--message-rate", "1.5k"), "message-rate", "1500"),
            (("--deflate", "--deflate-idle", "1m"), "deflate-idle", "60000"),
            (("--deflate", "--deflate-budget", "64MiB"), "deflate-budget", str(64 << 20))):
        assert config(*options)[name] == value, (options, config(*options)[name])


def words_turn_limits_and_timeouts_off():
    assert config("--handshake-timeout", "off")["handshake-timeout"] == "off"
    assert config("--control-rate", "unlimited")["control-rate"] == "off"
    assert config("--max-message", "off")["max-message"] == "off"
    assert config("--admin-port", "off")["admin-port"] == "off"
    assert config("--admin-port", "0")["admin-port"] == "0"


def what_is_served_is_chosen():
    plain = config()
    for name, value in (("routes", "echo,chat,topic,page,health"), ("allow-publish", "*"),
                        ("publish-token", "none"), ("origin", "own"), ("trusted-proxy", "none"),
                        ("max-body", str(1 << 20)), ("max-requests", "off"),
                        ("keep-alive-timeout", "60000"), ("body-timeout", "30000"),
                        ("answer-timeout", "60000")):
        assert plain[name] == value, (name, plain[name])
    for options, name, value in (
            (("--routes", "health,topic"), "routes", "topic,health"),
            (("--host", "::1"), "allow-publish", "*"),
            (("--host", "0.0.0.0"), "allow-publish", "off"),
            (("--trusted-proxy", "127.0.0.1"), "allow-publish", "off"),
            (("--trusted-proxy", "unix", "--allow-publish", "*"), "allow-publish", "*"),
            (("--host", "0.0.0.0", "--publish-token", "x"), "allow-publish", "*"),
            (("--publish-token", "x"), "publish-token", "set"),
            (("--allow-publish", "off"), "allow-publish", "off"),
            (("--allow-publish", "a", "--allow-publish", "b*"), "allow-publish", "a b*"),
            (("--origin", "https://a.example", "--origin", "*"), "origin", "https://a.example *"),
            (("--trusted-proxy", "10.0.0.0/8", "--trusted-proxy", "unix"), "trusted-proxy",
             "10.0.0.0/8 unix"),
            (("--max-body", "64k"), "max-body", "65536"),
            (("--max-requests", "100"), "max-requests", "100"),
            (("--keep-alive-timeout", "off"), "keep-alive-timeout", "off"),
            (("--body-timeout", "5s"), "body-timeout", "5000"),
            (("--answer-timeout", "1m"), "answer-timeout", "60000")):
        assert config(*options)[name] == value, (options, config(*options)[name])
    refused("'ecco' is no route; there are echo, chat, topic, page and health", "serve", "--routes",
            "echo,ecco")
    refused("'' is no route", "serve", "--routes", "echo,")
    refused("name both or neither", "serve", "--routes", "page,health")
    refused("give it alone", "serve", "--allow-publish", "off", "--allow-publish", "x")
    refused("origin", "serve", "--port", "0", "--origin", "a.example/path")
    refused("trusted_proxies", "serve", "--port", "0", "--trusted-proxy", "somewhere")


def everything_or_nothing_is_compressed_on_request():
    assert config("--deflate")["deflate-min-bytes"] == "256"
    assert config("--deflate", "--deflate-min-bytes", "all")["deflate-min-bytes"] == "all"
    assert config("--deflate", "--deflate-min-bytes", "1")["deflate-min-bytes"] == "all"
    assert config("--deflate", "--deflate-min-bytes", "off")["deflate-min-bytes"] == "off"
    assert config("--deflate", "--deflate-min-bytes", "1k")["deflate-min-bytes"] == "1024"
    refused("--deflate-min-bytes '0' is not from 1 to 2147483647 bytes, or 'all' or 'off'", "serve",
            "--deflate", "--deflate-min-bytes", "0")


def a_wrong_number_names_option_value_and_what_is_right():
    for option, value, right in (
            ("--idle-timeout", "5parsecs", "a time like 500ms, 30s"),
            ("--idle-timeout", "1.5ms", "a time like"),
            ("--drain", "-1", "a time like"),
            ("--coalesce", "10ns", "a time like 250us"),
            ("--max-frame", "1q", "a size in bytes like 65536, 64k or 1MiB"),
            ("--workers", "1.5", "a whole number like 250"),
            ("--workers", "300", "from 0 to 255"),
            ("--port", "-1", "a whole number"),
            ("--port", "65536", "from 0 to 65535"),
            ("--message-rate", "off!", "or 'off'"),
            ("--max-handshake-size", "10", "from 64 to 16777216 bytes"),
            ("--receive-buffer-size", "1g", "from 64 to 16777216 bytes"),
            ("--memory-budget", "5k", "from 1048576 to"),
            ("--send-hard", "1024", "above --send-soft, which is 65536"),
            ("--receive-buffers", "3", "a power of two")):
        refused(f"{option} '{value}' is not ", "serve", option, value)
        refused(right, "serve", option, value)
    refused("--timeout '-1' is not a time", "connect", "--timeout", "-1", "ws://127.0.0.1:1/")
    refused("--linger 'soon' is not a time", "connect", "--linger", "soon", "ws://127.0.0.1:1/")
    refused("--deflate-level '10' is not from 1 to 9", "connect", "--deflate", "--deflate-level",
            "10", "ws://127.0.0.1:1/")
    for option, value in (("--threads", "x"), ("--threads", "65"), ("--pipeline", "1m"),
                          ("--burst", "-1"), ("--server-pid", "x")):
        refused(f"{option} '{value}' is not a number from", "bench", option, value,
                "fanout", "ws://127.0.0.1:1/")


def an_option_of_another_mode_is_refused():
    """By name, with the modes that have it and what may have been meant."""
    url = "ws://127.0.0.1:1/"
    for text, *arguments in (
            ("bench connect: -r is for echo, fanout and find-max; --connect-rate limits handshakes",
             "connect", "-r", "20"),
            ("bench idle: -r is for echo, fanout and find-max; --connect-rate", "idle", "-r", "20"),
            ("bench connect: --ramp is for echo and fanout", "connect", "--ramp", "1s:5"),
            ("bench echo: --p99 is for find-max; --fail", "echo", "--p99", "5ms"),
            ("bench echo: --tolerance is for compare", "--tolerance", "5%"),
            ("bench echo: -P (--publishers) is for fanout and find-max fanout", "-P", "2"),
            ("bench echo: --burst is for fanout", "--burst", "2"),
            ("bench find-max echo: --topics is for fanout", "find-max", "--topics", "2"),
            ("bench find-max: --fail is for echo, fanout, connect and idle; --p99", "find-max",
             "--fail", "p99>1s"),
            ("bench find-max fanout: --verify is for echo and find-max echo", "find-max", "fanout",
             "--verify"),
            ("bench fanout: --verify is for echo", "fanout", "--verify"),
            ("bench fanout: --connect-ramp is for echo and idle", "fanout", "--connect-ramp", "1s:5"),
            ("bench connect: -s (--size) is for", "connect", "--size", "5"),
            ("bench idle: -m (--message)", "idle", "-m", "x"),
            ("bench idle: -n is for echo, fanout and connect; -d", "idle", "-n", "5"),
            ("bench idle: --svg is for", "idle", "--svg", "x.svg")):
        refused(text, "bench",
                *arguments, url)
    for option in ("--json", "-k", "-v", "-c3", "-r5", "-ox.json", "--fail=p99>1s", "--size=5"):
        refused("bench compare: -", "bench", "compare", "a.json", "b.json", option)


def a_word_that_is_no_mode_is_named():
    modes = "is neither a mode (echo, fanout, connect, idle, find-max, compare) nor a URL"
    url = "ws://127.0.0.1:1/"
    for word, near in (("ech", "echo"), ("fan-out", "fanout"), ("Connect", "connect"),
                       ("findmax", "find-max"), ("idel", None), ("soak", None),
                       ("a-word-longer-than-all-modes", None)):
        refused(f"'{word}' {modes}", "bench", word, url)
        code, _, err = wring("bench", "-c", "3", word, url)
        assert code == 2 and err.endswith(f"; did you mean {near}?\n" if near else "/path\n"), err
    refused(f"'fanuot' {modes}", "bench", "find-max", "fanuot", url)
    refused("unexpected argument 'echo'", "bench", url, "echo")


def help_is_there_under_every_name():
    for arguments in (("-h",), ("--help",), ("help",)):
        code, out, err = wring(*arguments)
        assert code == 0 and "Usage: wring COMMAND" in out and err == "", (arguments, out, err)
    for command in ("serve", "connect", "bench"):
        for name in ("-h", "--help"):
            code, out, err = wring(command, name)
            assert code == 0 and f"Usage: wring {command}" in out and err == "", (command, out, err)
    _, out, _ = wring("serve", "--help")
    text = " ".join(out.split())
    assert "Without TLS it only prints that there are none" in text, text
    assert "The old one needs --share-port to hand new connections to the new one" in text, text
    assert wring("-V") == wring("--version")
    refused("there is no command 'brew'", "brew")


def unwritable(*arguments, closed=False):
    """(exit code, standard error) with a standard output that takes nothing, or none at all."""
    with open("/dev/full", "w") as full:
        done = subprocess.run([WRING, *arguments], stdout=full, stderr=subprocess.PIPE, text=True,
                              timeout=60, stdin=subprocess.DEVNULL,
                              preexec_fn=(lambda: os.close(1)) if closed else None)
    assert "Sanitizer" not in done.stderr, done.stderr
    return done.returncode, done.stderr


def results_that_cannot_be_written_are_a_failure():
    texts = [("--help",), ("--version",), ("serve", "--help"), ("connect", "--help"),
             ("bench", "--help"), ("serve", "--print-config")]
    with Program(WRING, "serve", "--port", "0", stdout=subprocess.PIPE) as server, \
            tempfile.TemporaryDirectory() as folder:
        url = "ws" + server.process.stdout.readline().split()[3].removeprefix("http")
        short = ("bench", "-q", "-c", "2", "-n", "20", url + "echo")
        report = os.path.join(folder, "report.json")
        code, out, err = wring(*short, "-j")
        assert code == 0, err
        with open(report, "w") as file:
            json.dump(json.loads(out), file)
        texts += [short, (*short, "-j"), (*short, "--summary", "-"),
                  # a report much longer than a stream's buffer: the write that fails is not the last
                  ("bench", "-q", "-j", "--warmup", "0", "-d", "1s", "--interval", "10ms",
                   url + "echo"),
                  ("bench", "compare", report, report)]
        for arguments in texts:
            for closed, why in ((False, "No space left on device"), (True, "Bad file descriptor")):
                told = unwritable(*arguments, closed=closed)
                assert told == (1, f"wring: cannot write to standard output: {why}\n"), \
                    (arguments, closed, told)


def a_server_lives_on_without_its_log():
    """Whoever reads a server's standard output is gone, or its disk is full: nobody else minds."""
    port = free_port()
    with open("/dev/full", "w") as full, \
            Program(WRING, "serve", "--port", str(port), "--admin-port", "0", stdout=full,
                    stderr=subprocess.PIPE) as server:
        while server.process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
        server.process.terminate()
        _, err = server.process.communicate(timeout=60)
        assert server.process.returncode == 0 and "cannot write" not in err, err


run([sizes_times_and_counts_take_units, words_turn_limits_and_timeouts_off,
     what_is_served_is_chosen, everything_or_nothing_is_compressed_on_request,
     a_wrong_number_names_option_value_and_what_is_right,
     an_option_of_another_mode_is_refused, a_word_that_is_no_mode_is_named,
     help_is_there_under_every_name, results_that_cannot_be_written_are_a_failure,
     a_server_lives_on_without_its_log])
