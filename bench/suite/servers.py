# SPDX-License-Identifier: Apache-2.0
"""One server process: start it pinned, wait until it listens, and end it."""
import os
import random
import signal
import socket
import subprocess
import time

START_S = 10
STOP_S = 5


class ServerError(Exception):
    """The server did not start or has ended; the text says why."""


def free_port():
    """Below the range the kernel gives to clients: a client's lingering port cannot be listened on."""
    while True:
        port = random.randint(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def pin(*cpus):
    """For preexec_fn: the CPUs, and as many descriptors as are allowed."""
    def apply():
        import resource
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        os.sched_setaffinity(0, cpus)
    return apply


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def cpu_ticks(stat):
    """(user, system) seconds of a /proc/PID/stat line; its second field may hold spaces."""
    fields = stat.rpartition(")")[2].split()
    tick = os.sysconf("SC_CLK_TCK")
    return int(fields[11]) / tick, int(fields[12]) / tick


class Server:
    def __init__(self, command, port, cpus, log, environment=None):
        self.port = port
        self.log = log
        self.known = {}  # what the probe has found out
        self.output = open(log, "wb")
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=self.output, stderr=self.output,
            preexec_fn=pin(*cpus), env={**os.environ, **(environment or {})}, start_new_session=True)
        try:
            self.wait_for_port()
        except ServerError:
            self.stop()
            raise

    def wait_for_port(self):
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self.process.poll() is not None:
                raise ServerError(f"ended at the start: {self.last_words()}")
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise ServerError(f"does not listen after {START_S} s")

    def last_words(self):
        with open(self.log, errors="replace") as file:
            lines = [line.strip() for line in file if line.strip()]
        return lines[-1] if lines else f"status {self.process.returncode}"

    @property
    def pid(self):
        """Of the process that serves: a master's only child (nginx), else the one started."""
        below = children(self.process.pid)
        return below[0] if len(below) == 1 else self.process.pid

    def cpu_s(self):
        """(user, system) seconds so far."""
        with open(f"/proc/{self.pid}/stat") as file:
            return cpu_ticks(file.read())

    def has_ended(self):
        return self.process.poll() is not None

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)  # the session is its own
                self.process.wait()
        self.output.close()
