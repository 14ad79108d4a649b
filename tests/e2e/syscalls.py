#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""An echo burst under strace: about one io_uring_enter a turn, and no other call per message."""
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

print(f"{MESSAGES} messages: {calls}")
enters = calls.pop("io_uring_enter", 0)
# a message is two turns at most: one that receives it, one that takes note that its echo is sent
assert MESSAGES * 0.9 <= enters <= MESSAGES * 2.2, enters
others = sum(calls.values())
assert others < 20, calls
