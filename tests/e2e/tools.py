# SPDX-License-Identifier: Apache-2.0
"""What the tests of the client and of TLS share: certificates, our client, other programs."""
import base64
import contextlib
import hashlib
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time

CLIENT = os.environ["E2E_CLIENT"]
PATIENCE = 60
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Certs:
    """A folder of certificates, made now: see tests/certs/make.c."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="wring-certs-")
        subprocess.run([os.environ["MAKE_CERTS"], self.folder.name], check=True)
        self.ca = self.file("ca.pem")

    def file(self, name):
        return os.path.join(self.folder.name, name)

    def pair(self, name):
        return self.file(name + ".pem"), self.file(name + ".key")

    def server_context(self, name="server"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.pair(name))
        return context

    def client_context(self):
        return ssl.create_default_context(cafile=self.ca)


def environment(**more):
    """Ours, without a proxy that the machine may have set."""
    env = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    env.update(more)
    return env


def client_run(mode, url, *options, env=None, timeout=PATIENCE, **more):
    """Our client: (exit code, standard output, standard error)."""
    options = ("--timeout", "60000", *options)  # else a busy machine is taken for a silent server
    done = subprocess.run([CLIENT, *options, mode, url], capture_output=True, text=True,
                          timeout=timeout, env=env or environment(), **more)
    assert "Sanitizer" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def client_events(url, *options, env=None):
    """What happened to a client in listen mode, as a list of dictionaries."""
    code, out, err = client_run("listen", url, *options, env=env)
    assert code in (0, 2) and err == "", (code, out, err)
    return [json.loads(line) for line in out.splitlines()]


def client_echoes(url, *options, mode="echo"):
    code, out, err = client_run(mode, url, *options)
    assert (code, out, err) == (0, "OK 4001\n", ""), (url, code, out, err)


def free_port():
    """For programs that cannot pick one and say so: below those that outgoing connections get. Not from
    a test's own seed: the same test runs beside itself, on the other backend."""
    while True:
        port = random.SystemRandom().randint(10000, 30000)
        with contextlib.suppress(OSError), socket.socket() as sock:
            sock.bind(("127.0.0.1", port))
            return port


class Program:
    """Another program, ended by its own handle. `port`: waited for until somebody listens."""

    def __init__(self, *arguments, port=None, **options):
        self.port = port
        options.setdefault("stdout", subprocess.DEVNULL)
        options.setdefault("stderr", subprocess.DEVNULL)
        self.process = subprocess.Popen(arguments, text=True, **options)
        deadline = time.monotonic() + PATIENCE
        while port is not None and not self.answers():
            assert self.process.poll() is None, f"{arguments[0]} ended at once"
            assert time.monotonic() < deadline, f"{arguments[0]} does not listen"
            time.sleep(0.02)

    def answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            return True
        except OSError:
            return False

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Listener:
    """A thread that gives each connection to `serve(sock)`, one at a time, and closes it."""

    def __init__(self, serve):
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.sock.getsockname()[1]
        self.serve = serve
        self.accepted = 0
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while True:
            try:
                sock, _ = self.sock.accept()
            except OSError:
                return
            self.accepted += 1
            with sock:
                sock.settimeout(PATIENCE)
                try:
                    self.serve(sock)
                except OSError:
                    pass  # the client may leave at any time

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        with contextlib.suppress(OSError):  # closed already
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.thread.join(PATIENCE)  # what `serve` has seen is there to be looked at


class Greeter:
    """e2e-tls-server: each session is greeted with what the server knows of its TLS."""

    def __init__(self, certs, *arguments):
        self.process = subprocess.Popen(
            [os.environ["E2E_TLS_SERVER"], certs.folder.name, *arguments], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.port = int(self.process.stdout.readline().split()[1])
        self.url = f"wss://localhost:{self.port}/"

    def reload(self):
        """wring_server_reload_tls: "OK", or the error's name and text."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        _, self.ends = self.process.communicate(timeout=PATIENCE)  # ends with its input
        assert exc[0] or self.process.returncode == 0, (self.process.returncode, self.ends)


@contextlib.contextmanager
def node_server(*arguments, script="ws_server.mjs", **more):
    """Runs a script of Node that says "port N", if of another folder by its path; gives its port."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), script)
    with Program(shutil.which("node"), path, *arguments, stdout=subprocess.PIPE,
                 env=environment(**more)) as program:
        yield int(program.process.stdout.readline().split()[1])


# ---- a server in small steps, for a raw socket ------------------------------------------------------

def read_head(sock):
    head = b""
    while b"\r\n\r\n" not in head:
        piece = sock.recv(65536)
        assert piece, head
        head += piece
    return head


def accept_value(head):
    key = [line for line in head.split(b"\r\n") if line.lower().startswith(b"sec-websocket-key:")]
    return base64.b64encode(hashlib.sha1(key[0].split(b":", 1)[1].strip() + WEBSOCKET_GUID).digest())


def response(head, status=b"101 Switching Protocols", more=b"", without=b"", accept=None):
    """A good answer to the upgrade, but for what is asked."""
    lines = [b"HTTP/1.1 " + status, b"Upgrade: websocket", b"Connection: Upgrade",
             b"Sec-WebSocket-Accept: " + (accept or accept_value(head))]
    lines = [line for line in lines if not without or not line.startswith(without)]
    return b"\r\n".join(lines + ([more] if more else [])) + b"\r\n\r\n"
