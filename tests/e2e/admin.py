#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""/topic/NAME and the admin port: publishing with curl and over plain sockets, tokens, limits."""
import json
import os
import shutil
import socket
import subprocess
import time

from server import UPGRADE, Server, frame, read_frame, run

TOKEN = "correct horse"
server = Server("--workers", "2", "--admin-port", "0", "--admin-max-body", "70000")
guarded = Server("--workers", "1", "--admin-port", "0", "--admin-token", TOKEN)


def subscriber(path="/topic/news", of=server):
    """Connected, and subscribed for certain: the subscription is made before the ping is read."""
    sock = of.upgraded(path)
    sock.sendall(frame(9, b"in?"))
    assert read_frame(sock) == (10, b"in?")
    return sock


def ask(data, of=server):
    """The whole answer; a request has to end the connection."""
    sock = socket.create_connection(("127.0.0.1", of.admin_port), timeout=20)
    sock.sendall(data)
    answer = b""
    while piece := sock.recv(65536):
        answer += piece
    return answer


def request(method, path, body=b"", headers=(), host="127.0.0.1", close=True):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *headers]
    if close:
        lines.append("Connection: close")
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def status(answer):
    assert answer.startswith(b"HTTP/1.1 "), answer
    return int(answer.split(b" ", 2)[1])


def what_is_sent_to_a_topic_reaches_all_others_there():
    a, b, c = subscriber(), subscriber(), subscriber()
    other = subscriber("/topic/other")
    a.sendall(frame(1, "hello ✓".encode()) + frame(2, b"\x00\xff") + frame(9, b"end"))
    for sock in (b, c):
        assert read_frame(sock) == (1, "hello ✓".encode())
        assert read_frame(sock) == (2, b"\x00\xff")
    assert read_frame(a) == (10, b"end")  # nothing of its own came before the pong
    other.sendall(frame(9, b"end"))
    assert read_frame(other) == (10, b"end")


def names_are_decoded_and_checked():
    a = subscriber("/topic/a%20b%2Fc")
    assert status(ask(request("POST", "/publish/a%20b/c", b"x"))) == 202
    assert read_frame(a) == (1, b"x")
    for bad in ("/topic/%01chat", "/topic/%zz", "/topic/%4"):  # no path of a request at all
        sock = server.connect()
        sock.sendall(UPGRADE.format(path=bad).encode())
        assert sock.recv(4096).startswith(b"HTTP/1.1 400 "), bad
        assert status(ask(request("POST", bad.replace("topic", "publish"), b"x"))) == 404, bad
    for bad in ("/topic/", "/topic/" + "x" * 256):
        sock = server.upgraded(bad)
        opcode, payload = read_frame(sock)
        assert (opcode, payload[:2]) == (8, b"\x03\xf0"), (bad, opcode, payload)
        assert status(ask(request("POST", bad.replace("topic", "publish"), b"x"))) == 404, bad
    longest = subscriber("/topic/" + "x" * 255)
    assert status(ask(request("POST", "/publish/" + "x" * 255, b"y"))) == 202
    assert read_frame(longest) == (1, b"y")


def curl(*arguments):
    done = subprocess.run(["curl", "-s", "-w", "%{http_code}", *arguments], stdout=subprocess.PIPE,
                          timeout=60, check=True)
    return int(done.stdout[-3:]), done.stdout[:-3]


def curl_publishes():
    if shutil.which("curl") is None:
        print("no curl here: not tried")
        return
    a = subscriber()
    url = f"http://127.0.0.1:{server.admin_port}/publish/news"
    code, body = curl("-d", "hello", url)
    assert code == 202 and json.loads(body)["bytes"] == 5, (code, body)
    assert read_frame(a) == (1, b"hello")
    assert curl("-d", "hello", url + "?binary=1")[0] == 202
    assert read_frame(a) == (2, b"hello")
    assert curl("-H", "Content-Type: application/octet-stream", "-d", "raw", url)[0] == 202
    assert read_frame(a) == (2, b"raw")
    assert curl("-H", "Expect: 100-continue", "-d", "x" * 70000, url)[0] == 202
    assert read_frame(a) == (1, b"x" * 70000)
    assert curl("-d", "x" * 70001, url)[0] == 413
    assert curl("-H", "Transfer-Encoding: chunked", "-d", "x", url)[0] == 411
    assert curl(url)[0] == 405


