#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Each row of h2_rows_*.py is played in one piece with the beginning of its connection, and byte by
byte. A neighbour of the same worker, with a WebSocket and with requests, is served all the while.
What came is then judged again by rows that owe something else, and each of them must fail: so each
row can. H2_TLS=1 in the environment: over TLS.
Usage: h2_rows.py [a part of the rows' names]; E2E_TIMEOUT: seconds that nothing comes; H2_VERBOSE=1: says
what came of each row."""
import collections
import os
import sys
import time

from h2_owed import ANY, PROBE, ROWS, STREAMS_EACH, is_probe
from h2_wire import (CONNECT_PROTOCOL, PREFACE, SCHEME, Connection, connect, cut, data, get,
    message, ping, settings, window_update)
from http_attack import PATIENCE, Target, play_each
from tools import Certs

import h2_rows_connect
import h2_rows_floods
import h2_rows_flow
import h2_rows_frames
import h2_rows_heads
import h2_rows_hpack
import h2_rows_streams

assert (h2_rows_connect and h2_rows_floods and h2_rows_flow and h2_rows_frames and h2_rows_heads and
        h2_rows_hpack and h2_rows_streams)  # they fill ROWS

WHOLE, BYTES = "whole", "byte by byte"
FAULTS_MAX = 400
SETTLE = b"settled?"
VERBOSE = os.environ.get("H2_VERBOSE")


class Asker:
    """Shows that a connection is served: by its WebSocket, stream 1, and by a request."""

    pings = True

    def __init__(self, connection, first):
        self.c, self.number, self.count = connection, first, 0

    def ask(self, echoes=True, requests=True):
        c = self.c
        self.count += 1
        text, size = b"%06d" % self.count, 0
        if echoes:
            size = len(c.streams[1].body) + 8
            c.send(data(1, message(text)))
        if requests:
            self.number += 2
            c.send(get(self.number, f"/hello?probe{self.number}."))
        self.widen(*([1] if echoes else []), *([self.number] if requests else []))
        before = len(c.pongs)
        if self.pings:
            c.send(ping(SETTLE))
        c.until(lambda: (not self.pings or SETTLE in c.pongs[before:])
            and (not requests or c.streams[self.number].is_over)
            and (not echoes or len(c.streams[1].body) >= size or c.streams[1].is_over))
        return (not echoes or c.streams[1].body.endswith(b"\x81\x06" + text)) and (
            not requests or self.is_answered(c.streams[self.number]))

    def widen(self, *numbers):
        """The windows that its answers need."""
        if self.c.window < 1000:
            self.c.send(window_update(0, 1000))
        for number in numbers:
            if self.c.streams[number].window < 1000:
                self.c.send(window_update(number, 1000))

    def is_answered(self, stream):
        return stream.status == 200 and stream.ended and b"?probe%d." % self.number in stream.body


class Neighbour(Asker):
    """A connection that stays. It does not PING: too many are an attack."""

    pings = False

    def __init__(self, target):
        super().__init__(Connection(target.connect()), 1)
        self.c.send(PREFACE + settings() + connect(1))
        assert self.c.until(lambda: self.c.settings is not None and self.c.streams[1].status)
        assert self.c.streams[1].status == 200

    def must_be_served(self):
        assert self.ask(), f"the neighbour is not served: {self.c.text()}"
        del self.c.streams[self.number]

    def turn(self):
        """By then the server has seen what was sent to it before."""
        self.c.streams[1].body = b""
        self.c.send(data(1, message(b"turn")))
        assert self.c.until(lambda: len(self.c.streams[1].body) >= 6), "the neighbour's connection ended"


class Player:
    """Of one row."""

    def __init__(self, target, neighbour, row, mode):
        self.row, self.mode, self.neighbour = row, mode, neighbour
        self.c = Connection(self.line(target, row.alpn), credits=row.credits, acks=row.acks)
        self.asker = Asker(self.c, PROBE)

    @staticmethod
    def line(target, alpn):
        if target.context is None:
            return target.connect()
        target.context.set_alpn_protocols(list(alpn))
        line = target.connect()
        chosen = line.tls.selected_alpn_protocol()
        assert chosen == ("h2" if "h2" in alpn else alpn[0] if alpn
            else None), f"ALPN: {chosen} of {alpn}"
        return line

    def pieces(self, data):
        """Byte by byte up to a limit; the neighbour is answered between them: by then the server has seen
        each."""
        step = 1 if len(data) < 400 else 97 if len(data) < 12000 else 16001
        for piece in cut(data, step) if data else []:
            yield piece
            self.neighbour.turn()

    def begin(self, first):
        start = b"" if self.row.raw else PREFACE + settings() + connect(1)
        if first and not self.row.apart and self.mode == WHOLE:
            self.c.send(start + first)
            return
        if start:
            self.c.send(start)
            self.c.until(lambda: self.c.settings_acked and self.c.streams[1].status)
        self.send(first)

    def send(self, data):
        self.c.pieces = self.pieces if self.mode == BYTES else None or (lambda data: [data])
        self.c.send(data)
        self.c.pieces = lambda data: [data]

    def play(self):
        steps = list(self.row.steps)
        first = steps.pop(0) if steps and isinstance(steps[0], bytes) else b""
        self.begin(first)
        for step in steps:
            if callable(step):
                step(self.c)
            else:
                self.send(step)
        self.settle()

    def settle(self):
        c, row, served = self.c, self.row, True
        if row.owed.may_go_on and not c.over:
            served = self.asker.ask(row.echoes and not row.raw, row.probe)
        c.until(lambda: row.owed.holds(c))
        assert row.owed.holds(c), f"{c.text()}; owed: {row.owed.text()}"
        if not c.over:
            assert served, f"it is not served any more: {c.text()}"
            self.details()
        elif not row.owed.may_go_on and self.mode == WHOLE:
            assert c.in_order, "cut, not ended in order"

    def details(self):
        c, row = self.c, self.row
        if not row.raw:
            assert c.settings.get(CONNECT_PROTOCOL) == 1, f"not announced: {c.settings}"
            c.until(lambda: c.settings_acked == c.settings_sent)
        pongs = [pong for pong in c.pongs if pong != SETTLE]
        assert row.pongs is None or pongs == list(row.pongs), f"{pongs} was answered, not {row.pongs}"
        own = [s for number, s in c.streams.items() if number > 1 and not is_probe(number)]
        answer = next((s for s in reversed(own) if s.status), None)
        if answer and row.body is not None:
            assert row.body.encode("latin1") in answer.body, f"{answer.body[:200]} is without {row.body!r}"
        for name, value in row.fields.items() if answer else ():
            got = answer.fields.get(name)
            assert got == value or (value is ANY and got), f"not {name}: {value}: {answer.fields}"


def must_be_able_to_fail(player):
    """What is owed, when it is something else, does not hold."""
    c, owed = player.c, player.row.owed
    for one in owed.answers:
        for other in one.falsified() if one.holds(c) else ():
            is_owed_too = any(real.holds(c) for real in owed.answers if real is not one) or \
                other.end == "ends" == one.end
            assert is_owed_too or not other.holds(c), f"cannot fail: {other.text()} does as well"


def play(target, neighbour, row, mode):
    player = Player(target, neighbour, row, mode)
    try:
        try:
            player.play()
        except TimeoutError as error:
            raise TimeoutError(f"after {player.c.text()}; owed: {row.owed.text()}") from error
        neighbour.must_be_served()
        must_be_able_to_fail(player)
    finally:
        player.c.line.close()
    if VERBOSE:
        print(f"{row.name} ({mode}): {player.c.text()}", flush=True)


def family(row):
    return row.name.split(":")[0]


def play_all(target, rows):
    neighbour = Neighbour(target)
    plays = [(row, mode) for row in rows for mode in ((WHOLE,) if row.flood else (WHOLE, BYTES))]
    faults = play_each(target, plays, lambda row, mode: play(target, neighbour, row, mode), FAULTS_MAX)
    neighbour.must_be_served()
    neighbour.c.line.close()
    return len(plays), faults


def must_be_forgotten(target):
    """Once the connections have gone, nothing of them is counted any more. A worker keeps one buffer for
    messages that come in pieces."""
    deadline = time.monotonic() + PATIENCE
    while (now := target.statistics())["connections"] or now["sessions"] or now["held"] > 4096:
        assert time.monotonic() < deadline, now
        time.sleep(0.01)


def main(only=""):
    begin = time.monotonic()
    rows = [row for row in ROWS if only in row.name]
    certs = Certs() if SCHEME == "https" else None
    target = Target("--http2", STREAMS_EACH, certs=certs)
    if certs:
        target.context.set_alpn_protocols(["h2"])
    plays, faults = play_all(target, rows)
    must_be_forgotten(target)
    families = collections.Counter(map(family, rows))
    print(", ".join(f"{name} {count}" for name, count in families.items()))
    print(f"{SCHEME}: {len(rows)} rows, {plays} plays, {target.end()} exchanges, {faults} faults, "
          f"{time.monotonic() - begin:.0f} s")
    assert only or len(ROWS) >= 200
    return faults > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
