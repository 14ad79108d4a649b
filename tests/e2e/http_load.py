#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""wrk and h2load over 64 kept connections: no errors, and the server counted what they counted."""
import json
import os
import re
import tempfile

from http_tools import BIG, HttpServer, need, output
from server import run
from tools import Certs

WRK, H2LOAD = need("wrk", "h2load")
CONNECTIONS = 64
certs = Certs()

# Without this, wrk prints rates only. A fault of the body is not counted by wrk itself.
SCRIPT = """
wrk.method = "{method}"
wrk.body = string.rep("x", {body})
local threads = {{}}
function setup(thread) table.insert(threads, thread) end
function init() wrong = 0 end
function response(status, headers, body)
    if status ~= {status} or #body < {least} then wrong = wrong + 1 end
end
function done(summary, latency, requests)
    local wrong = 0
    for _, thread in ipairs(threads) do wrong = wrong + thread:get("wrong") end
    local errors = summary.errors
    io.write(string.format(
        "counted {{\\"requests\\":%d,\\"bytes\\":%d,\\"connect\\":%d,\\"read\\":%d,\\"write\\":%d," ..
        "\\"status\\":%d,\\"timeout\\":%d,\\"wrong\\":%d}}\\n",
        summary.requests, summary.bytes, errors.connect, errors.read, errors.write, errors.status,
        errors.timeout, wrong))
end
"""


def wrk(server, path, scheme="http", method="GET", body=0, status=200, least=1):
    """How many requests were answered in two seconds. There must be some, and no errors."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(SCRIPT.format(method=method, body=body, status=status, least=least))
        script.flush()
        code, out, err = output(WRK, "-t", "2", "-c", str(CONNECTIONS), "-d", "2s", "--timeout",
                                "60s", "-s", script.name, server.url(path, scheme))
    assert code == 0, (out, err)
    counted = json.loads(re.search("^counted (.*)$", out, re.M)[1])
    assert counted["requests"] > 0, counted
    assert not any(counted[kind] for kind in counted if kind not in ("requests", "bytes")), counted
    return counted["requests"]


def wrk_counts():
    """When its time is over wrk leaves with up to a request under way on each connection."""
    for options, scheme in [((), "http"), (("--tls", certs.folder.name), "https")]:
        for path, asked in [("/hello", {}),
                            ("/echo", {"method": "PUT", "body": 20000, "least": 20000})]:
            with HttpServer(*options) as server:
                count = wrk(server, path, scheme, **asked)
            assert 0 <= server.exchanges - count <= CONNECTIONS, (path, count, server.exchanges)
            # one more, to see whether somebody is there
            assert server.connections == CONNECTIONS + 1, (path, server.connections)


def h2load(server, path, count, *options, scheme="http"):
    """Its report. All requests must have been answered with 2xx."""
    code, out, err = output(H2LOAD, "--h1", "-t", "2", "-c", str(CONNECTIONS), "-n", str(count),
                            *options, server.url(path, scheme))
    assert code == 0, (out, err)
    assert f"{count} done, {count} succeeded, 0 failed, 0 errored, 0 timeout" in out, out
    assert f"status codes: {count} 2xx, 0 3xx, 0 4xx, 0 5xx" in out, out
    return out


def h2load_counts():
    """Exactly as many, alone or -m 10 in a row, which are pipelined."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(bytes(1024))
        file.flush()
        for options, scheme in [((), "http"), (("--tls", certs.folder.name), "https")]:
            for path, count, more in [("/hello", 20000, ()), ("/hello", 20000, ("-m", "10")),
                                      ("/big", 640, ()), ("/big?how=pieces", 640, ("-m", "4")),
                                      ("/hello", 10000, ("-d", file.name)),
                                      ("/copy", 10000, ("-d", file.name, "-m", "10")),
                                      ("/echo", 10000, ("-d", file.name)),
                                      ("/late", 640, ("-m", "4"))]:
                with HttpServer(*options) as server:
                    out = h2load(server, path, count, *more, scheme=scheme)
                    if path.startswith("/big"):
                        assert f"({count * len(BIG)}) data" in out, out
                    assert server.faults() == [], server.faults()
                assert (server.exchanges, server.connections) == (count, CONNECTIONS), \
                    (path, server.exchanges, server.connections)


if __name__ == "__main__":
    run([wrk_counts, h2load_counts])
