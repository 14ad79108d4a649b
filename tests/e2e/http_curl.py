#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""HTTP with curl: versions, methods, uploads of every kind, kept connections, refusals, TLS; and a
pipeline of requests on one connection, read by Python's http.client."""
import http.client
import io
import json
import os
import socket
import tempfile

from http_tools import BIG, HttpServer, need, output
from server import run
from tools import PATIENCE, Certs

CURL = need("curl")


def curl(*arguments, **options):
    """What curl printed. It must have ended well: a refusal is an answer to curl."""
    code, out, err = output(CURL, "-sS", "--max-time", str(PATIENCE), "--noproxy", "*", *arguments,
                            **options)
    assert code == 0, (code, err, arguments)
    return out


def status(*arguments):
    return curl("-o", os.devnull, "-w", "%{http_code}", *arguments)


def file_of(data):
    file = tempfile.NamedTemporaryFile()
    file.write(data)
    file.flush()
    return file


def versions():
    with HttpServer() as server:
        for option, version in [("--http1.0", 10), ("--http1.1", 11), ("--http2", 11)]:
            heard = json.loads(curl(option, server.url("/hello?a=b")))
            assert (heard["method"], heard["version"]) == ("GET", version), heard
            assert (heard["host"], heard["query"]) == (server.address, "a=b"), heard
        assert curl("--http1.0", server.url("/big"), text=False) == BIG
        assert curl("--http1.0", server.url("/big?how=pieces"), text=False) == BIG
        assert curl(server.url("/big?how=pieces"), text=False) == BIG
        # HTTP/2 without asking first: a preface that no HTTP/1.1 server can answer well
        code, _, err = output(CURL, "-sS", "--noproxy", "*", "--http2-prior-knowledge",
                              server.url("/hello"))
        assert code != 0 and err, (code, err)
        server.wait_for_log("505")
        assert json.loads(curl(server.url("/hello")))["version"] == 11
        assert server.faults() == []


def head():
    with HttpServer() as server:
        for path, length in [("/big", len(BIG)), ("/big?how=pieces", None)]:
            head = curl("-I", server.url(path))
            assert head.startswith("HTTP/1.1 200 OK\n") and head.endswith("\n\n"), head
            assert (f"Content-Length: {length}\n" in head) == (length is not None), head
        # a HEAD leaves nothing behind it: the next answer is read on the same connection
        counts = curl("-I", server.url("/hello"), "-w", " %{num_connects}\n", "--next", "-s",
                      "--noproxy", "*", server.url("/hello"), "-w", " %{num_connects}\n")
        assert counts.count(" 1\n") == 1 and counts.endswith(" 0\n"), counts
        assert server.faults() == []


def uploads():
    data = bytes(range(256)) * 4096  # 1 MiB, the most that is collected
    with HttpServer() as server, file_of(data) as file, file_of(data * 8) as large:
        for options in [(), ("-H", "Transfer-Encoding: chunked"), ("-H", "Expect:"),
                        ("-H", "Expect: 100-continue"), ("--http1.0",)]:
            heard = json.loads(curl(*options, "--data-binary", "@" + file.name,
                                    server.url("/hello")))
            assert (heard["method"], heard["bytes"], heard["sum"]) == \
                ("POST", len(data), sum(data)), (options, heard)
        heard = json.loads(curl("-d", "", server.url("/hello")))
        assert (heard["method"], heard["bytes"]) == ("POST", 0)
        for options in [(), ("-H", "Transfer-Encoding: chunked"), ("--http1.0",)]:
            for how in [("--data-binary", "@" + large.name), ("-T", large.name)]:
                heard = curl(*options, *how, server.url("/echo"), text=False)
                assert heard == data * 8, (options, how, len(heard))
        heard = json.loads(curl("-F", "name=value", server.url("/hello")))
        assert heard["bytes"] > 0, heard
        assert server.faults() == []


def expect():
    """100 Continue is sent when the body is wanted; a refusal comes instead of it, and no body."""
    with HttpServer() as server, file_of(b"x" * (1 << 20)) as file, file_of(b"x" * (2 << 20)) as large:
        post = ("-H", "Expect: 100-continue", "--expect100-timeout", str(PATIENCE), "-o", os.devnull)
        for path in ["/hello", "/echo"]:
            code, _, err = output(CURL, "-sSv", "--noproxy", "*", *post, "--data-binary",
                                  "@" + file.name, server.url(path))
            assert code == 0 and "< HTTP/1.1 100 Continue" in err, err
            assert "< HTTP/1.1 200 OK" in err, err
        for path, refusal in [("/hello", 413), ("/nothing", 404), ("/big", 405)]:
            code, _, err = output(CURL, "-sSv", "--noproxy", "*", *post, "--data-binary",
                                  "@" + large.name, server.url(path), "-w", "%{stderr}<%{size_upload}>")
            assert code == 0 and "100 Continue" not in err, err
            assert f"< HTTP/1.1 {refusal} " in err and "<0>" in err, err
        assert server.faults() == []


