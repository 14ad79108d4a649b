# SPDX-License-Identifier: Apache-2.0
"""curl and h2load, which speak HTTP/2 in clear text to a proxy in front of e2e-http-server."""
import json
import subprocess

from http_curl import curl, file_of
from http_tools import BIG, need, output

H2LOAD = need("h2load")


def load_passes(port, count, connections):
    """That many requests in all, 50 at once on each connection."""
    code, out, err = output(H2LOAD, "-n", str(count), "-c", str(connections), "-m", "50",
                            f"http://127.0.0.1:{port}/late")
    assert code == 0 and f"{count} succeeded, 0 failed" in out, (out, err)
    assert f"{count} 2xx, 0 3xx, 0 4xx, 0 5xx" in out, out


def requests_pass(port, version):
    """version: of HTTP, as the server hears it from the proxy."""
    def ask(path, *options, **more):
        return curl("--http2-prior-knowledge", *options, f"http://127.0.0.1:{port}{path}", text=False,
                    **more)

    heard = json.loads(ask("/hello?a=b"))
    assert (heard["version"], heard["host"]) == (version, f"127.0.0.1:{port}"), heard
    assert ask("/big") == BIG and ask("/big?how=pieces") == BIG
    with file_of(BIG) as file:
        assert ask("/echo", "--data-binary", "@" + file.name) == BIG
        assert ask("/copy", "-T", file.name, "-H", "Expect:") == BIG
    of_no_length = ("-X", "POST", "-T", "-", "--no-progress-meter", "-H", "Expect:")
    assert ask("/copy", *of_no_length, stdin=subprocess.DEVNULL) == b""
    assert ask("/sse", "-N").count(b"event: count\n") == 3
    load_passes(port, 200, 2)
