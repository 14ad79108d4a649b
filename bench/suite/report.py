# SPDX-License-Identifier: Apache-2.0
"""The Markdown page of a result file."""
from bench.suite import figures
from bench.suite.summary import mean_ratios, summarize

HEADINGS = {
    "echo": "Echo", "tls": "Echo over TLS 1.3", "fanout": "Fan-out: one message to all",
    "http2": "HTTP/2: sessions that share connections", "deflate": "Compressed messages",
    "connect": "Connections", "idle": "Memory of an idle connection",
}
EXPLANATIONS = {
    "echo": "A message is answered by itself; each connection has 1 message under way, or 32 "
            "(pipeline). Server CPU time per message:",
    "tls": "TLS_AES_128_GCM_SHA256 for all. The floor has no TLS: its column is the price of the "
           "same messages in the clear, so the factor includes what encryption itself costs.",
    "fanout": "One publisher, everybody else receives; the next message, or burst of messages, is "
              "published when all have the last. Server CPU time per delivery:",
    "http2": "The sessions of a row as connections of HTTP/1.1, and as streams of HTTP/2, 1, 10 or 100 "
             "on a connection; factors are to HTTP/1.1. Server CPU time per message or delivery:",
    "deflate": "permessage-deflate without context takeover in both directions, each server at its own "
               "defaults; echo of JSON records, and fan-out of text to 1,000. The floor has none. "
               "Server CPU time per message, and bytes of an echo's payload: a smaller reply is "
               "worth some time.",
    "connect": "TCP accept, upgrade and close, 64 connections at a time; and accept and upgrade alone, "
               "as fast as they can be opened. Server CPU time per connection; the floor computes "
               "the accept key too, but has no TLS.",
    "idle": "Resident memory the server process gained per open connection, after some traffic over "
            "64 others so that buffers shared by all are there already, and the kernel's "
            "memory for one end of it: half of what the machine's slab memory grew by, so other "
            "programs disturb it, and no server has much say in it.",
}


def contender_map(result):
    return {contender["key"]: contender for contender in result["contenders"]}


def rows_of(summaries, family):
    return [summary for summary in summaries if summary.row["family"] == family]


def columns(result, summaries):
    """Contenders that have a cell in one of these rows, in their order."""
    present = {key for summary in summaries for key in summary.cells}
    return [contender for contender in result["contenders"] if contender["key"] in present]


def table(header, lines):
    out = ["| " + " | ".join(header) + " |", "|---|" + "--:|" * (len(header) - 1)]
    out += ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join(out)


def cost_text(summary, key):
    cell = summary.cells.get(key)
    if cell is None:
        return ""
    if cell.cost is None:
        return "failed"
    text = figures.significant(cell.cost.median)
    if cell.reply_bytes is not None:
        text += f", {cell.reply_bytes:.0f} B"
    if cell.ratio is not None and key != summary.floor:
        text += f" ({cell.ratio.median:.2f} ×)"
    servers = [one for one in summary.cells.values()
               if one.cost and not one.key.startswith("floor")]
    if servers and min(servers, key=lambda one: one.cost.median) is cell:
        text = f"**{text}**"
    return text


def cost_table(result, summaries):
    shown = columns(result, summaries)
    return table(["µs"] + [contender["label"] for contender in shown],
                 [[summary.row["title"]] + [cost_text(summary, contender["key"])
                                            for contender in shown] for summary in summaries])


def rate_text(cell):
    if cell is None:
        return ""
    if cell.rate is None:
        return "failed"
    text = figures.rate(cell.rate)
    if cell.p50_us is not None:
        text += (f", {figures.microseconds(cell.p50_us)} / "
                 f"{figures.microseconds(cell.p99_us)}")
    return f"{text}, {cell.busy:.0%}"


def rate_table(result, summaries):
    shown = columns(result, summaries)
    return table(["per second, p50 / p99, busy"] + [contender["label"] for contender in shown],
                 [[summary.row["title"]] + [rate_text(summary.cells.get(contender["key"]))
                                            for contender in shown] for summary in summaries])


def spread_table(result, summaries):
    shown = columns(result, summaries)

    def text(cell):
        if cell is None or cell.cost is None:
            return ""
        return (f"{figures.significant(cell.cost.low)} – {figures.significant(cell.cost.high)}")
    return table(["µs, quartiles"] + [contender["label"] for contender in shown],
                 [[summary.row["title"]] + [text(summary.cells.get(contender["key"]))
                                            for contender in shown] for summary in summaries])


