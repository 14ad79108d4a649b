#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`wring bench` against servers that misbehave (hostile_server.py), that die, and against Ctrl-C at
any moment: each ends in a report whose figures agree with one another and the right exit code,
never in a crash and never in a wait without end. BENCH_HOSTILE_SEED replays a run."""
import concurrent.futures
import contextlib
import json
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time

from bench_tools import bench as command, report
from server import run
from tools import Program, environment, read_head, response

SEED = int(os.environ.get("BENCH_HOSTILE_SEED", random.randrange(1 << 30)))
PATIENCE = 200  # the longest wait of the tester itself is 15 s of draining and closing
SHORT = ("-d", "600ms", "--warmup", "100ms", "--connect-timeout", "1s", "--interval", "100ms")
LONGER = ("-d", "2s", *SHORT[2:])
# no option twice: popt forgets the first value, which LeakSanitizer minds
PATIENT = tuple("1m" if option == "1s" else option for option in SHORT)
HERE = os.path.dirname(os.path.abspath(__file__))
AT_A_TIME = 6  # most of a run is waiting
print(f"seed {SEED}", flush=True)


@contextlib.contextmanager
def hostile(seed, *faults):
    """Gives the URL and the server's process."""
    script = os.path.join(HERE, "hostile_server.py")
    with Program(sys.executable, script, str(seed), *faults, stdout=subprocess.PIPE,
                 stderr=None) as program:
        port = int(program.process.stdout.readline().split()[1])
        yield f"ws://127.0.0.1:{port}/", program.process


def start(*arguments):
    return subprocess.Popen([os.environ["WRING"], "bench", "--json", *map(str, arguments)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())


def finish(process, *codes):
    """The report, which is checked; None when the run came to none."""
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f"it never ends: {process.args}") from None
    told = (process.args[2:], process.returncode, err[-1500:])
    assert b"Sanitizer" not in err and b"assertion" not in err, told
    assert process.returncode in codes, told
    if process.returncode < 0:  # by the signal, before it had a handler and told that it opens
        assert b"opening" not in err, told
        return None
    if process.returncode in (1, 130) and "error" in json.loads(out):
        assert err.strip(), told
        return None
    err.decode()  # what the server said is shown as text, whatever it was
    return check(json.loads(out.decode()), process.returncode, told)


def check(got, code, told):
    connections, messages, totals = got["connections"], got["messages"], got["totals"]
    trouble = sum(got["errors"].values())
    if got["mode"] != "connect":
        assert connections["opened"] + connections["failed"] <= connections["wanted"], told
        if not got["interrupted"]:
            assert connections["opened"] + connections["failed"] == connections["wanted"], told
    assert connections["lost"] <= connections["opened"], told
    assert trouble >= connections["failed"] + connections["lost"], (connections, got["errors"])
    if got["mode"] == "echo":
        # each is answered or lost, but for what came late and out of order
        assert totals["received"] + messages["lost"] >= totals["sent"] - messages["reordered"], got
        assert totals["received"] <= totals["sent"] and messages["lost"] <= totals["sent"], got
    clean = not (trouble or messages["lost"] or messages["duplicated"] or messages["reordered"])
    assert code == 130 or (code == 0) == clean, (got, told)
    return got


def bench(seed, faults, *arguments, times=SHORT, codes=(0, 1, 4)):
    with hostile(seed, *faults) as (url, _):
        return finish(start("-q", *times, *arguments, url), *codes)


def side_by_side(tasks):
    """Runs functions, a few at a time; the first that failed is raised."""
    with concurrent.futures.ThreadPoolExecutor(AT_A_TIME) as pool:
        for future in [pool.submit(task) for task in tasks]:
            future.result()


def faults_known():
    sys.argv = [sys.argv[0]]
    import hostile_server
    return hostile_server.FAULTS


# What each fault must be counted as: a part of the text of one of the errors.
SAID = {"gone": "lost: ", "half": "lost: ", "close": "closed by the server", "promise": "",
        "garbage": "", "size": "answer: another length", "pieces-unfinished": ""}
# With these no connection opens at all.
OPENS_NONE = ("accept-rst", "accept-fin", "accept-silent", "head-half", "head-wrong")


