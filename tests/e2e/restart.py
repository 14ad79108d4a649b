# SPDX-License-Identifier: Apache-2.0
"""A server that stops under a storm of connections: beside a successor on the same port none is lost,
alone none hangs. And two servers share a port only when the second one asks to."""
import os
import re
import signal
import socket
import subprocess
import threading

from server import UPGRADE, Server, run

WRING = os.environ["WRING"]
STORMERS = 8


class Running:
    def __init__(self, port, *options):
        self.process = subprocess.Popen(
            [WRING, "serve", "--port", str(port), "--drain-ms", "5000", *options],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        self.port = int(re.search(r":(\d+)/", line).group(1))

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=60) == 0


class Storm:
    """Threads that connect, upgrade and leave, one connection after the other."""

    def __init__(self, port):
        self.port = port
        self.over = threading.Event()
        self.counts = {}
        self.lock = threading.Lock()
        self.threads = [threading.Thread(target=self.storm) for _ in range(STORMERS)]
        for thread in self.threads:
            thread.start()

    def storm(self):
        while not self.over.is_set():
            what = self.attempt()
            with self.lock:
                self.counts[what] = self.counts.get(what, 0) + 1

    def attempt(self):
        try:
            sock = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        except ConnectionRefusedError:
            return "refused"
        except OSError as error:
            return f"connect: {type(error).__name__}"
        with sock:
            try:
                sock.settimeout(30)
                sock.sendall(UPGRADE.format(path="/echo").encode())
                head = sock.recv(65536)
            except OSError as error:
                return f"answer: {type(error).__name__}"
            return head[9:12].decode() if head else "answer: end"

    def wait_for(self, more):
        """Until so many more were upgraded."""
        with self.lock:
            goal = self.counts.get("101", 0) + more
        while self.counts.get("101", 0) < goal:
            self.over.wait(0.01)

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
        return self.counts


def no_connection_is_lost_beside_a_successor():
    options = ("--share-port", "--workers", "2", "--unpinned")
    server = Running(0, *options)
    storm = Storm(server.port)
    storm.wait_for(200)
    for _ in range(3):
        successor = Running(server.port, *options)
        storm.wait_for(200)
        server.stop()
        server = successor
        storm.wait_for(200)
    counts = storm.end()
    server.stop()
    print("    ", counts)
    assert set(counts) == {"101"}, counts


def alone_every_connection_gets_an_answer_or_is_refused():
    server = Running(0, "--workers", "2", "--unpinned")
    storm = Storm(server.port)
    storm.wait_for(500)
    server.stop()
    counts = storm.end()
    print("    ", counts)
    assert not [what for what in counts if "Timeout" in what], counts
    assert counts.get("refused", 0) > 0, counts


def the_listener_is_closed_while_sessions_drain():
    server = Server("--workers", "1", "--drain-ms", "20000")
    sock = server.upgraded()
    server.process.send_signal(signal.SIGTERM)
    assert sock.recv(1) == b"\x88"
    while True:  # the kernel may have accepted one more before
        try:
            socket.create_connection(("127.0.0.1", server.port), timeout=30).close()
        except ConnectionRefusedError:
            break
    assert server.process.poll() is None, "the session is still there"
    sock.close()
    assert server.process.wait(timeout=60) == 0


def expect_refused(port, *options):
    done = subprocess.run([WRING, "serve", "--port", str(port), *options], capture_output=True,
                          text=True, timeout=60)
    assert done.returncode == 1, done
    assert re.match(r"wring: cannot listen on 127\.0\.0\.1 port \d+: .*--share-port.*\n$", done.stderr), done


def a_second_server_is_refused_unless_it_asks_to_share():
    for options in ((), ("--share-port",)):
        with Server("--workers", "2", *options) as first:
            expect_refused(first.port)
            second = Running(first.port, "--share-port")
            second.stop()


def a_server_of_one_worker_shares_with_nobody():
    with Server("--workers", "1") as first:
        expect_refused(first.port)
        expect_refused(first.port, "--share-port")


run([no_connection_is_lost_beside_a_successor,
     alone_every_connection_gets_an_answer_or_is_refused,
     the_listener_is_closed_while_sessions_drain,
     a_second_server_is_refused_unless_it_asks_to_share,
     a_server_of_one_worker_shares_with_nobody])
