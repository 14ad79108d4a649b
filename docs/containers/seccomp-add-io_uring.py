#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Allows io_uring in a seccomp profile of a container engine.

Reads a profile, such as Docker's default one, and writes the same profile with io_uring_setup,
io_uring_enter and io_uring_register allowed. Every other rule stays as it is.
"""
import argparse
import json
import pathlib
import sys

CALLS = ("io_uring_setup", "io_uring_enter", "io_uring_register")
ALLOW = "SCMP_ACT_ALLOW"
ARCHITECTURES = {"amd64": "SCMP_ARCH_X86_64", "arm64": "SCMP_ARCH_AARCH64"}
OCI_RULE = ("names", "action", "errnoRet", "args")
OCI_TOP = ("defaultAction", "defaultErrnoRet", "flags")

EXAMPLES = """examples:
  seccomp-add-io_uring.py default.json > with-io_uring.json
  seccomp-add-io_uring.py default.json -o with-io_uring.json
  curl -fsS URL-OF-THE-PROFILE | seccomp-add-io_uring.py - -o with-io_uring.json
  seccomp-add-io_uring.py --oci amd64 default.json -o wring-node.json     for Kubernetes

exit codes: 0 done, 1 not readable, not writable or not a profile, 2 used wrongly
"""


class Refused(Exception):
    """One sentence for the user."""


def names_of(rule):
    """The system calls of a rule; old profiles have one `name` instead of `names`."""
    return rule["names"] if "names" in rule else [rule["name"]]


def check(profile, where):
    if not isinstance(profile, dict) or not isinstance(profile.get("defaultAction"), str):
        raise Refused(f"{where}: not a seccomp profile: it has no defaultAction")
    rules = profile.get("syscalls")
    if not isinstance(rules, list):
        raise Refused(f"{where}: not a seccomp profile: it has no list of syscalls")
    for number, rule in enumerate(rules, 1):
        if not isinstance(rule, dict) or not isinstance(rule.get("action"), str):
            raise Refused(f"{where}: rule {number} of syscalls has no action")
        names = rule.get("names", [rule.get("name")])
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise Refused(f"{where}: rule {number} of syscalls has no list of names")


def without_calls(rule):
    """The rule without the three calls, or None when nothing is left of it."""
    left = [name for name in names_of(rule) if name not in CALLS]
    if len(left) == len(names_of(rule)):
        return rule
    return {**rule, "names": left} if left else None


def allow(profile):
    """Whatever was said about the three calls goes; one rule says it anew. So twice is once."""
    rules = [kept for kept in map(without_calls, profile["syscalls"]) if kept is not None]
    if profile["defaultAction"] != ALLOW:
        rules.append({"names": list(CALLS), "action": ALLOW})
    return {**profile, "syscalls": rules}


def applies(rule, arch):
    """Does a conditional rule of Docker's hold for a container that has no capability, on a kernel
    that is new enough (minKernel)?"""
    includes = rule.get("includes") or {}
    excludes = rule.get("excludes") or {}
    unknown = (set(includes) | set(excludes)) - {"arches", "caps", "minKernel"}
    if unknown:
        raise Refused(f"--oci: a rule has a condition that is not known here: {sorted(unknown)[0]}")
    if includes.get("caps") or (includes.get("arches") and arch not in includes["arches"]):
        return False
    return arch not in (excludes.get("arches") or [])


def to_oci(profile, arch):
    """The form of the OCI runtime specification, which knows no conditions and no archMap."""
    out = {key: profile[key] for key in OCI_TOP if key in profile}
    out["architectures"] = [ARCHITECTURES[arch]]
    out["syscalls"] = []
    for rule in profile["syscalls"]:
        if applies(rule, arch):
            plain = {"names": names_of(rule)}
            plain.update({key: rule[key] for key in OCI_RULE if rule.get(key) is not None})
            out["syscalls"].append(plain)
    return out


def read(path):
    where = "standard input" if path == "-" else path
    try:
        text = sys.stdin.read() if path == "-" else pathlib.Path(path).read_text(encoding="utf-8")
        profile = json.loads(text)
    except OSError as error:
        raise Refused(f"{where}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Refused(f"{where}: not UTF-8: {error.reason}") from error
    except json.JSONDecodeError as error:
        raise Refused(f"{where}: not JSON: {error}") from error
    check(profile, where)
    return profile


def write(path, text):
    try:
        if path == "-":
            sys.stdout.write(text)
            sys.stdout.flush()
        else:
            pathlib.Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Refused(f"{path}: {error.strerror}") from error


def main():
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile", metavar="PROFILE", help="a file, or - for the standard input")
    parser.add_argument("-o", "--output", metavar="FILE", default="-",
                        help="write there (standard output); may be PROFILE itself")
    parser.add_argument("--oci", metavar="ARCH", choices=sorted(ARCHITECTURES),
                        help="write the plain form that containerd and Kubernetes read, for this "
                             "architecture (amd64, arm64) and a container without capabilities")
    arguments = parser.parse_args()
    try:
        profile = allow(read(arguments.profile))
        if arguments.oci:
            profile = to_oci(profile, arguments.oci)
        write(arguments.output, json.dumps(profile, indent="\t") + "\n")
    except Refused as refused:
        print(f"seccomp-add-io_uring.py: {refused}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
