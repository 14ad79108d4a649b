#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""libwring-proto is sans-I/O: the objects of core/ and proto/ import nothing but what is listed here.
What the libraries export is exports.py's.

    symbols.py ARCHIVE     --selftest: an object that calls socket() must be reported
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
  | pthread_(once|key_create|setspecific)    # ... and that goes with its thread
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


def selftest():
    with tempfile.TemporaryDirectory() as folder:
        source = f"{folder}/bad.c"
        with open(source, "w") as file:
            file.write("int socket(int,int,int); int f(void) { return socket(1,2,3); }\n")
        subprocess.run(["cc", "-fPIC", "-c", source, "-o", f"{folder}/bad.o"], check=True)
        return 0 if undefined(f"{folder}/bad.o") == ["socket"] else 1


def main():
    archive = sys.argv[1]
    found = [f"{archive} imports {name}" for name in undefined(archive)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(selftest() if "--selftest" in sys.argv else main())
