#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/api.md and the headers tell of the same functions: each of the headers has exactly one row in the
tables, which leads to its header, and no name of the page is missing from the headers.

    api_doc.py             prints each finding, exits 1 if there is one
    api_doc.py --selftest  every kind of mistake must be found, and nothing in a good page
"""
import collections
import re
import sys

import public_api

PAGE = public_api.ROOT / "docs/api.md"
ROW = re.compile(r"^\| \[`(wring_\w+)`\]\(\.\./include/wring/([\w.]+)\) \| (.+) \| ([^|]*) \|$", re.M)
THREADS = {"any", "worker", "outside", "one", "outside, one"}


def check(page, texts):
    declared = {}
    names = set()
    for header, text in texts.items():
        names |= public_api.names_in(text)
        for function in public_api.exported_in(text) + public_api.inline_in(text):
            declared[function] = header
    rows = collections.Counter()
    for function, header, _, thread in ROW.findall(page):
        rows[function] += 1
        if declared.get(function, header) != header:
            yield f"{function} is in {declared[function]}, its row leads to {header}"
        if thread not in THREADS:
            yield f"{function}: '{thread}' is no thread, use one of: {', '.join(sorted(THREADS))}"
    for function, header in declared.items():
        if rows[function] == 0:
            yield f"{function} ({header}) has no row: add one to the table of its task"
        elif rows[function] > 1:
            yield f"{function} has {rows[function]} rows: one is enough"
    for name in sorted(set(re.findall(r"\b(?:wring|WRING)_\w+\b(?!\*)", page)) - names):
        yield f"{name} is in no header"


HEADER = {"a.h": """/** One. wring_only_told() */
WRING_API WRING_MUST_CHECK wring_result wring_one(int a);
WRING_API void
wring_two(void);
static inline int wring_three(void) { return 0; }
#define TABLE(X) X(ERR_BAD, -1, CALLER)
"""}


def row(name, header="a.h", thread="any"):
    return f"| [`{name}`](../include/wring/{header}) | does | {thread} |\n"


GOOD = row("wring_one") + row("wring_two", thread="outside, one") + row("wring_three") + \
    "`WRING_ERR_BAD`, and all `wring_t*`\n"
BAD = {
    "wring_two (a.h) has no row": GOOD.replace(row("wring_two", thread="outside, one"), ""),
    "wring_one has 2 rows": GOOD + row("wring_one"),
    "its row leads to b.h": GOOD.replace(row("wring_one"), row("wring_one", header="b.h")),
    "'everywhere' is no thread": GOOD.replace(row("wring_one"), row("wring_one", thread="everywhere")),
    "wring_gone is in no header": GOOD + row("wring_gone"),
    "WRING_ERR_GONE is in no header": GOOD + "`WRING_ERR_GONE`\n",
}


def selftest():
    failed = [f"found in a good page: {f}" for f in check(GOOD, HEADER)]
    for expected, page in BAD.items():
        if not any(expected in finding for finding in check(page, HEADER)):
            failed.append(f"not found: {expected}")
    print("\n".join(failed))
    return 1 if failed else 0


def main():
    found = [f"docs/api.md: {finding}" for finding in check(PAGE.read_text(), public_api.read())]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(selftest() if "--selftest" in sys.argv else main())
