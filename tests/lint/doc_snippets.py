#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The documents stay true: each C and C++ snippet in README.md and docs/*.md compiles, each relative link and
each file named in backticks exists.

    doc_snippets.py             checks the tree, prints each finding, exits 1 if there is one
    doc_snippets.py --selftest  every kind of mistake must be found, and nothing in a good document

A ```c block with `int main` is a whole program. Any other has <!-- compile --> on the line before
it, is compiled at file scope, and sees wring/wring.h, stdio.h, stdlib.h and string.h. A block that
is neither is a finding: nothing is shown that nobody compiled. No snippet sees another. The same holds
for ```cpp blocks, which are C++17; a part sees wring/wring.hpp, string, memory and the literals of
chrono.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
MARK = "<!-- compile -->"
PRELUDE = "".join(f"#include <{name}>\n" for name in
                  ("stdio.h", "stdlib.h", "string.h", "wring/wring.h"))
COMPILE = [os.environ.get("CC", "cc"), "-std=c11", "-fsyntax-only", f"-I{ROOT}/include", "-Wall",
           "-Werror", "-xc", "-"]
PRELUDE_CPP = "".join(f"#include <{name}>\n" for name in
                      ("iostream", "memory", "string", "wring/wring.hpp"))
PRELUDE_CPP += "using namespace std::chrono_literals;\n"
COMPILE_CPP = [os.environ.get("CXX", "c++"), "-std=c++17", "-fsyntax-only", f"-I{ROOT}/include",
               "-Wall", "-Wextra", "-Werror", "-Wno-unused-parameter", "-xc++", "-"]
# A part shows functions and tables that other parts would use.
PART = ["-Wno-unused-function", "-Wno-unused-variable"]
LANGUAGES = {"c": (COMPILE, PRELUDE), "cpp": (COMPILE_CPP, PRELUDE_CPP)}
PATH_IN_CODE = re.compile(r"`((?:[\w.-]+/)+[\w.-]+\.(?:c|h|cpp|hpp|py|mjs|sh|md|html|cmake|pml))[`:]")


def blocks(text):
    """(line of the first line inside, language, body, line before the fence) of each fenced block."""
    lines = text.splitlines()
    start = None
    for number, line in enumerate(lines):
        if start is None and line.startswith("```"):
            start = number
        elif start is not None and line.startswith("```"):
            before = next((l for l in reversed(lines[:start]) if l.strip()), "")
            yield start + 2, lines[start][3:].strip(), "\n".join(lines[start + 1:number]), before
            start = None
    if start is not None:
        yield start + 2, "unclosed", "", ""


def without_code(text):
    return re.sub(r"^```.*?^```", lambda m: re.sub(r"[^\n]", " ", m.group(0)), text,
                  flags=re.S | re.M)


def compile_block(name, line, language, body, whole):
    command, prelude = LANGUAGES[language]
    if shutil.which(command[0]) is None:
        return ""  # no compiler of C++: see tests/cpp
    source = ("" if whole else prelude) + f'#line {line} "{name}"\n' + body + "\n"
    done = subprocess.run(command[:-2] + ([] if whole else PART) + command[-2:], input=source,
                          capture_output=True, text=True, cwd=ROOT)
    return "" if done.returncode == 0 else done.stderr.strip()


def check_snippets(name, text):
    for line, language, body, before in blocks(text):
        if language == "unclosed":
            yield f"{name}:{line}: a code block is not closed"
        if language not in LANGUAGES:
            continue
        whole = re.search(r"\bint main\b", body) is not None
        if not whole and before.strip() != MARK:
            yield f"{name}:{line}: neither a whole program nor marked {MARK}"
            continue
        errors = compile_block(name, line, language, body, whole)
        if errors:
            yield f"{name}:{line}: does not compile\n{errors}"


def anchors(path):
    """The anchors of a document's headings, as the usual renderers make them."""
    found = set()
    for heading in re.findall(r"^#+ (.*)$", without_code(path.read_text()), re.M):
        found.add(re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-"))
    return found


def check_links(name, text, folder):
    plain = without_code(text)
    for match in re.finditer(r"\]\(([^)\s]+)\)", plain):
        line = plain.count("\n", 0, match.start()) + 1
        target, _, anchor = match.group(1).partition("#")
        if re.match(r"[a-z]+:", target):
            continue
        path = folder / target if target else folder / pathlib.Path(name).name
        if not path.exists():
            yield f"{name}:{line}: {target} does not exist"
        elif anchor and path.suffix == ".md" and anchor not in anchors(path):
            yield f"{name}:{line}: {target} has no heading #{anchor}"


def check_paths(name, text, root):
    plain = without_code(text)
    for match in PATH_IN_CODE.finditer(plain):
        path = match.group(1)
        if (root / path.split("/")[0]).is_dir() and not (root / path).exists():
            line = plain.count("\n", 0, match.start()) + 1
            yield f"{name}:{line}: {path} does not exist"


def check(path, root=ROOT):
    name = str(path.relative_to(root))
    text = path.read_text()
    yield from check_snippets(name, text)
    yield from check_links(name, text, path.parent)
    yield from check_paths(name, text, root)


GOOD = """# A heading
[here](#a-heading) [there](other.md#it-is-there) [out](https://example.com/x) `src/a.c`

```c
#include <wring/wring.h>
int main(void) { return wring_close_valid_on_wire(1000) ? 0 : 1; }
```
<!-- compile -->
```c
static wring_verdict in(wring_session *session, const wring_message *message) {
    (void)session;
    return message->opcode == WRING_TEXT ? WRING_STOP : WRING_CONTINUE;
}
```
```cpp
#include <wring/wring.hpp>
int main() { return wring::text("x").payload.len == 1 ? 0 : 1; }
```
<!-- compile -->
```cpp
struct state { void on_message(wring::session session, const wring::message &) { session.close(); } };
```
"""
BAD = {
    "does not compile": "```c\nint main(void) { return wring_no_such_function(); }\n```\n",
    "unused-variable": "```c\nint main(void) { int unused; return 0; }\n```\n",
    "wring_nothing": f"{MARK}\n```c\nstatic wring_nothing nothing;\n```\n",
    "no_such_member": f"{MARK}\n```cpp\nint one(wring::session s) {{ return s.no_such_member; }}\n```\n",
    "neither a whole program": "```c\nstatic int one;\n```\n",
    "not closed": "```c\nint main(void) { return 0; }\n",
    "missing.md does not exist": "see [this](missing.md)\n",
    "no heading #gone": "see [this](other.md#gone)\n",
    "src/b.c does not exist": "in `src/b.c`\n",
}


def selftest():
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "src").mkdir()
        (root / "src/a.c").touch()
        (root / "other.md").write_text("# It is there\n")
        page = root / "page.md"
        page.write_text(GOOD)
        failed += [f"found in a good document: {f}" for f in check(page, root)]
        for expected, text in BAD.items():
            page.write_text(text)
            found = "\n".join(check(page, root))
            if expected not in found:
                failed.append(f"not found: {expected}\n{found}")
    print("\n".join(failed))
    return 1 if failed else 0


def main():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    found = [finding for page in pages for finding in check(page)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(selftest() if {"--selftest", "--self-test"} & set(sys.argv) else main())
