#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What streams of one connection do to each other, with python3-h2 and python3-wsproto: hundreds of
WebSockets, compression, fragments, and windows that the client keeps small, shut, or takes back. h2
itself raises an error when a byte comes for which there is no window."""
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "e2e"))
from h2_tools import Connection, Request, h2, message, wsproto
from http_tools import BIG, HttpServer
from server import run
from tools import Certs

certs = Certs()
NO_ERROR = 0
CODES = h2.settings.SettingCodes


def on_both(test):
    """`test(server, context)` in clear text and over TLS."""
    def twice():
        for secure in (False, True):
            options = ("--tls", certs.folder.name) if secure else ()
            context = certs.client_context() if secure else None
            if context:
                context.set_alpn_protocols(["h2"])
            with HttpServer("--http2", "all", *options) as server:
                test(server, context)
                assert server.faults() == [], server.faults()
            assert server.connections == 1, server.connections
    twice.__name__ = test.__name__
    return twice


def closed_well(connection, sockets):
    for i, s in enumerate(sockets):
        s.send(wsproto.events.CloseConnection(code=3000 + i, reason="done"))
    connection.until(lambda: all(s.ended for s in sockets))
    assert [s.closed for s in sockets] == [3000 + i for i in range(len(sockets))]
    # the server does not wait forever for our END_STREAM
    resets = [(s.stream, s.reset) for s in sockets if s.reset not in (None, NO_ERROR)]
    assert not resets, resets


def hundreds_of_sockets(server, context):
    connection = Connection(server.port, context)
    sockets = [connection.open("/peer") for _ in range(400)]
    connection.until(lambda: all(len(s.messages) == 1 for s in sockets))
    said = {s.messages.pop() for s in sockets}
    assert len(said) == 1 and next(iter(said)).endswith(" 20"), said
    sent = [os.urandom(70000 if i % 20 == 0 else 100 + i) for i in range(len(sockets))]
    for _ in range(3):
        for s, payload in zip(sockets, sent):
            s.send(message(payload))
    connection.until(lambda: all(len(s.messages) == 3 for s in sockets))
    wrong = [i for i, s in enumerate(sockets) if s.messages != [sent[i]] * 3]
    assert not wrong, [(i, len(sent[i]), [len(one) for one in sockets[i].messages]) for i in wrong]
    request = Request(connection, "/hello")  # beside them
    connection.until(lambda: request.ended)
    assert json.loads(request.answer)["version"] == 20
    closed_well(connection, sockets)


def fragments_and_padding(server, context):
    """Messages in fragments with a ping between, frames in DATA of a byte each, and DATA with padding."""
    connection = Connection(server.port, context)
    s = connection.open("/ws")
    whole = os.urandom(70000)
    for at in range(0, len(whole), 7000):
        s.send(wsproto.events.BytesMessage(data=whole[at:at + 7000],
                                           message_finished=at + 7000 >= len(whole)))
        s.send(wsproto.events.Ping(payload=b"between"))
    connection.until(lambda: s.messages == [whole] and s.pongs == 10)
    for byte in s.ws.send(message(whole[:300])):
        connection.h2.send_data(s.stream, bytes([byte]))
    connection.write()
    connection.until(lambda: s.messages[1:] == [whole[:300]])
    frame = s.ws.send(message(whole[:1000]))
    for at in range(0, len(frame), 100):
        connection.h2.send_data(s.stream, frame[at:at + 100], pad_length=200)
    connection.write()
    connection.until(lambda: s.messages[2:] == [whole[:1000]])
    closed_well(connection, [s])


def compression(server, context):
    connection = Connection(server.port, context)
    sockets = [connection.open("/deflate", deflate=wsproto.extensions.PerMessageDeflate())
               for _ in range(10)]
    assert all(s.headers["sec-websocket-extensions"].startswith("permessage-deflate")
               for s in sockets)
    sent = [b"x" * 70000, os.urandom(5000), b"", b"text " * 20000]
    for s in sockets:
        for payload in sent:
            s.send(message(payload))
    connection.until(lambda: all(len(s.messages) == len(sent) for s in sockets))
    assert all(s.messages == sent for s in sockets)
    assert all(s.bytes < 20000 for s in sockets), [s.bytes for s in sockets]
    closed_well(connection, sockets)


def small_windows(server, context):
    """A window of 1,000 bytes a stream: so many come, and as many as are acknowledged."""
    connection = Connection(server.port, context, {CODES.INITIAL_WINDOW_SIZE: 1000},
                            is_generous=False)
    stuck, other = connection.open("/ws"), connection.open("/ws")
    whole = os.urandom(70000)
    stuck.send(message(whole))
    connection.until(lambda: stuck.bytes == 1000)
    for i in range(10):
        other.send(message(b"%d" % i * 90))
        connection.until(lambda: len(other.messages) == i + 1)
        connection.ping()
        assert stuck.bytes == 1000, stuck.bytes
    assert other.messages == [b"%d" % i * 90 for i in range(10)]
    while not stuck.messages:  # a window's worth at a time, which must come whole
        come = stuck.bytes
        connection.acknowledge(stuck, min(1000, 70010 - come + 1000))
        connection.until(lambda: stuck.bytes == min(come + 1000, 70010))
    assert stuck.messages == [whole] and stuck.bytes == 70010
    connection.acknowledge(stuck, 1000)
    connection.acknowledge(other, other.bytes)
    closed_well(connection, [stuck, other])


def a_window_that_is_taken_back(server, context):
    """RFC 9113 6.9.2: a smaller INITIAL_WINDOW_SIZE may leave a stream less than nothing."""
    connection = Connection(server.port, context, is_generous=False)
    big = Request(connection, "/big?how=pieces")
    connection.until(lambda: big.bytes == 65535)
    connection.h2.update_settings({CODES.INITIAL_WINDOW_SIZE: 100})
    connection.write()
    connection.ping()
    connection.acknowledge(big, 65535)  # of the connection all, of the stream 65,435 too few ...
    connection.until(lambda: big.bytes == 65535 + 100)
    connection.ping()
    assert big.bytes == 65635, big.bytes
    connection.h2.update_settings({CODES.INITIAL_WINDOW_SIZE: 1 << 20})
    connection.write()
    connection.is_generous = True
    connection.until(lambda: big.ended)
    assert big.answer == BIG


def a_connection_without_window(server, context):
    """All streams together get the connection's 65,535 bytes. PING and SETTINGS need none."""
    connection = Connection(server.port, context, {CODES.INITIAL_WINDOW_SIZE: 1 << 20},
                            is_generous=False)
    requests = [Request(connection, "/big?how=pieces") for _ in range(4)]
    connection.until(lambda: sum(one.bytes for one in requests) == 65535)
    connection.ping()
    hello = Request(connection, "/hello")
    connection.until(lambda: hello.status == 200)  # its head comes; its body has to wait
    connection.ping()
    assert sum(one.bytes for one in requests) == 65535 and hello.bytes == 0
    connection.h2.increment_flow_control_window(1 << 24)
    connection.write()
    connection.until(lambda: hello.ended and all(one.ended for one in requests))
    assert all(one.answer == BIG for one in requests)


