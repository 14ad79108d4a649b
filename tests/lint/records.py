#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Records of the API (structs that begin with struct_size) can grow: no record that a caller fills in
ends in padding, where a field that is appended later would read what an older program left there, and
none lies in another one by value.

    records.py CC           compiles one assertion a record; exits 1 and says which fail
    records.py CC --selftest
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import public_api

# The library fills these in; a caller only reads them, or lends the room.
GIVEN = {"wring_end", "wring_client_report", "wring_http_answer", "wring_log_record", "wring_tls_info",
         "wring_h1_upgrade_info", "wring_h2_upgrade_info", "wring_server_stats", "wring_pool_stats",
         "wring_deflate_stats", "wring_http_response"}


def records(text):
    """Of one header: (name, names of its fields, types of its fields)."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    for tag, body in re.findall(r"struct (wring_\w+) \{\n(.*?)\n\}", text, re.S):
        fields = [line.strip() for line in body.split(";") if line.strip()]
        if not fields or not fields[0].endswith("struct_size"):
            continue
        names = [re.search(r"\(\*(\w+)\)|(\w+)(?:\[\w+\])?$", field).group(1, 2) for field in fields]
        types = [re.match(r"(?:const )?(\w+) \w+$", field) for field in fields]
        yield tag, [a or b for a, b in names], [t.group(1) for t in types if t]


def findings(texts, compiler):
    every = {tag: (names, types) for text in texts.values() for tag, names, types in records(text)}
    if len(every) < 10:
        yield f"only {len(every)} records were found"
    for tag, (_, types) in every.items():
        for inner in sorted(set(types) & set(every)):
            yield f"{tag} holds {inner} by value: hold a pointer"
    source = ['#include <stddef.h>', '#include "wring/wring.h"']
    for tag, (names, _) in every.items():
        if tag not in GIVEN:
            source.append(f'_Static_assert(offsetof(struct {tag}, {names[-1]}) + '
                          f'sizeof(((struct {tag} *)0)->{names[-1]}) == sizeof(struct {tag}), '
                          f'"{tag} ends in padding after {names[-1]}: put fields of 4 bytes in pairs");')
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        (root / "wring").mkdir()
        for name, text in texts.items():
            (root / "wring" / name).write_text(text)
        (root / "records.c").write_text("\n".join(source) + "\n")
        done = subprocess.run([compiler, "-std=c11", "-fsyntax-only", f"-I{root}", root / "records.c"],
                              capture_output=True, text=True)
    yield from re.findall(r'static assertion failed: "(.*?)"', done.stderr)
    yield from re.findall(r"static assertion failed due to requirement .*?: (.*)$", done.stderr, re.M)
    if done.returncode != 0 and "static" not in done.stderr:
        yield done.stderr


def selftest(texts, compiler):
    padded = dict(texts)
    padded["log.h"] = texts["log.h"].replace("} wring_log_config;", "    bool odd;\n} wring_log_config;")
    padded["log.h"] = padded["log.h"].replace("#include <stdint.h>", "#include <stdbool.h>\n#include <stdint.h>")
    nested = dict(texts)
    nested["embed.h"] = texts["embed.h"].replace(
        "} wring_embed_options;", "    wring_transport inner;\n} wring_embed_options;")
    for broken, wanted in ((padded, "ends in padding after odd"), (nested, "by value")):
        found = list(findings(broken, compiler))
        if not any(wanted in line for line in found):
            sys.exit(f"records: '{wanted}' was not found: {found}")


def main():
    compiler = sys.argv[1]
    texts = {path.name: path.read_text() for path in (public_api.ROOT / "include/wring").glob("*.h")}
    if "--selftest" in sys.argv:
        return selftest(texts, compiler)
    found = list(findings(texts, compiler))
    for line in found:
        print(f"records: {line}")
    sys.exit(1 if found else 0)


main()
