#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Our TLS server with `openssl s_client`, curl, Python and raw sockets."""
import asyncio
import contextlib
import json
import os
import re
import select
import socket
import ssl
import subprocess
import tempfile
import time

import websockets

from server import UPGRADE, Server, frame, read_exactly, read_frame, run
from tools import PATIENCE, Certs, Greeter, client_events, client_run, environment

certs = Certs()
PAIR = ("--tls-cert", certs.file("server.pem"), "--tls-key", certs.file("server.key"))
GET = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


def s_client(port, *options, say=GET, wait=b"\r\n\r\nok\n", codes=(0,)):
    """What `openssl s_client` prints until `wait` has come and its input ends."""
    process = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile",
                                certs.ca, "-verify_return_error", *options],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, bufsize=0)
    with contextlib.suppress(BrokenPipeError):  # it may have been refused already
        process.stdin.write(say.encode())
    out = b""
    while wait not in out and (piece := os.read(process.stdout.fileno(), 65536)):
        out += piece
    process.stdin.close()
    out += process.stdout.read()
    assert process.wait(timeout=PATIENCE) in codes, (process.returncode, out)
    return out.decode("latin-1")


# ---- openssl s_client ------------------------------------------------------------------------------

def both_versions():
    with Server(*PAIR) as server:
        for version, cipher in [("-tls1_2", "ECDHE-"), ("-tls1_3", "TLS_AES_128_GCM_SHA256")]:
            out = s_client(server.port, version, "-servername", "localhost")
            assert "HTTP/1.1 200 OK" in out and "Verify return code: 0 (ok)" in out, out
            assert re.search(r"Cipher is " + cipher, out), out
            assert "Compression: NONE" in out, out
        for version in ("-tls1", "-tls1_1"):
            out = s_client(server.port, version, "-cipher", "ALL:@SECLEVEL=0", codes=(1,))
            assert "alert protocol version" in out, out
        out = s_client(server.port, "-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0", codes=(1,))
        assert "alert handshake failure" in out, out


def application_protocols():
    with Greeter(certs) as server:
        for offered, chosen in [("wring,http/1.1", "http/1.1"), ("wring", "wring"),
                                ("h2,wring", "wring")]:
            out = s_client(server.port, "-alpn", offered, wait=b"426")
            assert f"ALPN protocol: {chosen}" in out, out
        out = s_client(server.port, wait=b"426")
        assert "No ALPN negotiated" in out, out
        out = s_client(server.port, "-alpn", "h2", codes=(1,))
        assert "alert no application protocol" in out, out


def a_certificate_for_each_name():
    with Greeter(certs) as server:
        for name, subject in [("localhost", "the server"), ("rsa.example", "RSA"),
                              ("RSA.Example", "RSA"), ("a.second.example", "the second server"),
                              ("a.b.second.example", "the server"), ("second.example", "the server"),
                              ("unknown.example", "the server")]:
            out = s_client(server.port, "-servername", name, wait=b"426")
            assert f"subject=CN = {subject}" in out, (name, out)
        out = s_client(server.port, "-noservername", wait=b"426")
        assert "subject=CN = the server" in out, out


def renegotiation_is_refused():
    with Server(*PAIR) as server:
        # the server answers with no_renegotiation, which s_client takes for fatal
        out = s_client(server.port, "-tls1_2", say="R\n", wait=b"no renegotiation", codes=(0, 1))
        assert "RENEGOTIATING" in out and "no renegotiation" in out, out
        assert "HTTP/1.1 200 OK" in s_client(server.port)


def sessions_are_resumed():
    with Greeter(certs) as server, tempfile.TemporaryDirectory() as folder:
        session = os.path.join(folder, "session")
        for version in ("-tls1_2", "-tls1_3"):
            for option, resumed, line in [("-sess_out", "false", "New, TLS"),
                                          ("-sess_in", "true", "Reused, TLS")]:
                out = s_client(server.port, version, option, session, wait=b'"verified":',
                               say=UPGRADE.format(path="/"))
                assert f'"resumed":{resumed}' in out, out
                assert line in out, out


# ---- curl and Python -------------------------------------------------------------------------------

