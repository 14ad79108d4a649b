#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What no client library would send: byte by byte, all at once, and wrong, over plain sockets."""
import struct
import socket
import time

from server import KEY, UPGRADE, Server, at_end, frame, read_exactly, read_frame, run

server = Server("--close-timeout", "600000")  # longer than anybody here waits


def close_code(payload):
    return int.from_bytes(payload[:2], "big")


def expect_close(data, code):
    """What is sent is answered with this close code, then the stream ends: nothing is waited for."""
    sock = server.upgraded()
    sock.sendall(data)
    opcode, payload = read_frame(sock)
    assert (opcode, close_code(payload)) == (8, code), (opcode, payload)
    assert at_end(sock)


def one_byte_at_a_time():
    sock = server.connect()
    data = UPGRADE.format(path="/echo").encode() + frame(1, "dröpwise".encode()) + frame(8, b"\x03\xe8")
    for byte in data:
        sock.sendall(bytes([byte]))
    head = b""
    while b"\r\n\r\n" not in head:
        head += read_exactly(sock, 1)
    assert read_frame(sock) == (1, "dröpwise".encode())
    assert read_frame(sock) == (8, b"\x03\xe8")
    assert at_end(sock)


def first_frame_with_the_handshake():
    head = UPGRADE.format(path="/echo").encode()
    first = frame(2, b"early bird")
    for cut in (len(head), len(head) + 1, len(head) + 7, len(head) - 1):
        sock = server.connect()
        data = head + first
        sock.sendall(data[:cut])
        if cut != len(head):
            time.sleep(0.01)
        sock.sendall(data[cut:])
        text = b""
        while b"\r\n\r\n" not in text:
            text += read_exactly(sock, 1)
        assert read_frame(sock) == (2, b"early bird")
        sock.close()
    sock = server.connect()
    sock.sendall(head + first)  # one packet
    text = b""
    while b"\r\n\r\n" not in text:
        text += read_exactly(sock, 1)
    assert read_frame(sock) == (2, b"early bird")


def ten_thousand_frames_at_once():
    sock = server.upgraded()
    sock.sendall(b"".join(frame(1, b"%d" % i) for i in range(10000)))
    for i in range(10000):
        assert read_frame(sock) == (1, b"%d" % i)


def fragments_with_a_ping_between():
    sock = server.upgraded()
    sock.sendall(frame(1, b"Hel", fin=False) + frame(9, b"now") + frame(0, b"", fin=False) +
                 frame(0, b"lo"))
    assert read_frame(sock) == (10, b"now")
    assert read_frame(sock) == (1, b"Hello")


def violations_have_their_close_codes():
    for data, code in [
        (frame(1, b"bare", mask=None), 1002),
        (frame(1, b"x", rsv=4), 1002),
        (frame(1, b"x", rsv=1), 1002),
        (frame(3, b""), 1002),
        (frame(11, b""), 1002),
        (frame(0, b"orphan"), 1002),
        (frame(9, b"x" * 126), 1002),
        (frame(9, b"", fin=False), 1002),
        (frame(1, b"a", fin=False) + frame(1, b"b"), 1002),
        (frame(8, b"\x03"), 1002),
        (frame(8, b"\x03\xed"), 1002),
        (frame(8, b"\x03\xe8\xff"), 1007),
        (frame(1, b"\xc0\x80"), 1007),
        (frame(1, b"\xed\xa0", fin=False), 1007),
        (b"\x82\xff\x00\x00\x00\x00\x01\x00\x00\x01", 1009),
        (b"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00", 1002),
    ]:
        expect_close(data, code)


def a_close_is_echoed_and_the_stream_ends():
    expect_close(frame(8, b"\x03\xe8bye"), 1000)
    expect_close(frame(8, b"\x13\x87"), 4999)


def http(data, stays=False):
    """The answers up to the end, which the server makes, or the client where the connection stays."""
    sock = server.connect()
    sock.sendall(data)
    if stays:
        sock.shutdown(socket.SHUT_WR)
    answer = b""
    while piece := sock.recv(65536):
        answer += piece
    return answer


