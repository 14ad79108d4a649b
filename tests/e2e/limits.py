#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Limits and policies of `wring serve`, over plain sockets: peers that do not read."""
import contextlib
import json
import select
import socket
import time

from server import UPGRADE, Server, at_end, frame, read_frame, run
from tools import Certs


def serve(*options):
    return Server("--drain-ms", "300", *options)  # some here never answer a close


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
    with serve(*SMALL) as server:
        slow, _ = flood(server, lambda s: s["slow_ended"] == 1)
        seen, code = numbers(slow, None)
        assert code == 1008 and seen == list(range(len(seen))), (code, len(seen))
        assert at_end(slow)


def or_with_1013_where_that_is_legal():
    with serve(*SMALL, "--iana-close-codes") as server:
        slow, _ = flood(server, lambda s: s["slow_ended"] == 1)
        assert numbers(slow, None)[1] == 1013


def drop_newest_keeps_the_connection_and_the_oldest():
    with serve(*SMALL, "--slow-policy", "drop-newest") as server:
        slow, count = flood(server, lambda s: s["dropped_newest"] > 0)
        kept = count - stats(server)["dropped_newest"]
        assert [int(read_frame(slow)[1][:6]) for _ in range(kept)] == list(range(kept))
        slow.sendall(frame(9, b"that was all?"))
        assert read_frame(slow) == (10, b"that was all?")
        assert stats(server)["slow_ended"] == 0


def drop_oldest_and_keep_latest_keep_the_newest():
    for policy, counter in (("drop-oldest", "dropped_oldest"),
                            ("keep-latest", "dropped_replaced")):
        with serve(*SMALL, "--slow-policy", policy) as server:
            slow, count = flood(server, lambda s: s[counter] > 0)
            dropped = stats(server)[counter]
            seen, _ = numbers(slow, count - 1)
            assert seen == sorted(set(seen)) and len(seen) == count - dropped, policy
            assert stats(server)["slow_ended"] == 0


def congested_for_too_long_ends_a_session():
    with serve(*SMALL, "--slow-policy", "drop-oldest", "--slow-timeout", "300") as server:
        slow = subscribed(server, "/topic/x")
        publisher = subscribed(server, "/topic/x")
        message = frame(1, b"." * 16000)

        def ended():
            for _ in range(100):  # what is dropped fills no socket: it goes on until they are full
                publisher.sendall(message)
            return stats(server)["slow_ended"] == 1
        wait_for(ended, 60)
        slow.close()


def a_window_gathers_what_is_published():
    """Many publishes, few sends: and all of it comes, in order, to all but its author."""
    with serve("--workers", "1", "--admin-port", "0", "--coalesce-us", "50000") as server:
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


def close_of(sock):
    """Reads up to the close frame; its code."""
    while True:
        opcode, payload = read_frame(sock)
        if opcode == 8:
            return int.from_bytes(payload[:2], "big")


def messages_over_the_rate_are_1008():
    with serve("--workers", "1", "--admin-port", "0", "--message-rate", "10",
                "--message-burst", "50") as server:
        good, bad = server.upgraded(), server.upgraded()
        bad.sendall(frame(1, b"x") * 100)
        for _ in range(50):
            assert read_frame(bad) == (1, b"x")
        assert close_of(bad) == 1008 and at_end(bad)
        good.sendall(frame(1, b"x") * 50)
        for _ in range(50):
            assert read_frame(good) == (1, b"x")
        assert stats(server)["rate_ended"] == 1


def a_ping_flood_is_1008():
    with serve("--workers", "1", "--admin-port", "0") as server:
        sock = server.upgraded()
        began = time.monotonic()
        sock.sendall(frame(9, b"x") * 5000)
        pongs = 0
        while (got := read_frame(sock))[0] == 10:
            pongs += 1
        most = 501 + 100 * (time.monotonic() - began)  # the burst, and what the time allows
        assert got[0] == 8 and got[1][:2] == b"\x03\xf0" and pongs <= most, (got, pongs, most)
        assert stats(server)["rate_ended"] == 1


def refused(server):
    """The connection is closed without an answer."""
    sock = server.connect()
    try:
        return sock.recv(1) == b""
    except ConnectionResetError:
        return True


def connections_are_limited_in_all_and_by_address():
    for option, counter in (("--max-connections-total", "refused_total"),
                            ("--max-per-source", "refused_source")):
        with serve("--workers", "2", "--admin-port", "0", option, "5") as server:
            held = [server.upgraded() for _ in range(5)]
            assert refused(server) and refused(server)
            assert stats(server)[counter] == 2
            held.pop().close()
            wait_for(lambda: stats(server)["connections"] == 4)
            held.append(server.upgraded())
            assert refused(server)


def unfinished_handshakes_make_room_for_newer_ones():
    with serve("--workers", "1", "--admin-port", "0", "--max-handshakes", "10") as server:
        upgraded = [server.upgraded() for _ in range(20)]  # finished ones do not count
        silent = []
        for _ in range(15):
            silent.append(server.connect())
            wait_for(lambda: stats(server)["accepted"] == 20 + len(silent))
        assert stats(server)["handshakes_evicted"] == 5
        for sock in silent[:5]:
            sock.settimeout(5)
            try:
                assert sock.recv(1) == b""
            except ConnectionResetError:
                pass
        late = server.upgraded()
        for sock in upgraded + [late]:
            sock.sendall(frame(1, b"x"))
            assert read_frame(sock) == (1, b"x")
    with serve("--admin-port", "0", "--max-handshakes-per-source", "3") as server:
        done = [server.upgraded() for _ in range(5)]
        silent = [server.connect() for _ in range(3)]
        wait_for(lambda: stats(server)["accepted"] == 8)
        assert refused(server)
        assert len(done) + len(silent) == 8


