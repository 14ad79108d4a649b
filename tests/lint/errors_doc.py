#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/errors.md holds the result table of include/wring/result.h, word for word.

    errors_doc.py           exits 1 if they differ
    errors_doc.py --fix     rewrites the table
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FAULT = {"OK": "nobody", "MORE": "nobody", "CALLER": "the caller", "PEER": "the peer",
         "LIMIT": "a limit", "SYSTEM": "the system", "FATAL": "a bug"}
BEGIN, END = "<!-- result table -->\n", "<!-- end of result table -->"


def table():
    header = (ROOT / "include/wring/result.h").read_text()
    body = re.search(r"#define WRING_RESULT_TABLE\(X\)(.*?)\n\n", header, re.S).group(1)
    body = re.sub(r"\s*\\\n\s*", " ", body)
    rows = re.findall(r'X\((\w+), (-?\d+), (\w+), (\d+), "([^"]*)"\)', body)
    lines = ["| result | number | whose fault | close code | meaning |", "|---|---|---|---|---|"]
    for name, number, fault, close, text in rows:
        code = close if close != "0" else ""
        lines.append(f"| `WRING_{name}` | {number} | {FAULT[fault]} | {code} | {text} |")
    return "\n".join(lines) + "\n"


def main():
    page = ROOT / "docs/errors.md"
    text = page.read_text()
    head, rest = text.split(BEGIN)
    tail = rest.split(END)[1]
    wanted = head + BEGIN + table() + END + tail
    if "--fix" in sys.argv:
        page.write_text(wanted)
    elif wanted != text:
        print("docs/errors.md: the table is not the one of include/wring/result.h; "
              "run script/lint --fix")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