def kept_connections():
    """-w prints 1 for the connection that was made, 0 for each time that it was used again."""
    def counts(*options):
        out = curl(*options, "-w", "%{num_connects}\n", "-o", os.devnull, "-o", os.devnull, "-o",
                   os.devnull, "-o", os.devnull, server.url("/hello"), server.url("/late"),
                   server.url("/nothing"), server.url("/big?how=pieces"))
        return out.split()

    with HttpServer() as server:
        assert counts() == ["1", "0", "0", "0"]
        assert counts("-H", "Connection: close") == ["1"] * 4
        assert counts("--http1.0") == ["1"] * 4
        # asked for, HTTP/1.0 keeps it, too; what has no length ends with its connection
        assert counts("--http1.0", "-H", "Connection: keep-alive") == ["1", "0", "0", "0"]
        # bodies on one connection, also one that the server did not want
        out = curl("-w", "%{num_connects} %{http_code}\n", "-o", os.devnull, "-o", os.devnull, "-o",
                   os.devnull, "-d", "abc", server.url("/hello"), server.url("/nothing"),
                   server.url("/echo"))
        assert out == "1 200\n0 404\n0 200\n", out
        # also large ones that are answered while they come, of known length
        with file_of(BIG) as file:
            out = curl("-w", "%{num_connects} %{http_code}\n", "-o", os.devnull, "-o", os.devnull,
                       "-H", "Expect:", "--data-binary", "@" + file.name, server.url("/echo"),
                       server.url("/echo"))
        assert out == "1 200\n0 200\n", out
        assert server.faults() == []


def many_at_once():
    with HttpServer() as server, tempfile.TemporaryDirectory() as folder:
        out = curl("--parallel", "--parallel-max", "20", "-w", "%{http_code}\n", "-o",
                   os.path.join(folder, "#1"), server.url("/late?[1-60]"))
        assert out.split() == ["201"] * 60, out
        files = [os.path.join(folder, name) for name in os.listdir(folder)]
        assert [open(name, encoding="ascii").read() for name in files] == ["late\n"] * 60
        assert server.faults() == []
    assert server.exchanges == 60


def refusals():
    with HttpServer("--body-max", "1000") as server, file_of(b"x" * 1001) as file:
        url = server.url
        assert status(url("/nothing")) == "404"
        assert status("--path-as-is", url("/a/../hello")) == "400"
        assert status(url("/%zz")) == "400" and status(url("/hello%00")) == "400"
        assert status("-X", "DELETE", url("/hello")) == "405"
        assert "Allow: GET, HEAD, POST, OPTIONS\n" in curl("-i", "-X", "DELETE", url("/hello"))
        assert status("-X", "BREW", url("/hello")) in ("405", "501")
        assert status("--data-binary", "@" + file.name, url("/hello")) == "413"
        assert status("-H", "Transfer-Encoding: chunked", "--data-binary", "@" + file.name,
                      url("/hello")) == "413"
        assert status(url("/" + "a" * 9000)) == "414"
        assert status("-H", "X: " + "a" * 66000, url("/hello")) == "431"
        assert status(*[word for i in range(70) for word in ("-H", f"X-{i}: 1")],
                      url("/hello")) == "431"
        assert status("-H", "Expect: tea", url("/hello")) == "417"
        assert status("-H", "Transfer-Encoding: gzip", "-d", "abc", url("/hello")) in ("400", "501")
        assert status(url("/ws")) == "426"
        assert status("-H", "Host:", url("/hello")) == "400"
        assert status("-H", "Host: a b", url("/hello")) == "400"
        options = curl("-i", "-X", "OPTIONS", url("/hello"))
        assert "Allow: GET, HEAD, POST, OPTIONS\n" in options, options
        options = curl("-i", "-X", "OPTIONS", "--request-target", "*", url("/"))
        assert options.startswith("HTTP/1.1 2") and "Allow: " in options, options
        # after all of that it serves as before
        assert json.loads(curl(url("/hello")))["method"] == "GET"
        assert all("MESSAGE_TOO_BIG" in line for line in server.faults()), server.faults()


