# SPDX-License-Identifier: Apache-2.0
"""What the tests that attack e2e-http-target share: the program, lines to it, and a strict reader."""
import contextlib
import os
import queue
import re
import socket
import ssl
import struct
import subprocess
import threading

PATIENCE = float(os.environ.get("E2E_TIMEOUT", 60))


class Target:
    """e2e-http-target. certs: it speaks TLS with them."""

    def __init__(self, *options, certs=None):
        self.context = certs and certs.client_context()
        if certs:
            self.context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF  # Python's default hides a cut
        options = [*map(str, options), *(("--tls", certs.folder.name) if certs else ())]
        self.process = subprocess.Popen([os.environ["E2E_HTTP_TARGET"], *options], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        line = self.process.stdout.readline()
        match = re.fullmatch(r"port (\d+)\n", line)
        assert match, f"no port: {line!r}"
        self.port = int(match.group(1))
        self.said = []          # lines about exchanges
        self.told = queue.Queue()  # answers to what it was told
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        for line in self.process.stdout:
            mine = line.startswith(("statistics", "drained", "stopped"))
            (self.told.put if mine else self.said.append)(line.rstrip("\n"))

    def tell(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.told.get(timeout=PATIENCE)

    def statistics(self):
        words = self.tell("statistics").split()[1:]
        return {name: int(value) for name, value in (word.split("=") for word in words)}

    def connect(self, **options):
        return Line(self.port, self.context, **options)

    def end(self):
        """Each exchange that was begun has ended, once, and nothing was wrong."""
        self.process.stdin.close()
        self.thread.join(PATIENCE)
        errors = self.process.stderr.read()
        assert self.process.wait(PATIENCE) == 0 and errors == "", (self.process.returncode, errors)
        begun, ended = re.fullmatch(r"begun (\d+) ended (\d+)", self.said.pop()).groups()
        assert begun == ended, f"{begun} exchanges were begun, {ended} have ended"
        return int(begun)


def play_each(target, plays, play, faults_max):
    """`play(row, mode)` for each pair of `plays`. Says what became of those that fail; gives their number."""
    faults = 0
    for row, mode in plays:
        try:
            play(row, mode)
        except Exception as fault:  # of all rows: each says what became of it
            faults += 1
            print(f"FAILED {row.name} ({mode}), RFC {row.why}: {type(fault).__name__} {fault}",
                  flush=True)
            assert target.process.poll() is None, target.process.stderr.read()
            assert faults < faults_max, "too many faults"
    return faults


class Line:
    """A connection, plain or TLS. Its end in order is b"", anything else ConnectionResetError: so is an
    end of TLS without close_notify."""

    def __init__(self, port, context=None, receive_bytes=0):
        self.was_reset = False
        self.sock = socket.socket()
        self.sock.settimeout(PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if receive_bytes:  # of the socket: so soon a peer that does not read is felt
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.sock.connect(("127.0.0.1", port))
        self.tls = None
        if context:
            self.received, self.sent = ssl.MemoryBIO(), ssl.MemoryBIO()
            self.tls = context.wrap_bio(self.received, self.sent, server_hostname="localhost")
            self.tls_do(self.tls.do_handshake)
            self.tls_flush()

    def tls_flush(self):
        data = self.sent.read()
        if data:
            self.sock.sendall(data)

    def tls_do(self, what):
        while True:
            try:
                return what()
            except ssl.SSLWantReadError:
                self.tls_flush()
                data = self.sock.recv(65536)
                self.received.write(data) if data else self.received.write_eof()
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                if "UNEXPECTED_EOF" not in str(error):
                    raise
                raise ConnectionResetError("TLS ended without close_notify") from error

    def send(self, data):
        try:
            if self.tls is None:
                self.sock.sendall(data)
            else:
                if data:
                    self.tls.write(data)
                self.tls_flush()
        except BrokenPipeError:  # reading tells of the end
            pass
        except ConnectionResetError:  # the kernel says so once, to whoever asks first
            self.was_reset = True

    def send_aside(self, data):
        """Sends it while others go on; whoever reads meanwhile sends nothing. Returns the thread."""
        if self.tls is not None:
            self.tls.write(data)
            data = self.sent.read()

        def send():
            with contextlib.suppress(OSError):  # the server may end it
                self.sock.sendall(data)
        thread = threading.Thread(target=send, daemon=True)
        thread.start()
        return thread

    def shut(self):
        if self.tls is not None:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.unwrap()
            self.tls_flush()
        with contextlib.suppress(OSError):  # gone already
            self.sock.shutdown(socket.SHUT_WR)

    def receive(self):
        if self.tls is None:
            data = self.sock.recv(65536)
            if not data and self.was_reset:
                raise ConnectionResetError("a send was told of it")
            return data
        return self.tls_do(lambda: self.tls.read(65536))

    def receive_now(self):
        """None: nothing is there."""
        self.sock.setblocking(False)
        try:
            return self.receive()
        except BlockingIOError:
            return None
        finally:
            self.sock.settimeout(PATIENCE)

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self):
        self.sock.close()


class Reader:
    """Reads answers strictly: what it does not expect is a fault."""

    def __init__(self, line):
        self.wire = line
        self.in_order = True
        self.data = b""

    def more(self):
        piece = self.wire.receive()
        if not piece:
            raise EOFError(f"ended behind {self.data[:200]!r}")
        self.data += piece

    def take(self, count):
        while len(self.data) < count:
            self.more()
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def line(self):
        while b"\r\n" not in self.data:
            self.more()
        return self.take(self.data.index(b"\r\n") + 2)[:-2].decode("latin1")

    def head(self):
        match = re.fullmatch(r"HTTP/1\.1 (\d{3}) [ -~]*", status := self.line())
        assert match, f"no status line: {status!r}"
        fields = {}
        while line := self.line():
            field = re.fullmatch(r"([!-9;-~]+): ([\t -~]*)", line)
            assert field, f"no field: {line!r}"
            name = field.group(1).lower()
            fields[name] = ", ".join(filter(None, [fields.get(name), field.group(2)]))
        return int(match.group(1)), fields

    def chunks(self):
        body = b""
        while size := int(self.line(), 16):
            body += self.take(size)
            assert self.take(2) == b"\r\n", "no line end behind a chunk"
        assert self.take(2) == b"\r\n", "no empty line behind the last chunk"
        return body

    def body(self, status, fields):
        """As RFC 9112 6.3 has it; to its end where nothing else tells where that is."""
        if status < 200 or status in (204, 304):
            assert "transfer-encoding" not in fields, fields
            assert status == 304 or "content-length" not in fields, fields
            return b""
        if "transfer-encoding" in fields:
            assert fields["transfer-encoding"] == "chunked" and "content-length" not in fields
            return self.chunks()
        if "content-length" in fields:
            return self.take(int(fields["content-length"]))
        assert fields.get("connection") == "close", f"a body without an end: {fields}"
        return self.rest()[0]

    def rest(self):
        """All that follows up to the end, and whether that came in order."""
        try:
            while True:
                self.more()
        except EOFError:
            pass
        except ConnectionResetError:
            self.in_order = False
        data, self.data = self.data, b""
        return data, self.in_order


def answer_read(reader):
    """The status and the body of the next answer."""
    status, fields = reader.head()
    return status, reader.body(status, fields)


UPGRADE = (b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")


class Neighbour:
    """A connection that stays, and is served whatever the others do."""

    def __init__(self, target):
        self.line = target.connect()
        self.reader = Reader(self.line)
        self.count = 0

    def ask(self):
        self.count += 1
        self.line.send(b"GET /hello?neighbour%d. HTTP/1.1\r\nHost: x\r\n\r\n" % self.count)
        status, body = answer_read(self.reader)
        assert status == 200 and b"?neighbour%d." % self.count in body, body


class WebSocketNeighbour(Neighbour):
    """The same with a WebSocket, whose messages are echoed."""

    def __init__(self, target):
        super().__init__(target)
        self.line.send(UPGRADE)
        status, _ = self.reader.head()
        assert status == 101, status

    def ask(self):
        self.count += 1
        text = b"%06d" % self.count
        self.line.send(b"\x81\x86\0\0\0\0" + text)
        assert (got := self.reader.take(8)) == b"\x81\x06" + text, got