def idle_table(result, summaries):
    shown = columns(result, summaries)

    def text(cell):
        if cell is None:
            return ""
        if cell.user_bytes is None:
            return "failed"
        return figures.memory(cell.user_bytes, cell.kernel_bytes)
    return table(["user space + kernel"] + [contender["label"] for contender in shown],
                 [[summary.row["title"]] + [text(summary.cells.get(contender["key"]))
                                            for contender in shown] for summary in summaries])


def details(title, text):
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def family_section(result, summaries, family):
    chosen = rows_of(summaries, family)
    if not chosen:
        return []
    out = [f"## {HEADINGS[family]}", EXPLANATIONS[family]]
    if family not in ("deflate", "http2"):  # pictures are of ratios to the floor
        out.append(f"![{HEADINGS[family]}]({family}.svg)")
    if family == "idle":
        return out + [idle_table(result, chosen)]
    return out + [
        cost_table(result, chosen),
        details("Throughput, latency, and how busy the server's CPU was: well below 100 % the generator "
                "or the waiting is the limit, not the server",
                rate_table(result, chosen)),
        details("Quartiles", spread_table(result, chosen))]


def standing_lines(result, summaries):
    """Where wring leads and trails, the largest differences first."""
    labels = {key: contender["label"] for key, contender in contender_map(result).items()}
    groups = {"leads": [], "trails": [], "level": []}
    for summary in summaries:
        if summary.verdict:
            groups[summary.verdict].append(summary)
    out = []
    for name, heading in (("leads", "Where wring leads"), ("trails", "Where wring trails")):
        chosen = sorted(groups[name], key=lambda summary: summary.against_best.median,
                        reverse=name == "trails")
        out.append(f"### {heading}: {len(chosen)} of {sum(map(len, groups.values()))} rows")
        if not chosen:
            out.append("None.")
            continue
        lines = []
        for summary in chosen:
            cell = summary.cells["wring"]
            floor = f"{cell.ratio.median:.2f} ×" if cell.ratio else "–"
            spread = summary.against_best
            lines.append([f"{HEADINGS[summary.row['family']].split(':')[0]}: "
                          f"{summary.row['title']}",
                          f"{spread.median:.2f} ({spread.low:.2f} – {spread.high:.2f})",
                          labels[summary.best_peer], floor])
        out.append(table(["row", "wring's cost ÷ the best peer's", "the best peer",
                          "wring ÷ floor"], lines))
    level = ", ".join(summary.row["key"] for summary in groups["level"])
    out.append(f"Level (within 3 %, or quartiles on both sides of 1): {level or 'none'}.")
    return out


def mean_table(result, summaries):
    lines = []
    contenders = [one for one in result["contenders"] if not one["is_floor"]]
    for family in ("echo", "tls", "fanout"):
        chosen = rows_of(summaries, family)
        present = [one["key"] for one in contenders
                   if any(one["key"] in summary.cells and summary.cells[one["key"]].cost
                          for summary in chosen)]
        means = mean_ratios(chosen, present)
        count = max((count for _, count in means.values()), default=0)
        if count:
            lines.append([f"{HEADINGS[family].split(':')[0]} ({count} rows)"] + [
                figures.times(means[one["key"]][0]) if one["key"] in means else ""
                for one in contenders])
    return table(["× floor, geometric mean"] + [one["label"] for one in contenders], lines)


def failure_lines(result):
    labels = {key: contender["label"] for key, contender in contender_map(result).items()}
    seen = {}
    for row in result["rows"]:
        for key, cell in row["cells"].items():
            for failure in cell["failures"]:
                seen.setdefault((key, failure.partition(": ")[2] or failure), []).append(row["key"])
    if not seen:
        return ["Nothing failed: every contender has every sample of every row it takes part in."]
    return ["\n".join(f"- {labels[key]}: {text}: {', '.join(dict.fromkeys(rows))}"
                      for (key, text), rows in seen.items())]


