#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What a message, an HTTP exchange and an upgrade cost, counted: instructions (callgrind), allocations,
system calls (strace).

    budget.py BENCH_BUDGET            compares with budget.json; exits 1 when something rose
    budget.py BENCH_BUDGET --record   writes budget.json anew
    budget.py --selftest              the comparison finds what it has to find

Everything is a difference of two runs, so start-up does not count. Instructions depend on compiler,
build type and kernels: they are compared where there is a record of the same build, and told where
there is none. Allocations and system calls are the same everywhere and always compared.
"""
import json
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile

RECORD = pathlib.Path(__file__).with_name("budget.json")
FEW, MANY = 4, 24
TOLERANCE = 0.02  # of instructions: addresses and hash seeds differ from run to run
FELL = 0.10       # a fall worth recording
REAL = ("echo_20", "echo_20_pipeline_32", "fanout_64", "send_by_ref_20", "http_get_1024",
        "http_get_1024_pipeline_8", "http_post_1024")
# per turn and per message; what is above is a bug whatever was recorded
ENTERS_A_TURN = 1.0
# a turn with 1,000 sends fills a submission queue of 1,024 at times: the rest is handed over early
ENTERS_MORE = {"fanout_64": 0.2}
SLACK = 0.02
CALLS = {"enters": ("io_uring_enter",),
         "waits": ("epoll_wait", "epoll_pwait", "epoll_pwait2"),
         "receives": ("recvfrom",),
         "sends": ("sendto", "sendmsg")}


def run(*command):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"budget: {' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")
    return done


def facts(program, mode, scenario, rounds, *before):
    done = run(*before, program, mode, scenario, rounds)
    found = json.loads(done.stdout)
    match = re.search(r"Collected : (\d+)", done.stderr)
    found["instructions"] = int(match.group(1)) if match else 0
    return found


def per(few, many, what, of="messages"):
    return (many[what] - few[what]) / (many[of] - few[of])


def count_instructions(program, scenario):
    callgrind = ("valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null")
    few, many = (facts(program, "null", scenario, n, *callgrind) for n in (FEW, MANY))
    return {"instructions": round(per(few, many, "instructions"), 1),
            "allocations": round(per(few, many, "allocations"), 5)}


def strace(program, backend, scenario, rounds):
    """Calls of the first thread, which is the worker."""
    with tempfile.NamedTemporaryFile("r") as report:
        found = facts(program, backend, scenario, rounds, "strace", "-c", "-o", report.name)
        for row in report.read().splitlines():
            match = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", row)
            if match and match.group(2) != "total":
                found[match.group(2)] = int(match.group(1))
    counted = {what: sum(found.pop(name, 0) for name in names) for what, names in CALLS.items()}
    known = ("messages", "allocations", "turns", "instructions")
    counted["others"] = sum(n for name, n in found.items() if name not in known)
    return found | counted


def count_calls(program, scenario):
    few, many = (strace(program, "uring", scenario, n) for n in (FEW, 10 * MANY))
    return {"enters_a_turn": round(per(few, many, "enters", "turns"), 3),
            "other_calls": round(per(few, many, "others"), 4)}


def count_epoll(program, scenario):
    """On epoll the receives and sends are calls of their own."""
    few, many = (strace(program, "epoll", scenario, n) for n in (FEW, 10 * MANY))
    return {"waits_a_turn": round(per(few, many, "waits", "turns"), 3),
            "receives": round(per(few, many, "receives"), 4),
            "sends": round(per(few, many, "sends"), 4),
            "others": round(per(few, many, "others"), 4),
            "allocations": round(per(few, many, "allocations"), 5)}


def can_strace():
    if not shutil.which("strace"):
        return False
    return subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True).returncode == 0


def measure(program):
    build, *scenarios = run(program, "list").stdout.splitlines()
    figures = {}
    for scenario in scenarios:
        figures[scenario] = count_instructions(program, scenario)
        if scenario in REAL and can_strace():
            figures[scenario].update(count_calls(program, scenario))
            figures[scenario]["epoll"] = count_epoll(program, scenario)
    return f"{platform.machine()}, {build}", figures


def complaints(figures, instructions, recorded):
    """`instructions`: the record of the same build, or None; `recorded`: what holds for any."""
    for name, now in figures.items():
        was = (instructions or {}).get(name)
        if was is not None and now["instructions"] > was * (1 + TOLERANCE) + 0.5:
            yield (f"{name}: {now['instructions']} instructions a message, recorded {was} "
                   f"({100 * (now['instructions'] / was - 1):+.1f} %)")
        allowed = recorded.get(name, {}).get("allocations", 0)
        if now["allocations"] > allowed + 0.0001:
            yield f"{name}: {now['allocations']} allocations a message, recorded {allowed}"
        if now.get("enters_a_turn", 0) > ENTERS_A_TURN + ENTERS_MORE.get(name, SLACK):
            yield f"{name}: {now['enters_a_turn']} io_uring_enter a turn, one is the rule"
        if now.get("other_calls", 0) > SLACK:
            yield f"{name}: {now['other_calls']} other system calls a message, none is the rule"
        yield from epoll_complaints(name, now.get("epoll"), recorded.get(name, {}).get("epoll"))


def epoll_complaints(name, now, recorded):
    if now is None:
        return
    if now["waits_a_turn"] > ENTERS_A_TURN + SLACK:
        yield f"{name}: {now['waits_a_turn']} waits a turn on epoll, one is the rule"
    if now["others"] > SLACK:
        yield f"{name}: {now['others']} other system calls a message on epoll, none is the rule"
    for what in ("receives", "sends", "allocations"):
        if recorded is not None and now[what] > recorded[what] * (1 + TOLERANCE) + 0.001:
            yield f"{name}: {now[what]} {what} a message on epoll, recorded {recorded[what]}"


def show(figures, instructions):
    print(f"{'a message of':26} {'instructions':>12} {'recorded':>9} {'allocations':>12} "
          f"{'enters a turn':>14} {'other calls':>12}")
    for name, now in figures.items():
        was = (instructions or {}).get(name, "-")
        print(f"{name:26} {now['instructions']:12} {was:>9} {now['allocations']:12} "
              f"{now.get('enters_a_turn', '-'):>14} {now.get('other_calls', '-'):>12}")
    print(f"\n{'on epoll':26} {'waits a turn':>12} {'receives':>9} {'sends':>12} {'other calls':>14} "
          f"{'allocations':>12}")
    for name, now in figures.items():
        if "epoll" in now:
            e = now["epoll"]
            print(f"{name:26} {e['waits_a_turn']:12} {e['receives']:9} {e['sends']:12} "
                  f"{e['others']:14} {e['allocations']:12}")


def record(build, figures):
    old = json.loads(RECORD.read_text()) if RECORD.exists() else {"instructions": {}}
    old["instructions"][build] = {name: now["instructions"] for name, now in figures.items()}
    old["any_build"] = {name: {what: now[what] for what in ("allocations", "epoll") if what in now}
                        for name, now in figures.items()}
    RECORD.write_text(json.dumps(old, indent=1) + "\n")


def check(build, figures):
    old = json.loads(RECORD.read_text())
    instructions = old["instructions"].get(build)
    show(figures, instructions)
    found = list(complaints(figures, instructions, old["any_build"]))
    for line in found:
        print(f"budget: {line}")
    if found:
        print("budget: a message has become more expensive. If that is meant, record it in the same "
              "commit, with the reason: script/bench budget --record")
        return 1
    if instructions is None:
        print(f"budget: no instructions are recorded for this build ({build}): not compared")
    elif any(now["instructions"] < instructions.get(name, 0) * (1 - FELL)
             for name, now in figures.items()):
        print("budget: it has become cheaper; record it: script/bench budget --record")
    return 0


def selftest():
    good = {"x": {"instructions": 100.0, "allocations": 0, "enters_a_turn": 1.0, "other_calls": 0}}
    recorded = {"x": {"allocations": 0}}
    assert not list(complaints(good, {"x": 100.0}, recorded))
    assert not list(complaints(good, None, recorded))
    for key, value in (("instructions", 104.0), ("allocations", 0.01), ("enters_a_turn", 1.5),
                       ("other_calls", 1.0)):
        bad = {"x": {**good["x"], key: value}}
        assert len(list(complaints(bad, {"x": 100.0}, recorded))) == 1, key
    epoll = {"waits_a_turn": 1.0, "receives": 1.0, "sends": 1.0, "others": 0, "allocations": 0}
    recorded["x"]["epoll"] = epoll
    assert not list(complaints({"x": {**good["x"], "epoll": epoll}}, None, recorded))
    for key, value in (("waits_a_turn", 2.0), ("receives", 1.1), ("sends", 1.1), ("others", 1.0),
                       ("allocations", 0.1)):
        bad = {"x": {**good["x"], "epoll": {**epoll, key: value}}}
        assert len(list(complaints(bad, None, recorded))) == 1, key
    return 0


def main():
    if sys.argv[1:] == ["--selftest"]:
        return selftest()
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--record"]):
        sys.exit(__doc__)
    if not shutil.which("valgrind"):
        print("valgrind is not installed: script/setup --tests")
        return 77
    build, figures = measure(sys.argv[1])
    if sys.argv[2:] == ["--record"]:
        show(figures, None)
        record(build, figures)
        print(f"budget: recorded for {build}")
        return 0
    return check(build, figures)


if __name__ == "__main__":
    sys.exit(main())
