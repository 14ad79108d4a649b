# SPDX-License-Identifier: Apache-2.0
"""Options and files of script/bench suite."""
import argparse
import datetime
import json
import os
import pathlib
import re
import subprocess
import sys
import time

from bench.suite import figures, machine, pictures, report, rows, summary
from bench.suite.contenders import CONTENDERS, ROOT, by_key
from bench.suite.runner import Plan, Progress, run, weight

EXAMPLES = """examples:
  script/bench suite --quick                 few rows, under 5 minutes
  script/bench suite --keep                  everything, and the page in docs/performance
  script/bench suite --rows 'fanout.*b16' --only wring,floor-uring --rounds 9
  script/bench suite --list
  script/bench suite --report bench/results/FILE.json --keep"""


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="script/bench suite", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures wring, other servers and the raw TCP floor in one run, and writes a "
                    "page with tables and pictures to build/bench/suite.")
    parser.add_argument("--quick", action="store_true", help="few rows, short rounds")
    parser.add_argument("--smoke", action="store_true",
                        help="two tiny rows, wring and the floor only: does the suite work")
    parser.add_argument("--rows", metavar="REGEX", help="rows whose name matches")
    parser.add_argument("--only", metavar="NAMES", help="contenders, separated by commas")
    parser.add_argument("--rounds", type=int, metavar="N", help="5; quick: 3")
    parser.add_argument("--seconds", type=float, metavar="S",
                        help="measured a turn: 0.5; quick: 0.3")
    parser.add_argument("--keep", action="store_true",
                        help="raw results to bench/results, the page to docs/performance")
    parser.add_argument("--list", action="store_true",
                        help="names of rows and contenders, and ends")
    parser.add_argument("--report", metavar="FILE", help="only makes the page of a result file")
    parser.add_argument("--build", metavar="FOLDER", default="build/release",
                        help="CMake's folder with the programs (build/release)")
    return parser.parse_args(argv)


def chosen_rows(options):
    chosen = rows.full_rows()
    if options.smoke:
        chosen = rows.smoke_rows()
    elif options.quick:
        chosen = rows.quick_rows()
    if options.rows:
        chosen = [row for row in chosen if re.search(options.rows, row.key)]
    return chosen


def chosen_contenders(options):
    if options.only:
        return [by_key(key) for key in options.only.split(",")]
    if options.smoke:
        return [by_key("wring"), by_key("floor-uring"), by_key("floor-epoll")]
    return CONTENDERS


