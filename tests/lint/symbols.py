#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""libwring-proto is sans-I/O: the objects of core/ and proto/ import nothing but what is listed here,
and the shared library exports only public names.

    symbols.py ARCHIVE SHARED     --selftest: an object that calls socket() must be reported
"""
import re
import subprocess
import sys
import tempfile

ALLOWED = re.compile(r"""^(
    mem(cpy|move|set|cmp|chr|rchr|mem) | __mem(cpy|move|set)_chk | bcmp
  | str(len|cmp|ncmp|chr|pbrk) | malloc | calloc | realloc | free | aligned_alloc | abort
  | v?snprintf | __v?snprintf_chk | __stack_chk_fail | _GLOBAL_OFFSET_TABLE_ | __tls_get_addr
  | __errno_location
  | getenv                                   # WRING_ISA
  | mmap | munmap | madvise                  # the key pool that a fork wipes (proto/crypto.c)
  | fprintf | __fprintf_chk | fwrite | stderr # the last words of wring__panic (core/base.c)
  | RAND_bytes | SHA1 | EVP_EncodeBlock | EVP_\w+
  | (in|de)flate\w* | crc32 | adler32
  | wring_\w+
  | __(asan|ubsan|lsan|sanitizer|tsan|sancov)_\w+ | __start___sancov\w* | __stop___sancov\w*
)$""", re.X)


def undefined(path):
    out = subprocess.run(["nm", "-u", path], capture_output=True, text=True, check=True).stdout
    names = re.findall(r"^\s+[Uw] (\S+)$", out, re.M)
    return sorted({n.split("@")[0] for n in names if not ALLOWED.match(n.split("@")[0])})


def exported(path):
    out = subprocess.run(["nm", "-D", "--defined-only", path], capture_output=True, text=True,
                         check=True).stdout
    names = [line.split()[-1].split("@")[0] for line in out.splitlines()]
    return [n for n in names if not re.match(r"^(wring_[a-z0-9]\w*|_init|_fini)$", n)]


def selftest():
    with tempfile.TemporaryDirectory() as folder:
        source = f"{folder}/bad.c"
        with open(source, "w") as file:
            file.write("int socket(int,int,int); int f(void) { return socket(1,2,3); }\n"
                       "int wring__inside(void) { return f(); }\n")
        subprocess.run(["cc", "-fPIC", "-c", source, "-o", f"{folder}/bad.o"], check=True)
        subprocess.run(["cc", "-shared", f"{folder}/bad.o", "-o", f"{folder}/bad.so"], check=True)
        bad = undefined(f"{folder}/bad.o") == ["socket"]
        return 0 if bad and "wring__inside" in exported(f"{folder}/bad.so") else 1


def main():
    archive, shared = sys.argv[1:3]
    found = [f"{archive} imports {name}" for name in undefined(archive)]
    found += [f"{shared} exports {name}" for name in exported(shared)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(selftest() if "--selftest" in sys.argv else main())
