#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""60,000 connections opened, held and closed by one `wring bench` against one `wring serve` where a
process may have 20,000 descriptors: direct descriptors on several rings, and several source
addresses. Takes half a minute, and about 600 MB of the kernel's memory: labelled soak."""
import json
import os
import re
import resource
import signal
import subprocess
import sys

CONNECTIONS = 60000
LIMIT = 20000
MEMORY = 2 << 30


def limited():
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, LIMIT))


def memory_available():
    with open("/proc/meminfo") as file:
        return int(re.search(r"MemAvailable:\s+(\d+)", file.read()).group(1)) * 1024


def hold(port, pid):
    """The report; progress goes to our own standard error."""
    done = subprocess.run([os.environ["WRING"], "bench", "idle", "-c", str(CONNECTIONS), "-d", "3s",
                           "--connect-timeout", "2m", "--server-pid", str(pid), "--json",
                           f"ws://127.0.0.1:{port}/echo"],
                          stdout=subprocess.PIPE, text=True, timeout=280, preexec_fn=limited)
    return done.returncode, json.loads(done.stdout)


def main():
    if memory_available() < MEMORY or resource.getrlimit(resource.RLIMIT_NOFILE)[1] < LIMIT:
        print("too little memory or too few descriptors: skipped")
        return 77
    with subprocess.Popen([os.environ["WRING"], "serve", "--port", "0", "--workers", "4",
                           "--handshake-timeout", "120000"],
                          stdout=subprocess.PIPE, text=True, preexec_fn=limited) as server:
        try:
            port = int(re.search(r":(\d+)/", server.stdout.readline()).group(1))
            code, got = hold(port, server.pid)
            with open(f"/proc/{server.pid}/limits") as file:
                assert re.search(rf"Max open files +{LIMIT} +{LIMIT}", file.read())
        finally:
            server.send_signal(signal.SIGTERM)
            ended = server.wait(timeout=60)
    connections = got["connections"]
    memory = got["memory"]
    print(f"{connections['opened']:,} opened in {got['opening_s']:.1f} s; for each: server "
          f"{(memory['server_rss_after'] - memory['server_rss_before']) / CONNECTIONS:.0f} B, "
          f"generator {(memory['own_rss_after'] - memory['own_rss_before']) / CONNECTIONS:.0f} B, "
          f"kernel {(memory['slab_after'] - memory['slab_before']) / CONNECTIONS:.0f} B (both ends)")
    kept = {"wanted": CONNECTIONS, "opened": CONNECTIONS, "failed": 0, "lost": 0}
    assert kept.items() <= connections.items(), got
    assert got["errors"] == {} and code == 0 and ended == 0, (got["errors"], code, ended)
    return 0


sys.exit(main())
