# SPDX-License-Identifier: Apache-2.0
"""The pictures of a result file: which rows, in which form."""
from bench.suite import figures, svg
from bench.suite.summary import summarize

OVERVIEW = (
    ("Echo", ("echo-20B-1c", "echo-20B-64c", "echo-20B-1000c", "echo-20B-10000c",
              "echo-20B-64c-p32", "echo-1KiB-64c", "echo-1KiB-64c-p32", "echo-16KiB-64c",
              "echo-1MiB-1c")),
    ("TLS, against the plain floor", ("tls-20B-64c-p32", "tls-1KiB-64c", "tls-16KiB-64c")),
    ("Fan-out", ("fanout-64B-1000c", "fanout-64B-1000c-b16", "fanout-1KiB-1000c",
                 "fanout-64B-10000c")),
    ("Connections", ("connect-64c", "connect-64c-tls")),
)
THROUGHPUT = (
    ("echo-20B-64c", "Echo, 20 B, 64 connections: messages"),
    ("echo-20B-64c-p32", "Echo, 20 B, pipeline 32: messages"),
    ("echo-1KiB-64c-p32", "Echo, 1 KiB, pipeline 32: messages"),
    ("tls-1KiB-64c", "Echo over TLS, 1 KiB, 64 connections: messages"),
    ("fanout-64B-1000c", "Fan-out, 64 B to 1,000: deliveries"),
    ("fanout-64B-1000c-b16", "Fan-out, 64 B, bursts of 16: deliveries"),
)
DOT_TITLES = {
    "echo": "Echo: server CPU time per message",
    "tls": "Echo over TLS 1.3: server CPU time per message",
    "fanout": "Fan-out: server CPU time per delivery",
    "connect": "Accept, upgrade, close: server CPU time per connection",
}


def ratios(summary, floors):
    return {key: cell.ratio for key, cell in summary.cells.items()
            if cell.ratio and key not in floors}


def servers(result):
    return [one for one in result["contenders"] if not one["is_floor"]]


def shown(result, groups):
    present = {key for _, rows in groups for _, cells in rows for key in cells}
    return [one for one in servers(result) if one["key"] in present]


def dots(result, title, groups):
    groups = [(heading, [row for row in rows if row[1]]) for heading, rows in groups]
    groups = [(heading, rows) for heading, rows in groups if rows]
    if not groups:
        return None
    return svg.dots(title, "× the CPU time of a raw TCP program that moves the same bytes; less is "
                    "better; logarithmic; bars span the quartiles", groups, shown(result, groups))


def overview(result, summaries, floors):
    by_key = {summary.row["key"]: summary for summary in summaries}
    groups = [(heading, [(by_key[key].row["title"], ratios(by_key[key], floors))
                         for key in keys if key in by_key]) for heading, keys in OVERVIEW]
    return dots(result, "How far above the floor", groups)


def family_dots(result, summaries, floors, family):
    chosen = [summary for summary in summaries if summary.row["family"] == family]
    by_size = {}
    for summary in chosen:
        by_size.setdefault(summary.row["size"], []).append(
            (summary.row["title"], ratios(summary, floors)))
    return dots(result, DOT_TITLES[family], [("", rows) for rows in by_size.values()])


def bar(contender, pieces, words):
    return (contender["label"], pieces, words, contender["colour"], contender["key"] == "wring")


def throughput(result, summaries):
    by_key = {summary.row["key"]: summary for summary in summaries}
    panels = []
    for key, title in THROUGHPUT:
        if key not in by_key:
            continue
        cells = by_key[key].cells
        known = [(one, 1e6 / cells[one["key"]].cost.median) for one in result["contenders"]
                 if one["key"] in cells and cells[one["key"]].cost]
        known.sort(key=lambda pair: -pair[1])
        panels.append((title, [bar(one, [(count, 1)], figures.rate(count))
                               for one, count in known]))
    if not panels:
        return None
    return svg.bars("What a second of server CPU time is worth", "1 s divided by the CPU time of a "
                    "message; more is better; grey: the floor, raw TCP", panels, 2)


def idle(result, summaries):
    panels = []
    for summary in summaries:
        if summary.row["family"] != "idle":
            continue
        known = [(one, summary.cells[one["key"]]) for one in result["contenders"]
                 if one["key"] in summary.cells
                 and summary.cells[one["key"]].user_bytes is not None]
        known.sort(key=lambda pair: pair[1].user_bytes)
        panels.append((summary.row["title"], [
            bar(one, [(max(0, cell.user_bytes), 1), (max(0, cell.kernel_bytes), 0.28)],
                figures.memory(cell.user_bytes, cell.kernel_bytes))
            for one, cell in known]))
    if not panels:
        return None
    return svg.bars("Memory of an idle connection", "user space (full colour) + kernel, one end "
                    "(light); less is better", panels, 2)


def all_pictures(result):
    """{file name: SVG}"""
    summaries = summarize(result)
    floors = {one["key"] for one in result["contenders"] if one["is_floor"]}
    out = {"overview.svg": overview(result, summaries, floors),
           "throughput.svg": throughput(result, summaries),
           "idle.svg": idle(result, summaries)}
    for family in DOT_TITLES:
        out[f"{family}.svg"] = family_dots(result, summaries, floors, family)
    return {name: picture for name, picture in out.items() if picture}