def each_fault_by_itself():
    def task(fault):
        good = fault in ("none", "head-drip", "pieces", "pings") or fault.startswith("close-")
        codes = (0,) if good else (0, 1, 4)
        got = bench(SEED, [fault], "-c", 20, "--size", "8-300", "--verify", codes=codes)
        if good:
            assert got["totals"]["received"] > 0, (fault, got)
        assert (got is None) == (fault in OPENS_NONE), (fault, got)
        if fault in SAID:
            assert any(SAID[fault] in text for text in got["errors"]), (fault, got)
    side_by_side([lambda fault=fault: task(fault) for fault in faults_known()])


def all_faults_in_each_mode():
    ways = (
        ("-c", 200, "--pipeline", 32, "--size", 20),
        ("-c", 200, "--pipeline", 4, "--size", "0-5000", "-t", 3, "--verify"),
        ("-c", 60, "--size", "300k", "--pipeline", 3, "-t", 2),
        ("-c", 100, "-r", 20000, "--size", 64),
        ("-c", 100, "--any-answer", "--pipeline", 32, "-t", 2),
        ("-c", 100, "--message", "hello"),
        ("connect", "-c", 100, "-t", 2),
        ("idle", "-c", 200, "-t", 2),
        ("fanout", "-c", 100, "-P", 3, "--topics", 3, "--pipeline", 8, "-t", 3),
        ("fanout", "-c", 100, "-P", 2, "-r", 2000, "-t", 2),
    )
    side_by_side([lambda i=i, way=way: bench(SEED + i, (), *way) for i, way in enumerate(ways)])


def ctrl_c_at_any_moment():
    rng = random.Random(SEED)

    def task(delay, *arguments):
        with hostile(SEED) as (url, _):
            process = start(*SHORT, "-t", 2, *arguments, url)
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            # it may also have been over, or not have begun
            finish(process, 0, 1, 4, 130, -signal.SIGINT)
    ways = [("-c", 300, "--pipeline", 32), ("connect", "-c", 50), ("idle", "-c", 300),
            ("fanout", "-c", 50, "-P", 2), ("-c", 300, "--connect-rate", 200)]
    side_by_side([lambda way=way, delay=rng.uniform(0.01, 2.5): task(delay, *way)
                  for way in ways * 4])


def the_second_ctrl_c_ends_it_at_once():
    with hostile(SEED, "accept-silent") as (url, _):
        process = start("-c", 20, "--connect-timeout", "1h", url)
        assert b"opening" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        finish(process, 130)
        process = start("-d", "1h", "--warmup", 0, "-c", 1, "--connect-timeout", "1h", url)
        assert b"opening" in process.stderr.readline()
        for _ in range(2):
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) in (1, 130), process.returncode


def the_server_dies_in_mid_run():
    rng = random.Random(SEED)

    def task(delay, *arguments):
        with hostile(SEED, "none") as (url, server):
            process = start("-q", "-d", "2s", "--warmup", 0, "--connect-timeout", "1s", "-t", 2,
                            *arguments, url)
            time.sleep(delay)
            server.kill()
            finish(process, 0, 1, 4)
    ways = [("-c", 200, "--pipeline", 32), ("connect", "-c", 50), ("idle", "-c", 100),
            ("-c", 100, "-r", 5000), ("-c", 20, "--size", "1m")]
    side_by_side([lambda way=way, delay=rng.uniform(0.05, 2): task(delay, *way)
                  for way in ways * 2])


