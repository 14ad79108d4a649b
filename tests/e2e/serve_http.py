#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What `wring serve` serves to whom: routes by option, publishing where allowed, Origins, health checks."""
import contextlib
import http.client
import json
import os
import re
import subprocess

from server import Server, UPGRADE, frame, read_frame, run


@contextlib.contextmanager
def everywhere(*options):
    """A server that other machines could reach: their clients publish only where an option says so."""
    with Server("--host", "0.0.0.0", *options) as server:
        yield server


def ask(server, method, path, body=None, **headers):
    """(status, headers, body) of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
    answer = connection.getresponse()
    result = answer.status, answer.headers, answer.read()
    connection.close()
    return result


def status(*arguments, **headers):
    return ask(*arguments, **headers)[0]


def upgrade_status(server, path, *lines):
    sock = server.connect()
    head = UPGRADE.format(path=path).replace("\r\n\r\n", "".join(f"\r\n{l}" for l in lines) + "\r\n\r\n")
    sock.sendall(head.encode())
    answer = b""
    while b"\r\n" not in answer:
        piece = sock.recv(4096)
        assert piece, answer
        answer += piece
    sock.close()
    return int(answer.split()[1])


def joined(server, path):
    """Connected, and subscribed for certain: the subscription is made before the ping is read."""
    sock = server.upgraded(path)
    sock.sendall(frame(9, b"in?"))
    assert read_frame(sock) == (10, b"in?")
    return sock


def only_the_named_routes_are_there():
    with Server("--routes", "topic,health") as server:
        assert status(server, "GET", "/healthz") == 200
        assert status(server, "GET", "/") == 404
        assert upgrade_status(server, "/topic/x") == 101
        assert upgrade_status(server, "/echo") == 404
        assert upgrade_status(server, "/chat") == 404
    with Server("--routes", "echo") as server:
        assert upgrade_status(server, "/echo") == 101
        assert status(server, "GET", "/healthz") == 404
        assert status(server, "POST", "/topic/x", b"x") == 404


def health_checks_are_answered():
    """As HAProxy asks, among others: OPTIONS and HTTP/1.0 by default."""
    with Server() as server:
        assert ask(server, "GET", "/healthz")[2] == b"ok\n"
        for path in ("/healthz", "/"):
            code, headers, body = ask(server, "HEAD", path)
            assert code == 200 and int(headers["Content-Length"]) > 0 and body == b"", (code, body)
            code, headers, _ = ask(server, "OPTIONS", path)
            assert code == 204 and headers["Allow"] == "GET, HEAD, OPTIONS", (code, headers)
            sock = server.connect()
            sock.sendall(f"OPTIONS {path} HTTP/1.0\r\n\r\n".encode())
            assert sock.recv(4096).startswith(b"HTTP/1.1 204 "), path
            sock.close()
        assert status(server, "POST", "/healthz", b"x") == 405


def a_post_reaches_every_subscriber():
    with Server("--workers", "2") as server:
        socks = [joined(server, "/topic/news") for _ in range(3)]
        code, headers, body = ask(server, "POST", "/topic/news", "hello ✓".encode())
        assert code == 202 and headers["Content-Type"] == "application/json", (code, body)
        told = json.loads(body)
        assert told["bytes"] == 9 and told["binary"] is False and told["workers"] >= 1, told
        assert status(server, "POST", "/topic/news?binary=1", b"\xff\0") == 202
        assert status(server, "POST", "/topic/news", b"\xff\0") == 400
        assert status(server, "POST", "/topic/news", b"\1",
                      Content_Type="application/octet-stream") == 202
        for sock in socks:
            assert read_frame(sock) == (1, "hello ✓".encode())
            assert read_frame(sock) == (2, b"\xff\0")
            assert read_frame(sock) == (2, b"\1")
        assert status(server, "POST", "/topic/", b"x") == 404
        assert status(server, "POST", "/topic/" + "x" * 256, b"x") == 404
        assert status(server, "GET", "/topic/news") == 426
        assert status(server, "PUT", "/topic/news", b"x") == 405


def a_body_is_limited():
    with Server("--max-body", "1000") as server:
        assert status(server, "POST", "/topic/news", b"x" * 1000) == 202
        assert status(server, "POST", "/topic/news", b"x" * 1001) == 413


def heads(sock, count):
    """The heads of so many answers, read one by one with their bodies."""
    with sock.makefile("rb") as file:
        for _ in range(count):
            lines = []
            while (line := file.readline()) not in (b"\r\n", b""):
                lines.append(line.decode().rstrip())
            length = [int(l.split()[1]) for l in lines if l.startswith("Content-Length:")]
            file.read(length[0] if length else 0)
            yield lines
        sock.settimeout(60)
        assert file.read() == b""  # and then the connection ends


def connections_are_kept_within_limits():
    ask_twice = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 2
    with Server("--max-requests", "2") as server, server.connect() as sock:
        sock.sendall(ask_twice + ask_twice)
        first, second = heads(sock, 2)
        assert "Connection: close" not in first and "Connection: close" in second, (first, second)
    with Server("--keep-alive-timeout", "off") as server, server.connect() as sock:
        sock.sendall(ask_twice)
        assert "Connection: close" in next(heads(sock, 1))
    with Server("--keep-alive-timeout", "50ms") as server, server.connect() as sock:
        sock.sendall(ask_twice)
        assert all("Connection: close" not in head for head in heads(sock, 2))


def a_slow_body_is_not_waited_for():
    with Server("--body-timeout", "50ms", "--handshake-timeout", "off") as server, \
            server.connect() as sock:
        sock.sendall(b"POST /topic/news HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhello")
        head, = heads(sock, 1)
        assert head[0].startswith("HTTP/1.1 408 ") and "Connection: close" in head, head


def refused_to_publish(server, path):
    """A client that sends there is closed with 1008 and told why, and nobody gets it."""
    reader, sender = joined(server, path), joined(server, path)
    sender.sendall(frame(1, b"no"))
    opcode, payload = read_frame(sender)
    assert opcode == 8 and payload[:2] == b"\x03\xf0" and b"publish" in payload, (opcode, payload)
    reader.sendall(frame(9, b"end"))
    assert read_frame(reader) == (10, b"end")
    return payload


def without_an_option_clients_publish_on_the_loopback_only():
    with Server() as server:
        assert status(server, "POST", "/topic/news", b"x") == 202
    with everywhere() as server:
        assert status(server, "POST", "/topic/news", b"x") == 403
        assert b"--allow-publish" in refused_to_publish(server, "/topic/news")
    with Server("--allow-publish", "off") as server:
        assert status(server, "POST", "/topic/news", b"x") == 403
        refused_to_publish(server, "/topic/news")


def clients_publish_where_an_option_says_so():
    with everywhere("--allow-publish", "news", "--allow-publish", "rooms/*") as server:
        for path, code in (("/topic/news", 202), ("/topic/new", 403), ("/topic/news2", 403),
                           ("/topic/rooms/a", 202), ("/topic/rooms%2Fa", 202), ("/topic/rooms", 403)):
            assert status(server, "POST", path, b"x") == code, path
        refused_to_publish(server, "/topic/news2")
        reader, sender = joined(server, "/topic/rooms/a"), joined(server, "/topic/rooms/a")
        sender.sendall(frame(1, b"yes"))
        assert read_frame(reader) == (1, b"yes")


def a_token_is_needed_where_there_is_one():
    os.environ["WRING_PUBLISH_TOKEN"] = "s3cret"
    try:
        with everywhere() as server:
            code, headers, _ = ask(server, "POST", "/topic/news", b"x")
            assert code == 401 and headers["WWW-Authenticate"] == "Bearer", (code, headers)
            for wrong in ("Bearer s3cre", "Bearer s3cret1", "Basic s3cret"):
                assert status(server, "POST", "/topic/news", b"x", Authorization=wrong) == 401
            assert status(server, "POST", "/topic/news", b"x", Authorization="Bearer s3cret") == 202
            assert b"token" in refused_to_publish(server, "/topic/news")
            reader = joined(server, "/topic/news")
            sender = server.connect()
            sender.sendall(UPGRADE.format(path="/topic/news").replace(
                "\r\n\r\n", "\r\nAuthorization: Bearer s3cret\r\n\r\n").encode() + frame(1, b"yes"))
            assert read_frame(reader) == (1, b"yes")
            sender.close()
    finally:
        del os.environ["WRING_PUBLISH_TOKEN"]


def pages_of_other_sites_stay_out():
    mine, partner, other = "http://localhost", "https://partner.example", "https://other.example"
    with Server("--origin", partner, "--origin", "https://second.example") as server:
        for origin, good in ((mine, True), (mine + ":3000", True), (partner, True), ("https://second.example", True),
                             (other, False), ("null", False), ("http://localhost.example", False),
                             ("http://local", False)):
            assert upgrade_status(server, "/topic/x", f"Origin: {origin}") == (101 if good else 403)
            assert status(server, "POST", "/topic/x", b"x", Origin=origin, Host="localhost") == \
                (202 if good else 403), origin
    with Server("--origin", "*") as server:
        assert upgrade_status(server, "/echo", f"Origin: {other}") == 101
        assert status(server, "POST", "/topic/x", b"x", Origin=other) == 202


def a_refused_origin_is_told_with_its_cure():
    """And is gone when the proxy is trusted."""
    process = subprocess.Popen([os.environ["WRING"], "serve", "--port", "0"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True)
    server = Server.__new__(Server)
    server.port = int(re.search(r":(\d+)/", process.stdout.readline()).group(1))
    lines = ("Origin: https://app.example", "X-Forwarded-Host: app.example")
    try:
        assert upgrade_status(server, "/chat", *lines) == 403
        told = process.stderr.readline()
        assert told.startswith("wring: ") and "app.example" in told and "--trusted-proxy" in told, told
    finally:
        process.terminate()
        process.communicate(timeout=60)
    with Server("--trusted-proxy", "127.0.0.1") as server:
        assert upgrade_status(server, "/chat", *lines) == 101


if __name__ == "__main__":
    run([only_the_named_routes_are_there, health_checks_are_answered, a_post_reaches_every_subscriber,
         a_body_is_limited, connections_are_kept_within_limits, a_slow_body_is_not_waited_for,
         without_an_option_clients_publish_on_the_loopback_only,
         clients_publish_where_an_option_says_so, a_token_is_needed_where_there_is_one,
         pages_of_other_sites_stay_out, a_refused_origin_is_told_with_its_cure])