def curl(port, *options, path="/healthz"):
    done = subprocess.run(["curl", "-sS", "--max-time", "20", "--cacert", certs.ca, *options,
                           f"https://localhost:{port}{path}"], capture_output=True, text=True,
                          env=environment(), timeout=PATIENCE)
    return done.returncode, done.stdout, done.stderr


def curl_of_each_version():
    with Server(*PAIR) as server:
        for options in ((), ("--tlsv1.3",), ("--tls-max", "1.2"), ("--http1.1",)):
            assert curl(server.port, *options) == (0, "ok\n", "")
        code, out, _ = curl(server.port, path="/")
        assert code == 0 and "<title>wring chat</title>" in out
        assert curl(server.port, "--cacert", certs.file("other-ca.pem"))[0] == 60


def connect(url, context, **options):
    return websockets.connect(url, max_size=1 << 26, ssl=context, **options)


def python_websockets():
    async def go(server):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = certs.client_context()
            context.minimum_version = context.maximum_version = version
            async with connect(f"wss://localhost:{server.port}/echo", context) as socket_:
                for size in (0, 1, 125, 126, 16383, 16384, 16385, 65536, 1 << 20, 16 << 20):
                    for message in (b"\xa5" * size, "é" * (size // 2)):
                        await socket_.send(message)
                        assert await socket_.recv() == message, size
                await socket_.send(["one ", "two ", "three"])
                assert await socket_.recv() == "one two three"
                await (await socket_.ping(b"there?"))
            assert socket_.close_code == 1000
    with Server(*PAIR) as server:
        asyncio.run(go(server))


def two_hundred_connections():
    async def go(server):
        context = certs.client_context()
        sockets = await asyncio.gather(*[
            connect(f"wss://localhost:{server.port}/echo", context, open_timeout=60)
            for _ in range(200)])
        for text in ("one", "two"):
            await asyncio.gather(*[socket_.send(text) for socket_ in sockets])
            replies = await asyncio.gather(*[socket_.recv() for socket_ in sockets])
            assert replies == [text] * 200
        await asyncio.gather(*[socket_.close() for socket_ in sockets])
        assert all(socket_.close_code == 1000 for socket_ in sockets)
    with Server(*PAIR) as server:
        asyncio.run(go(server))


# ---- raw sockets -----------------------------------------------------------------------------------

@contextlib.contextmanager
def upgraded(port, path="/echo"):
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain:
        context = certs.client_context()
        with context.wrap_socket(plain, server_hostname="localhost",
                                 suppress_ragged_eofs=False) as sock:
            sock.sendall(UPGRADE.format(path=path).encode())
            head = b""
            while b"\r\n\r\n" not in head:
                head += sock.recv(1)
            assert head.startswith(b"HTTP/1.1 101 "), head
            yield sock


def a_close_ends_with_close_notify():
    with Server(*PAIR) as server, upgraded(server.port) as sock:
        sock.sendall(frame(8, b"\x03\xe8bye"))
        assert read_frame(sock) == (8, b"\x03\xe8")
        assert sock.recv(1) == b""  # a ragged end would raise


def records_of_one_byte():
    with Server(*PAIR) as server, upgraded(server.port) as sock:
        for byte in frame(1, b"one by one"):
            sock.sendall(bytes([byte]))
        assert read_frame(sock) == (1, b"one by one")
        sock.sendall(b"".join(frame(1, b"%d" % i) for i in range(3000)))
        for i in range(3000):
            assert read_frame(sock) == (1, b"%d" % i)


def nothing_is_lost_to_a_slow_reader():
    """64 MB are sent as fast as the server takes them, and read only once it takes no more.

    By one thread: Python 3.11 lets two threads into one OpenSSL connection, where the error of the
    one may be told to the other.
    """
    payload = os.urandom(65000)
    data = frame(2, payload, mask=b"\0\0\0\0")
    count = 1000
    with Server(*PAIR, "--workers", "1") as server, upgraded(server.port) as sock:
        sock.setblocking(False)
        sent = 0
        while wait_for(sock, write=1):  # no room for a second: the server has stopped reading
            sent += try_send(sock, data)
        assert 0 < sent < count, sent
        assert curl(server.port) == (0, "ok\n", "")
        received = bytearray()
        whole = 4 + len(payload)
        came = 0
        while came < count:
            assert wait_for(sock, read=PATIENCE, write=PATIENCE if sent < count else None)
            if sent < count:
                sent += try_send(sock, data)
            with contextlib.suppress(ssl.SSLWantReadError):
                while piece := sock.recv(1 << 20):
                    received += piece
                raise AssertionError(f"the stream ended after {came} messages")
            while len(received) >= whole:
                assert received[:4] == b"\x82\x7e" + len(payload).to_bytes(2, "big")
                assert received[4:whole] == payload
                del received[:whole]
                came += 1
        assert sent == count and not received


def wait_for(sock, read=None, write=None):
    """False: neither came about in the seconds given for it."""
    reading = [sock] if read is not None else []
    writing = [sock] if write is not None else []
    return any(select.select(reading, writing, [], read if read is not None else write))


def try_send(sock, data):
    """1 when all of it is sent; 0: call again with the same data, of which OpenSSL keeps a part."""
    try:
        assert sock.send(data) == len(data)
        return 1
    except ssl.SSLWantWriteError:
        return 0


def a_cut_stream_is_an_abnormal_end():
    with Greeter(certs) as server:
        for unwrap in (False, True):
            with upgraded(server.port) as sock:
                read_frame(sock)
                sock.sendall(frame(1, b"hello"))
                assert read_frame(sock) == (1, b"hello")
                if unwrap:
                    with contextlib.suppress(OSError):
                        sock.unwrap()  # close_notify, but no close frame
        with upgraded(server.port) as sock:
            read_frame(sock)
            sock.sendall(frame(8, b"\x03\xe8"))
            assert read_frame(sock)[0] == 8
    # each told by its own worker
    assert sorted(server.ends.splitlines()) == ["end ERR_TLS_TRUNCATED 1006",
                                                "end ERR_TRUNCATED 1006", "end OK 1000"], server.ends


class Sealed:
    """TLS over a socket of ours, so that the stream's halves can be ended without TLS knowing."""
    def __init__(self, port):
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.sock.settimeout(60)
        self.sock.connect(("127.0.0.1", port))
        context = certs.client_context()
        self.received, self.sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.received, self.sent, server_hostname="localhost")
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.flush()
                self.received.write(self.sock.recv(65536))

    def flush(self):
        self.sock.sendall(self.sent.read())

    def write(self, data):
        self.tls.write(data)
        self.flush()

    def read(self):
        while True:
            try:
                return self.tls.read(65536)
            except ssl.SSLWantReadError:
                data = self.sock.recv(65536)
                if not data:
                    return b""
                self.received.write(data)
            except ssl.SSLZeroReturnError:
                return b""


def what_is_owed_is_sent_to_one_that_ended_its_half():
    """Its messages were whole; that its half ends without close_notify takes no answer from it."""
    with Server(*PAIR, "--workers", "1") as server:
        for messages, size in ((1, 100), (20, 1000), (60, 50000)):
            peer = Sealed(server.port)
            peer.write(UPGRADE.format(path="/echo").encode())
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += peer.read()
            payload = bytes(size)
            for _ in range(messages):
                peer.write(frame(2, payload))
            peer.sock.shutdown(socket.SHUT_WR)
            time.sleep(0.3)  # the server has it all by now, and its socket is full
            answers = b""
            while data := peer.read():
                answers += data
            expected = frame(2, payload, mask=None) * messages
            assert answers[:len(expected)] == expected, (messages, size, len(answers))


def plain_on_the_tls_port():
    with Server(*PAIR) as server, upgraded(server.port) as witness:
        for data in (GET.encode(), UPGRADE.format(path="/echo").encode(), b"\0" * 100,
                     b"\x16\x03\x01\xff\xff" + b"x" * 100, os.urandom(3000)):
            with server.connect() as sock:
                sock.sendall(data)
                answer = b""
                with contextlib.suppress(ConnectionResetError):
                    while piece := sock.recv(65536):
                        answer += piece
                # a fatal alert (record type 21) or nothing
                assert answer == b"" or answer[0] == 0x15, answer
        events = client_events(f"ws://127.0.0.1:{server.port}/echo")
        assert events[-1]["result"] in ("ERR_BAD_HTTP", "ERR_TRUNCATED", "ERR_TRANSPORT"), events
        witness.sendall(frame(1, b"unharmed"))
        assert read_frame(witness) == (1, b"unharmed")


def tls_on_the_plain_port():
    with Server() as server:
        events = client_events(f"wss://127.0.0.1:{server.port}/echo", "--insecure")
        assert events[-1]["result"] == "ERR_TLS_NOT_TLS", events
        code, _, err = curl(server.port)
        assert code == 35, (code, err)
        out = s_client(server.port, codes=(1,))
        assert "wrong version number" in out, out


def silence_in_the_handshake_is_timed_out():
    with Server(*PAIR, "--handshake-timeout", "300") as server:
        hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
        for drip in (b"", hello):
            begin = time.monotonic()
            with server.connect() as sock:
                with contextlib.suppress(ConnectionResetError, BrokenPipeError):
                    for i in range(len(drip)):
                        sock.sendall(drip[i:i + 1])
                        time.sleep(0.02)
                    while sock.recv(4096):
                        pass
                assert 0.25 < time.monotonic() - begin < 10


# ---- clients with certificates ---------------------------------------------------------------------

def client_certificates_are_asked_for():
    with Server(*PAIR, "--tls-client-ca", certs.ca) as server:
        cert, key = certs.pair("client")
        assert curl(server.port, "--cert", cert, "--key", key) == (0, "ok\n", "")
        for options in ((), ("--cert", certs.file("unknown-ca.pem"), "--key",
                             certs.file("unknown-ca.key")),
                        ("--cert", certs.file("expired.pem"), "--key", certs.file("expired.key"))):
            code, out, _ = curl(server.port, *options)
            # refused after its own side of the handshake: told when it sends, or when it reads
            assert code in (35, 55, 56) and out == "", (options, code, out)
        # our client, which is refused after its own side of the handshake is done
        url = f"wss://localhost:{server.port}/echo"
        events = client_events(url, "--ca", certs.ca)
        assert events[-1]["result"] == "ERR_TLS_CERTIFICATE_REFUSED", events
        assert "certificate required" in events[-1]["why"], events
        code, out, err = client_run("echo", url, "--ca", certs.ca, "--cert", cert, "--key", key,
                                    "--max", "65536")
        assert (code, out) == (0, "OK 4001\n"), (out, err)


def the_verified_identity_is_in_the_request():
    with Greeter(certs, certs.ca) as server:
        cert, key = certs.pair("client")
        trust = ("--ca", certs.ca)
        events = client_events(server.url, *trust, "--cert", cert, "--key", key)
        info = json.loads(events[1]["payload"])
        assert info["verified"] and info["peer"].split("\n") == [
            "CN:alice", "EMAIL:alice@example.com", "URI:spiffe://example.com/alice"], info
        events = client_events(server.url, *trust)  # it may come without
        info = json.loads(events[1]["payload"])
        assert not info["verified"] and info["peer"] == "", info
        assert info["server_name"] == "localhost", info
        events = client_events(server.url, *trust, "--cert", certs.file("unknown-ca.pem"), "--key",
                               certs.file("unknown-ca.key"))  # but not with a bad one
        assert events[-1]["result"] == "ERR_TLS_CERTIFICATE_REFUSED", events
        # a resumed session vouches for the same identity
        events = client_events(server.url, *trust, "--cert", cert, "--key", key, "--reconnect",
                               "1", "--sessions", "2")
        infos = [json.loads(e["payload"]) for e in events if e["event"] == "text"]
        assert [info["resumed"] for info in infos] == [False, True], infos
        assert infos[0]["peer"] == infos[1]["peer"] and infos[1]["verified"], infos


run([both_versions, application_protocols, a_certificate_for_each_name, renegotiation_is_refused,
     sessions_are_resumed, curl_of_each_version, python_websockets, two_hundred_connections,
     a_close_ends_with_close_notify, records_of_one_byte, nothing_is_lost_to_a_slow_reader,
     a_cut_stream_is_an_abnormal_end, what_is_owed_is_sent_to_one_that_ended_its_half,
     plain_on_the_tls_port, tls_on_the_plain_port,
     silence_in_the_handshake_is_timed_out, client_certificates_are_asked_for,
     the_verified_identity_is_in_the_request])
