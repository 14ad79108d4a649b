#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each row of http_rows.py is played in four ways: in one piece, byte by byte, behind a pipelined
request that is answered at once, and behind one that is answered late; over TCP and over TLS. A
neighbour on the same worker is served all the while. What was received is then judged again by rows
that owe something else, and each of them must fail: so each row can.
Usage: http_hostile.py [a part of the rows' names]; E2E_TIMEOUT: seconds that nothing comes."""
import sys

import http_rows_bodies
import http_rows_upgrades
from http_attack import Neighbour, Reader, Target, play_each
from http_rows import CUT, ENDS, OPEN, ROWS, WAITS, Row, get, hello
from tools import Certs

assert http_rows_bodies and http_rows_upgrades  # they fill ROWS

WHOLE, BYTES, BEHIND, HELD = "whole", "byte by byte", "behind another", "behind a late one"
FAULTS_MAX = 200
GO_AWAY = b"\x88\x82\0\0\0\0\x03\xe8"  # a close frame, and its answer
GONE = b"\x88\x02\x03\xe8"


class Recorder:
    """A line, and all that was received from it."""

    def __init__(self, line):
        self.line = line
        self.is_tls = line.tls is not None
        self.events = []
        self.send, self.shut, self.close = line.send, line.shut, line.close

    def record(self, receive):
        try:
            self.events.append(receive())
        except ConnectionResetError as error:
            self.events.append(error)
            raise
        return self.events[-1]

    def receive(self):
        return self.record(self.line.receive)

    def receive_now(self):
        return self.record(self.line.receive_now)


class Replay:
    """A record, as if it were a line."""

    def __init__(self, record):
        self.events = list(record.events)
        self.is_tls = record.is_tls

    def send(self, _data):
        pass

    def shut(self):
        pass

    def receive_now(self):
        event = self.events.pop(0) if self.events else None
        if isinstance(event, Exception):
            raise event
        return event

    def receive(self):
        event = self.receive_now()
        assert event is not None, "nothing more came"
        return event


class Judge:
    """Whether what comes from a line is what a row owes."""

    def __init__(self, row, line, mode):
        self.row = row
        self.line = line
        self.mode = mode
        self.reader = Reader(line)
        self.continues = 0

    def fields_check(self, index, status, fields):
        row = self.row
        if status == 101:
            assert fields["connection"].lower() == "upgrade", fields
        else:
            assert "date" in fields, "no Date (RFC 9110 6.6.1)"
            is_last = row.end == ENDS and index == len(row.statuses) - 1
            closes = "close" in fields.get("connection", "")
            assert closes == is_last or row.unannounced or row.shut, f"answer {index}: Connection: close is {closes}"
        for name, value in row.headers.get(index, {}).items():
            assert fields.get(name.lower()) == value, f"answer {index}: not {name}: {value}: {fields}"

    def answer(self, index, owed):
        status, fields = self.reader.head()
        while status == 100:
            assert fields == {}, fields
            self.continues += 1
            status, fields = self.reader.head()
        assert status == int(str(owed)[-3:]), f"answer {index}: {status}, not {owed}"
        is_empty = str(owed).startswith("HEAD ") or status == 101
        body = b"" if is_empty else self.reader.body(status, fields)
        self.fields_check(index, status, fields)
        text = self.row.body.get(index, "").encode("latin1")
        assert text in body, f"answer {index}: {body[:100]!r} is without {text!r}"
        return status

    def open_check(self, status):
        if status == 101:
            if not self.row.frame:
                self.line.send(b"\x81\x82\0\0\0\0yo")
            text = b"hi" if self.row.frame else b"yo"
            assert (got := self.reader.take(4)) == b"\x81\x02" + text, f"no echo: {got}"
            self.line.send(GO_AWAY)
            assert (got := self.reader.rest()) == (GONE, True), f"no close: {got}"
            return
        self.line.send(hello("probe").encode())
        status, fields = self.reader.head()
        body = self.reader.body(status, fields)
        assert status == 200 and b"?probe" in body, f"it takes no further request: {status} {body}"
        assert self.reader.data == b"", f"something more: {self.reader.data[:100]!r}"

    def waits_check(self):
        while piece := self.line.receive_now():
            self.reader.data += piece
        data = self.reader.data
        assert piece is None, "ended"
        if self.row.continues:
            go_on = b"HTTP/1.1 100 Continue\r\n\r\n"
            assert data == go_on, f"not told to go on, but {data[:100]!r}"
            self.continues, data = self.continues + 1, b""
        if self.row.begins:
            assert data.startswith(b"HTTP/1.1 %d " % self.row.begins), f"not begun: {data[:100]!r}"
            assert data.count(b"HTTP/1.1 ") == 1, f"more than begun: {data!r}"
            data = b""
        assert data == b"", f"something came: {data[:100]!r}"

    def cut_check(self):
        """Whatever came is no whole answer; where only the end would tell, that was no end in order."""
        if self.row.begins:
            try:
                status, fields = self.reader.head()
            except (EOFError, ConnectionResetError):
                return
            assert status == self.row.begins, f"{status} was begun"
            try:
                self.reader.body(status, fields)
            except (EOFError, ConnectionResetError):
                return
            assert "content-length" not in fields and "transfer-encoding" not in fields, "it is whole"
            # A reset, or over TLS no close_notify: an end in order would be that of the body (RFC 9112 8).
            assert not self.reader.in_order, "it looks whole"
            return
        data, _ = self.reader.rest()
        assert data == b"", f"not cut, but {data[:100]!r}"

    def end_check(self, status):
        end = self.row.end
        if end == OPEN:
            self.open_check(status)
        elif end == WAITS:
            self.waits_check()
        elif end == CUT:
            self.cut_check()
        else:
            data, in_order = self.reader.rest()
            assert data == b"", f"something more: {data[:100]!r}"
            assert in_order, "cut, not ended in order"

    def judge(self):
        status = 0
        for index, owed in enumerate(self.row.statuses):
            try:
                status = self.answer(index, owed)
            except (EOFError, ConnectionResetError):
                if self.row.may_lose and not self.reader.data:
                    return
                raise
        self.end_check(status)
        if self.row.continues is not None:  # whoever has the whole body need not ask for it
            wanted = (0, 1) if self.row.continues and self.mode != BYTES else (self.row.continues,)
            assert self.continues in wanted, f"told to go on {self.continues} times"


# ---- playing -------------------------------------------------------------------------------------

def behind(row, request, status, text):
    """The same row behind another request."""
    moved = {kind: {index + 1: value for index, value in getattr(row, kind).items()}
             for kind in ("headers", "body")}
    moved["body"][0] = text
    may_lose = row.end == CUT and row.begins > 0  # what is queued together is dropped together
    return row.replace(data=request.encode() + row.data, statuses=[status, *row.statuses],
                       may_lose=may_lose, **moved)


def arranged(row, mode):
    if mode == BEHIND:
        return behind(row, hello("before"), 200, "?before")
    return behind(row, get("/late"), 201, "late") if mode == HELD else row


def pieces(data, mode):
    """Byte by byte up to a limit; long ones in pieces of a prime length."""
    step = 1 if len(data) < 700 else 97 if len(data) < 12000 else 4999
    step = step if mode == BYTES else max(1, len(data))
    return [data[i:i + step] for i in range(0, len(data), step)]


def play(target, neighbour, row, mode):
    line = Recorder(target.connect())
    for piece in pieces(row.data, mode):
        line.send(piece)
        if mode == BYTES:
            neighbour.ask()  # by then the server has seen the piece
    if row.shut:
        line.shut()
    if row.end == WAITS:
        neighbour.ask()
        neighbour.ask()
    Judge(row, line, mode).judge()
    line.close()
    return line


# ---- whether a row can fail ------------------------------------------------------------------------

def falsified(row, mode):
    """Rows for the same bytes that owe something else."""
    for index, owed in enumerate(row.statuses):
        other = str(owed)[:-3] + str((int(str(owed)[-3:]) + 1))
        yield row.replace(statuses=[*row.statuses[:index], other, *row.statuses[index + 1:]])
        yield row.replace(body={**row.body, index: "\x01never"})
    for kind in ("headers", "body"):
        for index, values in getattr(row, kind).items():
            for name in values if kind == "headers" else ():
                wrong = {**values, name: "wrong" if values[name] is None else None}
                yield row.replace(headers={**row.headers, index: wrong})
    if row.statuses:
        yield row.replace(statuses=row.statuses[:-1])
    yield row.replace(statuses=[*row.statuses, 200])
    for end in (OPEN, ENDS, WAITS, CUT):
        if end != row.end and {end, row.end} != {ENDS, CUT}:  # else both are an end
            yield row.replace(end=end)
    if row.frame:
        yield row.replace(frame=False)
    if row.continues and mode == BYTES:
        yield row.replace(continues=False)
    if row.begins and row.end == WAITS:
        yield row.replace(begins=row.begins + 1)


def fails(row, record, mode):
    try:
        Judge(row, Replay(record), mode).judge()
    except (AssertionError, EOFError, ConnectionResetError, ValueError, KeyError):
        return True
    return False


def must_be_able_to_fail(row, record, mode):
    for false in falsified(row, mode) if not row.may_lose else ():
        assert fails(false, record, mode), f"cannot fail: {row.difference(false)} does as well"


# ---- all of it -----------------------------------------------------------------------------------

def play_all(target, rows):
    neighbour = Neighbour(target)

    def play_and_doubt(row, mode):
        arrangement = arranged(row, mode)
        record = play(target, neighbour, arrangement, mode)
        must_be_able_to_fail(arrangement, record, mode)

    plays = [(row, mode) for row in rows for mode in (WHOLE, BYTES, BEHIND, HELD)]
    faults = play_each(target, plays, play_and_doubt, FAULTS_MAX)
    neighbour.ask()
    return len(plays), faults


def main(only=""):
    rows = [row for row in ROWS if only in row.name]
    faults = 0
    for name, certs in ("TCP", None), ("TLS", Certs()):
        target = Target(certs=certs)
        plays, more = play_all(target, rows)
        faults += more
        print(f"{name}: {len(rows)} rows, {plays} plays, {target.end()} exchanges, {more} faults")
    assert only or len(ROWS) >= 150
    return faults > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
