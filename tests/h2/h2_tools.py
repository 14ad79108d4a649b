# SPDX-License-Identifier: Apache-2.0
"""A client of HTTP/2 made of python3-h2 and python3-wsproto, and h2-server, which it talks to."""
import os
import socket
import subprocess
import sys

try:
    import h2.config
    import h2.connection
    import h2.events
    import h2.settings
    import wsproto.connection
    import wsproto.events
    import wsproto.extensions
except ImportError:
    print("python3-h2 or python3-wsproto is not installed")
    sys.exit(77)

CONNECT_PROTOCOL = 8  # SETTINGS_ENABLE_CONNECT_PROTOCOL: RFC 8441 3


class Server:
    """The end of its input ends it; then it must have nothing to complain of."""

    def __init__(self, *options):
        self.options = options

    def __enter__(self):
        self.process = subprocess.Popen([os.environ["H2_SERVER"], *self.options],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.port = int(self.process.stdout.readline().split()[1])
        return self

    def __exit__(self, *exc):
        self.process.stdin.close()
        code = self.process.wait(timeout=60)
        assert code == 0 or exc[0], f"the server ended with {code}"


class Socket:
    """A WebSocket on one stream."""

    def __init__(self, connection, stream):
        self.connection, self.stream = connection, stream
        self.ws = wsproto.connection.Connection(wsproto.connection.ConnectionType.CLIENT)
        self.status, self.headers, self.messages, self.part = None, {}, [], None
        self.bytes = 0  # of DATA that came
        self.pongs, self.closed, self.ended, self.reset = 0, None, False, None
        self.unsent = b""

    def send(self, event):
        self.unsent += self.ws.send(event)
        self.connection.flush()

    def take(self, data):
        self.ws.receive_data(data)
        for event in self.ws.events():
            if isinstance(event, wsproto.events.Message):
                self.part = event.data if self.part is None else self.part + event.data
                if event.message_finished:
                    self.messages.append(self.part)
                    self.part = None
            elif isinstance(event, wsproto.events.Pong):
                self.pongs += 1
            elif isinstance(event, wsproto.events.CloseConnection):
                self.closed = event.code
                if self.ws.state is wsproto.connection.ConnectionState.REMOTE_CLOSING:
                    self.send(event.response())


class Connection:
    """settings: what it announces besides h2's defaults.  is_generous: what comes is acknowledged at
    once, so that windows stay open; else by `acknowledge`."""

    def __init__(self, port, context=None, settings=None, is_generous=True):
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.local_settings = h2.settings.Settings(client=True, initial_values=settings or {})
        self.is_generous, self.pings = is_generous, 0
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.settimeout(60)
        if context:
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.sockets, self.gone_away, self.eof = {}, None, False
        self.h2.initiate_connection()
        self.write()
        self.until(lambda: self.h2.remote_settings.get(CONNECT_PROTOCOL) == 1)

    def write(self):
        self.socket.sendall(self.h2.data_to_send())

    def flush(self):
        for s in self.sockets.values():
            while s.unsent and not s.ended:
                n = min(self.h2.local_flow_control_window(s.stream),
                        self.h2.max_outbound_frame_size, len(s.unsent))
                if n == 0:
                    break
                self.h2.send_data(s.stream, s.unsent[:n])
                s.unsent = s.unsent[n:]
        self.write()

    def open(self, path, method="CONNECT", protocol="websocket", deflate=None):
        s = Socket(self, self.h2.get_next_available_stream_id())
        self.sockets[s.stream] = s
        headers = [(":method", method), (":scheme", "http"), (":authority", "localhost"),
                   (":path", path)]
        if protocol:
            headers.insert(1, (":protocol", protocol))
        if deflate:
            headers.append(("sec-websocket-extensions", f"{deflate.name}; {deflate.offer()}"))
        self.h2.send_headers(s.stream, headers + [("sec-websocket-version", "13")],
                             end_stream=protocol is None)
        self.write()
        self.until(lambda: s.status is not None)
        if deflate:
            deflate.finalize(s.headers["sec-websocket-extensions"])
            s.ws = wsproto.connection.Connection(wsproto.connection.ConnectionType.CLIENT, [deflate])
        return s

    def acknowledge(self, s, count):
        self.h2.acknowledge_received_data(count, s.stream)
        self.write()

    def ping(self):
        """All that the server does by itself after what was sent before has been done."""
        count = self.pings + 1
        self.h2.ping(count.to_bytes(8, "big"))
        self.write()
        self.until(lambda: self.pings == count)

    def take(self, event):
        s = self.sockets.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.ResponseReceived):
            s.headers = dict(event.headers)
            s.status = int(s.headers[":status"])
        elif isinstance(event, h2.events.DataReceived):
            s.bytes += event.flow_controlled_length
            if s.status == 200:
                s.take(event.data)
            if self.is_generous:
                self.h2.acknowledge_received_data(event.flow_controlled_length, s.stream)
        elif isinstance(event, h2.events.PingAckReceived):
            self.pings += 1
        elif isinstance(event, h2.events.StreamEnded):
            s.ended = True
        elif isinstance(event, h2.events.StreamReset):
            s.reset = event.error_code
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.gone_away = event.error_code

    def until(self, holds):
        while not holds():
            data = self.socket.recv(65536)
            if not data:
                self.eof = True
                assert holds(), "the server ended the connection"
                return
            for event in self.h2.receive_data(data):
                self.take(event)
            self.flush()


class Request(Socket):
    """A request, and the body of its answer. pieces: of 1,000 bytes, for its own body."""

    def __init__(self, connection, path, pieces=0):
        super().__init__(connection, connection.h2.get_next_available_stream_id())
        self.answer = b""
        connection.sockets[self.stream] = self
        headers = [(":method", "POST" if pieces else "GET"), (":scheme", "http"),
                   (":authority", "localhost"), (":path", path)]
        connection.h2.send_headers(self.stream, headers, end_stream=not pieces)
        for i in range(pieces):  # in one write: the end is there while the first piece is paused
            connection.h2.send_data(self.stream, b"x" * 1000, end_stream=i == pieces - 1)
        connection.write()

    def take(self, data):
        self.answer += data


def message(data):
    return wsproto.events.BytesMessage(data=data)
