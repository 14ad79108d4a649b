# SPDX-License-Identifier: Apache-2.0
"""What the figures were measured on."""
import os
import pathlib
import platform
import subprocess

from bench.suite.contenders import ROOT


def read(path):
    try:
        return pathlib.Path(path).read_text().strip()
    except OSError:
        return ""


def cpu_model():
    for line in read("/proc/cpuinfo").splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.machine()


def memory_gib():
    for line in read("/proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            return round(int(line.split()[1]) / 2**20)
    return 0


def commit():
    done = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT,
                          capture_output=True, text=True)
    return done.stdout.strip()


def describe(contenders, build):
    return {
        "cpu": cpu_model(),
        "cpus": len(os.sched_getaffinity(0)),
        "architecture": platform.machine(),
        "memory_gib": memory_gib(),
        "kernel": platform.release(),
        "system": read("/etc/debian_version"),
        "congestion_control": read("/proc/sys/net/ipv4/tcp_congestion_control"),
        "load_at_start": read("/proc/loadavg").split()[0],
        "commit": commit(),
        "versions": {contender.key: contender.version(build) for contender in contenders
                     if contender.is_there(build)},
    }
