#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Names: a name server of a few lines, which the client is shown by a mount of its own. Answers of
every kind, silence, and a host with addresses of which some do not answer."""
import json
import os
import random
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

import tools
from server import Server, run
from tools import PATIENCE, client_events, environment

A, AAAA = 1, 28
HERE, SILENT = "127.0.0.1", "127.0.0.77"
ZONE = {  # name: (A records, AAAA records), or a response code, or None: no answer at all
    "good.test": ([HERE], []),
    "both.test": ([HERE], ["::1"]),
    "slow.test": ([SILENT, HERE], []),
    "dead.test": ([SILENT], []),
    "many.test": ([f"127.0.1.{i}" for i in range(28)], []),
    "empty.test": ([], []),
    "nowhere.test": 3,   # NXDOMAIN
    "broken.test": 2,    # SERVFAIL
    "silent.test": None,
    "mute.test": None,
    "garbage.test": b"\xff" * 40,
}


class NameServer:
    def __init__(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # resolv.conf knows no ports: 53 at an address that nobody else takes
        self.host = f"127.{random.randint(1, 254)}.{random.randint(1, 254)}.{random.randint(1, 254)}"
        self.sock.bind((self.host, 53))
        self.asked = []
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        while True:
            query, peer = self.sock.recvfrom(4096)
            answer = self.answer(query)
            if answer is not None:
                self.sock.sendto(answer, peer)

    def answer(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1:at + 1 + query[at]].decode())
            at += query[at] + 1
        kind, = struct.unpack(">H", query[at + 1:at + 3])
        question = query[12:at + 5]
        name = ".".join(labels).lower()
        self.asked.append((name, kind))
        entry = ZONE.get(name, 3)
        if entry is None:
            return None
        if isinstance(entry, bytes):
            return query[:2] + entry
        code, records = (entry, []) if isinstance(entry, int) else (0, entry[kind == AAAA])
        family = socket.AF_INET6 if kind == AAAA else socket.AF_INET
        body = b"".join(
            struct.pack(">HHHIH", 0xC00C, kind, 1, 60, len(data)) + data
            for data in (socket.inet_pton(family, text) for text in records))
        return query[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(records), 0, 0) + \
            question + body


try:
    names = NameServer()
except PermissionError:
    print("port 53 of a loopback address is not ours: skipped")
    sys.exit(77)
resolver = tempfile.NamedTemporaryFile("w", prefix="wring-resolv-")
resolver.write(f"nameserver {names.host}\noptions timeout:1 attempts:2\n")
resolver.flush()
wrapper = tempfile.NamedTemporaryFile("w", prefix="wring-names-", suffix=".sh", delete=False)
wrapper.write(f"""#!/bin/sh
exec unshare --mount sh -c 'mount --bind {resolver.name} /etc/resolv.conf && exec "$@"' - \\
    ${{PROGRAM:-{tools.CLIENT}}} "$@"
