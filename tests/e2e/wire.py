# SPDX-License-Identifier: Apache-2.0
"""Frames of a client, for servers in a few lines."""
from server import read_exactly


def read_client_frame(sock):
    first = sock.recv(1)
    if not first:
        raise ConnectionError("the client is gone")  # a Listener expects that
    first, second = first[0], read_exactly(sock, 1)[0]
    assert second & 0x80, "a client's frame without a mask"
    length = second & 0x7f
    if length > 125:
        length = int.from_bytes(read_exactly(sock, 2 if length == 126 else 8), "big")
    mask = read_exactly(sock, 4)
    data = read_exactly(sock, length)
    return first & 15, bytes(b ^ mask[i % 4] for i, b in enumerate(data))
