#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`wring connect`: piping, every option, exit codes; and a person at a terminal."""
import json
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import threading
import time

from proxy_servers import HttpProxy, SocksProxy
from server import Server, frame, run
from tools import (PATIENCE, Certs, Listener, environment, node_server, read_head, response)

certs = Certs()
cert, key = certs.pair("server")


def connect(url, *options, say="", text=True, env=None, **more):
    done = subprocess.run([os.environ["WRING"], "connect", *options, url], input=say, text=text,
                          capture_output=True, timeout=PATIENCE, env=env or environment(), **more)
    assert "Sanitizer" not in str(done.stderr), done.stderr
    return done


def expect(done, code=0, out=None, err=""):
    assert done.returncode == code, done
    assert out is None or done.stdout == out, done
    assert re.search(err, done.stderr) if err else done.stderr == "", done


def expect_back(url, data, *options):
    """All of it comes back, however long that takes; then the input ends."""
    process = subprocess.Popen([os.environ["WRING"], "connect", *options, url], bufsize=0,
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
    writer = threading.Thread(target=write_all, args=(process.stdin, data))
    writer.start()
    got = bytearray()
    while len(got) < len(data) and (piece := process.stdout.read(1 << 20)):
        got += piece
    writer.join()
    rest, _ = process.communicate(timeout=PATIENCE)
    assert got + rest == data and process.returncode == 0, (len(got), rest[:99], process.returncode)


def write_all(file, data):
    for at in range(0, len(data), 1 << 16):
        left = memoryview(data)[at:at + (1 << 16)]
        while left:
            left = left[file.write(left):]


# ---- pipes -----------------------------------------------------------------------------------------

def lines_go_out_and_answers_come_back():
    with Server() as server:
        expect(connect(server.url(), say="one\n\n  two \nthree"), out="one\n\n  two \nthree\n")
        expect_back(server.url(), "".join(f"line {i}\n" for i in range(20000)).encode())
        expect_back(server.url(), b"x" * (16 << 20) + b"\n", "--max-message", str(1 << 25))
        expect(connect(server.url(), say=""), out="")
        expect(connect(server.url(), "--one", say="first\nsecond\n"), out="first\n")
        begin = time.monotonic()
        expect(connect(server.url(), "--linger", "0", say="never mind\n"))
        assert time.monotonic() - begin < 5


def a_file_goes_out_and_back_as_it_is():
    with Server() as server:
        expect_back(server.url(), os.urandom(3 << 20), "--binary")


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read()).group(1)) << 10


def a_slow_server_holds_the_input_back():
    """What is piped in waits in the pipe, not in memory."""
    ready = []

    def serve(sock):
        sock.sendall(response(read_head(sock)))
        while not ready:
            time.sleep(0.02)
        while sock.recv(1 << 20):
            pass
    with Listener(serve) as slow, open("/dev/zero", "rb") as endless:
        process = subprocess.Popen(
            [os.environ["WRING"], "connect", "--binary", f"ws://127.0.0.1:{slow.port}/"],
            stdin=endless, stdout=subprocess.DEVNULL, env=environment())
        time.sleep(1.5)
        used = memory(process.pid)
        ready.append(True)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert used < 300 << 20, used


def a_reader_that_goes_away_ends_it():
    with Server() as server:
        process = subprocess.Popen([os.environ["WRING"], "connect", server.url()], text=True,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, env=environment())
        process.stdin.write("one\n")
        process.stdin.flush()
        assert process.stdout.readline() == "one\n"
        process.stdout.close()  # as `head -1` does
        process.stdin.write("two\n")
        process.stdin.flush()
        assert process.wait(timeout=PATIENCE) in (1, -signal.SIGPIPE), process.returncode


# ---- options ---------------------------------------------------------------------------------------

