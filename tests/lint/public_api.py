# SPDX-License-Identifier: Apache-2.0
"""What the public C headers declare, for the lints that hold something against them."""
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "include/wring"


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.S)


def exported_in(text):
    """The functions that a header marks with WRING_API."""
    return re.findall(r"\bWRING_API\b[^;{}()]*?\b(wring_\w+)\s*\(", without_comments(text))


def inline_in(text):
    return re.findall(r"\bstatic inline\b[^;{}()]*?\b(wring_\w+)\s*\(", without_comments(text))


def names_in(text):
    """Every public name a header defines or uses, those of the result table among them."""
    plain = without_comments(text)
    results = {f"WRING_{row}" for row in re.findall(r"\bX\((\w+), -?\d+,", plain)}
    return set(re.findall(r"\b(?:wring|WRING)_\w+", plain)) | results


def read():
    """Header name ("server.h") -> its text."""
    return {path.name: path.read_text() for path in sorted(FOLDER.glob("*.h"))}