def requests_that_are_refused():
    good = UPGRADE.format(path="/echo").encode()
    for data, status, ends in [
        (b"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", 426, False),
        (good.replace(b"Version: 13", b"Version: 8"), 426, True),
        (b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n", 404, False),
        (b"BLA\r\n\r\n", 400, True),
        (b"GET /echo HTTP/1.1\nHost: x\n\n", 400, True),
        (b"GET /healthz HTTP/1.1\r\n\r\n", 400, True),
        (b"GET /echo HTTP/1.0\r\nHost: x\r\n\r\n", 426, True),
        (b"GET /echo HTTP/2.0\r\nHost: x\r\n\r\n", 505, True),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n folded: yes\r\n\r\n", 400, True),
        (b"GET /healthz HTTP/1.1\r\nHost : x\r\n\r\n", 400, True),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: \x00\r\n\r\n", 400, True),
        (good.replace(KEY.encode(), b"short"), 400, True),
        (good.replace(b"Host: localhost", b"Host: a\r\nHost: b"), 400, True),
        (good.replace(b"Host: localhost", b"Host: a\r\nContent-Length: 5"), 400, True),
        (good.replace(b"GET", b"POST"), 405, False),
        (b"POST /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 405, False),
        (b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n", 414, True),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 64 + b"\r\n", 431, True),
        (b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: " + b"b" * 70000, 431, True),
    ]:
        answer = http(data, stays=not ends)
        assert answer.startswith(b"HTTP/1.1 %d " % status), (status, data[:60], answer[:60])
        assert (b"\r\nConnection: close\r\n" in answer) == ends, (data[:60], answer)
        assert b"A: b\r\n" not in data or b"has more than 64 header fields" in answer, answer
        if status == 426:
            assert b"\r\nUpgrade: websocket\r\n" in answer
            assert b"\r\nSec-WebSocket-Version: 13\r\n" in answer


def plain_pages():
    answer = http(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n", stays=True)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\nok\n")
    answer = http(b"GET /?query HTTP/1.1\r\nHost: x\r\n\r\n", stays=True)
    assert b"text/html" in answer and b"<title>wring chat</title>" in answer


def nothing_behind_a_refused_upgrade_is_a_request():
    refused = UPGRADE.format(path="/echo").encode().replace(b"Version: 13", b"Version: 8")
    answer = http(refused + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1 and b"ok\n" not in answer


def a_reset_in_the_middle_of_a_frame_harms_nobody():
    witness = server.upgraded()
    for i in range(100):
        sock = server.upgraded()
        sock.sendall(frame(2, b"x" * 5000)[: 100 + i * 40])
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        witness.sendall(frame(1, b"%d" % i))
        assert read_frame(witness) == (1, b"%d" % i)


def half_a_close_is_answered_with_what_was_asked():
    sock = server.upgraded()
    sock.sendall(frame(1, b"last words"))
    sock.shutdown(socket.SHUT_WR)
    assert read_frame(sock) == (1, b"last words")
    assert at_end(sock)


def a_slow_head_is_timed_out():
    with Server("--handshake-timeout", "300") as slow:
        sock = slow.connect()
        sock.sendall(b"GET /echo HTTP/1.1\r\n")
        for _ in range(50):  # bytes do not extend the deadline
            try:
                sock.sendall(b"A: b\r\n")
                time.sleep(0.02)
            except OSError:
                break
        answer = b""
        try:
            while piece := sock.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
        assert answer.startswith(b"HTTP/1.1 408 ") or answer == b"", answer


def silence_is_pinged_and_then_ended():
    with Server("--ping-interval", "100", "--idle-timeout", "400") as strict:
        sock = strict.upgraded()
        assert read_frame(sock) == (9, b"")
        opcode, payload = read_frame(sock)
        assert (opcode, close_code(payload)) == (8, 1001)
        assert at_end(sock)
    with Server("--ping-interval", "100", "--idle-timeout", "60000") as patient:
        sock = patient.upgraded()
        for _ in range(3):  # one ping a silence, however long that is
            assert read_frame(sock) == (9, b"")
            sock.sendall(frame(10, b""))


with server:
    try:
        run([one_byte_at_a_time, first_frame_with_the_handshake, ten_thousand_frames_at_once,
             fragments_with_a_ping_between, violations_have_their_close_codes,
             a_close_is_echoed_and_the_stream_ends, requests_that_are_refused, plain_pages,
             nothing_behind_a_refused_upgrade_is_a_request,
             a_reset_in_the_middle_of_a_frame_harms_nobody,
             half_a_close_is_answered_with_what_was_asked, a_slow_head_is_timed_out,
             silence_is_pinged_and_then_ended])
    finally:
        pass
