#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An echo burst under strace: one io_uring_enter for a message, which sends the answer and waits for
the next message, and no other call; on epoll a wait, a receive and a send, and no epoll_ctl. Beside it a peer that reads nothing, whose full socket must not
hold up anybody's answers."""
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from server import Server, frame, read_frame

MESSAGES = 2000
if not shutil.which("strace"):
    sys.exit(77)

server = Server("--workers", "1")
with server, tempfile.NamedTemporaryFile("r") as report:
    sock = server.upgraded()
    stuck = server.upgraded()
    stuck.settimeout(1)
    try:
        for i in range(2000):  # far more than the sockets and the queue take
            stuck.sendall(frame(2, bytes(16384)))
    except TimeoutError:
        pass
    else:
        sys.exit("the server read everything of a peer that reads nothing")
    strace = subprocess.Popen(["strace", "-c", "-f", "-p", str(server.process.pid),
                               "-o", report.name], stderr=subprocess.PIPE, text=True)
    line = strace.stderr.readline()
    if "attach" not in line or "ermitted" in line:
        print(f"strace cannot attach: {line}")
        strace.kill()
        sys.exit(77)
    time.sleep(0.5)  # until it is attached to every thread
    for i in range(MESSAGES):
        sock.sendall(frame(2, b"%020d" % i))
        assert read_frame(sock) == (2, b"%020d" % i)
    strace.send_signal(signal.SIGINT)
    strace.wait(timeout=20)
    calls = {}
    for row in report.read().splitlines():
        match = re.match(r"\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", row)
        if match and match.group(2) != "total":
            calls[match.group(2)] = int(match.group(1))
    sock.close()
    stuck.close()

print(f"{MESSAGES} messages: {calls}")
expected = ("io_uring_enter",)
if os.environ.get("WRING_BACKEND") == "epoll":
    calls["wait"] = sum(calls.pop(name, 0) for name in ("epoll_wait", "epoll_pwait", "epoll_pwait2"))
    expected = ("wait", "recvfrom", "sendto")
for name in expected:
    count = calls.pop(name, 0)
    assert MESSAGES * 0.9 <= count <= MESSAGES * 1.1, (name, count)
assert calls.get("epoll_ctl", 0) <= 2, calls
others = sum(calls.values())
assert others < 20, calls
