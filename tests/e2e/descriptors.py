# SPDX-License-Identifier: Apache-2.0
"""A server without descriptors left says so once, serves whom it has, does not spin, and accepts again
when some come back."""
import os
import re
import resource
import select
import signal
import socket
import subprocess

from server import UPGRADE, frame, read_frame, run

FILES = 64
CROWD = 400


def cpu_ticks(pid):
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def limited():
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES))


def out_of_descriptors_is_said_once_and_ends():
    server = subprocess.Popen([os.environ["WRING"], "serve", "--port", "0", "--workers", "1"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              preexec_fn=limited)
    port = int(re.search(r":(\d+)/", server.stdout.readline()).group(1))
    crowd = []
    for _ in range(CROWD):
        sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        sock.sendall(UPGRADE.format(path="/echo").encode())
        crowd.append(sock)
    line = server.stderr.readline()
    assert re.match(r"wring: cannot accept a connection: Too many open files: .*ulimit -n", line), line
    served = [sock for sock in crowd if select.select([sock], [], [], 0)[0]]
    assert 0 < len(served) < CROWD, len(served)
    for sock in served:
        while not sock.recv(65536).endswith(b"\r\n\r\n"):
            pass
    before = cpu_ticks(server.pid)
    assert not select.select([server.stderr], [], [], 3)[0], "said once"
    assert cpu_ticks(server.pid) - before < 100, "of 300 that a thread has which spins"
    served[0].sendall(frame(1, b"served"))
    assert read_frame(served[0]) == (1, b"served")
    waiting = [sock for sock in crowd if sock not in served]
    while waiting:  # each that leaves makes room for one that waits
        for sock in served:
            sock.close()
        served = select.select(waiting, [], [], 60)[0]
        assert served, f"{len(waiting)} wait for ever"
        waiting = [sock for sock in waiting if sock not in served]
    for sock in served:
        sock.close()
    assert server.stderr.readline() == "wring: connections are accepted again\n"
    server.send_signal(signal.SIGTERM)
    assert server.wait(timeout=60) == 0



def who_waits_when_it_stops_is_served():
    """Without descriptors left, sessions that end make room for those that wait: nobody is reset."""
    server = subprocess.Popen([os.environ["WRING"], "serve", "--port", "0", "--workers", "1", "--drain",
                               "20s"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                              preexec_fn=limited)
    port = int(re.search(r":(\d+)/", server.stdout.readline()).group(1))
    crowd = []
    for _ in range(2 * FILES):
        sock = socket.create_connection(("127.0.0.1", port), timeout=60)
        sock.sendall(UPGRADE.format(path="/echo").encode())
        crowd.append(sock)
    select.select(crowd[:1], [], [], 60)
    server.send_signal(signal.SIGTERM)
    for sock in crowd:
        answer = b""
        while data := sock.recv(65536):  # a reset would raise
            answer += data
            if b"\x03\xe9" in data:  # 1001
                sock.sendall(frame(8, b"\x03\xe9"))
        assert answer.startswith((b"HTTP/1.1 101 ", b"HTTP/1.1 503 ")), answer
    assert server.wait(timeout=60) == 0


run([out_of_descriptors_is_said_once_and_ends, who_waits_when_it_stops_is_served])
