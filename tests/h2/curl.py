#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 with curl, by prior knowledge and by ALPN: methods, bodies both ways, Expect, kept
connections, many at once, refusals; what speaks HTTP/1.1 beside it."""
import json
import os
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from http_curl import CURL, curl, file_of
from http_tools import BIG, SKIPPED, HttpServer, output
from server import run
from tools import PATIENCE, Certs

if " HTTP2 " not in output(CURL, "--version")[1].replace("\n", " "):
    print("curl was built without HTTP/2")
    sys.exit(SKIPPED)

LARGE = BIG * 5
certs = Certs()


class Site:
    """The server, and curl that speaks HTTP/2 to it."""

    def __init__(self, secure, *options):
        self.options = ("--tls", certs.folder.name) if secure else ()
        self.scheme, self.host = ("https", "localhost") if secure else ("http", "127.0.0.1")
        self.how = ("--http2", "--cacert", certs.ca) if secure else ("--http2-prior-knowledge",)
        self.server = HttpServer("--http2", "all", *self.options, *options)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.server.__exit__(*exc)

    def url(self, path):
        return f"{self.scheme}://{self.host}:{self.server.port}{path}"

    def curl(self, *arguments, **options):
        return curl(*self.how, *arguments, **options)

    def status(self, *arguments):
        """"2 404": the version, and the status."""
        return self.curl("-o", os.devnull, "-w", "%{http_version} %{http_code}", *arguments)

    def talk(self, *arguments):
        """What curl tells with -v of a transfer that ended well."""
        code, _, err = output(CURL, "-sSv", "--max-time", str(PATIENCE), "--noproxy", "*", *self.how,
                              "-o", os.devnull, *arguments)
        assert code == 0, (code, err)
        return err


def on_both(test):
    """`test` in clear text and over TLS."""
    def twice():
        for secure in (False, True):
            with Site(secure) as site:
                test(site)
                assert site.server.faults() == [], (secure, site.server.faults())
    twice.__name__ = test.__name__
    return twice


def answers(site):
    heard = json.loads(site.curl("-H", "X-Asked: yes", "-H", "Cookie: a=b; sid=granted; c=d",
                                 site.url("/hello?a=b")))
    assert (heard["method"], heard["version"], heard["query"]) == ("GET", 20, "a=b"), heard
    assert (heard["asked"], heard["cookie"]) == ("yes", "granted"), heard
    assert heard["host"] == f"{site.host}:{site.server.port}", heard
    for path in ("/big", "/big?how=pieces"):
        assert site.curl(site.url(path), text=False) == BIG, path
        head = site.curl("-I", site.url(path))
        assert head.startswith("HTTP/2 200 "), head
        assert ("content-length: 1048576\n" in head) == (path == "/big"), head
        assert "transfer-encoding" not in head and "connection" not in head, head
    events = site.curl("-N", site.url("/sse"))
    assert events.count("event: count\n") == 3, events
    assert site.curl(site.url("/late")) == "late\n"
    options = site.curl("-i", "-X", "OPTIONS", site.url("/hello"))
    assert options.startswith("HTTP/2 204 \n"), options


def bodies(site):
    with file_of(BIG) as file, file_of(LARGE) as large, file_of(b"") as empty:
        heard = json.loads(site.curl("--data-binary", "@" + file.name, site.url("/hello")))
        assert (heard["method"], heard["bytes"], heard["sum"]) == ("POST", len(BIG), sum(BIG)), heard
        for path in ("/echo", "/copy"):
            for how in [("--data-binary", "@" + large.name), ("-T", large.name)]:
                heard = site.curl(*how, site.url(path), text=False)
                assert heard == LARGE, (path, how, len(heard))
            assert site.curl("-T", empty.name, site.url(path), text=False) == b"", path
        with open(large.name, "rb") as file:  # of a length that is not told
            heard = site.curl("--no-progress-meter", "-T", "-", site.url("/echo"), text=False,
                              stdin=file)
        assert heard == LARGE, len(heard)


def expect(site):
    """100 Continue is sent when the body is wanted; a refusal comes instead of it, and no body."""
    wait = ("-H", "Expect: 100-continue", "--expect100-timeout", str(PATIENCE))
    with file_of(b"x" * (1 << 20)) as file, file_of(b"x" * (2 << 20)) as large:
        for path in ("/hello", "/echo"):
            told = site.talk(*wait, "--data-binary", "@" + file.name, site.url(path))
            assert "< HTTP/2 100 " in told and "< HTTP/2 200 " in told, told
        for path, refusal in [("/hello", 413), ("/nothing", 404), ("/big", 405)]:
            told = site.talk(*wait, "--data-binary", "@" + large.name, site.url(path), "-w",
                             "%{stderr}<%{size_upload}>")
            assert "HTTP/2 100" not in told, told
            assert f"< HTTP/2 {refusal} " in told and "<0>" in told, told


# Over TLS only: curl 7.88 cannot use a connection of prior knowledge twice (its error 16, with any
# server; curl's pull request 10643).
def one_connection():
    """-w prints 1 for the connection that was made, 0 for each time that it was used again."""
    sinks = ("-o", os.devnull) * 6
    paths = ("/hello", "/late", "/nothing", "/big?how=pieces", "/sse", "/big")
    with Site(True) as site, file_of(BIG) as file:
        out = site.curl("-w", "%{num_connects} %{http_code}\n", *sinks,
                        *[site.url(path) for path in paths])
        assert out == "1 200\n0 201\n0 404\n0 200\n0 200\n0 200\n", out
        out = site.curl("-L", "-w", "%{num_redirects} %{num_connects}", "-o", os.devnull,
                        site.url("/go?to=/hello&status=302"))
        assert out == "1 1", out
        # also behind a body that the server did not want
        out = site.curl("-w", "%{num_connects} %{http_code}\n", *sinks, "--data-binary",
                        "@" + file.name, site.url("/echo"), site.url("/nothing"),
                        site.url("/hello"))
        assert out == "1 200\n0 404\n0 200\n", out
        assert site.server.faults() == []
    assert site.server.connections == 3, site.server.connections


def many_at_once():
    with Site(True) as site, tempfile.TemporaryDirectory() as folder:
        out = site.curl("--parallel", "--parallel-max", "60", "-w", "%{http_code} %{num_connects}\n",
                        "-o", os.path.join(folder, "#1"), site.url("/late?[1-60]"))
        made = [line.split()[1] for line in out.splitlines()]
        assert len(made) == 60 and out.count("201 ") == 60, out
        files = [os.path.join(folder, name) for name in os.listdir(folder)]
        assert [pathlib.Path(name).read_text("ascii") for name in files] == ["late\n"] * 60
        assert site.server.faults() == []
    # they wait for the first to tell that they may share its connection
    assert (site.server.exchanges, site.server.connections) == (60, 1), (out, site.server.connections)


def refusals(site):
    url = site.url
    assert site.status(url("/nothing")) == "2 404"
    assert site.status("--path-as-is", url("/a/../hello")) == "2 400"
    assert site.status(url("/%zz")) == "2 400" and site.status(url("/hello%00")) == "2 400"
    assert site.status("-X", "DELETE", url("/hello")) == "2 405"
    assert "allow: GET, HEAD, POST, OPTIONS\n" in site.curl("-i", "-X", "DELETE", url("/hello"))
    answer = site.curl("-i", url("/ws"))
    assert answer.startswith("HTTP/2 405 ") and "\nallow: " in answer, answer  # RFC 9110 15.5.6
    assert site.status(url("/" + "a" * 9000)) == "2 414"
    assert site.status("-H", "X: " + "a" * 60000, url("/hello")) == "2 200"
    assert site.status(*[word for i in range(70) for word in ("-H", f"X-{i}: 1")],
                       url("/hello")) == "2 431"
    with file_of(LARGE) as file:  # its body comes behind it, and is not waited for
        assert site.status(*[word for i in range(70) for word in ("-H", f"X-{i}: 1")], "-T", file.name,
                           url("/echo")) == "2 431"
    assert site.status("-H", "Expect: tea", url("/hello")) == "2 417"
    # after all of that it serves as before
    assert json.loads(site.curl(url("/hello")))["method"] == "GET"


def bodies_that_are_too_big():
    for secure in (False, True):
        with Site(secure, "--body-max", "1000") as site, file_of(b"x" * 1001) as file:
            assert site.status("--data-binary", "@" + file.name, site.url("/hello")) == "2 413"
            with open(file.name, "rb") as body:
                code, out, err = output(CURL, "-sS", *site.how, "--no-progress-meter", "-X", "POST",
                                        "-T", "-", "-w", "%{http_code}", "-o", os.devnull,
                                        site.url("/hello"), stdin=body)
            assert (code, out) == (0, "413"), (code, out, err)
            assert json.loads(site.curl("-d", "x" * 1000, site.url("/hello")))["bytes"] == 1000
            assert all("MESSAGE_TOO_BIG" in line for line in site.server.faults())


def beside_http1():
    """Who does not ask for HTTP/2 gets HTTP/1.1, also who asks by the Upgrade that RFC 9113 dropped."""
    with Site(False) as site:
        for how in ("--http1.1", "--http2"):
            heard = json.loads(curl(how, site.url("/hello")))
            assert heard["version"] == 11, (how, heard)
    with Site(True) as site:
        for how, version in [("--http1.1", 11), ("--no-alpn", 11), ("--http2", 20)]:
            heard = json.loads(curl("--cacert", certs.ca, how, site.url("/hello")))
            assert heard["version"] == version, (how, heard)
    with HttpServer() as server:  # off by default
        code, out, _ = output(CURL, "-sS", "--noproxy", "*", "--http2-prior-knowledge",
                              server.url("/hello"))
        assert code != 0 and out == "", (code, out)
    with HttpServer("--tls", certs.folder.name) as server:
        heard = json.loads(curl("--cacert", certs.ca, "--http2",
                                f"https://localhost:{server.port}/hello"))
        assert heard["version"] == 11, heard


run([on_both(answers), on_both(bodies), on_both(expect), one_connection, many_at_once,
     on_both(refusals), bodies_that_are_too_big, beside_http1])
