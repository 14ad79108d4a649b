# SPDX-License-Identifier: Apache-2.0
"""Runs `wring bench`, and the server it is held against."""
import contextlib
import json
import os
import subprocess
import urllib.request

from tools import environment, node_server

PATIENCE = 240


def bench(*arguments, **options):
    """(exit code, standard output, standard error)."""
    done = subprocess.run([os.environ["WRING"], "bench", *map(str, arguments)], text=True,
                          capture_output=True, timeout=PATIENCE, env=environment(), **options)
    assert "Sanitizer" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def report(*arguments, code=0):
    """The JSON report of a run that ends with `code`."""
    got, out, err = bench("--json", "--quiet", *arguments)
    assert got == code, (got, out[-2000:], err)
    return json.loads(out)


@contextlib.contextmanager
def counting_server(*arguments):
    """bench_server.mjs; gives its port and a function that asks what it has counted."""
    with node_server(*arguments, script="bench_server.mjs") as port:
        def stats():
            opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            with opener.open(f"http://127.0.0.1:{port}/stats", timeout=60) as answer:
                return json.load(answer)
        yield port, stats


def agrees(figure, counted, within=0.01):
    """Within one per cent."""
    assert counted > 0 and abs(figure - counted) <= within * counted, (figure, counted)