def headers_subprotocol_origin():
    with node_server() as port:
        done = connect(f"ws://user:secret@127.0.0.1:{port}/headers", "--one", "-H", "X-One: 1",
                       "-H", "X-Two:2", "-s", "first", "--subprotocol", "second", "-o",
                       "https://example.com", "-v")
        sent = json.loads(done.stdout)
        for name, value in [("x-one", "1"), ("x-two", "2"), ("origin", "https://example.com"),
                            ("sec-websocket-protocol", "first, second"),
                            ("authorization", "Basic dXNlcjpzZWNyZXQ=")]:
            assert sent[name] == value, (name, sent)
        # the whole handshake is shown, and on standard error only
        for line in (r"> GET /headers HTTP/1.1", rf"> Host: 127.0.0.1:{port}", "> X-One: 1",
                     "> Origin: https://example.com", "> Sec-WebSocket-Protocol: first, second",
                     "> Upgrade: websocket", "> Connection: Upgrade", "> Sec-WebSocket-Key: .{24}$",
                     "> Sec-WebSocket-Version: 13", r"> Authorization: Basic \(hidden\)$",
                     "< HTTP/1.1 101 Switching Protocols", "< sec-websocket-accept: .{28}",
                     "< sec-websocket-protocol: second", "< close 1000"):
            assert re.search("^" + line, done.stderr, re.M | re.I), (line, done.stderr)
        assert "secret" not in done.stderr and "dXNlcjpzZWNyZXQ=" not in done.stderr, done.stderr


