# SPDX-License-Identifier: Apache-2.0
"""script/bench http: CPU time of a server for an HTTP exchange, beside nginx and Bun.

Each server has one CPU, wrk the other one. The contenders of a row take turns in each round, so that a
disturbance of the machine hits all; a ratio is of two turns of one round, and the median is shown."""
import argparse
import contextlib
import dataclasses
import datetime
import json
import pathlib
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

from bench.http.contenders import CONTENDERS, HERE, PAGE
from bench.suite import figures, machine
from bench.suite.contenders import ROOT
from bench.suite.main import cpus
from bench.suite.servers import Server, ServerError, free_port, pin

EXAMPLES = """examples:
  script/bench http                       everything, about two minutes
  script/bench http --keep                the same, and the page in docs/bench/http.md
  script/bench http --rows POST --only wring,nginx --rounds 9"""

BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
                  "Chrome/120.0.0.0 Safari/537.36",
    "Accept": "*/*",
    "sec-ch-ua": '"Chromium";v="120", "Not?A_Brand";v="8"',
    "sec-ch-ua-mobile": "?0",
    "sec-ch-ua-platform": '"Linux"',
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "Referer": "http://127.0.0.1/list",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept-Language": "en-GB,en;q=0.9",
    "Cookie": "sid=0123456789abcdef; theme=dark",
}


@dataclasses.dataclass(frozen=True)
class Row:
    title: str
    path: str
    arguments: tuple = ()  # of wrk
    body: bytes = None  # of the request, for the check


ROWS = [
    Row("GET, 1 KiB", "/1k"),
    Row("GET, 1 KiB, headers of a browser", "/1k",
        tuple(part for name, value in BROWSER.items() for part in ("-H", f"{name}: {value}"))),
    Row("POST, 1 KiB", "/post", ("-s", str(HERE / "post.lua")), b"b" * 1024),
]


class LoadError(Exception):
    """wrk failed, or the server answered something else; the text says what."""


def parse(argv):
    parser = argparse.ArgumentParser(
        prog="script/bench http", epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Measures the CPU time that a server spends on an HTTP/1.1 exchange over "
                    "connections kept alive, and writes build/bench/http.md and http.json.")
    parser.add_argument("--rows", metavar="REGEX", help="rows whose title matches")
    parser.add_argument("--only", metavar="NAMES",
                        help="contenders, separated by commas: "
                             + ", ".join(one.key for one in CONTENDERS))
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="7")
    parser.add_argument("--seconds", type=float, default=1, metavar="S", help="a turn: 1")
    parser.add_argument("--connections", type=int, default=64, metavar="N", help="64")
    parser.add_argument("--keep", action="store_true", help="the page goes to docs/bench")
    parser.add_argument("--build", metavar="FOLDER", default="build/release",
                        help="CMake's folder with the programs (build/release)")
    return parser.parse_args(argv)


# ---- measuring -------------------------------------------------------------------------------


def check(row, port):
    """The server answers what the others answer."""
    url = f"http://127.0.0.1:{port}{row.path}"
    want = PAGE.encode() if row.body is None else b"ok\n"
    try:
        with urllib.request.urlopen(url, row.body, timeout=5) as answer:
            got = answer.read()
    except (OSError, urllib.error.URLError) as error:
        raise LoadError(f"{url}: {error}") from error
    if got != want:
        raise LoadError(f"{url} answered {got[:40]!r}")


def wrk(row, port, seconds, options, cpu):
    """How many requests were answered."""
    command = ["wrk", "-t1", f"-c{options.connections}", f"-d{max(1, round(seconds))}s",
               "--timeout", "30s",  # a busy machine is no fault of the server
               *row.arguments, f"http://127.0.0.1:{port}{row.path}"]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=pin(cpu))
    found = re.search(r"(\d+) requests in ([\d.]+)(\w+)", done.stdout)
    if done.returncode != 0 or not found or "Non-2xx" in done.stdout or "errors" in done.stdout:
        raise LoadError(f"wrk: {(done.stdout + done.stderr).strip()[-200:]}")
    return int(found.group(1))


def turn(row, server, options, cpu):
    """One sample: CPU seconds of the server, and requests."""
    before = server.cpu_s()
    requests = wrk(row, server.port, options.seconds, options, cpu)
    user, system = (now - was for now, was in zip(server.cpu_s(), before))
    return {"requests": requests, "user_s": round(user, 3), "system_s": round(system, 3)}


def start(contender, options, cpu, stack):
    folder = ROOT / "build" / "bench" / "http" / contender.key
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    build = (ROOT / options.build).resolve()
    server = Server(contender.command(build, folder, port), port, [cpu], folder / "log",
                    contender.environment)
    stack.callback(server.stop)
    return server


