# SPDX-License-Identifier: Apache-2.0
"""Rounds of interleaved measurements: in each round every contender of a row has its turn, and the
round begins with another one each time, so that a disturbance or a drift of the machine hits all.

What fails is kept with its reason: no contender leaves a table silently."""
import contextlib
import dataclasses
import pathlib
import sys
import time

from bench.suite import generator, probe
from bench.suite.contenders import Place
from bench.suite.servers import Server, ServerError, free_port


@dataclasses.dataclass
class Plan:
    rows: list
    contenders: list
    rounds: int
    duration_s: float
    warmup_s: float
    build: pathlib.Path
    folder: pathlib.Path
    server_cpu: int
    generator_cpu: int


@dataclasses.dataclass
class Cell:
    """One contender of one row."""
    contender: object
    samples: dict = dataclasses.field(default_factory=dict)  # by round
    failures: list = dataclasses.field(default_factory=list)

    def to_json(self):
        return {"samples": {str(at): sample for at, sample in self.samples.items()},
                "failures": self.failures}


class Progress:
    """Lines for people: what is being done, what came out, how long it will take."""

    def __init__(self, steps, out=sys.stderr):
        self.steps = steps
        self.done = 0
        self.out = out
        self.began = time.monotonic()

    def left(self):
        if self.done == 0:
            return ""
        seconds = (time.monotonic() - self.began) / self.done * (self.steps - self.done)
        return f", {seconds // 60:.0f} min {seconds % 60:02.0f} s left"

    def line(self, text):
        clear = "\r\033[K" if self.out.isatty() else ""
        print(clear + text, file=self.out, flush=True)

    def status(self, text):
        if self.out.isatty():
            print(f"\r\033[K  {text}{self.left()}", end="", file=self.out, flush=True)


def start(plan, row, contender):
    """A started server that has shown that it works."""
    folder = plan.folder / contender.key
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    pair = (plan.folder / "cert.pem", plan.folder / "key.pem")
    place = Place(plan.build, folder, port, *(pair if row.tls and contender.has_tls else ()))
    cpus = [plan.server_cpu, plan.generator_cpu][:contender.workers]
    server = Server(contender.command(row, place), port, cpus, folder / "log")
    try:
        server.known = probe.check(port, row, contender)
    except probe.ProbeError:
        server.stop()
        raise
    return server


def start_all(plan, row, cells, stack):
    servers = {}
    for cell in cells:
        key = cell.contender.key
        if not cell.contender.is_there(plan.build):
            cell.failures.append("is not installed")
            continue
        try:
            servers[key] = start(plan, row, cell.contender)
            stack.callback(servers[key].stop)
        except (ServerError, probe.ProbeError, OSError) as error:
            cell.failures.append(str(error))
    return servers


def measure(plan, row, cell, server, at):
    try:
        sample = generator.measure(plan, row, cell.contender, server, at == 0)
        cell.samples[at] = sample | server.known
    except generator.GeneratorError as error:
        last = f"; the server ended: {server.last_words()}" if server.has_ended() else ""
        cell.failures.append(f"round {at + 1}: {error}{last}")


def rotated(items, by):
    by %= max(1, len(items))
    return items[by:] + items[:by]


def run_row(plan, row, progress):
    cells = [Cell(contender) for contender in plan.contenders if contender.runs(row)]
    rounds = min(plan.rounds, row.rounds_max)
    with contextlib.ExitStack() as stack:
        servers = start_all(plan, row, cells, stack)
        running = [cell for cell in cells if cell.contender.key in servers]
        for at in range(rounds):
            for cell in rotated(running, at):
                server = servers[cell.contender.key]
                progress.status(f"{row.family}: {row.title}: round {at + 1} of {rounds}, "
                                f"{cell.contender.label}")
                if not server.has_ended():
                    measure(plan, row, cell, server, at)
    return cells


def run(plan, progress):
    """Yields (row, cells) as they are finished."""
    for row in plan.rows:
        cells = run_row(plan, row, progress)
        progress.done += weight(row, plan)
        yield row, cells


def weight(row, plan):
    """About how long a row takes, in seconds, for the estimate of what is left."""
    count = sum(contender.runs(row) for contender in plan.contenders)
    opening = row.connections * 80e-6
    if row.family == "idle":
        return count * (1 + plan.duration_s + row.connections / generator.IDLE_CONNECT_RATE)
    turn = plan.duration_s + plan.warmup_s + 1.5 * row.longer_s + 0.2 + opening
    return count * (0.5 + min(plan.rounds, row.rounds_max) * turn)
