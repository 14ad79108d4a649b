#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Structural lints: include layers, who may know which library, banned functions, sizes, TOUR names.

    structure.py            checks the tree, prints each finding, exits 1 if there is one
    structure.py --selftest feeds each lint something bad and expects it to be found
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# folder -> folders whose headers it may include ("wring" is include/wring)
LAYERS = {
    "include": {"wring"},
    "core": {"wring", "core"},
    "proto": {"wring", "core", "proto"},
    "io": {"wring", "core", "io"},
    "stream": {"wring", "core", "proto", "io", "stream"},
    "server": {"wring", "core", "proto", "io", "stream", "server"},
    "client": {"wring", "core", "proto", "io", "stream", "client"},
    "gateway": {"wring", "gateway"},
    "cli": {"wring", "cli", "bench"},
    "examples": {"wring", "examples"},
}
# system header -> files that may include it
KNOWN_TO = {
    r"liburing.*": {"io/uring_compat.h"},
    r"openssl/(evp|rand|sha)\.h": {"proto/crypto.c", "io/tls_tickets.c"},
    r"openssl/(?!evp|rand|sha).*": {"io/tls_internal.h", "io/tls_context.c", "io/tls_files.c",
                                    "io/tls_stream.c", "io/tls_peer.c", "io/tls_verdict.c",
                                    "io/tls_tickets.c"},
    r"zlib\.h": {"proto/deflate.c"},
    r"ares\.h": {"client/resolve.c"},
}
BANNED = ["strcpy", "strcat", "sprintf", "vsprintf", "strtok", "atoi", "atol", "rand", "srand",
          "gets", "alloca"]
FUNCTION_MAX = 70
FILE_MAX = 800
COLUMNS = 100
LIBRARY = ("core", "proto", "io", "stream", "server", "client")


def tracked():
    # Untracked files count too, so that a lint speaks before the commit; not what git ignores.
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT,
                         capture_output=True, text=True, check=True).stdout
    return [p for p in out.splitlines() if p.endswith((".c", ".h", ".cpp", ".hpp")) and (ROOT / p).exists()]


def without_comments(text):
    blank = lambda m: re.sub(r"[^\n]", " ", m.group(0))
    return re.sub(r"/\*.*?\*/|//[^\n]*|\"(?:\\.|[^\"\\\n])*\"", blank, text, flags=re.S)


def check_includes(path, text):
    folder = path.split("/")[0]
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#include [<"]([^>"]+)[>"]', line)
        if not match:
            continue
        name = match.group(1)
        top = name.split("/")[0]
        quoted = '"' in line
        if folder in LAYERS and quoted and top not in LAYERS[folder]:
            yield f"{path}:{number}: {folder}/ may not include {name}"
        if folder not in ("tests", "bench"):
            for pattern, allowed in KNOWN_TO.items():
                if re.fullmatch(pattern, name) and path not in allowed:
                    yield f"{path}:{number}: {name} is known to {', '.join(sorted(allowed))} only"


def check_banned(path, text):
    for number, line in enumerate(without_comments(text).splitlines(), 1):
        for name in BANNED:
            if re.search(rf"(?<![\w.>]){name}\s*\(", line):
                yield f"{path}:{number}: {name} is banned"


def functions(text):
    """(line of the opening brace, length in lines) of each function body: a brace in column 0 or at
    the end of a line that begins in column 0 and is no aggregate."""
    lines = without_comments(text).splitlines()
    start = None
    for number, line in enumerate(lines, 1):
        if start is None and line.rstrip().endswith("{") and not line.startswith((" ", "}", "#")) \
                and "=" not in line and not re.match(r"(typedef |static )?(const )?(struct|class|enum|union)\b[^()]*\{$", line):
            start = number
        elif start is None and line.rstrip().endswith(") {") and line.startswith(" "):
            depth_zero = not any(l.startswith("{") for l in lines[max(0, number - 8):number - 1])
            if depth_zero and re.match(r"\s{8,}", line) and lines[number - 2][:1] not in (" ", "}", ""):
                start = number
        elif start is not None and line.startswith("}"):
            yield start, number - start + 1
            start = None


def check_sizes(path, text):
    lines = text.splitlines()
    if len(lines) > FILE_MAX:
        yield f"{path}: {len(lines)} lines, at most {FILE_MAX}"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS:
            yield f"{path}:{number}: {len(line)} columns, at most {COLUMNS}"
    for start, length in functions(text):
        if length > FUNCTION_MAX:
            yield f"{path}:{start}: a function of {length} lines, at most {FUNCTION_MAX}"


def check_head(path, text):
    if not text.startswith("/* SPDX-License-Identifier: Apache-2.0"):
        yield f"{path}:1: the first line is not the SPDX line"
    if path.startswith(LIBRARY) and not text.startswith("/* SPDX-License-Identifier: Apache-2.0\n *\n *"):
        yield f"{path}:1: does not open with what it is"


def check_test_tools(path, text):
    """No production file knows that there is a simulated backend."""
    if path.split("/")[0] in ("tests", "bench"):
        return
    for number, line in enumerate(text.splitlines(), 1):
        if re.search(r"(?i)\b(simulat|sim_|wring__sim|in the world\b)", line):
            yield f"{path}:{number}: production code knows no simulation"


def check_tour(tour, read):
    for match in re.finditer(r"`([\w/.]+\.[ch]):(\w+)`", tour):
        path, name = match.groups()
        text = read(path)
        if text is None or not re.search(rf"\b{name}\(", text):
            yield f"docs/TOUR.md: there is no {name} in {path}"


def read(path):
    file = ROOT / path
    return file.read_text() if file.exists() else None


def findings():
    for path in tracked():
        text = read(path)
        for check in (check_includes, check_banned, check_sizes, check_head, check_test_tools):
            yield from check(path, text)
    yield from check_tour(read("docs/TOUR.md"), read)


SELFTEST = [
    (check_includes, "io/bad.c", '#include "proto/machine.h"\n'),
    (check_includes, "core/bad.c", "#include <liburing.h>\n"),
    (check_includes, "io/bad.c", "#include <openssl/ssl.h>\n"),
    (check_includes, "cli/bad.c", '#include "io/conn.h"\n'),
    (check_banned, "io/bad.c", "int f(void) { return atoi(x); }\n"),
    (check_sizes, "io/bad.c", "int f(void) {\n" + "    x();\n" * 80 + "}\n"),
    (check_sizes, "io/bad.c", "x\n" * 900),
    (check_head, "io/bad.c", "int x;\n"),
    (check_test_tools, "io/bad.c", "void *world; /* the simulator's */\n"),
]


def selftest():
    missed = [check.__name__ for check, path, text in SELFTEST if not list(check(path, text))]
    if not list(check_tour("`core/base.h:no_such_name`", read)):
        missed.append("check_tour")
    for name in missed:
        print(f"selftest: {name} did not see something bad")
    return 1 if missed else 0


if __name__ == "__main__":
    if "--selftest" in sys.argv:
        sys.exit(selftest())
    found = list(findings())
    print("\n".join(found))
    sys.exit(1 if found else 0)