def may_hold(connections):
    """Whether a process may have so many descriptors: the hostile server needs one for each."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most < connections + 500:
        print(f"not tried: a hard limit of {most} descriptors")
    return most >= connections + 500


def ten_thousand_connections_with_all_faults():
    """As many at a time as the machine's limits allow; no silence at the start, which would take
    10,000 / 256 rounds of waiting."""
    if not may_hold(10000):
        return
    faults = [fault for fault in faults_known() if fault not in ("accept-silent", "head-half")]
    got = bench(SEED, faults, "-c", 10000, "--pipeline", 32, "--size", 20, "-t", 2,
                times=LONGER, codes=(4,))
    assert got["connections"]["opened"] > 5000, got["connections"]
    assert got["connections"]["lost"] > 100 and len(got["errors"]) > 10, got


def a_server_that_never_answers_a_close_is_not_waited_for_for_ever():
    """Closed in waves of 1,024 of 3 s each: twelve of them, if there were no bound of 15 s."""
    if not may_hold(12000):
        return
    with hostile(SEED, "close-never") as (url, _):
        process = start("idle", *PATIENT, "-c", 12000, "-t", 1, url)
        out, err = process.communicate(timeout=PATIENCE)
    lines = [line.split() for line in err.decode().splitlines() if "closing:" in line]
    assert process.returncode == 0, (process.returncode, err[-1000:])
    assert json.loads(out)["connections"]["opened"] == 12000, out
    assert 3 < len(lines) < 25, lines  # one a second


def dials_that_nobody_answers_are_no_success():
    """Accepted by the kernel, and no more: the upgrade, and with wss the TLS handshake, is never
    answered. -n and --fail change nothing about that."""
    ways = (((), 4), (("-n", 9), 4), (("--fail", "failed>0"), 6), (("--fail", "errors>50%"), 6),
            (("--fail", "unanswered>0"), 6), (("--fail", "unclosed>0"), 4))
    with socket.create_server(("127.0.0.1", 0), backlog=512) as silent:
        port = silent.getsockname()[1]
        for scheme in ("ws", "wss"):
            arguments = ("connect", "-k", f"{scheme}://127.0.0.1:{port}/", "-c", 4, "-d", "200ms")
            for more, code in ways:
                got = report(*arguments, *more, code=code)
                assert got["connections"] == {"wanted": 4, "opened": 0, "failed": 4, "lost": 0,
                                              "unanswered": 4, "unclosed": 0}, (more, got)
                assert got["errors"] == {"handshake: still unanswered at the end": 4}, got
            code, out, _ = command("-q", *arguments)
            assert code == 4 and "0 opened, 4 failed, 4 still unanswered at the end" in out, out
        # connections in stages are dialled in the measured time, too
        got = report("idle", f"ws://127.0.0.1:{port}/", "--connect-ramp", "50ms:5,100ms:5", code=4)
        assert got["connections"]["unanswered"] == got["connections"]["failed"] == 5, got


def answers_all_but(count):
    """A server that never answers its first `count` connections."""
    def answer(sock):
        with sock, contextlib.suppress(OSError):
            sock.sendall(response(read_head(sock)))
            sock.recv(100)  # our close, which is answered without a mask
            sock.sendall(b"\x88\x02\x03\xe8")

    def accept(listener, silent):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                if len(silent) < count:
                    silent.append(sock)
                else:
                    threading.Thread(target=answer, args=(sock,), daemon=True).start()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    threading.Thread(target=accept, args=(listener, []), daemon=True).start()
    return listener


def some_that_nobody_answers_are_told_beside_those_that_opened():
    """Only those that waited for over a second: a run always cuts a few dials off."""
    with answers_all_but(3) as listener:
        got = report("connect", f"ws://127.0.0.1:{listener.getsockname()[1]}/", "-c", 4, "-d",
                     "1500ms", "--connect-rate", 200, "--fail", "unanswered>2", code=6)
        listener.shutdown(socket.SHUT_RDWR)
    connections = got["connections"]
    assert connections["opened"] > 0 and connections["failed"] == 0, got
    assert connections["unanswered"] >= 3 and connections["unclosed"] == 0, got


def closes_that_are_never_answered_are_told():
    for fault in ("close-never", "none"):
        with hostile(SEED, fault) as (url, _):
            code, out, err = command("-q", "idle", url, "-c", 8, "-d", "100ms", "-o", "/dev/stderr")
        said = "8 of our closes never answered" in out
        assert code == 0 and said == (fault == "close-never"), (fault, out)
        assert json.loads(err)["connections"]["unclosed"] == (8 if said else 0), err


run([each_fault_by_itself, all_faults_in_each_mode, ctrl_c_at_any_moment,
     the_second_ctrl_c_ends_it_at_once, the_server_dies_in_mid_run,
     ten_thousand_connections_with_all_faults,
     a_server_that_never_answers_a_close_is_not_waited_for_for_ever,
     dials_that_nobody_answers_are_no_success,
     some_that_nobody_answers_are_told_beside_those_that_opened,
     closes_that_are_never_answered_are_told])
