# SPDX-License-Identifier: Apache-2.0
"""What is measured: one Row is one load, put on every contender in turn."""
import dataclasses

KIB = 1024
MIB = 1024 * KIB
SIZES = (20, 125, KIB, 16 * KIB, MIB)
CONNECTIONS = (1, 64, 1000, 10000)
# Beyond this many bytes under way at once a row measures the memory of the machine.
UNDER_WAY_MAX = 600 * MIB

FAMILIES = ("echo", "tls", "fanout", "http2", "deflate", "connect", "idle")


@dataclasses.dataclass(frozen=True)
class Row:
    family: str
    connections: int
    size: int = 0
    pipeline: int = 1  # messages under way on a connection
    burst: int = 1  # fan-out: messages published together
    tls: bool = False
    quick: bool = False
    published: bool = False  # of the families deflate and http2: a fan-out
    kept: bool = False  # of the family connect: none is closed again

    @property
    def is_fanout(self):
        return self.family == "fanout" or self.published

    @property
    def under_way(self):
        """Messages at once: a turn must be long enough for several times as many."""
        return self.connections * self.pipeline * self.burst

    @property
    def longer_s(self):
        return self.under_way * 3e-6 if self.family not in ("connect", "idle") else 0

    @property
    def rounds_max(self):
        """Opening 10,000 connections takes longer than measuring. Memory is that of a fresh process:
        one round."""
        return 1 if self.family == "idle" else 3 if self.connections >= 10000 else 100

    @property
    def key(self):
        parts = [self.family + ("-fanout" if self.published else "")]
        if self.size:
            parts.append(size_text(self.size).replace(" ", ""))
        parts.append(f"{self.connections}c")
        if self.pipeline > 1:
            parts.append(f"p{self.pipeline}")
        if self.burst > 1:
            parts.append(f"b{self.burst}")
        if self.tls and self.family != "tls":
            parts.append("tls")
        if self.kept:
            parts.append("kept")
        return "-".join(parts)

    @property
    def title(self):
        count = f"{self.connections:,}"
        if self.is_fanout:
            together = f", bursts of {self.burst}" if self.burst > 1 else ""
            return f"{size_text(self.size)} to {count}{together}"
        if self.family == "http2":
            pipeline = f", pipeline {self.pipeline}" if self.pipeline > 1 else ""
            return f"{size_text(self.size)}, {count} sessions{pipeline}" + (", TLS" if self.tls
                                                                            else "")
        if self.kept:
            return f"{count} opened and kept" + (", TLS" if self.tls else "")
        if self.family == "connect":
            return f"connect, {count} at a time" + (", TLS" if self.tls else "")
        if self.family == "idle":
            return f"{count} idle" + (", TLS" if self.tls else "")
        pipeline = f", pipeline {self.pipeline}" if self.pipeline > 1 else ""
        plural = "s" if self.connections > 1 else ""
        return f"{size_text(self.size)}, {count} connection{plural}{pipeline}"


def size_text(size):
    for unit, name in ((MIB, "MiB"), (KIB, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"


QUICK_ECHO = {(20, 1, 1), (20, 64, 1), (20, 1000, 1), (20, 64, 32), (KIB, 64, 1), (KIB, 64, 32),
              (16 * KIB, 64, 1), (MIB, 1, 1)}


def echo_rows():
    for size in SIZES:
        for pipeline in (1, 32):
            for connections in CONNECTIONS:
                if size * connections * pipeline <= UNDER_WAY_MAX:
                    yield Row("echo", connections, size, pipeline,
                              quick=(size, connections, pipeline) in QUICK_ECHO)


def tls_rows():
    for size, pipeline, connections in ((20, 1, 64), (20, 32, 64), (KIB, 1, 64), (KIB, 32, 64),
                                        (16 * KIB, 1, 64), (MIB, 1, 1), (20, 1, 1000),
                                        (KIB, 1, 1000)):
        quick = (size, pipeline, connections) in ((KIB, 1, 64), (16 * KIB, 1, 64))
        yield Row("tls", connections, size, pipeline, tls=True, quick=quick)


def fanout_rows():
    for connections in (1000, 10000):
        for size in (64, KIB):
            for burst in (1, 8, 16):
                quick = connections == 1000 and size == 64 and burst != 8
                yield Row("fanout", connections, size, burst=burst, quick=quick)


def deflate_rows():
    for pipeline in (1, 16):
        yield Row("deflate", 64, KIB, pipeline, quick=pipeline == 1)
    yield Row("deflate", 1000, KIB, published=True, quick=True)


def http2_rows():
    """Over HTTP/1.1 and HTTP/2, which are the contenders: 100 sessions on 100, 10 or 1 connections."""
    yield Row("http2", 100, 20, quick=True)
    yield Row("http2", 100, 20, 32)
    yield Row("http2", 100, KIB)
    yield Row("http2", 100, 16 * KIB)
    yield Row("http2", 100, 20, tls=True)
    yield Row("http2", 1000, 64, published=True, quick=True)
    yield Row("http2", 1000, KIB, published=True)


def other_rows():
    yield Row("connect", 64, quick=True)
    yield Row("connect", 64, tls=True, quick=True)
    yield Row("connect", 5000, kept=True, quick=True)
    yield Row("connect", 1000, tls=True, kept=True)
    yield Row("idle", 10000)
    yield Row("idle", 10000, tls=True)
    yield Row("idle", 2000, quick=True)
    yield Row("idle", 2000, tls=True, quick=True)


def all_rows():
    return [*echo_rows(), *tls_rows(), *fanout_rows(), *http2_rows(), *deflate_rows(), *other_rows()]


def full_rows():
    """All but the small idle rows, which stand in for the large ones in a quick run."""
    return [row for row in all_rows() if row.family != "idle" or not row.quick]


def quick_rows():
    return [row for row in all_rows() if row.quick]


def smoke_rows():
    return [Row("echo", 16, 20), Row("fanout", 32, 64)]
