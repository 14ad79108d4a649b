#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the reference of include/wring; whatever has no description, or a wrong one, is an error.

    build.py DOXYGEN DOXYFILE   exit code 77: there is no Doxygen
    build.py --selftest         an undocumented value of an enum must be found
"""
import pathlib
import re
import shutil
import subprocess
import sys

import filter as source

HEADERS = source.public_api.FOLDER


def bare_values(text):
    """Values of enums without a description behind them: Doxygen 1.9.4 does not ask for those."""
    for body in re.findall(r"\benum \w+ \{(.*?)\}", text, re.S):
        for value, description in re.findall(r"\b(WRING_\w+)\s*(?:=[^,/]*)?,?\s*(/\*\*<.*?\*/)?", body, re.S):
            if not description:
                yield value


def selftest():
    bad = "typedef enum wring_a {\n WRING_A = 0x1, /**< a */\n WRING_B,\n WRING_C /**< see WRING_A */\n} wring_a;"
    return 0 if list(bare_values(bad)) == ["WRING_B"] else 1


def main():
    doxygen, doxyfile = sys.argv[1:3]
    if shutil.which(doxygen) is None:
        print("no reference: doxygen is missing (apt-get install doxygen)")
        return 77
    found = [f"{path.name}: {value} has no description" for path in sorted(HEADERS.glob("*.h"))
             for value in bare_values(source.filtered(path))]
    out = pathlib.Path(doxyfile).parent
    shutil.rmtree(out / "html", ignore_errors=True)
    done = subprocess.run([doxygen, doxyfile], capture_output=True, text=True)
    found += (done.stdout + done.stderr).splitlines()
    print("\n".join(found) or f"{out / 'html/index.html'}")
    return 1 if found or done.returncode != 0 else 0


if __name__ == "__main__":
    sys.exit(selftest() if "--selftest" in sys.argv else main())
