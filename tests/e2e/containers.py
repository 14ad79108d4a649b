#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Where io_uring is forbidden as containers forbid it, EPERM and ENOSYS: everything runs on epoll, one
line says why and what to do, and asking for io_uring is an error. The rest of the tests run on epoll
as e2e-epoll/*."""
import json
import os
import re
import signal
import subprocess
import tempfile
import urllib.request

from server import run

WRING = os.environ["WRING"]
ERRORS = {"EPERM": "Operation not permitted", "ENOSYS": "Function not implemented"}
CURES = {"EPERM": "allow the io_uring system calls, or set that file to 0",
         "ENOSYS": "run Linux 6.1 or newer and allow the io_uring system calls"}


def environment(**more):
    left = {name: value for name, value in os.environ.items() if name != "WRING_BACKEND"}
    return left | more


def wring(forbidden, *arguments, backend=None, **options):
    command = [WRING, *arguments]
    if forbidden:
        command = [os.environ["FORBID_URING"], forbidden, *command]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120,
                          env=environment(**({"WRING_BACKEND": backend} if backend else {})),
                          **{"stdin": subprocess.DEVNULL, **options})
    return done.returncode, done.stdout, done.stderr


def is_the_line(text, forbidden):
    return (text.startswith("wring: runs on epoll, where everything works; not on io_uring: ") and text.count("\n") == 1 and
            ERRORS[forbidden] in text and CURES[forbidden] in text)


class Confined:
    """A server under a filter."""
    def __init__(self, forbidden, *options):
        self.process = subprocess.Popen(
            [os.environ["FORBID_URING"], forbidden, WRING, "serve", "--port", "0", *options],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())
        self.line = self.process.stdout.readline()
        self.port = int(re.search(r"127\.0\.0\.1:(\d+)/", self.line).group(1))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.send_signal(signal.SIGTERM)
        self.rest, self.err = self.process.communicate(timeout=60)
        assert self.process.returncode == 0 or exc[0], self.process.returncode


def fetch(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
        return answer.status, answer.read()


def a_server_falls_back_and_says_so():
    for forbidden in ERRORS:
        with Confined(forbidden, "--workers", "2", "--admin-port", "0") as server:
            assert "(2 workers, epoll)" in server.line, server.line
            admin = int(re.search(r":(\d+)/", server.process.stdout.readline()).group(1))
            stats = json.loads(fetch(admin, "/stats")[1])
            assert stats["backend"] == "epoll" and ERRORS[forbidden] in stats["backend_reason"], stats
            status, page = fetch(server.port, "/")
            assert status == 200 and b"<html" in page.lower(), page[:200]
            url = f"ws://127.0.0.1:{server.port}/echo"
            assert wring(None, "connect", url, input="hello\n", stdin=None) == (0, "hello\n", "")
        first = server.err[:server.err.index("\n") + 1]
        assert is_the_line(first, forbidden), server.err


def connect_and_bench_fall_back():
    for forbidden in ERRORS:
        with Confined(forbidden) as server:
            url = f"ws://127.0.0.1:{server.port}/echo"
            code, out, err = wring(forbidden, "connect", url, input="hello\n", stdin=None)
            assert (code, out, err) == (0, "hello\n", ""), (code, out, err)
            code, out, err = wring(forbidden, "connect", "-v", url, input="hello\n", stdin=None)
            assert code == 0 and is_the_line(err[:err.index("\n") + 1], forbidden), err
            for mode in ("echo", "connect", "idle"):
                code, out, err = wring(forbidden, "bench", mode, "-c", "20", "-d", "300ms",
                                       "--warmup", "0", "-j", url)
                assert code == 0, (out, err)
                assert is_the_line(err[:err.index("\n") + 1], forbidden), err
                assert json.loads(out)["config"]["backend"] == "epoll", out
            code, out, err = wring(forbidden, "bench", "-q", "-c", "20", "-d", "300ms", url)
            assert code == 0 and err == "", err  # quiet is quiet
            assert "on 1 thread, epoll," in out, out


def a_run_that_cannot_start_is_reported():
    with tempfile.NamedTemporaryFile("r", suffix=".md") as summary:
        code, out, err = wring("EPERM", "bench", "-q", "-j", "--summary", summary.name, "--backend",
                               "uring", "ws://127.0.0.1:1/")
        assert code == 1 and "io_uring_setup failed" in json.loads(out)["error"], (code, out, err)
        assert "FAILED" in summary.read()


def what_is_asked_for_by_name_does_not_fall_back():
    for forbidden in ERRORS:
        for arguments in (("serve", "--port", "0"), ("connect", "ws://127.0.0.1:1/"),
                          ("bench", "ws://127.0.0.1:1/")):
            code, out, err = wring(forbidden, *arguments, "--backend", "uring")
            assert code == 1 and out == "" and err.count("\n") == 1, (code, out, err)
            assert err.startswith("wring: io_uring: ") and CURES[forbidden] in err, err
            assert "it was asked for, and auto or epoll would run without" in err, err
            code, out, err = wring(forbidden, *arguments, backend="uring")
            assert code == 1 and CURES[forbidden] in err and "WRING_BACKEND" in err, (code, out, err)


def setting(name, *arguments, **options):
    code, out, err = wring(*arguments, "serve", "--print-config", **options)
    assert code == 0 and err == "", (code, err)
    return dict(line.split(" = ", 1) for line in out.splitlines())[name]


def without_threads_it_ends_with_a_sentence():
    for arguments in (("serve", "--port", "0"), ("bench", "-q", "ws://127.0.0.1:1/"),
                      ("connect", "ws://127.0.0.1:1/")):
        done = subprocess.run([os.environ["FORBID_URING"], "EPERM", "--threads", WRING, *arguments],
                              capture_output=True, text=True, timeout=60, env=environment(),
                              stdin=subprocess.DEVNULL)
        assert done.returncode == 1, (arguments, done)
        assert "Resource temporarily unavailable" in done.stderr, (arguments, done.stderr)


def the_configuration_shows_it():
    assert setting("backend", None) == "auto" and setting("backend-picked", None) == "uring"
    assert setting("backend-picked", None, backend="epoll") == "epoll"
    assert "WRING_BACKEND" in setting("backend-reason", None, backend="epoll")
    code, out, err = wring("EPERM", "serve", "--backend", "uring", "--print-config")
    assert code == 1 and "backend-picked = none" in out, (code, out, err)
    for forbidden in ERRORS:
        assert setting("backend-picked", forbidden) == "epoll"
        assert CURES[forbidden] in setting("backend-reason", forbidden)


def a_name_that_is_none_is_told():
    code, _, err = wring(None, "serve", "--backend", "kqueue")
    assert code == 2 and "there are auto, uring and epoll" in err, err
    code, _, err = wring(None, "serve", "--port", "0", backend="kqueue")
    assert code == 1 and "WRING_BACKEND is 'kqueue'" in err, err
    code, out, err = wring(None, "serve", "--backend", "epoll", "--print-config", backend="kqueue")
    assert code == 0 and "backend-picked = epoll" in out, err  # what is asked for goes first


probe = subprocess.run([os.environ["FORBID_URING"], "EPERM", "true"])
if probe.returncode == 77:
    raise SystemExit(77)
run([a_server_falls_back_and_says_so, connect_and_bench_fall_back,
     a_run_that_cannot_start_is_reported,
     what_is_asked_for_by_name_does_not_fall_back, without_threads_it_ends_with_a_sentence,
     the_configuration_shows_it,
     a_name_that_is_none_is_told])