def tls_handshakes_are_limited_by_the_second():
    """A flood of them is closed unread; sessions that are open do not notice."""
    certs = Certs()
    cert, key = certs.pair("server")
    with serve("--workers", "1", "--admin-port", "0", "--tls-handshake-rate", "5", "--tls-cert",
               cert, "--tls-key", key) as server:
        def secure(sock=None):
            sock = certs.client_context().wrap_socket(sock or server.connect(),
                                                      server_hostname="localhost")
            sock.sendall(UPGRADE.format(path="/echo").encode())
            head = b""
            while b"\r\n\r\n" not in head:
                piece = sock.recv(1)
                assert piece, head
                head += piece
            return sock
        first = secure()
        open_ones = [first]
        accepted = 1
        while stats(server)["refused_tls_rate"] < 20:
            flood = [server.connect() for _ in range(50)]  # faster than they could be answered
            accepted += len(flood)
            wait_for(lambda: stats(server)["accepted"] == accepted)
            for sock in flood:
                with contextlib.suppress(OSError):  # ssl.SSLError is one
                    open_ones.append(secure(sock))
        seen = stats(server)
        assert seen["accepted"] == len(open_ones) + seen["refused_tls_rate"], (seen, len(open_ones))
        for sock in open_ones:
            sock.sendall(frame(1, b"still here"))
            assert read_frame(sock) == (1, b"still here")

        def admitted():
            try:
                return secure()
            except OSError:
                return None
        wait_for(admitted)  # a fifth of a second later


def sessions_end_at_their_maximum_age():
    with serve("--workers", "1", "--admin-port", "0", "--max-age", "500") as server:
        began = time.monotonic()
        sock = server.upgraded()
        assert close_of(sock) == 1001
        assert time.monotonic() - began >= 0.44
        sock.sendall(frame(8, b"\x03\xe9"))
        assert at_end(sock)
        assert stats(server)["too_old"] == 1


def a_ping_without_an_answer_ends_the_session():
    with serve("--ping-interval", "100", "--pong-timeout", "3000") as server:
        mute, alive = server.upgraded(), server.upgraded()
        for _ in range(5):
            assert read_frame(alive) == (9, b"")
            alive.sendall(frame(10, b""))
        assert read_frame(mute) == (9, b"")
        assert close_of(mute) == 1001
        assert at_end(mute)


def memory_stays_within_its_budget():
    """Half messages of 8 MiB from forty peers: reading stops, the largest go, others are served."""
    budget = 64 << 20
    with serve("--workers", "2", "--admin-port", "0", "--memory-budget", str(budget)) as server:
        witness = server.upgraded()
        hogs = [server.upgraded() for _ in range(40)]
        begun = frame(2, b"x" * (16 << 20))[: 8 << 20]
        for sock in hogs:
            sock.setblocking(False)
        left = [memoryview(begun)] * len(hogs)
        highest = 0
        end = time.monotonic() + 60
        while any(left) and time.monotonic() < end:
            for i, sock in enumerate(hogs):
                try:
                    left[i] = left[i][sock.send(left[i][:65536]):] if left[i] else left[i]
                except BlockingIOError:
                    pass
                except OSError:  # it had to go
                    left[i] = memoryview(b"")
            highest = max(highest, stats(server)["memory_held"])
            if stats(server)["memory_evicted"] >= 10:
                break
        seen = stats(server)
        assert seen["memory_evicted"] > 0 and seen["memory_stops"] > 0, seen
        # of the 320 MiB that want in; what a turn receives before it looks comes on top
        assert highest <= budget * 1.5, (highest, budget)
        gone = select.select(hogs, [], [], 20)[0]
        for sock in gone:
            sock.settimeout(20)
            assert close_of(sock) == 1008  # before whatever its sending into a closed socket brought
        for sock in hogs:
            sock.close()
        wait_for(lambda: stats(server)["memory_held"] < budget // 2)
        witness.sendall(frame(1, b"still here"))
        assert read_frame(witness) == (1, b"still here")
        late = server.upgraded()
        late.sendall(frame(1, b"welcome"))
        assert read_frame(late) == (1, b"welcome")


def closes_are_spread_when_it_stops():
    with Server("--workers", "1", "--drain-spread", "1000") as server:
        socks = [server.upgraded() for _ in range(20)]
        began = time.monotonic()
        server.process.terminate()
        times = []
        for sock in socks:
            assert close_of(sock) == 1001
            times.append(time.monotonic() - began)
            sock.sendall(frame(8, b"\x03\xe9"))
        assert times[-1] > 0.8, times  # in the order they came, evenly
        assert server.process.wait(timeout=30) == 0


run([a_peer_that_does_not_read_is_disconnected, or_with_1013_where_that_is_legal,
     drop_newest_keeps_the_connection_and_the_oldest,
     drop_oldest_and_keep_latest_keep_the_newest, congested_for_too_long_ends_a_session,
     a_window_gathers_what_is_published, messages_over_the_rate_are_1008, a_ping_flood_is_1008,
     connections_are_limited_in_all_and_by_address,
     unfinished_handshakes_make_room_for_newer_ones, tls_handshakes_are_limited_by_the_second, sessions_end_at_their_maximum_age,
     a_ping_without_an_answer_ends_the_session, memory_stays_within_its_budget,
     closes_are_spread_when_it_stops])
