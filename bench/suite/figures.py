# SPDX-License-Identifier: Apache-2.0
"""Arithmetic: medians, quartiles, ratios, and numbers as people read them."""
import dataclasses
import math


@dataclasses.dataclass(frozen=True)
class Spread:
    """A median and its quartiles."""
    median: float
    low: float
    high: float
    count: int


def quantile(values, q):
    """Linear between the two nearest ranks, as most programs have it."""
    ordered = sorted(values)
    at = (len(ordered) - 1) * q
    below = math.floor(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def spread(values):
    values = [value for value in values if value is not None]
    if not values:
        return None
    return Spread(quantile(values, 0.5), quantile(values, 0.25), quantile(values, 0.75),
                  len(values))


def ratio(values, references):
    """The spread of value / reference of the same round: {round: value} each. What disturbs a whole
    round disturbs both. None when no round has both."""
    return spread([values[at] / references[at] for at in values
                   if references.get(at) and values[at] is not None])


def geometric_mean(values):
    return math.exp(sum(math.log(value) for value in values) / len(values)) if values else None


def us_per_message(cpu_s, messages):
    return cpu_s * 1e6 / messages if messages else None


def significant(value, digits=3):
    """12345.6 as 12,300; 0.15549 as 0.155."""
    if value is None:
        return "–"
    if value == 0:
        return "0"
    decimals = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, decimals)
    return f"{rounded:,.{max(0, decimals)}f}"


def times(value):
    return "–" if value is None else f"{value:.2f} ×"


def rate(value):
    """Per second: 1.23 M, 45.6 k."""
    if value is None:
        return "–"
    for unit, name in ((1e6, " M"), (1e3, " k")):
        if value >= unit:
            return significant(value / unit) + name
    return significant(value)


def microseconds(value):
    if value is None:
        return "–"
    if value >= 1000:
        return significant(value / 1000) + " ms"
    return significant(value) + " µs"


def memory(user, kernel):
    """Other programs can free more of the kernel's memory than the connections take."""
    return f"{size_bytes(user)} + {size_bytes(kernel) if kernel >= 0 else '?'}"


def size_bytes(value):
    if value is None:
        return "–"
    if abs(value) < 1000:
        return f"{value:.0f} B"
    return significant(value / 1024) + " KiB"
