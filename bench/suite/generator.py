# SPDX-License-Identifier: Apache-2.0
"""The load generator: which options of `wring bench` a row needs, and what is kept of its JSON."""
import json
import subprocess

from bench.suite import rows
from bench.suite.servers import pin
from bench.suite.texts import json_like

PATIENCE_S = 25
IDLE_CONNECT_RATE = 2500


class GeneratorError(Exception):
    """The measurement gave no usable figure; the text says why."""


def text_file(plan, size):
    path = plan.folder / f"message-{size}.json"
    path.write_text(json_like(size))
    return path


def arguments(plan, row, contender, port, pid, warmup_s):
    duration_s = 0.05 if row.kept else plan.duration_s + row.longer_s
    argv = [str(plan.build / "wring"), "bench"]
    if row.is_fanout or row.family in ("connect", "idle"):
        argv.append("fanout" if row.is_fanout else "idle" if row.kept else row.family)
    argv += ["-c", str(row.connections), "-t", "1", "-d", f"{duration_s * 1000:.0f}ms",
             "--warmup", f"{warmup_s * 1000:.0f}ms", "--server-pid", str(pid),
             "--json", "--quiet"]
    if row.family == "idle":  # slowly: what handshakes need for a moment is not what idling needs
        argv += ["--connect-rate", str(IDLE_CONNECT_RATE)]
    if contender.streams:
        argv += ["--http2", "--streams", str(contender.streams)]
    if row.family in ("echo", "tls", "fanout", "http2"):
        argv += ["--binary", "--size", str(row.size)]
    if row.family == "deflate":
        # A publisher's messages carry its number and the time, so they cannot come from a file.
        argv += ["--deflate", "--text"]
        argv += (["--size", str(row.size)] if row.published else
                 ["--message-file", str(text_file(plan, row.size))])
    if row.pipeline > 1 or row.burst > 1:
        argv += ["--pipeline", str(max(row.pipeline, row.burst))]
    if row.burst > 1:
        argv += ["--burst", str(row.burst)]
    if contender.is_floor and row.family in ("echo", "tls"):
        argv.append("--any-answer")  # the floor counts bytes, its replies are zeros
    if row.tls:
        argv.append("--insecure")
    return argv + [contender.url(row, port)]


def run(argv, cpu, patience_s):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=patience_s,
                              preexec_fn=pin(cpu))
    except subprocess.TimeoutExpired as error:
        raise GeneratorError(f"took more than {patience_s:.0f} s") from error
    try:
        report = json.loads(done.stdout)
    except json.JSONDecodeError as error:
        lines = done.stderr.strip().splitlines() or [f"ended with {done.returncode}"]
        raise GeneratorError(lines[-1]) from error
    if "error" in report:
        raise GeneratorError(report["error"])
    return report


def check(report, row):
    """A figure counts only when everything was there."""
    connections, messages = report["connections"], report["messages"]
    kinds = ", ".join(f"{text} ({count})" for text, count in report["errors"].items())
    kinds = f": {kinds}" if kinds else ""
    if connections["failed"] or connections["lost"]:
        raise GeneratorError(f"{connections['failed']} connections failed, "
                             f"{connections['lost']} were lost{kinds}")
    for what in ("lost", "duplicated", "reordered"):
        if messages[what]:
            raise GeneratorError(f"{messages[what]} messages {what}{kinds}")
    if row.family != "idle" and not row.kept and messages["received"] == 0:
        raise GeneratorError(f"no message came back{kinds}")


def per_message_us(cpu, report):
    return (cpu["user_s"] + cpu["system_s"]) * 1e6 / report["messages"]["received"]


def moving_sample(report):
    """Of everything but idle."""
    latency = report["connect_us" if report["mode"] == "connect" else "latency_us"]
    server, received = report["server_cpu"], report["messages"]["received"]
    return {
        "messages": received,
        "duration_s": round(report["duration_s"], 4),
        "rate": round(report["rate"]["messages_per_s"], 1),
        "server_us": round(per_message_us(server, report), 5),
        "user_us": round(server["user_s"] * 1e6 / received, 5),
        "generator_us": round(per_message_us(report["cpu"], report), 5),
        **{f"{name}_us": round(latency[name], 2) if latency["count"] else None
           for name in ("p50", "p99", "max")},
    }


def kept_sample(report):
    """Of connections opened as fast as it goes; what they do afterwards is not in it."""
    latency, opened, cpu = report["connect_us"], report["connections"]["opened"], \
        report["server_opening_cpu"]
    return {
        "messages": opened,
        "duration_s": round(report["opening_s"], 4),
        "rate": round(opened / report["opening_s"], 1),
        "server_us": round(cpu["us_per_connection"], 5),
        "user_us": round(cpu["user_s"] * 1e6 / opened, 5),
        **{f"{name}_us": round(latency[name], 2) for name in ("p50", "p99", "max")},
    }


def idle_sample(report):
    memory, opened = report["memory"], report["connections"]["opened"]
    return {
        "messages": 0,
        "connections": opened,
        "user_bytes": round((memory["server_rss_after"] - memory["server_rss_before"]) / opened, 1),
        # both ends of each connection are on this machine
        "kernel_bytes": round((memory["slab_after"] - memory["slab_before"]) / opened / 2, 1),
    }


def use_a_little(plan, row, contender, server):
    """Traffic before idling: receive buffers and pools that every connection shares are not what one
    connection costs."""
    family = "fanout" if "echo" not in contender.families else "echo"
    traffic = rows.Row(family, 64, 125, tls=row.tls)
    argv = arguments(plan, traffic, contender, server.port, server.pid, plan.warmup_s)
    run(argv, plan.generator_cpu, PATIENCE_S)


def measure(plan, row, contender, server, is_first):
    """One sample: a flat record of numbers."""
    if row.family == "idle":
        use_a_little(plan, row, contender, server)
    warmup_s = max(plan.warmup_s + row.longer_s / 2, contender.first_warmup_s if is_first else 0)
    patience_s = PATIENCE_S + row.connections * (6e-3 if row.tls else 2e-3) + warmup_s
    argv = arguments(plan, row, contender, server.port, server.pid, warmup_s)
    before = sum(server.cpu_s())
    try:
        report = run(argv, plan.generator_cpu, patience_s)
    except GeneratorError as error:
        if server.has_ended():
            raise
        raise GeneratorError(f"{error} (server CPU meanwhile: {sum(server.cpu_s()) - before:.2f} s)"
                             ) from error
    check(report, row)
    if row.kept:
        return kept_sample(report)
    return idle_sample(report) if row.family == "idle" else moving_sample(report)
