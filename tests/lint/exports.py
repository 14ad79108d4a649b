#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the shared libraries export, what the headers declare and what cmake/symbols/*.txt records are the
same. A change of the record is a change of the ABI, and is seen in review. C and C++ see the same names.

    exports.py LIBWRING LIBWRING_PROTO   exits 1 and prints a diff if they differ
    exports.py --update                  rewrites the record from the headers
    exports.py --selftest                every kind of difference must be found
"""
import difflib
import pathlib
import re
import subprocess
import sys
import tempfile

import public_api

RECORD = public_api.ROOT / "cmake/symbols"
NODE = "WRING_0"  # of cmake/wring.map
# Headers whose functions are in libwring-proto as well; those of the others are in libwring only.
PROTO = {"bytes.h", "close.h", "config.h", "deflate.h", "embed.h", "frame.h", "handler.h", "http.h",
         "machine.h", "result.h", "session.h", "upgrade.h", "url.h", "version.h"}


def declared(texts, of):
    return sorted(function for header, text in texts.items() if header in of
                  for function in public_api.exported_in(text))


def exported(path):
    """The defined dynamic symbols, each as the version script should have it: name@@NODE."""
    out = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True,
                         check=True).stdout
    return sorted(name for kind, name in re.findall(r"^\w+ (\w) (\S+)$", out, re.M) if kind != "A")


def recorded(name):
    path = RECORD / f"{name}.txt"
    return path.read_text().split() if path.exists() else []


def diff(name, texts, of, record, library):
    wanted = declared(texts, of)
    if record != wanted:
        yield from difflib.unified_diff(record, wanted, f"cmake/symbols/{name}.txt", "the headers",
                                        lineterm="", n=0)
        yield "if that is meant: tests/lint/exports.py --update"
    versioned = [f"{function}@@{NODE}" for function in wanted]
    if library != versioned:
        yield from difflib.unified_diff(versioned, library, "the headers", f"lib{name}.so",
                                        lineterm="", n=0)
        yield ("a name with '-' is declared and not exported: it has no definition with its header; "
               "one with '+' is exported and in no header: is it meant to be public?")


def not_for_cpp(texts):
    """A function declared outside of WRING_BEGIN_DECLS has another name for a C++ program."""
    for header, text in texts.items():
        inside = re.search(r"^WRING_BEGIN_DECLS$(.*)^WRING_END_DECLS$", text, re.M | re.S)
        for function in public_api.exported_in(text):
            if inside is None or function not in inside.group(1):
                yield f"{header}: {function} is not between WRING_BEGIN_DECLS and WRING_END_DECLS"


def update():
    texts = public_api.read()
    RECORD.mkdir(exist_ok=True)
    for name, of in (("wring", set(texts)), ("wring-proto", PROTO)):
        (RECORD / f"{name}.txt").write_text("\n".join(declared(texts, of)) + "\n")
    return 0


SOURCE = """int wring_one(void) { return 1; }
int wring__inside(void) { return 2; }
int stranger(void) { return 3; }
"""


def selftest():
    texts = {"a.h": "WRING_API int wring_one(void);"}
    more = {"a.h": texts["a.h"] + "WRING_API int wring_two(void);"}
    with tempfile.TemporaryDirectory() as folder:
        source, script = pathlib.Path(folder) / "a.c", public_api.ROOT / "cmake/wring.map"
        good, bad = f"{folder}/good.so", f"{folder}/bad.so"
        source.write_text(SOURCE)
        subprocess.run(["cc", "-shared", "-fPIC", source, "-o", bad], check=True)
        subprocess.run(["cc", "-shared", "-fPIC", source, "-o", good,
                        f"-Wl,--version-script={script}"], check=True)
        found = {library: exported(library) for library in (good, bad)}
    clean = [f"wring_one@@{NODE}"]
    missed = []
    if not list(not_for_cpp(texts)):
        missed.append("a function that C++ cannot call")
    if list(diff("a", texts, {"a.h"}, ["wring_one"], clean)):
        missed.append("something in a good library")
    for what, texts_, record, library in (
            ("a function without definition", more, ["wring_one", "wring_two"], clean),
            ("a record that is behind", more, ["wring_one"], clean + [f"wring_two@@{NODE}"]),
            ("a stranger and an unversioned name", texts, ["wring_one"], found[bad])):
        if not list(diff("a", texts_, {"a.h"}, record, library)):
            missed.append(what)
    if found[bad] != ["stranger", "wring__inside", "wring_one"] or found[good] != clean:
        missed.append(f"what is exported: {found}")
    print("\n".join(missed))
    return 1 if missed else 0


def main():
    texts = public_api.read()
    found = list(not_for_cpp(texts))
    for name, of, path in (("wring", set(texts), sys.argv[1]), ("wring-proto", PROTO, sys.argv[2])):
        found += diff(name, texts, of, recorded(name), exported(path))
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(selftest() if "--selftest" in sys.argv else update() if "--update" in sys.argv else main())
