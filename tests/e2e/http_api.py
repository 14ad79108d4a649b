#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""examples/http_api with python3-requests, curl and python3-websockets: every route, wrong inputs, late
answers side by side, event streams, upgrades, and SIGTERM while answers are owed."""
import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys

from http_tools import SKIPPED, need, output, websocket_refusal, websocket_talk
from server import run
from tools import PATIENCE

try:
    import requests
except ImportError:
    print("not installed: python3-requests; script/setup --tests installs it")
    sys.exit(SKIPPED)

PROGRAM = os.path.join(os.environ["EXAMPLES"], "http_api")
TOKEN = "s3cret"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
LONG_JOB = 600000  # the primes below it take long enough to be waited for


class Api:
    """The example, ended by SIGTERM."""

    def __enter__(self):
        self.process = subprocess.Popen([PROGRAM, "0"], stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "HTTP_API_TOKEN": TOKEN})
        self.port = int(self.process.stdout.readline().split()[-1])
        self.client = requests.Session()  # a connection that is kept
        self.client.trust_env = False
        return self

    def __exit__(self, *exc):
        self.client.close()
        self.process.terminate()
        code = self.process.wait(PATIENCE)
        assert exc[0] or code == 0, code

    def url(self, path, scheme="http"):
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    def ask(self, method, path, body=None, headers=BEARER, **options):
        """body: bytes as they are, or what becomes JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        return self.client.request(method, self.url(path), data=data, headers=headers,
                                   timeout=PATIENCE, **options)

    def error(self, status, *arguments, **options):
        """Of an answer that has this status: what its JSON says."""
        answer = self.ask(*arguments, **options)
        assert answer.status_code == status, (status, answer.status_code, answer.text)
        assert answer.headers["Content-Type"] == "application/json", answer.headers
        return answer.json()["error"]

    def lines(self):
        return [json.loads(line) for line in self.ask("GET", "/notes").text.splitlines()]


def notes():
    with Api() as api:
        assert api.lines() == []
        for number, text in enumerate(("buy milk", "grüße ✓ \"quoted\"", ""), 1):
            answer = api.ask("POST", "/notes", {"text": text})
            assert answer.status_code == 201, answer.text
            assert answer.headers["Location"] == f"/notes/{number}", answer.headers
            assert answer.json() == {"id": number, "text": text}
            assert api.ask("GET", answer.headers["Location"]).json() == answer.json()
        answer = api.ask("PUT", "/notes/1", {"text": "buy tea"})
        assert (answer.status_code, answer.json()) == (200, {"id": 1, "text": "buy tea"})
        answer = api.ask("DELETE", "/notes/2")
        assert (answer.status_code, answer.content) == (204, b""), answer.content
        assert api.lines() == [{"id": 1, "text": "buy tea"}, {"id": 3, "text": ""}]
        for method, body in (("GET", None), ("PUT", {"text": "x"}), ("DELETE", None)):
            for path in ("/notes/2", "/notes/4", "/notes/0", "/notes/x", "/notes/1x", "/notes/-1",
                         "/notes/99999999999999999999"):
                assert "no such note" in api.error(404, method, path, body), path
        assert api.ask("GET", "/notes/%33").json()["id"] == 3
        assert api.ask("GET", "/notes/3", headers={}).status_code == 200  # reading needs no token
        head = api.ask("HEAD", "/notes/3")
        assert head.headers["Content-Length"] == "18" and head.content == b"", head.headers


def more_notes_than_a_queue_takes():
    """The list goes on as the client reads."""
    text = "x" * 9000
    with Api() as api:
        for _ in range(400):
            assert api.ask("POST", "/notes", {"text": text}).status_code == 201
        assert api.lines() == [{"id": i, "text": text} for i in range(1, 401)]


def wrong_inputs():
    with Api() as api:
        for path, good in (("/notes", "text"), ("/primes", "below"), ("/session", "name")):
            for body in (b"", b"{", b"not JSON", b'{"a":1} x', b'{"text":"\xff"}', b"\0",
                         b'{"text":"a\\u0000b"}', b"[" * 5000):
                assert api.error(400, "POST", path, body), body
            for body in ([], {}, {good: None}, {good: []}, {good: True},
                         {"text": "x", "below": 1, "name": "x"}):
                assert api.error(422, "POST", path, body), body
        for below in (-1, 10000001):
            assert "below" in api.error(422, "POST", "/primes", {"below": below})
        assert api.error(422, "POST", "/session", {"name": "x" * 32})
        assert api.error(400, "PUT", "/notes/1", b"{")
        assert api.ask("POST", "/notes", b"x" * 10001).status_code == 413
        assert api.ask("GET", "/nothing").status_code == 404
        for path, allow in (("/notes", "GET, HEAD, POST, OPTIONS"), ("/primes", "POST, OPTIONS")):
            answer = api.ask("PATCH", path, b"{}")
            assert answer.status_code == 405, answer.status_code
            assert set(answer.headers["Allow"].split(", ")) == set(allow.split(", ")), answer.headers
        assert api.lines() == []