def requests_that_are_refused():
    for data, code in [
        (request("POST", "/publish/", b"x"), 404),
        (request("GET", "/nothing"), 404),
        (request("GET", "/publish/news"), 405),
        (request("POST", "/stats"), 405),
        (request("POST", "/publish/news", b"\xff\xfe"), 400),
        (request("POST", "/publish/news", b"x" * 70001), 413),
        (request("GET", "/stats", host="evil.example"), 403),
        (request("GET", "/stats", headers=["Origin: http://127.0.0.1"]), 403),
        (request("GET", "/stats", headers=["Host: localhost"]), 400),
        (b"GET /stats HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
        (b"GET /stats HTTP/1.1\nHost: localhost\n\n", 400),
        (b"POST /publish/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
         b"Content-Length: 2\r\n\r\nxx", 400),
        (b"POST /publish/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST /publish/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"GET /stats HTTP/1.1\r\nHost: localhost\r\nA: " + b"a" * 9000, 431),
    ]:
        answer = ask(data)
        assert status(answer) == code, (data[:80], code, answer)
    for host in ("localhost", f"localhost:{server.admin_port}", "127.0.0.1:1", "[::1]", "[::1]:80"):
        assert status(ask(request("GET", "/healthz", host=host))) == 200, host


def one_connection_asks_many_times():
    a = subscriber("/topic/many")
    data = b"".join(request("POST", "/publish/many", b"%d" % i, close=False) for i in range(100))
    answer = ask(data + request("GET", "/healthz"))
    assert answer.count(b"HTTP/1.1 202 ") == 100 and answer.endswith(b"ok\n")
    for i in range(100):
        assert read_frame(a) == (1, b"%d" % i)
    bytewise = socket.create_connection(("127.0.0.1", server.admin_port), timeout=20)
    for byte in request("POST", "/publish/many", b"slow"):
        bytewise.sendall(bytes([byte]))
    assert read_frame(a) == (1, b"slow")


def statistics_and_health():
    a = subscriber()
    answer = ask(request("GET", "/stats"))
    assert status(answer) == 200 and b"Content-Type: application/json" in answer
    numbers = json.loads(answer.split(b"\r\n\r\n", 1)[1])
    assert numbers["workers"] == 2 and numbers["connections"] >= 1, numbers
    assert numbers["rx_bytes"] > 0 and numbers["tx_bytes"] > 0
    assert numbers["sessions"] >= 1 and numbers["upgraded"] >= 1 and numbers["exchanges"] >= 0
    assert numbers["tx_messages"] >= 0 and numbers["rx_messages"] >= 0
    assert status(ask(request("GET", "/healthz"))) == 200
    assert status(ask(request("GET", "/readyz"))) == 200
    a.close()


def a_token_is_needed_for_what_matters():
    for headers, code in [
        ([], 401),
        (["Authorization: Bearer "], 401),
        ([f"Authorization: Bearer {TOKEN}x"], 401),
        ([f"Authorization: Bearer {TOKEN[:-1]}"], 401),
        ([f"Authorization: Bearer {TOKEN[:-1]}E"], 401),
        ([f"Authorization: Basic {TOKEN}"], 401),
        ([f"Authorization: Bearer {TOKEN}"], 200),
    ]:
        assert status(ask(request("GET", "/stats", headers=headers), guarded)) == code, headers
    answer = ask(request("POST", "/publish/a", b"x"), guarded)
    assert status(answer) == 401 and b"WWW-Authenticate: Bearer" in answer
    # the refusal does not wait for the body
    head = request("POST", "/publish/a", b"x" * 1000)[:-1000]
    assert status(ask(head, guarded)) == 401
    assert status(ask(request("POST", "/publish/a", b"x",
                              [f"Authorization: Bearer {TOKEN}"]), guarded)) == 202
    assert status(ask(request("GET", "/healthz"), guarded)) == 200
    assert status(ask(request("GET", "/readyz"), guarded)) == 200


def more_connections_than_places_wait_their_turn():
    held = [socket.create_connection(("127.0.0.1", server.admin_port), timeout=20)
            for _ in range(64)]
    waiting = socket.create_connection(("127.0.0.1", server.admin_port), timeout=20)
    waiting.sendall(request("GET", "/healthz"))
    held[0].close()
    assert waiting.recv(100).startswith(b"HTTP/1.1 200 ")
    for sock in held:
        sock.close()


def while_it_drains_it_is_not_ready():
    with Server("--admin-port", "0", "--drain-ms", "600000", "--close-timeout",
                "600000") as draining:
        silent = draining.upgraded()  # never answers the close: the drain goes on until it leaves
        draining.process.terminate()
        end = time.monotonic() + 60
        while status(ask(request("GET", "/readyz"), draining)) != 503:
            assert time.monotonic() < end, "it was ready all along"
            time.sleep(0.01)
        assert status(ask(request("GET", "/healthz"), draining)) == 200
        assert read_frame(silent)[0] == 8
        silent.close()
        assert draining.process.wait(timeout=30) == 0


def without_the_option_there_is_no_port():
    out = subprocess.run([os.environ["WRING"], "serve", "--print-config"], stdout=subprocess.PIPE,
                         text=True, check=True).stdout
    assert "admin-port = off\n" in out and "admin-token = none\n" in out, out
    out = subprocess.run([os.environ["WRING"], "serve", "--print-config"], stdout=subprocess.PIPE,
                         text=True, check=True, env={**os.environ, "WRING_ADMIN_TOKEN": TOKEN}).stdout
    assert "admin-token = set\n" in out and TOKEN not in out, out


with server, guarded:
    run([what_is_sent_to_a_topic_reaches_all_others_there, names_are_decoded_and_checked,
         curl_publishes, requests_that_are_refused, one_connection_asks_many_times,
         statistics_and_health, a_token_is_needed_for_what_matters,
         more_connections_than_places_wait_their_turn, while_it_drains_it_is_not_ready,
         without_the_option_there_is_no_port])
