# SPDX-License-Identifier: Apache-2.0
"""HAProxy in front of a server: the configuration that all tests give it, what its statistics say, and its
health checks. The guide's tests do not come here: they run the configurations of the documents."""
import csv
import os
import socket
import tempfile
import time

from http_proxied import Proxied
from http_tools import need, output
from tools import PATIENCE, Program, free_port

# A check that is made once: a shorter `inter` would also fail connections that take longer.
ONCE = "inter 60s"
# max-spread-checks: the first checks come at once.
CONFIG = """
global
    nbthread {threads}
    max-spread-checks 1
    stats socket {folder}/stats mode 600 level admin
defaults
    mode http
    timeout connect 60s
    timeout client 60s
    timeout server 60s
    timeout tunnel 60s
    timeout check 60s
frontend web
{binds}
    default_backend wring
{backends}
"""


class Haproxy(Proxied):
    """One in front of the server at `server_port`. `backends`: pairs of a backend's own lines, and of its
    server's options. Requests go to the first of them. `binds`: the options of each of `ports`, where it
    listens. `port` is the first of these."""

    def __init__(self, server_port, *backends, binds=("",), threads=1):
        self.server_port, self.backends = server_port, backends
        self.binds, self.threads = binds, threads
        self.ports = [free_port() for _ in binds]
        self.port = self.ports[0]

    def __enter__(self):
        haproxy = need("haproxy")
        self.folder = tempfile.TemporaryDirectory(prefix="wring-haproxy-")
        path = os.path.join(self.folder.name, "haproxy.cfg")
        with open(path, "w", encoding="ascii") as file:
            file.write(self.config())
        code, out, err = output(haproxy, "-c", "-f", path)
        assert code == 0, (out, err)
        self.program = Program(haproxy, "-db", "-f", path, port=self.ports[-1])
        return self

    def __exit__(self, *exc):
        self.program.__exit__(*exc)
        self.folder.cleanup()

    def config(self):
        binds = [f"    bind 127.0.0.1:{port} {options}"
                 for port, options in zip(self.ports, self.binds)]
        backends = []
        for i, (lines, options) in enumerate(self.backends):
            backends.append(f"backend {f'wring{i}' if i else 'wring'}")
            backends += [f"    {line}" for line in lines.split("\n")]
            backends.append(f"    server s 127.0.0.1:{self.server_port} {options}")
        return CONFIG.format(threads=self.threads, folder=self.folder.name, binds="\n".join(binds),
                             backends="\n".join(backends))

    def rows(self):
        """Of each backend's server: what `show stat` says."""
        path = os.path.join(self.folder.name, "stats")
        deadline = time.monotonic() + PATIENCE
        while not os.path.exists(path):  # HAProxy makes it later than its port
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            sock.sendall(b"show stat\n")
            with sock.makefile(encoding="ascii") as file:
                text = file.read().removeprefix("# ")
        return [row for row in csv.DictReader(text.splitlines()) if row["svname"] == "s"]

    def wait_for(self, is_it):
        """The rows, as soon as all of them are as they should be."""
        deadline = time.monotonic() + PATIENCE
        while True:
            rows = self.rows()
            if all(is_it(row) for row in rows):
                return rows
            assert time.monotonic() < deadline, rows
            time.sleep(0.05)


def heard_of(row):
    return row["check_status"], int(row["check_code"] or 0)


def is_checked(row):
    """HAProxy says * while a check runs, INI before the first has ended."""
    return row["check_status"] and row["check_status"][0] != "*" and row["check_status"] != "INI"


def checks_pass(server, checks, options="check"):
    """Health checks of e2e-http-server, each once, all at the same time. `checks`: the lines of a backend,
    and the check_status and check_code that its server has to get for them."""
    with Haproxy(server.port, *[(lines, f"{options} {ONCE}") for lines, _, _ in checks]) as proxy:
        heard = {}

        def is_known(row):
            if is_checked(row):
                heard[row["pxname"]] = heard_of(row)
            return row["pxname"] in heard

        for row in proxy.wait_for(is_known):
            lines, *want = checks[int(row["pxname"][5:] or 0)]
            assert heard[row["pxname"]] == tuple(want), (lines, want, row)
        assert all(int(row["chkdown"]) == (heard[row["pxname"]][0] != "L7OK")
                   for row in proxy.rows())
    faults = [line for line in server.faults() if not line.startswith("done /big ")]
    assert faults == [], faults  # HAProxy reads no more of a body than it looks at


def stop_is_noticed(server, lines, options="check"):
    """A server is in service while it answers its checks, and taken out when it has stopped."""
    with Haproxy(server.port, (lines, f"{options} inter 500ms")) as proxy:
        proxy.wait_for(lambda row: (row["check_status"], row["status"]) == ("L7OK", "UP"))
        assert proxy.ask("GET", "/hello")[0] == 200
        server.__exit__(None, None, None)
        proxy.wait_for(lambda row: row["status"] == "DOWN")
        assert proxy.ask("GET", "/hello")[0] == 503