def run_row(row, contenders, options):
    """{contender: [sample of each round]}; what fails is told, and leaves the row."""
    server_cpu, wrk_cpu = cpus()
    samples = {one.key: [] for one in contenders}
    with contextlib.ExitStack() as stack:
        servers = {}
        for one in contenders:
            server = start(one, options, server_cpu, stack)
            check(row, server.port)
            wrk(row, server.port, 1, options, wrk_cpu)  # time for a compiler at run time
            servers[one.key] = server
        for at in range(options.rounds):
            for i in range(len(contenders)):
                one = contenders[(i + at) % len(contenders)]
                samples[one.key].append(turn(row, servers[one.key], options, wrk_cpu))
    return samples


# ---- the page --------------------------------------------------------------------------------


def costs(samples):
    """Microseconds of CPU a request, by round."""
    return {at: figures.us_per_message(one["user_s"] + one["system_s"], one["requests"])
            for at, one in enumerate(samples)}


def part(samples, what):
    return figures.spread([one[what] * 1e6 / one["requests"] for one in samples]).median


def row_lines(row, samples):
    own = costs(samples.get("wring", []))
    for one in CONTENDERS:
        if one.key not in samples:
            continue
        cost = figures.spread(costs(samples[one.key]).values())
        factor = figures.ratio(costs(samples[one.key]), own)
        shown = f"{factor.median:.2f} ({factor.low:.2f} – {factor.high:.2f})" if factor else "–"
        yield (f"| {row} | {one.label} | {cost.median:.2f} | {part(samples[one.key], 'user_s'):.2f} "
               f"| {part(samples[one.key], 'system_s'):.2f} | {shown} |")


METHOD = """\
Made by `script/bench http --keep`; see bench/http. How much CPU time a server spends on an HTTP/1.1 exchange.

- The server has one CPU and one worker, wrk the other CPU: one thread, {connections} connections that are kept
  alive, each with one request at a time, and as many requests as it can. CPU time is utime and stime of the
  server's process (`/proc/PID/stat`) over the turn, divided by the requests that wrk counted.
- {rounds} rounds of {seconds:g} s. In each round every server has a turn. The factor is this server's CPU time to
  wring's of the same round: the median, and the quartiles. Above 1: wring needs less.
- GET is answered with a text of 1 KiB from memory, POST of 1 KiB with "ok" in a line. wring and Bun give the
  body to the application whole. nginx has no application here: it answers by `return`, the cheapest that
  it has, and reads the body of a POST and drops it.
- wrk sends Host only, with a POST also Content-Type and Content-Length; the row of a browser has {headers}
  headers more."""


def page(result):
    about = result["machine"]
    lines = ["# HTTP exchanges beside other servers", "",
             METHOD.format(**result["plan"], headers=len(BROWSER)), "",
             "| exchange | server | CPU, µs | of it user | of it kernel | ÷ wring |",
             "|---|---|--:|--:|--:|--:|"]
    for row, samples in result["rows"].items():
        lines.extend(row_lines(row, samples))
    versions = ", ".join(f"{one.label} {about['versions'][one.key]}" for one in CONTENDERS
                         if about["versions"].get(one.key))
    lines += ["", f"{about['cpu']}, {about['cpus']} CPUs, Linux {about['kernel']}, Debian "
                  f"{about['system']}; {versions}; {result['date'][:10]}. The kernel moves the same bytes "
                  "for all: where its part is most of the time, the factors are near to 1."]
    return "\n".join(lines) + "\n"


def store(options, result):
    out = ROOT / "build" / "bench"
    (out / "http.json").write_text(json.dumps(result, ensure_ascii=False, indent=1) + "\n")
    folder = ROOT / "docs" / "bench" if options.keep else out
    (folder / "http.md").write_text(page(result))
    print(f"bench: written to {folder / 'http.md'}", file=sys.stderr)


def main(argv):
    options = parse(argv)
    build = (ROOT / options.build).resolve()
    wanted = options.only.split(",") if options.only else [one.key for one in CONTENDERS]
    contenders = [one for one in CONTENDERS if one.key in wanted]
    missing = [one.label for one in contenders if not one.is_there(build)]
    missing += [] if shutil.which("wrk") else ["wrk"]
    if missing:
        sys.exit(f"bench: not installed: {', '.join(missing)}; script/setup --bench")
    result = {
        "wring_http": 1,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "machine": machine.describe(contenders, build),
        "plan": {"rounds": options.rounds, "seconds": options.seconds,
                 "connections": options.connections},
        "rows": {},
    }
    for row in ROWS:
        if not re.search(options.rows or "", row.title):
            continue
        try:
            result["rows"][row.title] = run_row(row, contenders, options)
        except (ServerError, LoadError) as error:
            sys.exit(f"bench: {row.title}: {error}")
        print("\n".join(row_lines(row.title, result["rows"][row.title])), file=sys.stderr)
    store(options, result)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
