# SPDX-License-Identifier: Apache-2.0
"""How the rows of HTTP/2 are written: row(name, owed, step, ...).

A step is bytes to send, or a function of the connection: it waits, or sends what depends on what came.
Unless the row is `raw`, the connection has begun, and stream 1 is a WebSocket that echoes; the row's own
streams begin with 3.

What is owed is one or several answers, of which each will do (`|`):
  nothing           the connection goes on, and none of the row's streams was answered
  dies(code, ...)   a connection error: GOAWAY with one of these codes, then the end
  ends              the server ends the connection, with or without a GOAWAY of NO_ERROR
  http1(status, ..) the answer is one of HTTP/1.1, and the connection ends
  resets(stream, code, ...), answers(stream, status, ...)
                    a stream error; a whole answer. The connection goes on. More of them by `&`; a
                    stream that none is owed for gets nothing
Where the connection goes on, its PING is answered, stream 1 still echoes, and a request is answered.
Options: body=text within an answer; fields={name: value}, None for one that is not there, ANY; pongs: the
PINGs that are answered, None for any number of them; raw; flood: sent once, in large pieces; apart: the
connection is begun before, not in the same piece; only="tcp" or "tls"; probe=False: no further
request can be made; echoes=False: stream 1 has ended; credits, acks: see h2_wire.Connection.
because(section) sets the RFC's section of the rows below it: of RFC 9113 where none is named."""
import dataclasses

from h2_wire import (INTERNAL, NO_ERROR, PROTOCOL, SCHEME, data, error_name, message, ping)

ANY = "any value"
STREAMS_EACH = 50  # requests of one connection at a time, and WebSockets
ROWS = []


@dataclasses.dataclass(frozen=True)
class Want:
    """Of a stream. statuses: one of them, or () for no answer. resets: one of these codes, or ()."""
    statuses: tuple = ()
    resets: tuple = ()
    is_whole: bool = True
    body: object = None  # the answer's, exactly
    echo: bytes = b""    # in a session

    def holds(self, stream):
        if self.statuses and stream.status not in self.statuses or not self.statuses and stream.status:
            return False
        if self.resets:
            return stream.reset in self.resets
        if self.body is not None and stream.body != self.body:
            return False
        if stream.reset is not None:  # RFC 9113 8.1: the rest of the request is not wanted
            return stream.reset == NO_ERROR and self.is_whole and stream.ended
        return not self.statuses or stream.ended == self.is_whole

    def falsified(self):
        for status in self.statuses:
            yield dataclasses.replace(self, statuses=(status + 33,))
        for code in self.resets:
            yield dataclasses.replace(self, resets=(code + 333,))
        if not self.resets:
            yield dataclasses.replace(self, resets=(PROTOCOL,))
        if self.statuses:
            yield Want()
            yield dataclasses.replace(self, resets=(), is_whole=not self.is_whole)
        if self.body is not None:
            yield dataclasses.replace(self, body=b"\1never")

    def text(self):
        told = [f"status {' or '.join(map(str, self.statuses))}"] if self.statuses else []
        told += ["whole" if self.is_whole
            else "and goes on"] if self.statuses and not self.resets else []
        told += [f"reset {' or '.join(map(error_name, self.resets))}"] if self.resets else []
        return " ".join(told) or "nothing"


@dataclasses.dataclass(frozen=True)
class One:
    """One answer. end: of the connection: "", "dies", "ends" or "http1". own: the row's streams."""
    end: str = ""
    codes: tuple = ()
    own: tuple = ()  # (stream, Want)

    def holds(self, c):
        if self.end == "dies":
            return c.over and bool(c.goaways) and c.goaways[-1][1] in self.codes
        if self.end == "ends":
            return c.over and not c.http1 and all(code == NO_ERROR for _, code, _ in c.goaways)
        if self.end == "http1":
            return c.over and c.http1 is not None and int(c.http1.split()[1]) in self.codes
        if c.over or c.http1 or any(code != NO_ERROR for _, code, _ in c.goaways):
            return False
        wants = dict(self.own)
        return all(wants.get(number, Want()).holds(stream) for number, stream in c.streams.items()
                   if number in wants or (number != 1 and not is_probe(number))) \
            and all(number in c.streams for number in wants)

    def falsified(self):
        yield One(end="ends" if self.end != "ends" else "dies", codes=(INTERNAL,))
        if self.end == "":
            yield One(end="dies", codes=tuple(range(14)))
        else:
            yield One()
        for code in self.codes:
            yield dataclasses.replace(self, codes=(code + 333,))
        for index, (number, want) in enumerate(self.own):
            for other in want.falsified():
                yield dataclasses.replace(self, own=(*self.own[:index], (number, other),
                    *self.own[index + 1:]))

    def text(self):
        if self.end:
            codes = map(str if self.end == "http1" else error_name, self.codes)
            return " ".join([self.end, " or ".join(codes)]).strip()
        return ", ".join(f"{number}: {want.text()}" for number, want in self.own) or "nothing"


