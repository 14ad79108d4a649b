#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `wring bench` says of its schedule and latency, held against a second clock: the server is
Node's ws (or python3-websockets) and stamps each arrival by itself.

    crosscheck.py [--wring build/release/wring] [--peer node|websockets] [--seconds 3]

A constant rate: message k is due k/rate after the first. How late the stamps are against that grid
(`late`: the generator's lag, the way there, and the peer's own queue) has to lie between the lag and
the latency that wring reports. The grid's begin is known to the peer by its earliest message only, so
`late` is without the least lateness; wring's lag is shown the same way. The order has a tenth and
100 us of room. A closed loop: connections over the peer's rate is the mean latency (Little's law).

A peer that cannot keep the rate takes messages in an order of its own, and its stamps cannot be paired
with them: then only the means, which do not depend on the pairing, decide.

Counts have to agree exactly (exit code 1). Times are printed, and "NO" where they do not fit: on a busy
machine the peer itself may be late."""
import argparse
import json
import math
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CASES = [(1, 0), (32, 0), (1000, 0), (1, 1), (1, 100), (32, 100), (1000, 100), (1, 2000), (32, 2000),
         (1000, 2000), (1, 10000), (32, 10000), (1000, 10000)]
ROOM_US, ROOM = 100, 1.1


class Peer:
    def __init__(self, kind):
        command = {"node": ["node", os.path.join(HERE, "crosscheck_peer.mjs")],
                   "websockets": ["/usr/bin/python3", os.path.join(HERE, "crosscheck_peer.py")]}[kind]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.url = f"ws://127.0.0.1:{int(self.process.stdout.readline().split()[1])}/"

    def take(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return sorted(json.loads(self.process.stdout.readline()))

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def percentile(values, share):
    return sorted(values)[max(0, math.ceil(len(values) * share) - 1)]


def rate_of(stamps):
    return (len(stamps) - 1) * 1e9 / max(1, stamps[-1] - stamps[0])


def lateness_us(stamps, rate):
    """Of each arrival against the grid that the earliest one gives."""
    beyond = [stamp - k * 1e9 / rate for k, stamp in enumerate(stamps)]
    least = min(beyond)
    return [(value - least) / 1e3 for value in beyond]


def in_order(*figures):
    return all(low <= high * ROOM + ROOM_US for low, high in zip(figures, figures[1:]))


def closed_row(got, stamps, connections):
    rate = rate_of(stamps)
    little = connections / rate * 1e6
    mean = got["latency_us"]["mean"]
    fits = abs(mean - little) <= little / 10 + ROOM_US
    return (f"{got['rate']['messages_per_s']:9.0f} {rate:9.0f} | mean latency {mean:.0f} us, "
            f"by the peer's rate {little:.0f} us; p50 {got['latency_us']['p50']:.0f} us"), fits


def paced_row(got, stamps, rate):
    late = lateness_us(stamps, rate)
    peer_rate = rate_of(stamps)
    lag, latency = got["lag_us"], got["latency_us"]
    kept = peer_rate >= 0.9 * rate
    text = f"{got['rate']['messages_per_s']:9.0f} {peer_rate:9.0f} |"
    rows = {"mean": sum(late) / len(late), "p50": percentile(late, 0.5), "p99": percentile(late, 0.99)}
    fits = True
    for name, seen in rows.items():
        figures = (lag[name] - lag["min"], seen, latency[name])
        text += " {} {:7.0f} {:7.0f} {:7.0f} |".format(name, *figures)
        fits = fits and (in_order(*figures) or (name != "mean" and not kept))
    return text + (" generator lags," if got["generator_lags"] else "") + \
        ("" if kept else " peer too slow,"), fits


def case(wring, peer, connections, rate, seconds):
    command = [wring, "bench", "-q", "--json", "-c", str(connections), "-d", f"{seconds}s",
               "--warmup", "0", peer.url]
    peer.take()
    done = subprocess.run(command + (["-r", str(rate)] if rate else []), capture_output=True, text=True)
    got = json.loads(done.stdout)
    stamps = peer.take()
    counted = len(stamps) == got["totals"]["sent"] == got["totals"]["received"]
    text, fits = paced_row(got, stamps, rate) if rate else closed_row(got, stamps, connections)
    print(f"{connections:5} {rate or 'closed':>7} {got['totals']['sent']:8} {len(stamps):8} {text} "
          f"{'' if counted else 'COUNTS DIFFER '}{'fits' if fits else 'NO'}", flush=True)
    return counted


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--wring", default=os.path.join(ROOT, "build", "release", "wring"))
    options.add_argument("--peer", choices=("node", "websockets"), default="node")
    options.add_argument("--seconds", type=int, default=3)
    chosen = options.parse_args()
    peer = Peer(chosen.peer)
    print("conns    rate     sent  stamped    wring/s    peer/s | us: wring's lag, the peer's late, "
          "wring's latency")
    try:
        good = [case(chosen.wring, peer, *one, chosen.seconds) for one in CASES]
    finally:
        peer.end()
    sys.exit(0 if all(good) else 1)


main()