def cpus():
    """Of the server and of the generator."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) < 2:
        print("bench: one CPU only: server and generator share it", file=sys.stderr)
    return allowed[0], allowed[1 % len(allowed)]


def make_certificate(folder):
    key, cert = folder / "key.pem", folder / "cert.pem"
    if not cert.exists():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650", "-subj",
                        "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-keyout", key, "-out", cert], check=True, capture_output=True)


def make_plan(options):
    folder = ROOT / "build" / "bench" / "suite"
    folder.mkdir(parents=True, exist_ok=True)
    make_certificate(folder)
    short = options.quick or options.smoke
    server_cpu, generator_cpu = cpus()
    return Plan(
        rows=chosen_rows(options), contenders=chosen_contenders(options),
        rounds=options.rounds or (3 if short else 5),
        duration_s=options.seconds or (0.3 if short else 0.5),
        warmup_s=0.1 if short else 0.15, build=(ROOT / options.build).resolve(), folder=folder,
        server_cpu=server_cpu, generator_cpu=generator_cpu)


def row_line(row_summary, labels):
    parts = []
    for key, cell in row_summary.cells.items():
        if cell.cost is None:
            parts.append(f"{labels[key]} FAILED ({cell.failures[0] if cell.failures else '?'})")
        elif row_summary.row["family"] == "idle":
            parts.append(f"{labels[key]} {figures.memory(cell.user_bytes, cell.kernel_bytes)}")
        else:
            ratio = f" ({cell.ratio.median:.2f})" if cell.ratio else ""
            parts.append(f"{labels[key]} {figures.significant(cell.cost.median)}{ratio}")
    return " | ".join(parts)


def row_json(row, cells):
    return {"key": row.key, "family": row.family, "title": row.title, "size": row.size,
            "connections": row.connections, "pipeline": row.pipeline, "burst": row.burst,
            "tls": row.tls,
            "cells": {cell.contender.key: cell.to_json() for cell in cells}}


def result_head(options, plan):
    return {
        "wring_suite": 1,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine.describe(plan.contenders, plan.build),
        "plan": {"quick": options.quick, "rounds": plan.rounds, "duration_s": plan.duration_s,
                 "warmup_s": plan.warmup_s},
        "contenders": [{"key": one.key, "label": one.label, "colour": one.colour,
                        "is_floor": one.is_floor, "is_own": one.is_own} for one in plan.contenders],
        "rows": [],
    }


def measure(options):
    plan = make_plan(options)
    labels = {one.key: one.label for one in plan.contenders}
    floors = {one.key for one in plan.contenders if one.is_floor}
    result = result_head(options, plan)
    progress = Progress(sum(weight(row, plan) for row in plan.rows))
    progress.line(f"bench: {len(plan.rows)} rows, about {progress.steps / 60:.0f} minutes; "
                  "server CPU µs a message (factor to the floor)")
    for at, (row, cells) in enumerate(run(plan, progress), 1):
        result["rows"].append(row_json(row, cells))
        row_summary = summary.summarize_row(result["rows"][-1], floors)
        progress.line(f"[{at}/{len(plan.rows)}] {row.key}: {row_line(row_summary, labels)}"
                      f"{progress.left()}")
    result["elapsed_s"] = round(time.monotonic() - progress.began, 1)
    return result


def write_json(result, path):
    """A line for each cell: small, and differences can be read."""
    body = {key: value for key, value in result.items() if key != "rows"}
    head = json.dumps(body, ensure_ascii=False, indent=1)
    rows_text = ",\n".join(row_text(row) for row in result["rows"])
    path.write_text(head[:head.rindex("}")].rstrip() + ',\n "rows": [\n' + rows_text + "\n ]\n}\n")


def row_text(row):
    head = json.dumps({key: value for key, value in row.items() if key != "cells"},
                      ensure_ascii=False)
    cells = ",\n".join(f"   {json.dumps(key)}: {json.dumps(cell, ensure_ascii=False)}"
                       for key, cell in row["cells"].items())
    return f'  {head[:-1]}, "cells": {{\n{cells}}}}}'


def write_page(result, folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(report.page(result))
    for name, picture in pictures.all_pictures(result).items():
        (folder / name).write_text(picture)
    print(f"bench: written to {folder}", file=sys.stderr)


def store(options, result):
    out = ROOT / "build" / "bench" / "suite" / "page"
    name = f"{result['date'][:10]}-{'quick' if result['plan']['quick'] else 'full'}.json"
    raw = out.parent / name
    if options.keep:
        raw = ROOT / "bench" / "results" / name
        out = ROOT / "docs" / "performance"
    raw.parent.mkdir(parents=True, exist_ok=True)
    result["file"] = str(raw.relative_to(ROOT))
    write_json(result, raw)
    write_page(result, out)


def smoke_verdict(result):
    """Each contender must have moved messages in each row; on a machine that is busy with other
    things not in each round."""
    bad = [f"{row['key']}: {key}: {cell['failures']}" for row in result["rows"]
           for key, cell in row["cells"].items()
           if not any(one["messages"] > 0 for one in cell["samples"].values())]
    print("\n".join(bad) or "smoke: every contender moved messages")
    return 1 if bad or not result["rows"] else 0


def main(argv):
    options = parse(argv)
    if options.list:
        print("\n".join(row.key for row in chosen_rows(options)))
        print("\ncontenders:", " ".join(one.key for one in CONTENDERS))
        return 0
    if options.report:
        result = json.loads(pathlib.Path(options.report).read_text())
        write_page(result, ROOT / ("docs/performance" if options.keep else "build/bench/suite/page"))
        return 0
    result = measure(options)
    if options.smoke:
        return smoke_verdict(result)
    store(options, result)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
