# SPDX-License-Identifier: Apache-2.0
"""Before it is measured, a server shows that it does the work: an echo comes back as it was sent, a
published message reaches another connection, TLS uses the one suite the comparison uses."""
import base64
import os
import socket
import ssl
import struct
import subprocess
import zlib

from bench.suite.texts import json_like

TIMEOUT_S = 5
# Offered as the generator offers them.
DEFLATE_OFFER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
OFFER = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"


class ProbeError(Exception):
    pass


def masked_frame(payload, key):
    """One binary message from a client (RFC 6455 5.2)."""
    if len(payload) < 126:
        head = struct.pack("!BB", 0x82, 0x80 | len(payload))
    elif len(payload) < 65536:
        head = struct.pack("!BBH", 0x82, 0xfe, len(payload))
    else:
        head = struct.pack("!BBQ", 0x82, 0xff, len(payload))
    stretched = (key * (len(payload) // 4 + 1))[:len(payload)]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(stretched, "big")
    return head + key + masked.to_bytes(len(payload), "big")


class Client:
    def __init__(self, port, path, tls, extensions=""):
        self.stream = socket.create_connection(("127.0.0.1", port), TIMEOUT_S)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            self.stream = context.wrap_socket(self.stream)
        self.file = self.stream.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        offered = f"Sec-WebSocket-Extensions: {extensions}\r\n" if extensions else ""
        self.stream.sendall(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
            f"Sec-WebSocket-Version: 13\r\n{offered}\r\n".encode())
        status = self.file.readline().decode(errors="replace").strip()
        if " 101" not in status:
            raise ProbeError(f"{path} answers '{status}'")
        while self.file.readline().strip():
            pass

    def send(self, payload):
        self.stream.sendall(masked_frame(payload, os.urandom(4)))

    def read_exactly(self, count):
        data = self.file.read(count)
        if len(data) != count:
            raise ProbeError("the server ended the connection")
        return data

    def receive(self):
        """The next message: its first byte and its payload; control frames are passed over."""
        message, begin = b"", None
        while True:
            first, length = self.read_exactly(2)
            if length == 126:
                length, = struct.unpack("!H", self.read_exactly(2))
            elif length == 127:
                length, = struct.unpack("!Q", self.read_exactly(8))
            payload = self.read_exactly(length)
            if first & 0x08:
                continue
            message += payload
            begin = first if begin is None else begin
            if first & 0x80:
                return begin, message

    def close(self):
        self.file.close()
        self.stream.close()


def suite_of(port):
    """The TLS 1.3 cipher suite the server takes from the generator's offer."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3",
                           "-ciphersuites", OFFER], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=TIMEOUT_S)
    for line in done.stdout.splitlines():
        if "Cipher is " in line:
            return line.rpartition(" ")[2]
    raise ProbeError("no TLS 1.3 handshake")


def compressed_bytes(port, path, row):
    """Of the reply to a text of the row's size; it must inflate to that text (RFC 7692 7.2.2)."""
    text = json_like(row.size).encode()
    client = Client(port, path, row.tls, DEFLATE_OFFER)
    client.send(text)
    first, reply = client.receive()
    client.close()
    if not first & 0x40:
        raise ProbeError("the reply is not compressed")
    if zlib.decompressobj(-15).decompress(reply + b"\0\0\xff\xff") != text:
        raise ProbeError("the reply inflates to another text")
    return len(reply)


def check(port, row, contender):
    """Raises ProbeError with what is wrong. Returns what is known of the server's replies."""
    try:
        if contender.is_floor:  # upgrades like a server, and has no content to check
            Client(port, contender.path(row), False).close()
            return {}
        if row.tls and suite_of(port) != OFFER.split(":")[0]:
            raise ProbeError(f"TLS takes {suite_of(port)}")
        path = contender.path(row)
        if row.family in ("connect", "idle"):
            Client(port, path, row.tls).close()
        elif row.family == "deflate" and not row.published:
            return {"reply_bytes": compressed_bytes(port, path, row)}
        else:
            exchange(port, path, row)
        return {}
    except (OSError, ssl.SSLError, zlib.error, subprocess.TimeoutExpired) as error:
        raise ProbeError(str(error) or type(error).__name__) from error


def exchange(port, path, row):
    payload = base64.b64encode(os.urandom(row.size))[:row.size]
    sender = Client(port, path, row.tls)
    receiver = Client(port, path, row.tls) if row.is_fanout else sender
    sender.send(payload)
    if receiver.receive()[1] != payload:
        raise ProbeError("another message comes back than was sent")
    receiver.close()
    sender.close()