def a_handshake_that_fails_is_shown():
    """The request as the server got it, without its secrets; and what came in place of an answer."""
    heads = []

    def serve(answer, ends=False):
        def run_it(sock):
            heads.append(read_head(sock).decode())
            sock.sendall(answer)
            sock.recv(1) if not ends else None
        return run_it
    for answer, err in [(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", "< HTTP/1.1 403 No"),
                        (b"SSH-2.0-x\x1b[2J\xff\r\n" + b"y" * 3000,
                         r"\* no answer to an upgrade; its first 512 bytes: "
                         r"SSH-2.0-x\\x1b\[2J\\xff\\x0d\\x0ay+$"),
                        (b"HTTP/1.1 101 X\r\n\r\n", r"first 18 bytes: HTTP/1.1 101 X\\x0d\\x0a\\x0d\\x0a$")]:
        with Listener(serve(answer)) as listener:
            done = connect(f"ws://127.0.0.1:{listener.port}/", "-v", "-H", "Cookie: id=secret",
                           "-H", "Authorization: Bearer secret", "--deflate")
            assert done.returncode == 6 and re.search("^" + err if err[0] == "<" else err,
                                                      done.stderr, re.M), done
            sent = [line for line in heads[-1].split("\r\n") if line]
            shown = [line[2:] for line in done.stderr.split("\n") if line.startswith("> ")]
            hidden = [re.sub(r"(Cookie: |Bearer ).*", r"\1(hidden)", line) for line in sent]
            assert shown == hidden and "secret" not in done.stderr, (shown, hidden)
            assert any(line.startswith("Sec-WebSocket-Extensions: ") for line in shown), shown


def pings():
    with Server() as server:
        process = subprocess.Popen([os.environ["WRING"], "connect", "-v", "--ping", "50",
                                    server.url()], text=True, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env=environment())
        while "< pong" not in (line := process.stderr.readline()):
            assert line, "it ended without one"
        out, err = process.communicate("hello\n", timeout=PATIENCE)
        assert process.returncode == 0 and out == "hello\n", (process.returncode, out)
        assert re.search(r"\* round trip \d+\.\d+ ms", err), err


def a_ping_that_is_not_answered():
    with Listener(sends(b"")) as listener:
        process = subprocess.Popen([os.environ["WRING"], "connect", "--ping", "20",
                                    "--pong-timeout", "30", f"ws://127.0.0.1:{listener.port}/"],
                                   stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                   env=environment())
        process.wait(timeout=PATIENCE)  # though its input stays open
        expect = (3, "wring: no answer to a ping within 30 ms\n")
        assert (process.returncode, process.communicate()[1]) == expect, process


def tls_options():
    with Server("--tls-cert", cert, "--tls-key", key) as server:
        url = f"wss://localhost:{server.port}/echo"
        expect(connect(url, "--one", "--ca", certs.ca, say="hello\n"), out="hello\n")
        expect(connect(url, "--one", "-k", say="hello\n"), out="hello\n")
        done = connect(url, "--one", "--ca", certs.ca, "-v", say="hello\n")
        assert re.search(r"^\* TLSv1.3, TLS_AES_128_GCM_SHA256, certificate verified", done.stderr,
                         re.M), done
        expect(connect(url), 5, "", "no trusted|issuer")
        expect(connect(f"wss://127.0.0.2:{server.port}/", "--ca", certs.ca), 1, "", "refused")
    with Server("--tls-cert", cert, "--tls-key", key, "--tls-client-ca", certs.ca) as server:
        url = f"wss://localhost:{server.port}/echo"
        mine = ("--cert", certs.file("client.pem"), "--key", certs.file("client.key"))
        expect(connect(url, "--one", "--ca", certs.ca, *mine, say="hello\n"), out="hello\n")
        expect(connect(url, "--ca", certs.ca), 5, "", "certificate required")


def proxies():
    with Server() as server, HttpProxy("us:pw") as http, SocksProxy() as socks:
        url = server.url()
        named = f"http://us:pw@127.0.0.1:{http.port}"
        expect(connect(url, "--one", "--proxy", named, say="a\n"), out="a\n")
        named_socks = f"socks5://127.0.0.1:{socks.port}"
        expect(connect(url, "--one", "-x", named_socks, say="b\n"), out="b\n")
        expect(connect(url, "--one", say="c\n", env=environment(http_proxy=named)), out="c\n")
        assert (len(http.asked), len(socks.asked)) == (2, 1)
        expect(connect(url, "--one", "--no-proxy", say="d\n", env=environment(http_proxy=named)),
               out="d\n")
        assert len(http.asked) == 2
        expect(connect(url, "-x", f"http://127.0.0.1:{http.port}"), 6, "", "407")


def where_it_comes_from():
    seen = []

    def serve(sock):
        seen.append(sock.getpeername()[0])
        sock.sendall(response(read_head(sock)) + b"\x88\x00")
        sock.recv(100)
    with Listener(serve) as listener:
        expect(connect(f"ws://127.0.0.1:{listener.port}/", "--source", "127.0.0.7"))
    assert seen == ["127.0.0.7"], seen


def back_again():
    count = [0]

    def serve(sock):
        count[0] += 1
        sock.sendall(response(read_head(sock)) + b"\x81\x01" + b"%d" % count[0])
        if count[0] == 3:
            sock.sendall(b"\x88\x02\x03\xe8")
            sock.recv(100)
    with Listener(serve) as listener:
        process = subprocess.Popen(
            [os.environ["WRING"], "connect", "--reconnect", "20",
             f"ws://127.0.0.1:{listener.port}/"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env=environment())
        assert [process.stdout.readline() for _ in range(3)] == ["1\n", "2\n", "3\n"]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=PATIENCE)
        assert re.search(r"without a close handshake; again in \d+ ms", err), err


# ---- exit codes ------------------------------------------------------------------------------------

def sends(data, end=False):
    def serve(sock):
        sock.sendall(response(read_head(sock)) + data)
        while not end and sock.recv(4096):
            pass
    return serve


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def offers_of_compression():
    """A plain offer stands behind one that asks something of the server, where there is memory for
    its answer."""
    first = "permessage-deflate; server_no_context_takeover; client_no_context_takeover; "
    plain = "permessage-deflate; client_no_context_takeover; client_max_window_bits"
    whole = ("--deflate-server-takeover", "--deflate-server-bits", "15")
    for options, offer, bare in (((), first + "client_max_window_bits, " + plain, 0),
                                 (("--deflate-budget", "1"), first + "client_max_window_bits", 3),
                                 (whole, plain, 0)):
        heard = []

        def serve(sock):
            heard.append(read_head(sock).decode())
            sock.sendall(response(heard[0].encode(), more=b"Sec-WebSocket-Extensions: "
                                  b"permessage-deflate") + b"\x88\x02\x03\xe8")
            sock.recv(4096)
        with Listener(serve) as listener:
            done = connect(f"ws://127.0.0.1:{listener.port}/", "--deflate", *options)
        assert f"Sec-WebSocket-Extensions: {offer}\r\n" in heard[0], (offer, heard)
        assert (done.returncode == 0) == (bare == 0), done
        assert bare == 0 or "server_no_context_takeover is missing" in done.stderr, done


def exit_codes():
    for serve, options, code, err in [
        (sends(b"\x88\x02\x03\xe8"), (), 0, ""),  # 1000
        (sends(b"\x88\x02\x03\xe9"), (), 0, ""),  # 1001
        (sends(b"\x88\x00"), (), 0, ""),
        (sends(b"\x88\x06\x03\xf3oops"), (), 3, "closed with 1011.*oops"),
        (sends(b"\x88\x02\x0f\xa1"), (), 3, "closed with 4001"),
        (sends(b"", end=True), (), 3, "without a close handshake"),
        (sends(b"\x81\x02\xff\xff"), (), 3, "not valid UTF-8"),
        (sends(b"\xff\xff"), (), 3, "framing rules"),
        (lambda sock: sock.recv(4096) and time.sleep(1), ("--timeout", "300"), 4, "in time"),
        (lambda sock: sock.sendall(read_head(sock)), (), 6, ""),
        (lambda sock: sock.sendall(response(read_head(sock), more=b"\r\n".join([b"X: y"] * 64))),
         (), 6, "the head has more than 64 header fields"),
        (lambda sock: sock.sendall(response(read_head(sock), more=b"X: " + b"y" * 70000)), (), 6,
         "the response head is larger"),
        (read_head, (), 6, "the server closed the connection before it answered the upgrade"),
        (reset, (), 6, "the server reset the connection before it answered the upgrade"),
        (lambda sock: read_head(sock) and reset(sock), (), 6, "the server reset the connection"),
        (lambda sock: sock.sendall(response(read_head(sock), status=b"403 Forbidden")), (), 6,
         "403 Forbidden"),
    ]:
        with Listener(serve) as listener:
            begin = time.monotonic()
            process = subprocess.Popen(
                [os.environ["WRING"], "connect", *options, f"ws://127.0.0.1:{listener.port}/"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env=environment())
            process.wait(timeout=PATIENCE)  # though its input stays open
            done = process.communicate()
            assert process.returncode == code and re.search(err, done[1]), (code, err, process, done)
            assert time.monotonic() - begin < 10
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        expect(connect(f"ws://127.0.0.1:{closed.getsockname()[1]}/"), 1, "",
               "^wring: cannot connect to 127.0.0.1 port .*refused\n$")
    for arguments, err in [((), "no URL"), (("http://x",), "not a well-formed"),
                           (("ws://x", "ws://y"), "ws://y"), (("--nonsense", "ws://x"), "nonsense"),
                           (("-H", "nonsense", "ws://x"), "Name: value"),
                           (("-H", "A: b\r\nC: d", "ws://x"), "control byte"),
                           (("--cert", "x", "wss://x"), "--cert and --key"),
                           (("--ca", "/none", "wss://x"), "/none"),
                           (("--proxy", "ftp://x", "ws://x"), "proxy"),
                           (("--timeout", "-1", "ws://x"), "--timeout '-1' is not a time"),
                           (("--source", "x", "ws://x"), "source")]:
        done = subprocess.run([os.environ["WRING"], "connect", *arguments], text=True,
                              capture_output=True, timeout=PATIENCE, env=environment())
        assert done.returncode == 2 and done.stdout == "", (arguments, done)
        assert err in done.stderr and done.stderr.count("\n") <= 2, (arguments, done)


def help_has_examples():
    done = subprocess.run([os.environ["WRING"], "connect", "--help"], text=True,
                          capture_output=True, timeout=PATIENCE)
    assert done.returncode == 0 and done.stderr == "", done
    for text in ("Examples:", "--subprotocol", "--insecure", "--proxy", "Exit codes: 0 "):
        assert text in done.stdout, (text, done.stdout)


def signals():
    for number in (signal.SIGINT, signal.SIGTERM):
        with Server() as server:
            process = subprocess.Popen([os.environ["WRING"], "connect", server.url()], text=True,
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, env=environment())
            process.stdin.write("one\n")
            process.stdin.flush()
            assert process.stdout.readline() == "one\n"
            process.send_signal(number)
            assert process.wait(timeout=PATIENCE) == 0
    # a server that answers no close: the second signal ends it at once
    asked = threading.Event()

    def answers_no_close(sock):
        sock.sendall(response(read_head(sock)) + b"\x81\x02hi")
        while sock.recv(4096):  # the close frame, then the end
            asked.set()
    with Listener(answers_no_close) as listener:
        process = subprocess.Popen(
            [os.environ["WRING"], "connect", f"ws://127.0.0.1:{listener.port}/"], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment())
        assert process.stdout.readline() == "hi\n"
        process.send_signal(signal.SIGINT)
        assert asked.wait(PATIENCE)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE) == 130  # not the code of a timeout


# ---- at a terminal ---------------------------------------------------------------------------------

class Terminal:
    """The command at a terminal of its own."""

    def __init__(self, *arguments):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen([os.environ["WRING"], "connect", *arguments], stdin=slave,
                                        stdout=slave, stderr=slave, env=environment(),
                                        start_new_session=True)
        os.close(slave)
        self.screen = ""

    def type(self, text):
        os.write(self.master, text.encode())

    def wait_for(self, text):
        deadline = time.monotonic() + 20
        while text not in self.screen:
            ready, _, _ = select.select([self.master], [], [], 0.2)
            try:
                self.screen += os.read(self.master, 65536).decode() if ready else ""
            except OSError:  # the other side is closed
                break
            assert time.monotonic() < deadline, (text, self.screen)
        assert text in self.screen, (text, self.screen)
        self.screen = self.screen.split(text, 1)[1]

    def end(self, code=0):
        assert self.process.wait(timeout=20) == code, (self.process.returncode, self.screen)
        os.close(self.master)


def a_person_at_a_terminal():
    with Server() as server:
        terminal = Terminal(server.url())
        terminal.wait_for("connected")
        terminal.type("hello\n")
        terminal.wait_for("hello\r\n")  # the terminal's own echo
        terminal.wait_for("hello\r\n")  # the server's
        terminal.type("again\n")
        terminal.wait_for("again\r\n")
        terminal.wait_for("again\r\n")
        terminal.type("\x04")  # Ctrl-D
        terminal.wait_for("closed with 1000")
        terminal.end()


def a_server_cannot_drive_the_terminal():
    """Escape sequences are shown, not obeyed; into a pipe everything goes as it is."""
    text = "\x1b[2Jred\x07\ttab\x7f\u009bé\u202e"
    data = text.encode()
    message = b"\x81" + bytes([len(data)]) + data + b"\x82\x03\xff\x1ba" + b"\x88\x02\x03\xe8"
    with Listener(sends(message)) as listener:
        url = f"ws://127.0.0.1:{listener.port}/"
        terminal = Terminal(url)
        terminal.wait_for("\\x1b[2Jred\\x07\ttab\\x7f\\u009bé")
        terminal.wait_for("\\xff\\x1ba\r\n")
        terminal.end()
        done = connect(url, text=False, say=b"")
        assert done.stdout == data + b"\n\xff\x1ba\n", done


run([lines_go_out_and_answers_come_back, a_file_goes_out_and_back_as_it_is,
     a_slow_server_holds_the_input_back, a_reader_that_goes_away_ends_it,
     headers_subprotocol_origin, a_handshake_that_fails_is_shown, pings, tls_options, proxies,
     where_it_comes_from, back_again, a_ping_that_is_not_answered, offers_of_compression,
     exit_codes, help_has_examples, signals, a_person_at_a_terminal,
     a_server_cannot_drive_the_terminal])