def tokens():
    with Api() as api:
        for method, path in (("POST", "/notes"), ("PUT", "/notes/1"), ("DELETE", "/notes/1"),
                             ("POST", "/primes"), ("POST", "/session")):
            for wrong in ({}, {"Authorization": "Bearer s3cre"}, {"Authorization": "Bearer s3cret1"},
                          {"Authorization": "Bearer S3cret"}, {"Authorization": f"Basic {TOKEN}"}):
                answer = api.ask(method, path, {"text": "x"}, wrong)
                assert answer.status_code == 401, (method, path, wrong)
                assert answer.headers["WWW-Authenticate"] == "Bearer", answer.headers
                assert "token" in answer.json()["error"]
        assert api.ask("POST", "/notes", {"text": "x"}, {"authorization": "bearer  " + TOKEN}).ok


def primes_of(below):
    return sum(all(n % d for d in range(2, int(n ** 0.5) + 1)) for n in range(2, below))


def late_answers():
    """Many at once, each on a connection of its own: none is mixed up, and others are not held up."""
    numbers = [0, 1, 2, 3, 10, 100, *range(1000, 1040)]

    def primes(below):
        return requests.post(api.url("/primes"), json={"below": below}, headers=BEARER,
                             timeout=PATIENCE, proxies={"http": None}).json()

    with Api() as api, concurrent.futures.ThreadPoolExecutor(16) as threads:
        for number, told in zip(numbers, threads.map(primes, numbers)):
            assert told == {"primes": primes_of(number)}, (number, told)
        for number in numbers[:6]:  # and one after the other on one
            assert api.ask("POST", "/primes", {"below": number}).json() == \
                {"primes": primes_of(number)}


def post_bytes(path, body, more=""):
    return (f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n{more}"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def a_client_that_leaves_before_its_answer():
    with Api() as api:
        for _ in range(8):
            with socket.create_connection(("127.0.0.1", api.port), PATIENCE) as sock:
                sock.sendall(post_bytes("/primes", '{"below":50000}'))
        assert api.ask("POST", "/primes", {"below": 100}).json() == {"primes": 25}


def too_many_jobs():
    """The pool's queue is bounded: what is too much gets 503, as JSON, and the rest its answer."""
    with Api() as api, contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.create_connection(("127.0.0.1", api.port), PATIENCE))
                 for _ in range(80)]
        for sock in socks:
            sock.sendall(post_bytes("/primes", '{"below":60000}', "Connection: close\r\n"))
        told = [sock.makefile("rb").read().split(b"\r\n\r\n") for sock in socks]
        heads = [head.split()[1] for head, _ in told]
        assert set(heads) <= {b"200", b"503"} and heads.count(b"200") >= 64, heads
        for head, body in told:
            assert json.loads(body) == {"primes": 6057} if b" 200 " in head else \
                json.loads(body)["error"], (head, body)


class Events:
    """An event stream, read line by line."""

    def __init__(self, api):
        self.answer = api.client.get(api.url("/events"), stream=True, timeout=PATIENCE)
        assert self.answer.status_code == 200
        assert self.answer.headers["Content-Type"] == "text/event-stream", self.answer.headers
        self.lines = self.answer.iter_lines(chunk_size=1, decode_unicode=False)
        assert next(self.lines).startswith(b":") and next(self.lines) == b""

    def next(self):
        number, data, empty = (next(self.lines) for _ in range(3))
        assert number.startswith(b"id: ") and data.startswith(b"data: ") and empty == b""
        return int(number[4:]), json.loads(data[6:])


def event_streams():
    with Api() as api:
        streams = [Events(api) for _ in range(3)]
        gone = Events(api)
        gone.answer.close()
        api.ask("POST", "/notes", {"text": "a\nb"})
        api.ask("PUT", "/notes/1", {"text": "c"})
        api.ask("PUT", "/notes/2", {"text": "no such note: not told"})
        api.ask("DELETE", "/notes/1")
        for stream in streams:
            assert [stream.next() for _ in range(3)] == [
                (1, {"change": "created", "id": 1, "text": "a\nb"}),
                (2, {"change": "changed", "id": 1, "text": "c"}),
                (3, {"change": "removed", "id": 1})]
        # from many clients at once: each stream hears all, in the same order
        with concurrent.futures.ThreadPoolExecutor(8) as threads:
            assert all(threads.map(
                lambda i: requests.post(api.url("/notes"), json={"text": str(i)}, headers=BEARER,
                                        timeout=PATIENCE, proxies={"http": None}).ok, range(40)))
        told = [[stream.next() for _ in range(40)] for stream in streams]
        assert told[0] == told[1] == told[2]
        assert [number for number, _ in told[0]] == list(range(4, 44))
        assert sorted(int(data["text"]) for _, data in told[0]) == list(range(40))
        # a stream ends in order when the server does
        api.process.terminate()
        assert all(list(stream.lines) == [] for stream in streams)
        assert api.process.wait(PATIENCE) == 0


