# SPDX-License-Identifier: Apache-2.0
"""A WebSocket echo over HTTP/2, by python3-h2 and python3-wsproto, that misbehaves as it is told."""
import contextlib
import socket
import ssl
import struct
import threading

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import wsproto.connection
import wsproto.events

from tools import PATIENCE

ENABLE_CONNECT_PROTOCOL = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL


class Carrier:
    """One connection, in a thread of its own."""

    def __init__(self, server, sock):
        self.server, self.sock = server, sock
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.h2.local_settings = h2.settings.Settings(client=False, initial_values={
            ENABLE_CONNECT_PROTOCOL: int(server.websockets),
            h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: server.streams_max})
        self.sessions, self.unsent = {}, {}
        self.going = False

    def run(self):
        self.h2.initiate_connection()
        self.write()
        while data := self.sock.recv(65536):
            for event in self.h2.receive_data(data):
                self.take(event)
                if self.going and not self.server.stays:
                    self.leave()
                    return
            self.flush()

    def leave(self):
        """In order: a reset would overtake what was sent."""
        self.sock.shutdown(socket.SHUT_WR)
        while self.sock.recv(65536):
            pass

    def write(self):
        self.sock.sendall(self.h2.data_to_send())

    def flush(self):
        for stream, data in list(self.unsent.items()):
            room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            while data and room > 0:
                self.h2.send_data(stream, data[:room])
                data = data[room:]
                room = min(self.h2.local_flow_control_window(stream),
                           self.h2.max_outbound_frame_size)
            self.unsent[stream] = data
            if not data:
                del self.unsent[stream]
        self.write()

    def send(self, stream, data):
        self.unsent[stream] = self.unsent.get(stream, b"") + data

    def take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.server.requests.append(dict(event.headers))
            self.open(event.stream_id)
        elif isinstance(event, h2.events.DataReceived):
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            if event.stream_id in self.sessions:
                self.data(event.stream_id, event.data)
        elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
            self.sessions.pop(event.stream_id, None)

    def open(self, stream):
        with self.server.lock:
            self.server.asked += 1
            number = self.server.asked
        if self.server.refuses(number):
            self.h2.reset_stream(stream, self.server.code)
        elif self.server.status != 200:
            self.h2.send_headers(stream, [(":status", str(self.server.status))])
            self.h2.send_data(stream, b"not for you\n", end_stream=True)
        else:
            self.h2.send_headers(stream, [(":status", "200")])
            self.sessions[stream] = wsproto.connection.Connection(
                wsproto.connection.ConnectionType.SERVER)
            if self.server.goaway_every and number % self.server.goaway_every == 0:
                self.go()

    def go(self):
        """GOAWAY, by hand: python3-h2 would send nothing more of the streams that stay."""
        self.flush()
        self.going = True
        rest = struct.pack(">III", 0, max(self.h2.streams), self.server.code)
        self.sock.sendall(b"\0\0\x08\x07\0" + rest)

    def data(self, stream, data):
        ws = self.sessions[stream]
        ws.receive_data(data)
        for event in ws.events():
            if isinstance(event, wsproto.events.Message):
                self.send(stream, ws.send(wsproto.events.TextMessage(
                    event.data, message_finished=event.message_finished)))
                self.echoed(stream)
            elif isinstance(event, wsproto.events.CloseConnection):
                self.send(stream, ws.send(event.response()))
                self.flush()
                self.h2.end_stream(stream)
                del self.sessions[stream]
                return

    def echoed(self, stream):
        with self.server.lock:
            self.server.messages += 1
            number = self.server.messages
        if number == self.server.goaway_after:
            self.go()
        if number == self.server.reset_after:
            self.flush()
            self.h2.reset_stream(stream, self.server.code)
            self.sessions.pop(stream)


class H2Server:
    """With `context` inside TLS. What it does wrong are its other parameters."""

    def __init__(self, context=None, websockets=True, streams_max=1000, status=200, refused=(),
                 code=h2.errors.ErrorCodes.NO_ERROR, goaway_after=None, goaway_every=None,
                 reset_after=None, stays=False):
        self.context, self.websockets, self.streams_max = context, websockets, streams_max
        self.status, self.refused, self.code = status, refused, code
        self.goaway_after, self.goaway_every = goaway_after, goaway_every
        self.reset_after, self.stays = reset_after, stays
        self.lock = threading.Lock()
        self.asked = self.messages = self.connections = 0
        self.requests, self.threads = [], []
        self.sock = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.sock.getsockname()[1]

    def refuses(self, number):
        return number in self.refused

    def __enter__(self):
        self.threads.append(threading.Thread(target=self.accept, daemon=True))
        self.threads[0].start()
        return self

    def __exit__(self, *exc):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        for thread in self.threads:
            thread.join(PATIENCE)

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                sock, _ = self.sock.accept()
                self.connections += 1
                self.threads.append(threading.Thread(target=self.serve, args=(sock,), daemon=True))
                self.threads[-1].start()

    def serve(self, sock):
        sock.settimeout(PATIENCE)
        with contextlib.suppress(OSError, ssl.SSLError):
            if self.context:
                sock = self.context.wrap_socket(sock, server_side=True)
            with sock:
                Carrier(self, sock).run()

    def url(self, path="/echo"):
        begin = "wss://localhost" if self.context else "ws://127.0.0.1"
        return f"{begin}:{self.port}{path}"