""")
wrapper.close()
os.chmod(wrapper.name, 0o700)
if subprocess.run(["unshare", "--mount", "mount", "--bind", resolver.name, "/etc/resolv.conf"],
                  capture_output=True).returncode != 0:
    os.unlink(wrapper.name)
    print("no mount namespace of its own for a resolv.conf: skipped")
    sys.exit(77)
tools.CLIENT = wrapper.name
certs = tools.Certs()


def last(name, port, *options):
    begin = time.monotonic()
    events = client_events(f"ws://{name}:{port}/echo", "--say", "hi", *options)
    return events, time.monotonic() - begin


class Hole:
    """An address where connections are neither taken nor refused: a full backlog."""

    def __init__(self, port):
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind((SILENT, port))
        self.sock.listen(0)
        self.fill = [socket.socket() for _ in range(4)]
        for sock in self.fill:
            sock.setblocking(False)
            sock.connect_ex((SILENT, port))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        for sock in [self.sock, *self.fill]:
            sock.close()


def good_names():
    with Server() as server:
        for name in ("good.test", "GOOD.test", "both.test", "good.test."):
            events, took = last(name, server.port)
            assert events[1]["payload"] == "hi" and took < 20, (name, events)
    assert ("good.test", A) in names.asked and ("good.test", AAAA) in names.asked, names.asked


def an_absolute_name_over_tls():
    """RFC 6066 3: without its dot in SNI and certificate; with it in the Host header, as curl has it."""
    asked, heads = [], []
    context = certs.server_context("server")
    context.sni_callback = lambda sock, name, _: asked.append(name)

    def serve(sock):
        with context.wrap_socket(sock, server_side=True) as tls:
            heads.append(tools.read_head(tls))
            tls.sendall(tools.response(heads[-1]) + b"\x88\x02\x03\xe8")
            while tls.recv(4096):
                pass
    ZONE["x.wild.example"] = ([HERE], [])
    with tools.Listener(serve) as listener:
        events = client_events(f"wss://x.wild.example.:{listener.port}/", "--ca", certs.ca)
        assert events[-1]["result"] == "OK" and events[0]["verified"], events
        assert asked == ["x.wild.example"], asked
        assert f"Host: x.wild.example.:{listener.port}\r\n".encode() in heads[0], heads


def an_address_that_does_not_answer():
    """The next one is tried a quarter of a second later: RFC 8305 5."""
    with Server() as server, Hole(server.port):
        events, took = last("slow.test", server.port)
        assert events[1]["payload"] == "hi" and 0.2 < took < 20, (took, events)
        # long enough for the name to be resolved
        events, took = last("dead.test", server.port, "--timeout", "4000")
        assert events[-1]["result"] == "ERR_TIMEOUT", events
        assert "connection was not made in time" in events[-1]["why"], events


def names_without_an_address():
    for name, why in [("nowhere.test", "not found"), ("empty.test", ""), ("broken.test", "")]:
        events, took = last(name, 9)
        assert events[-1]["result"] == "ERR_ADDRESS" and name in events[-1]["why"], events
        assert why in events[-1]["why"].lower() and took < 20, (took, events)


def name_servers_that_are_silent_or_mad():
    for name in ("silent.test", "garbage.test"):
        events, took = last(name, 9, "--timeout", "500")
        assert events[-1]["result"] in ("ERR_TIMEOUT", "ERR_ADDRESS"), (name, events)
        assert took < 20, took
    assert last("silent.test", 9, "--timeout", "500")[0][-1]["why"] == \
        "the name was not resolved in time"


def no_more_addresses_than_there_is_room_for():
    with socket.socket() as closed:
        closed.bind(("", 0))
        events, _ = last("many.test", closed.getsockname()[1])
        assert events[-1]["result"] == "ERR_CONNECT", events


def again_after_the_name_server_is_well():
    """A client that comes back asks for the name anew."""
    ZONE["changing.test"] = 2
    with Server() as server:
        process = subprocess.Popen(
            [tools.CLIENT, "--timeout", "60000", "--say", "hi", "--reconnect", "100", "--sessions",
             "1", "listen", f"ws://changing.test:{server.port}/echo"], stdout=subprocess.PIPE,
            text=True, env=environment())
        event = json.loads(process.stdout.readline())
        assert event["event"] == "waiting" and event["result"] == "ERR_ADDRESS", event
        ZONE["changing.test"] = ([HERE], [])
        out, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0 and '"payload":"hi"' in out, out


def load_tester(*arguments):
    """`wring bench` with our name server."""
    return subprocess.Popen([wrapper.name, "bench", *map(str, arguments)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True,
                            env=environment(PROGRAM=os.environ["WRING"]))


def the_load_tester_passes_over_a_silent_address():
    with Server() as server, Hole(server.port):
        process = load_tester("--json", "-q", "-c", 3, "-d", "200ms", "--warmup", 0,
                              f"ws://slow.test:{server.port}/echo")
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, (process.returncode, err)
        assert json.loads(out)["connections"]["opened"] == 3, out


def the_load_testers_start_ends_with_ctrl_c():
    process = load_tester("--connect-timeout", "10m", "ws://mute.test:1/echo")
    deadline = time.monotonic() + PATIENCE
    while not any(name == "mute.test" for name, _ in names.asked):
        assert process.poll() is None and time.monotonic() < deadline, process.returncode
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130 and "ended before" in err, (process.returncode, err)


def the_load_tester_says_which_name_has_no_address():
    process = load_tester("ws://nowhere.test:1/echo")
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1 and "cannot resolve 'nowhere.test'" in err, err


try:
    run([good_names, an_absolute_name_over_tls, an_address_that_does_not_answer, names_without_an_address,
         name_servers_that_are_silent_or_mad, no_more_addresses_than_there_is_room_for,
         again_after_the_name_server_is_well, the_load_tester_passes_over_a_silent_address,
         the_load_testers_start_ends_with_ctrl_c, the_load_tester_says_which_name_has_no_address])
finally:
    os.unlink(wrapper.name)