def curl_reads_events():
    curl = need("curl")
    with Api() as api:
        reader = subprocess.Popen([curl, "-sSN", "--noproxy", "*", api.url("/events")],
                                  stdout=subprocess.PIPE)
        assert reader.stdout.readline().startswith(b":")
        code, out, _ = output(curl, "-sS", "--noproxy", "*", "-H", f"Authorization: Bearer {TOKEN}", "-d",
                              '{"text":"by curl"}', api.url("/notes"))
        assert code == 0 and json.loads(out)["text"] == "by curl", (code, out)
        assert reader.stdout.readline() == b"\n" and reader.stdout.readline() == b"id: 1\n"
        api.process.terminate()
        reader.communicate(timeout=PATIENCE)
        assert reader.returncode == 0, reader.returncode


def upgrades():
    async def greeting(websocket):
        hello = json.loads(await websocket.recv())
        assert api.ask("POST", "/notes", {"text": "told"}).status_code == 201
        return hello, json.loads(await websocket.recv())

    def talk(**headers):
        hello, change = websocket_talk(api.url("/live", "ws"), greeting, extra_headers=headers)
        assert (change["change"], change["text"]) == ("created", "told"), change
        return hello

    with Api() as api:
        for wrong in ({}, {"Authorization": "Bearer x"}, {"Cookie": "sid="},
                      {"Cookie": "sid=" + "0" * 32}, {"Cookie": f"sid={TOKEN}"}):
            status, headers = websocket_refusal(api.url("/live", "ws"), extra_headers=wrong)
            assert (status, headers["WWW-Authenticate"]) == (401, "Bearer"), (wrong, status)
            assert headers["Content-Type"] == "application/json", headers
        assert talk(**BEARER) == {"hello": "the token"}
        answer = api.ask("POST", "/session", {"name": "Ann ✓"})
        assert answer.status_code == 204, answer.text
        attributes = answer.headers["Set-Cookie"].split("; ")
        assert attributes[0].startswith("sid=") and len(attributes[0]) == 36, attributes
        assert attributes[1:] == ["Path=/", "SameSite=Lax", "HttpOnly"], attributes
        assert talk(Cookie=attributes[0]) == {"hello": "Ann ✓"}
        assert talk(Cookie=f"a=b; {attributes[0]}") == {"hello": "Ann ✓"}
        # a page of another site has the cookie, too
        status, _ = websocket_refusal(api.url("/live", "ws"), origin="https://evil.example",
                                      extra_headers={"Cookie": attributes[0]})
        assert status == 403, status
        assert api.ask("GET", "/live").status_code == 426


def sigterm_amidst_late_answers():
    """Every request that was taken is answered, whole, and then the program ends with 0."""
    with Api() as api, contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.create_connection(("127.0.0.1", api.port), PATIENCE))
                 for _ in range(8)]
        for sock in socks:
            sock.sendall(post_bytes("/primes", json.dumps({"below": LONG_JOB})))
        files = [sock.makefile("rb") for sock in socks]
        first = files[0].readline()
        assert first == b"HTTP/1.1 200 OK\r\n", first
        api.process.send_signal(signal.SIGTERM)
        for file in files[1:]:
            head, body = file.read().split(b"\r\n\r\n")  # to the end of the connection
            assert head.startswith(b"HTTP/1.1 200 OK\r\n"), head
            assert json.loads(body) == {"primes": 49098}, body
        assert api.process.wait(PATIENCE) == 0


def a_program_without_a_token_says_so():
    code, out, err = output(PROGRAM, "0", env={k: v for k, v in os.environ.items()
                                               if k != "HTTP_API_TOKEN"})
    assert (code, out) == (2, "") and "HTTP_API_TOKEN" in err, (code, out, err)


if __name__ == "__main__":
    if not os.path.exists(PROGRAM):
        print("not built: http_api, which needs libjansson-dev")
        sys.exit(SKIPPED)
    run([notes, more_notes_than_a_queue_takes, wrong_inputs, tokens, late_answers,
         a_client_that_leaves_before_its_answer, too_many_jobs, event_streams, curl_reads_events,
         upgrades, sigterm_amidst_late_answers, a_program_without_a_token_says_so])