def pipeline():
    """Requests one behind the other: the answers come in their order, also behind a late one."""
    paths = ["/hello?1", "/late", "/big", "/hello?2", "/nothing", "/big?how=pieces", "/hello?3"]
    with HttpServer() as server, socket.create_connection(("127.0.0.1", server.port), PATIENCE) as sock:
        sock.sendall(b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path.encode() for path in paths) +
                     b"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n"
                     b"\r\nabcde")
        with sock.makefile("rb") as stream:
            whole = stream.read()
        answers = io.BytesIO(whole)
        heard = []
        for _ in range(len(paths) + 1):
            answer = http.client.HTTPResponse(Replayed(answers))
            answer.begin()
            heard.append((answer.status, answer.read()))
        assert answers.read() == b""
        assert [status for status, _ in heard] == [200, 201, 200, 200, 404, 200, 200, 200], heard
        assert heard[2][1] == BIG and heard[5][1] == BIG
        queries = [json.loads(heard[i][1])["query"] for i in (0, 3, 6)]
        assert queries == ["1", "2", "3"] and json.loads(heard[7][1])["bytes"] == 5
        assert server.faults() == []


def ends_early():
    """An answer in pieces that ends before the request's body: what is left of that decides whether
    the connection goes on. The answer is whole in any case."""
    def head(length):
        return (b"POST /echo?end=early HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length)

    with HttpServer() as server:
        for length, goes_on in [(1000, True), (65536, True), (65537, False), (1 << 20, False)]:
            with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as sock:
                sock.sendall(head(length))
                answer = http.client.HTTPResponse(sock)
                answer.begin()
                assert (answer.status, answer.read()) == (200, b""), length
                if not goes_on:
                    assert sock.recv(1) == b"", length
                    continue
                sock.sendall(bytes(length) + b"GET /hello HTTP/1.1\r\nHost: x\r\n\r\n")
                answer = http.client.HTTPResponse(sock)
                answer.begin()
                assert json.loads(answer.read())["method"] == "GET", length
        assert server.faults() == []


class Replayed:
    """For http.client: a socket whose file goes on where the answer before ended."""

    def __init__(self, stream):
        self.stream = stream

    def makefile(self, _mode):
        return io.BufferedReader(Unclosed(self.stream), 1)


class Unclosed(io.RawIOBase):
    """Reads from a stream that stays open. One byte at a time, so that nothing is read ahead."""

    def __init__(self, stream):
        super().__init__()
        self.stream = stream

    def readable(self):
        return True

    def readinto(self, buffer):
        piece = self.stream.read(len(buffer))
        buffer[:len(piece)] = piece
        return len(piece)


def over_tls():
    certs = Certs()
    with HttpServer("--tls", certs.folder.name) as server, file_of(BIG) as file:
        base = f"https://localhost:{server.port}"
        safe = ("--cacert", certs.ca)
        out = curl(*safe, "-w", "%{num_connects}", "-o", os.devnull, "-o", os.devnull,
                   base + "/hello", base + "/late")
        assert out == "10", out
        assert curl(*safe, base + "/big", text=False) == BIG
        assert curl(*safe, base + "/big?how=pieces", text=False) == BIG
        assert curl(*safe, "--http1.0", base + "/big?how=pieces", text=False) == BIG
        assert curl(*safe, "--data-binary", "@" + file.name, base + "/echo", text=False) == BIG
        assert curl(*safe, "-H", "Transfer-Encoding: chunked", "--data-binary", "@" + file.name,
                    base + "/echo", text=False) == BIG
        assert curl(*safe, "-N", base + "/sse").count("event: count\n") == 3
        assert server.faults() == []


def over_tls_with_a_certificate():
    certs = Certs()
    alice = ("--cert", certs.file("client.pem"), "--key", certs.file("client.key"))
    with HttpServer("--tls", certs.folder.name) as server:
        url = f"https://localhost:{server.port}/hello"
        safe = ("--cacert", certs.ca)
        # its names are read from the certificate for the first request, and kept for the others
        heard = curl(*safe, *alice, url, url, url).splitlines()
        assert [json.loads(one)["who"] for one in heard] == ["CN:alice"] * 3, heard
        assert json.loads(curl(*safe, url))["who"] == ""
        assert server.faults() == []


if __name__ == "__main__":
    run([versions, head, uploads, expect, kept_connections, many_at_once, refusals, pipeline,
         ends_early, over_tls, over_tls_with_a_certificate])