def large_frames_and_no_table(server, context):
    """Frames of 1 MiB may come, and no header is remembered: both are the client's to say."""
    connection = Connection(server.port, context, {CODES.MAX_FRAME_SIZE: 1 << 20,
                                                   CODES.INITIAL_WINDOW_SIZE: 1 << 22,
                                                   CODES.HEADER_TABLE_SIZE: 0})
    connection.h2.increment_flow_control_window(1 << 24)
    connection.write()
    for size in (0, 4096, 65536, 100):
        requests = [Request(connection, path) for path in ("/hello", "/big", "/nothing", "/sse")]
        connection.until(lambda: all(one.ended for one in requests))
        assert [one.status for one in requests] == [200, 200, 404, 200]
        assert requests[1].answer == BIG
        connection.h2.update_settings({CODES.HEADER_TABLE_SIZE: size})
        connection.write()
        connection.ping()


def bad_frames_and_early_ends(server, context):
    """What one stream does wrong is told to it, with a close; its neighbours hear nothing of it."""
    connection = Connection(server.port, context)
    neighbour = connection.open("/ws")
    for bad, code in ((b"\x82\x01x", 1002), (b"\xc2\x80\0\0\0\0", 1002),
                      (b"\x81\x81\0\0\0\0\xff", 1007), (b"\x88\x82\0\0\0\0\x03\xed", 1002)):
        s = connection.open("/ws")
        s.unsent = bad
        connection.flush()
        connection.until(lambda: s.closed is not None)
        assert s.closed == code, (bad, s.closed)
        connection.until(lambda: s.ended)
        neighbour.send(message(bad))
        connection.until(lambda: neighbour.messages == [bad])
        neighbour.messages.clear()
    s = connection.open("/ws")
    s.send(message(b"last words"))
    connection.h2.end_stream(s.stream)  # without a close
    connection.write()
    connection.until(lambda: s.ended or s.reset is not None)
    assert s.messages == [b"last words"], s.messages
    closed_well(connection, [neighbour])


if __name__ == "__main__":
    run([on_both(hundreds_of_sockets), on_both(fragments_and_padding), on_both(compression),
         on_both(small_windows), on_both(a_window_that_is_taken_back),
         on_both(a_connection_without_window), on_both(large_frames_and_no_table),
         on_both(bad_frames_and_early_ends)])
