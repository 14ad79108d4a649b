# SPDX-License-Identifier: Apache-2.0
"""From the raw samples of a result file to the figures that are shown. Knows no presentation."""
import dataclasses

from bench.suite import figures

# Differences below this, or whose quartiles lie on both sides of 1, are called level.
LEVEL = 0.03
# Of the family http2 there is no floor: HTTP/1.1 is what it is held against.
HTTP1 = ("http2", "wring")


@dataclasses.dataclass
class CellSummary:
    key: str
    failures: list
    cost: figures.Spread = None  # server CPU, µs a message; idle: user space, bytes a connection
    ratio: figures.Spread = None  # of the cost to the floor's in the same round
    rate: float = None
    p50_us: float = None
    p99_us: float = None
    user_us: float = None
    reply_bytes: float = None  # of a payload on the wire
    busy: float = None  # share of the time in which the server's CPU worked for it
    user_bytes: float = None
    kernel_bytes: float = None


@dataclasses.dataclass
class RowSummary:
    row: dict
    cells: dict  # contender -> CellSummary
    floor: str = None  # the cheaper one
    best_peer: str = None
    against_best: figures.Spread = None  # wring to the best peer; below 1: wring is cheaper

    @property
    def verdict(self):
        spread = self.against_best
        if spread is None:
            return None
        if spread.median < 1 - LEVEL and spread.high < 1:
            return "leads"
        if spread.median > 1 + LEVEL and spread.low > 1:
            return "trails"
        return "level"


def costs(cell, family):
    """{round: cost} of a raw cell."""
    def cost(sample):
        if family == "idle":
            return sample["user_bytes"]
        return sample["server_us"]
    return {at: cost(sample) for at, sample in cell["samples"].items()}


def median_of(cell, name):
    spread = figures.spread([sample.get(name) for sample in cell["samples"].values()])
    return spread.median if spread else None


def summarize_cell(key, cell, family, floor_costs):
    own = costs(cell, family)
    busy = [sample["rate"] * sample["server_us"] / 1e6 for sample in cell["samples"].values()
            if family != "idle"]
    return CellSummary(
        busy=figures.quantile(busy, 0.5) if busy else None, key=key, failures=cell["failures"], cost=figures.spread(list(own.values())),
        ratio=figures.ratio(own, floor_costs) if floor_costs else None,
        **{name: median_of(cell, name) for name in
           ("rate", "reply_bytes", "p50_us", "p99_us", "user_us", "user_bytes", "kernel_bytes")})


def cheapest(keys, spreads):
    known = [key for key in keys if spreads.get(key)]
    return min(known, key=lambda key: spreads[key].median) if known else None


def summarize_row(row, floors, own=("wring",)):
    cells, family = row["cells"], row["family"]
    by_round = {key: costs(cell, family) for key, cell in cells.items()}
    spreads = {key: figures.spread(list(values.values())) for key, values in by_round.items()}
    floor = cheapest([key for key in cells if key in floors or (family, key) == HTTP1], spreads)
    peers = [key for key in cells if key not in floors and key not in own]
    best = cheapest(peers, spreads)
    against = None
    if best and spreads.get("wring"):
        against = figures.ratio(by_round["wring"], by_round[best])
    return RowSummary(
        row=row, floor=floor, best_peer=best, against_best=against,
        cells={key: summarize_cell(key, cell, family, by_round.get(floor))
               for key, cell in cells.items()})


def summarize(result):
    floors = {contender["key"] for contender in result["contenders"] if contender["is_floor"]}
    own = {contender["key"] for contender in result["contenders"]
           if contender.get("is_own", contender["key"] == "wring")}
    return [summarize_row(row, floors, own) for row in result["rows"]]


def mean_ratios(summaries, keys):
    """{contender: (geometric mean of its ratios to the floor, rows)}, over the rows where all of
    `keys` have one, so that nobody gains by failing."""
    common = [summary for summary in summaries
              if all(key in summary.cells and summary.cells[key].ratio for key in keys)]
    return {key: (figures.geometric_mean([summary.cells[key].ratio.median for summary in common]),
                  len(common)) for key in keys}