def noise_line(summaries):
    widths = [(cell.cost.high - cell.cost.low) / cell.cost.median for summary in summaries
              for cell in summary.cells.values() if cell.cost and cell.cost.count > 2]
    width = figures.spread(widths)
    if width is None:
        return "One round only: no spread is known."
    return (f"Half of all cells have quartiles at most {width.median:.0%} apart, nine in ten at "
            f"most {figures.quantile(widths, 0.9):.0%}.")


def method_lines(result, summaries):
    plan = result["plan"]
    return [
        "## Method",
        f"""- The server is pinned to one CPU, the load generator (`wring bench`, one thread) to
  another; all traffic is loopback. Every server is one thread or one process of event loop, but
  "wring, two workers", which has both CPUs and shows what a second worker costs a delivery.
- {plan['rounds']} rounds a row; in each round every contender has its turn of
  {plan['warmup_s']:g} s warm-up (Bun and Node: 1 s before their first) and {plan['duration_s']:g} s
  measured (longer where many messages are under way; 3 rounds with 10,000 connections), and each
  round begins with another one. Figures are medians of the rounds; a factor is the median of the factors within the
  rounds.
- The cost is the server's CPU time (user and system, from /proc) in the measured time, divided by
  the messages answered or delivered in it. It is steadier than throughput and does not depend on
  how fast the generator is; interrupt work that the kernel does on the server's CPU and books
  to the server is part of it, for everybody alike.
- The floor ([bench/floor](../../bench/floor/README.md)) is a raw TCP program that moves the same
  bytes and does no WebSocket work; the factor is taken to the cheaper of its two backends.
- The load is a closed loop, so latency and throughput say the same thing twice, and where the
  server is not busy all the time neither says much about it. Latency at a given
  rate is another question, which `wring bench --rate` answers.
- Compression is off but in its own rows. Before it is measured, each server must return a random message
  unchanged; over TLS it must choose TLS_AES_128_GCM_SHA256.
- Rows with more than 600 MiB of messages under way are left out.
- Peers are those that Debian and npm have: uWebSockets itself is in neither (its Node binding is
  published on GitHub only), Bun's server is built on it.""",
        noise_line(summaries),
    ]


def machine_lines(result):
    machine = result["machine"]
    versions = [[contender["label"], machine["versions"].get(contender["key"]) or
                 ("this tree" if contender["is_floor"] else "–")]
                for contender in result["contenders"]]
    return [
        "## Machine",
        f"{machine['cpu']}, {machine['cpus']} CPUs, {machine['memory_gib']} GiB, Linux "
        f"{machine['kernel']}, Debian {machine['system']}, congestion control "
        f"{machine['congestion_control']}; load average at the start {machine['load_at_start']}. "
        f"Tree: {machine['commit']}, {result['date']}. The run took "
        f"{result['elapsed_s'] / 60:.0f} minutes.",
        table(["program", "version"], versions),
    ]


def busy_lines(result):
    """A machine with other work is no place for absolute figures, and the reader must know."""
    load = float(result["machine"]["load_at_start"])
    if load < 1:
        return []
    return [f"**The machine was busy with other work (load average {load:g} on "
            f"{result['machine']['cpus']} CPUs when it began): costs are higher than on a quiet "
            "one, and differences of less than the quartiles mean nothing.**"]


def page(result):
    summaries = summarize(result)
    quick = " This is a quick run: few rows, short rounds." if result["plan"]["quick"] else ""
    out = [
        "# Performance",
        f"Made by `script/bench suite --keep` on {result['date'][:10]}; not edited by hand.{quick} "
        f"Figures of one run are comparable with each other, not with those of another machine.",
        *busy_lines(result),
        "How much CPU time does a server spend on a message, as a multiple of what the kernel takes "
        "to move the same bytes with no WebSocket in it?",
        "![Cost relative to the floor](overview.svg)",
        mean_table(result, summaries),
        "![Messages for a second of server CPU time](throughput.svg)",
        "## Where wring stands",
        *standing_lines(result, summaries),
    ]
    for family in HEADINGS:
        out += family_section(result, summaries, family)
    out += ["## What failed", *failure_lines(result)]
    out += method_lines(result, summaries)
    out += machine_lines(result)
    raw = result.get("file")
    if raw:
        out.append(f"Raw results: [{raw}](../../{raw}). `script/bench suite --report FILE` makes "
                   "this page from such a file.")
    return "\n\n".join(out) + "\n"
