# SPDX-License-Identifier: Apache-2.0
"""What the tests of `wring connect` share: running it, a server of frames, a terminal."""
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import tempfile
import termios
import time

from tools import PATIENCE, environment, read_head, response


def command(*arguments):
    return [os.environ["WRING"], "connect", *arguments]


def start(*arguments, **more):
    """The command with pipes, which the test reads and writes as bytes."""
    more.setdefault("stdin", subprocess.PIPE)
    more.setdefault("stdout", subprocess.PIPE)
    more.setdefault("stderr", subprocess.PIPE)
    return subprocess.Popen(command(*arguments), env=environment(), **more)


def converse(*arguments, say=b"", **more):
    """(exit code, output, errors) of a whole run."""
    done = subprocess.run(command(*arguments), input=say, capture_output=True, timeout=PATIENCE,
                          env=environment(), **more)
    assert b"Sanitizer" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr.decode(errors="surrogateescape")


def shell(script, **variables):
    """(exit code of bash, output, errors); the script finds the command in $WRING."""
    done = subprocess.run(["bash", "-c", script], capture_output=True, timeout=PATIENCE,
                          stdin=subprocess.DEVNULL, env=environment(**variables))
    return done.returncode, done.stdout, done.stderr.decode()


def wait_until(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def sends(data, end=False):
    """For a Listener: answers the upgrade with these frames, then reads until the client ends."""
    def serve(sock):
        sock.sendall(response(read_head(sock)) + data)
        while not end and sock.recv(4096):
            pass
    return serve


def close_frame(code, reason=b""):
    return bytes([0x88, 2 + len(reason)]) + struct.pack("!H", code) + reason


def read_client_frame(sock):
    """(opcode, payload) of the next frame of the client, unmasked; None at the end."""
    def exactly(count):
        data = b""
        while len(data) < count:
            piece = sock.recv(count - len(data))
            if not piece:
                return None
            data += piece
        return data
    head = exactly(2)
    if head is None:
        return None
    length = head[1] & 127
    if length > 125:
        length = int.from_bytes(exactly(2 if length == 126 else 8), "big")
    mask = exactly(4)
    payload = exactly(length) if length else b""
    return head[0] & 15, bytes(b ^ mask[i % 4] for i, b in enumerate(payload))


class Terminal:
    """The command as the foreground job of a terminal of its own."""

    def __init__(self, *arguments, columns=80, state=None, **variables):
        self.master, slave = pty.openpty()
        self.slave = slave
        self.found = termios.tcgetattr(slave)
        self.resize(columns)
        self.folder = None if state else tempfile.TemporaryDirectory(prefix="wring-state-")
        variables.setdefault("TERM", "xterm")
        variables.setdefault("LC_ALL", "C")  # messages are UTF-8 all the same
        variables.setdefault("XDG_STATE_HOME", state or self.folder.name)
        self.process = subprocess.Popen(
            command(*arguments), stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env=environment(**variables), preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        self.screen = ""  # since the last thing that was waited for

    def resize(self, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode() if isinstance(text, str) else text)

    def read_more(self):
        ready, _, _ = select.select([self.master], [], [], 0.2)
        data = os.read(self.master, 65536).decode(errors="replace") if ready else ""
        self.screen += data
        return data

    def wait_for(self, pattern):
        """The text up to the end of what matches; colours are left out of what is matched."""
        deadline = time.monotonic() + PATIENCE
        while True:
            seen = re.sub(r"\x1b\[\d*m", "", self.screen)
            match = re.search(pattern, seen)
            if match:
                self.screen = seen[match.end():]
                return seen[:match.end()]
            assert time.monotonic() < deadline, (pattern, self.screen)
            self.read_more()

    def end(self, code=0):
        def over():
            self.read_more()
            return self.process.poll() is not None
        wait_until(over, f"it does not end: {self.screen!r}")
        assert self.process.returncode == code, (self.process.returncode, self.screen)
        assert termios.tcgetattr(self.slave)[3] == self.found[3], "the terminal is not as it was"
        self.close()

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.slave)
        os.close(self.master)
        if self.folder:
            self.folder.cleanup()
