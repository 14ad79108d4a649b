# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 frame by frame, right or wrong, and a strict reader of what a server sends: what it does not
expect is a fault. H2_TLS=1 in the environment: requests say that they come over TLS."""
import os
import sys

try:
    import hpack
except ImportError:
    print("python3-hpack is not installed")
    sys.exit(77)

(DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE,
    CONTINUATION) = range(10)
END_STREAM = ACK = 1
END_HEADERS, PADDED, WITH_PRIORITY = 4, 8, 32
(NO_ERROR, PROTOCOL, INTERNAL, FLOW_CONTROL, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE, REFUSED,
    CANCEL, COMPRESSION, CONNECT_ERROR, CALM) = range(12)
ERRORS = ("NO_ERROR PROTOCOL INTERNAL FLOW_CONTROL SETTINGS_TIMEOUT STREAM_CLOSED FRAME_SIZE "
          "REFUSED CANCEL COMPRESSION CONNECT_ERROR CALM").split()
(TABLE_SIZE, ENABLE_PUSH, STREAMS_MAX, INITIAL_WINDOW, FRAME_MAX, HEADER_LIST_MAX) = range(1, 7)
CONNECT_PROTOCOL, NO_PRIORITIES = 8, 9
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SCHEME = "https" if os.environ.get("H2_TLS") else "http"
WINDOW_START = 65535
CREDIT_BYTES = 8192
FRAME_BYTES_MAX = 16384  # of a payload, as long as nobody allowed more


def error_name(code):
    return ERRORS[code] if code < len(ERRORS) else hex(code)


# ---- frames --------------------------------------------------------------------------------------

def frame(kind, flags=0, stream=0, payload=b"", length=None):
    """length: what the frame says that its payload has, where that is not true."""
    length = len(payload) if length is None else length
    return length.to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def padded(payload, pad, filling=b"\0", said=None):
    """The payload of a frame with PADDED. said: the length that it claims."""
    return bytes([pad if said is None else said]) + payload + filling * pad


def data(stream, payload=b"", flags=0):
    return frame(DATA, flags, stream, payload)


def settings(*pairs, flags=0, stream=0):
    return frame(SETTINGS, flags, stream, b"".join(
        key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in pairs))


def ping(payload, flags=0):
    return frame(PING, flags, 0, payload)


def reset(stream, code=CANCEL):
    return frame(RST_STREAM, 0, stream, code.to_bytes(4, "big"))


def window_update(stream, increment):
    return frame(WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))


def goaway(last, code=NO_ERROR, debug=b""):
    return frame(GOAWAY, 0, 0, last.to_bytes(4, "big") + code.to_bytes(4, "big") + debug)


def priority(stream, on=0, weight=15):
    return frame(PRIORITY, 0, stream, on.to_bytes(4, "big") + bytes([weight]))


# ---- header blocks -------------------------------------------------------------------------------

def integer(value, bits, first=0):
    """RFC 7541 5.1."""
    most = (1 << bits) - 1
    if value < most:
        return bytes([first | value])
    out, value = [first | most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def string(text):
    text = text.encode("latin1") if isinstance(text, str) else text
    return integer(len(text), 7) + text


def literal(name, value, first=0):
    """first: 0 not to be indexed, 0x10 never, 0x40 to be added to the table."""
    return bytes([first]) + string(name) + string(value)


def indexed(index):
    return integer(index, 7, 0x80)


def table_size(size):
    return integer(size, 5, 0x20)


def block(*fields):
    return b"".join(field if isinstance(field, bytes) else literal(*field) for field in fields)


def head(path="/hello", *more, method="GET", scheme=SCHEME, authority="localhost", protocol=None,
         first=()):
    """The block of a request. None: without that pseudo-header field. first: pairs before them all."""
    pseudos = ((":method", method), (":protocol", protocol), (":scheme", scheme),
               (":authority", authority), (":path", path))
    return block(*first, *(pair for pair in pseudos if pair[1] is not None), *more)


def headers(stream, fields, flags=END_HEADERS | END_STREAM):
    return frame(HEADERS, flags, stream, fields)


def get(stream, path="/hello", *more, **options):
    return headers(stream, head(path, *more, **options))


def post(stream, path="/hello", *more, **options):
    """Its body is to follow."""
    return headers(stream, head(path, *more, method="POST", **options), END_HEADERS)


def websocket(path="/ws", *more, without_version=False, **options):
    """The block of an extended CONNECT."""
    asked = {"method": "CONNECT", "protocol": "websocket", **options}
    version = () if without_version else (("sec-websocket-version", "13"),)
    return head(path, *version, *more, **asked)


def connect(stream, path="/ws", *more, flags=END_HEADERS, **options):
    return headers(stream, websocket(path, *more, **options), flags)


def message(text, opcode=1):
    """A WebSocket frame of a client."""
    return bytes([0x80 | opcode, 0x80 | len(text), 0, 0, 0, 0]) + text


def cut(payload, size):
    return [payload[i:i + size] for i in range(0, len(payload), size)] or [b""]


def split(stream, fields, size, flags=END_STREAM):
    """A header block in HEADERS and CONTINUATION."""
    parts = cut(fields, size)
    kinds = [HEADERS] + [CONTINUATION] * (len(parts) - 1)
    return b"".join(frame(kind, (flags if kind == HEADERS else 0)
        | (END_HEADERS if i == len(parts) - 1 else 0), stream, part) for i,
        (kind, part) in enumerate(zip(kinds, parts)))


# ---- what both ends may send ---------------------------------------------------------------------

class Stream:
    def __init__(self, window, send_window):
        self.window, self.send_window = window, send_window
        self.status, self.fields, self.body, self.trailers = None, {}, b"", None
        self.ended, self.reset, self.is_head, self.is_connect = False, None, False, False

    @property
    def is_over(self):
        return self.ended or self.reset is not None

    def text(self):
        told = [f"status {self.status}"] if self.status else []
        told += ["ended"] if self.ended else []
        told += [f"reset {error_name(self.reset)}"] if self.reset is not None else []
        return " ".join(told) or "nothing"


class Ours:
    """Reads what we send, as far as it is well-formed, to know what the server may send."""

    def __init__(self, connection):
        self.connection, self.data = connection, b""

    def feed(self, piece):
        self.data += piece
        if self.data.startswith(PREFACE):
            self.data = self.data[len(PREFACE):]
        while len(self.data) >= 9 and len(self.data) >= 9 + (size := int.from_bytes(self.data[:3],
                "big")):
            self.take(self.data[3], self.data[4], int.from_bytes(self.data[5:9], "big")
                & 0x7fffffff, self.data[9:9 + size])
            self.data = self.data[9 + size:]

    def take(self, kind, flags, stream, payload):
        c = self.connection
        if kind == HEADERS and stream % 2 == 1:
            c.stream(stream).is_head |= literal(":method", "HEAD") in payload
            c.stream(stream).is_connect |= literal(":method", "CONNECT") in payload
        elif kind == SETTINGS and not flags & ACK:
            c.settings_sent += 1
            pairs = [part for part in cut(payload, 6) if len(part) == 6]
            for key, value in ((int.from_bytes(p[:2], "big"), int.from_bytes(p[2:], "big"))
                    for p in pairs):
                if key == INITIAL_WINDOW and value < 1 << 31:
                    c.window_start(value)
        elif kind == WINDOW_UPDATE and len(payload) == 4:
            increment = int.from_bytes(payload, "big") & 0x7fffffff
            if stream == 0:
                c.window += increment
            elif stream in c.streams:
                c.streams[stream].window += increment
        elif kind == DATA:
            c.send_window -= len(payload)
            if stream in c.streams:
                c.streams[stream].send_window -= len(payload)


class Connection:
    """A client. `pieces`: how what it sends is cut; credits: it gives windows back at once; acks: it
    acknowledges SETTINGS."""

    def __init__(self, line, pieces=None, credits=True, acks=True):
        self.line, self.pieces = line, pieces or (lambda data: [data])
        self.credits, self.acks = credits, acks
        self.decoder = hpack.Decoder()
        self.ours = Ours(self)
        self.streams = {}  # those that are looked at
        self.known = set()
        self.due = {}  # what will be given back to a window
        self.data, self.http1 = b"", None
        self.settings, self.settings_sent, self.settings_acked = None, 0, 0
        self.window = self.send_window = self.stream_window = WINDOW_START
        self.pongs, self.goaways, self.updates = [], [], []
        self.over = self.in_order = False
        self.unfinished = None  # a header block: its stream, its flags, its bytes

    def stream(self, number):
        self.known.add(number)
        if number not in self.streams:
            start = WINDOW_START if self.settings is None else self.settings.get(INITIAL_WINDOW,
                WINDOW_START)
            self.streams[number] = Stream(self.stream_window, start)
        return self.streams[number]

    def window_start(self, value):
        """Streams may have less at once; the server knows when it has acknowledged that."""
        for stream in self.streams.values():
            stream.window += value - self.stream_window
        self.stream_window = value

    # -- sending

    def send(self, data):
        self.ours.feed(data)
        for piece in self.pieces(data):
            self.line.send(piece)

    def upload(self, number, payload, size=FRAME_BYTES_MAX, flags=0, padding=0):
        """As the windows allow it. Each frame has `padding` more bytes."""
        stream = self.streams[number]
        for part in cut(payload, size):
            more = padding + 1 if padding else 0
            while not self.over and min(self.send_window, stream.send_window) < len(part) + more:
                self.read()
            body = padded(part, padding) if padding else part
            self.send(data(number, body, flags | (PADDED if padding else 0)))

    # -- receiving

    def until(self, holds):
        """False: the connection ended before."""
        while not holds():
            if self.over:
                return False
            self.read()
        return True

    def read(self):
        try:
            self.take(self.line.receive())
        except ConnectionResetError:
            self.over = True

    def read_now(self):
        try:
            while not self.over and (piece := self.line.receive_now()) is not None:
                self.take(piece)
        except ConnectionResetError:
            self.over = True

    def take(self, piece):
        if not piece:
            self.over = self.in_order = True
            return
        self.data += piece
        if self.settings is None and self.data.startswith(b"HTTP/"):
            self.http1 = self.data
            return
        while len(self.data) >= 9 and len(self.data) >= 9 + (size := int.from_bytes(self.data[:3],
                "big")):
            assert size <= FRAME_BYTES_MAX, f"a frame of {size} bytes"
            kind, flags, stream = self.data[3], self.data[4], int.from_bytes(self.data[5:9], "big")
            payload, self.data = self.data[9:9 + size], self.data[9 + size:]
            self.frame_take(kind, flags, stream, payload)

    def frame_take(self, kind, flags, stream, payload):
        assert stream < 1 << 31, "the reserved bit is set"
        assert self.settings is not None or (kind == SETTINGS and not flags & ACK), \
            f"the first frame is of type {kind} (RFC 9113 3.4)"
        assert self.unfinished is None or kind == CONTINUATION, f"type {kind} within a header block"
        assert kind <= CONTINUATION and kind not in (PUSH_PROMISE,
            PRIORITY), f"a frame of type {kind}"
        has_stream = kind in (DATA, HEADERS, RST_STREAM, CONTINUATION)
        assert kind == WINDOW_UPDATE or has_stream == (stream != 0), f"type {kind} on stream {stream}"
        if stream and stream not in self.streams:
            assert stream in self.known or kind == RST_STREAM, f"type {kind} on the idle stream {stream}"
            if stream in self.known:
                self.forgotten_take(kind, flags, payload)
                return
        (self.data_take, self.headers_take, None, self.reset_take, self.settings_take, None,
            self.ping_take, self.goaway_take, self.update_take, self.continuation_take)[kind](flags,
            stream, payload)

    def forgotten_take(self, kind, flags, payload):
        """Nobody looks at its stream any more, except that what it did to the connection holds."""
        if kind in (HEADERS, CONTINUATION):
            before = self.unfinished[2] if self.unfinished else b""
            self.unfinished = (0, flags, before + payload)
            if flags & END_HEADERS:
                self.decoder.decode(self.unfinished[2], raw=True)
                self.unfinished = None
        elif kind == DATA and payload:
            self.window -= len(payload)
            self.credit(0, len(payload))

    def data_take(self, flags, number, payload):
        stream = self.streams[number]
        assert stream.status is not None and not stream.is_over, f"DATA on stream {number}: {stream.text()}"
        self.window -= len(payload)
        stream.window -= len(payload)
        assert not payload or min(self.window,
            stream.window) >= 0, f"DATA beyond the window of {number}"
        stream.body += payload
        self.end_take(flags, number)
        self.credit(0, len(payload))
        if not stream.is_over:
            self.credit(number, len(payload))

    def credit(self, number, count):
        """Given back when there is much of it, or little is left."""
        if not self.credits or count == 0:
            return
        self.due[number] = self.due.get(number, 0) + count
        left = self.streams[number].window if number else self.window
        if self.due[number] >= CREDIT_BYTES or left < CREDIT_BYTES:
            self.send(window_update(number, self.due.pop(number)))

    def headers_take(self, flags, number, payload):
        assert not flags & (PADDED | WITH_PRIORITY)
        self.unfinished = (number, flags, payload)
        self.headers_end(flags)

    def continuation_take(self, flags, number, payload):
        assert self.unfinished is not None and self.unfinished[0] == number
        self.unfinished = (number, self.unfinished[1], self.unfinished[2] + payload)
        self.headers_end(flags)

    def headers_end(self, flags):
        if not flags & END_HEADERS:
            return
        number, flags, payload = self.unfinished
        self.unfinished = None
        stream = self.streams[number]
        assert not stream.is_over, f"HEADERS on stream {number}: {stream.text()}"
        fields = [(name.decode("latin1"), value.decode("latin1"))
                  for name, value in self.decoder.decode(payload, raw=True)]
        names = [name for name, _ in fields]
        assert all(name == name.lower() for name in names), names
        assert not {"connection", "keep-alive", "upgrade", "transfer-encoding"} & set(names), names
        if stream.status is not None:
            assert flags & END_STREAM and not any(name.startswith(":")
                for name in names), "bad trailers"
            stream.trailers = fields
        else:
            self.head_take(stream, fields, names)
        self.end_take(flags, number)

    @staticmethod
    def head_take(stream, fields, names):
        assert names[0] == ":status" and not any(name.startswith(":") for name in names[1:]), names
        status = int(fields[0][1])
        assert status != 101, "101 (RFC 9113 8.6)"
        if status < 200:
            return
        assert "date" in names or (status == 200
            and stream.is_connect), f"{status} without Date (RFC 9110 6.6.1)"
        stream.status, stream.fields = status, dict(fields[1:])

    def end_take(self, flags, number):
        stream = self.streams[number]
        if flags & END_STREAM:
            assert stream.status is not None, "END_STREAM without a final answer"
            stream.ended = True
            length = stream.fields.get("content-length")
            is_free = stream.is_head or stream.status == 304 or length is None
            assert is_free or int(length) == len(stream.body), \
                f"{len(stream.body)} bytes, not {length}"

    def reset_take(self, _flags, number, payload):
        assert len(payload) == 4
        stream = self.stream(number)
        assert stream.reset is None, f"stream {number} was reset twice"
        stream.reset = int.from_bytes(payload, "big")

    def settings_take(self, flags, _stream, payload):
        if flags & ACK:
            assert not payload
            self.settings_acked += 1
            assert self.settings_acked <= self.settings_sent, "an ACK too many"
            return
        assert len(payload) % 6 == 0
        pairs = {int.from_bytes(p[:2], "big"): int.from_bytes(p[2:], "big") for p in cut(payload, 6)
            if p}
        before = (self.settings or {}).get(INITIAL_WINDOW, WINDOW_START)
        self.settings = {**(self.settings or {}), **pairs}
        for stream in self.streams.values():
            stream.send_window += self.settings.get(INITIAL_WINDOW, WINDOW_START) - before
        if self.acks:
            self.send(settings(flags=ACK))

    def ping_take(self, flags, _stream, payload):
        assert len(payload) == 8
        assert flags & ACK, "a PING of the server's"
        self.pongs.append(payload)

    def goaway_take(self, _flags, _stream, payload):
        assert len(payload) >= 8
        last = int.from_bytes(payload[:4], "big")
        assert last in self.known or last in (0,
            (1 << 31) - 1), f"GOAWAY of stream {last}, which never was"
        assert not self.goaways or last <= self.goaways[-1][0], "GOAWAY with a greater stream (RFC 9113 6.8)"
        self.goaways.append((last, int.from_bytes(payload[4:8], "big"), payload[8:]))

    def update_take(self, _flags, number, payload):
        increment = int.from_bytes(payload, "big")
        assert len(payload) == 4 and 0 < increment < 1 << 31, f"WINDOW_UPDATE of {increment}"
        self.updates.append((number, increment))
        if number == 0:
            self.send_window += increment
        else:
            self.streams[number].send_window += increment

    # -- telling

    def text(self):
        told = [f"GOAWAY {error_name(code)} last {last}{' ' + repr(debug) if debug else ''}"
                for last, code, debug in self.goaways]
        told += ["ended" if self.in_order else "cut"] if self.over else []
        told += [f"HTTP/1: {self.http1[:60]!r}"] if self.http1 else []
        told += [f"{number}: {stream.text()}" for number, stream in self.streams.items()
                 if number > 1 and stream.text() != "nothing"]
        return ", ".join(told) or "nothing"