@dataclasses.dataclass(frozen=True)
class Owed:
    answers: tuple

    def __or__(self, other):
        return Owed(self.answers + other.answers)

    def __and__(self, other):
        return Owed(tuple(One(own=a.own + b.own) for a in self.answers for b in other.answers))

    def holds(self, c):
        return any(one.holds(c) for one in self.answers)

    @property
    def may_go_on(self):
        return any(one.end == "" for one in self.answers)

    def text(self):
        return "; or ".join(one.text() for one in self.answers)


nothing = Owed((One(),))
ends = Owed((One("ends"),))


def dies(*codes):
    return Owed((One("dies", codes),))


def http1(*statuses):
    return Owed((One("http1", statuses),))


def of(number, **options):
    return Owed((One(own=((number, Want(**options)),)),))


def resets(number, *codes, status=()):
    return of(number, resets=codes, statuses=(status,) if status else ())


def answers(number, *statuses, **options):
    return of(number, statuses=statuses, **options)


def begins(number, status=200, **options):
    """An answer that has not ended; a session, where nothing else is said."""
    return of(number, statuses=(status,), is_whole=False, **options)


def session(number):
    """With the step talk(number)."""
    return begins(number, body=b"\x81\x02yo")


def malformed(number):
    """RFC 9113 8.1.1: a stream error, before which an answer may be given."""
    return resets(number, PROTOCOL) | answers(number, 400) | resets(number, PROTOCOL, NO_ERROR,
        status=400)


def either(number, *codes):
    """A stream error or, with the same codes, a connection error."""
    return resets(number, *codes) | dies(*codes)


# ---- steps ---------------------------------------------------------------------------------------

def answered(*numbers):
    return lambda c: c.until(lambda: all(c.streams[number].is_over for number in numbers))


def begun(number):
    return lambda c: c.until(lambda: c.streams[number].status or c.streams[number].is_over)


def has(number, count):
    """So many bytes of its answer came."""
    return lambda c: c.until(lambda: len(c.streams[number].body) >= count
        or c.streams[number].is_over)


def shut(c):
    """Nothing more is sent."""
    c.acks = c.credits = False
    c.line.shut()


def noted(c):
    """All that was sent was taken note of."""
    before = len(c.pongs)
    c.send(ping(b"noted..?"))
    c.until(lambda: b"noted..?" in c.pongs[before:])
    if b"noted..?" in c.pongs:
        c.pongs.remove(b"noted..?")


def talk(number):
    """Says "yo" in a session, and waits for it."""
    def step(c):
        begun(number)(c)
        if c.streams[number].status == 200:
            c.send(data(number, message(b"yo")))
            has(number, 4)(c)
    return step


def flood(piece, count, size=8192, waits=0):
    """`piece` many times, or piece(i); reads what comes meanwhile. waits: after so many of them."""
    def step(c):
        parts = b""
        for i in range(count):
            parts += piece(i) if callable(piece) else piece
            if len(parts) >= size or i == count - 1 or (waits and i % waits == waits - 1):
                c.send(parts)
                parts = b""
                c.read_now()
            if waits and i % waits == waits - 1:
                noted(c)
            if c.over or any(code for _, code, _ in c.goaways):
                return
    return step


# ---- rows ----------------------------------------------------------------------------------------

PROBE = 1_000_001  # the first stream of the requests that show that a connection goes on


def is_probe(number):
    return number >= PROBE


@dataclasses.dataclass
class Row:
    name: str
    owed: Owed
    steps: tuple
    why: str
    body: str = None
    fields: dict = dataclasses.field(default_factory=dict)
    pongs: object = ()
    raw: bool = False
    flood: bool = False
    apart: bool = False
    only: str = ""
    probe: bool = True
    echoes: bool = True
    credits: bool = True
    acks: bool = True
    alpn: tuple = ("h2",)


reasons = [""]
NAMES = set()


def because(why):
    reasons.append(why)


def row(name, owed, *steps, why=None, **options):
    assert name not in NAMES, name
    NAMES.add(name)
    made = Row(name, owed, steps, why or reasons[-1], **options)
    if made.only in ("", "tls" if SCHEME == "https" else "tcp"):
        ROWS.append(made)
