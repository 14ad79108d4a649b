#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""filter.py HEADER: the header as Doxygen is to read it, line by line the same.

The comment at the head of a file becomes its description. The words that begin a rule in our comments
(Own:, Errors:, Thread:, Cost:, RFC:) become commands of the Doxyfile, public functions that a comment
names become links, and the rows of the result table become documented values of wring_result.
"""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/lint"))
import public_api  # noqa: E402

RULE = re.compile(r"(^\s*\*\s+|/\*\*\s+|\s{2,}|(?<=\.)\s)(Own|Errors|Thread|Cost|RFC): *", re.M)
ROW = re.compile(r'X\((\w+), (-?\d+), (\w+), (\d+),\s*\\?\s*"([^"]*)"\)')
FAULT = {"OK": "", "MORE": "", "CALLER": "the caller's", "PEER": "the peer's", "LIMIT": "a limit's",
         "SYSTEM": "the system's", "FATAL": "wring's"}


def values(table):
    for name, number, fault, close, text in ROW.findall(table):
        words = f"{text}." + (f" Fault: {FAULT[fault]}." if FAULT[fault] else "") + \
            (f" Close code {close}." if close != "0" else "")
        yield f"WRING_{name} = {number}, /**< {words} */"


def expand_results(text):
    """The enum's three macro lines give way to its values; the line count stays."""
    return re.sub(r"#define WRING_RESULT_ENUM\(.*?#undef WRING_RESULT_ENUM\n",
                  lambda m: " ".join(values(text)) + "\n" * m.group(0).count("\n"), text, flags=re.S)


def comment(text, functions):
    text = re.sub(r"\\(?=[xu'])", r"\\\\", text)
    text = RULE.sub(lambda m: f"{m.group(1)}@{m.group(2).lower()} ", text)
    return re.sub(r"\bwring_\w+\b(?!\()",
                  lambda m: m.group(0) + ("()" if m.group(0) in functions else ""), text)


def filtered(path):
    functions = {f for header in public_api.read().values()
                 for f in public_api.exported_in(header) + public_api.inline_in(header)}
    text = path.read_text().replace("/* SPDX-License-Identifier: Apache-2.0\n", "/** @file\n", 1)
    return re.sub(r"/\*\*.*?\*/", lambda m: comment(m.group(0), functions), expand_results(text),
                  flags=re.S)


if __name__ == "__main__":
    sys.stdout.write(filtered(pathlib.Path(sys.argv[1])))
