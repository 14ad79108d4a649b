#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Limits and policies of `wring serve`, over plain sockets: peers that do not read."""
import json
import socket
import time

from server import Server, at_end, frame, read_frame, run


def stats(server):
    sock = socket.create_connection(("127.0.0.1", server.admin_port), timeout=20)
    sock.sendall(b"GET /stats HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answer = b""
    while piece := sock.recv(65536):
        answer += piece
    return json.loads(answer.split(b"\r\n\r\n", 1)[1])


def wait_for(what, seconds=20):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def subscribed(server, path):
    sock = server.upgraded(path)
    sock.sendall(frame(9, b"in?"))
    assert read_frame(sock) == (10, b"in?")
    return sock


SMALL = ("--workers", "1", "--admin-port", "0", "--send-soft", "20000", "--send-hard", "100000")


def flood(server, is_done):
    """Publishes to one who reads and one who does not, until the policy has acted; the first gets
    everything. Returns the other, and how many messages there were."""
    slow = subscribed(server, "/topic/x")
    healthy = subscribed(server, "/topic/x")
    publisher = subscribed(server, "/topic/x")
    for i in range(20000):
        publisher.sendall(frame(1, b"%06d" % i + b"." * 16000))
        assert read_frame(healthy)[1][:6] == b"%06d" % i
        if i % 50 == 49 and is_done(stats(server)):
            return slow, i + 1
    raise AssertionError(stats(server))


def numbers(sock, until):
    """What the slow one reads at last: the numbers, in order."""
    seen = []
    while True:
        opcode, payload = read_frame(sock)
        if opcode == 8:
            return seen, int.from_bytes(payload[:2], "big")
        seen.append(int(payload[:6]))
        if seen[-1] == until:
            return seen, None


def a_peer_that_does_not_read_is_disconnected():
    with Server(*SMALL) as server:
        slow, _ = flood(server, lambda s: s["slow_ended"] == 1)
        seen, code = numbers(slow, None)
        assert code == 1008 and seen == list(range(len(seen))), (code, len(seen))
        assert at_end(slow)


def or_with_1013_where_that_is_legal():
    with Server(*SMALL, "--iana-close-codes") as server:
        slow, _ = flood(server, lambda s: s["slow_ended"] == 1)
        assert numbers(slow, None)[1] == 1013


def drop_newest_keeps_the_connection_and_the_oldest():
    with Server(*SMALL, "--slow-policy", "drop-newest") as server:
        slow, count = flood(server, lambda s: s["dropped_newest"] > 0)
        dropped = stats(server)["dropped_newest"]
        slow.settimeout(1)
        seen = []
        try:
            while True:
                seen.append(int(read_frame(slow)[1][:6]))
        except TimeoutError:
            pass
        assert seen == list(range(count - dropped))
        assert stats(server)["slow_ended"] == 0


def drop_oldest_and_keep_latest_keep_the_newest():
    for policy, counter in (("drop-oldest", "dropped_oldest"),
                            ("keep-latest", "dropped_replaced")):
        with Server(*SMALL, "--slow-policy", policy) as server:
            slow, count = flood(server, lambda s: s[counter] > 0)
            dropped = stats(server)[counter]
            seen, _ = numbers(slow, count - 1)
            assert seen == sorted(set(seen)) and len(seen) == count - dropped, policy
            assert stats(server)["slow_ended"] == 0


def congested_for_too_long_ends_a_session():
    with Server(*SMALL, "--slow-policy", "drop-oldest", "--slow-timeout", "300") as server:
        slow = subscribed(server, "/topic/x")
        publisher = subscribed(server, "/topic/x")
        for _ in range(1000):
            publisher.sendall(frame(1, b"." * 16000))
        wait_for(lambda: stats(server)["slow_ended"] == 1)
        slow.close()


def a_window_gathers_what_is_published():
    """Many publishes, few sends: and all of it comes, in order, to all but its author."""
    with Server("--workers", "1", "--admin-port", "0", "--coalesce-us", "50000") as server:
        readers = [subscribed(server, "/topic/x") for _ in range(3)]
        began = time.monotonic()
        for i in range(200):
            readers[0].sendall(frame(1, b"%d" % i))
            readers[1].sendall(frame(2, b"%d" % i))
        for i in range(200):
            assert read_frame(readers[0]) == (2, b"%d" % i)
            assert read_frame(readers[1]) == (1, b"%d" % i)
        assert time.monotonic() - began >= 0.05
        texts, binaries = [], []
        for _ in range(400):
            opcode, payload = read_frame(readers[2])
            (texts if opcode == 1 else binaries).append(int(payload))
        assert texts == binaries == list(range(200))


run([a_peer_that_does_not_read_is_disconnected, or_with_1013_where_that_is_legal,
     drop_newest_keeps_the_connection_and_the_oldest,
     drop_oldest_and_keep_latest_keep_the_newest, congested_for_too_long_ends_a_session,
     a_window_gathers_what_is_published])
