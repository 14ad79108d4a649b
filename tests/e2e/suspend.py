# SPDX-License-Identifier: Apache-2.0
"""A process that is stopped for longer than its timeouts (SIGSTOP, SIGCONT) ends none of its peers,
which lived and answered all the time; those that were silent are ended as ever."""
import asyncio
import os
import signal
import socket
import subprocess
import time

import websockets

from server import Server, frame, read_frame, run
from tools import Listener, read_head, response

STOPPED = 4  # seconds: longer than all timeouts below together
TIMEOUTS = ("--ping-interval", "500", "--pong-timeout", "700", "--idle-timeout", "1500")


def stop_for_a_while(pid):
    os.kill(pid, signal.SIGSTOP)
    time.sleep(STOPPED)
    os.kill(pid, signal.SIGCONT)


async def talk(server, count):
    """Clients that only answer pings while the server is stopped, and then have an echo each."""
    clients = [await websockets.connect(server.url(), ping_interval=None) for _ in range(count)]
    loop = asyncio.get_running_loop()
    for _ in range(2):
        await loop.run_in_executor(None, stop_for_a_while, server.process.pid)
        for number, client in enumerate(clients):
            await client.send(f"still here {number}")
        for number, client in enumerate(clients):
            assert await client.recv() == f"still here {number}"
    for client in clients:
        await client.close()


def a_stopped_server_ends_nobody():
    with Server("--workers", "1", *TIMEOUTS) as server:
        asyncio.run(talk(server, 100))


def what_was_sent_while_it_was_stopped_is_answered():
    with Server("--workers", "1", "--idle-timeout", "1000") as server:
        sock = server.upgraded()
        os.kill(server.process.pid, signal.SIGSTOP)
        sock.sendall(frame(1, b"meanwhile"))
        time.sleep(STOPPED)
        os.kill(server.process.pid, signal.SIGCONT)
        assert read_frame(sock) == (1, b"meanwhile")
        assert read_frame(sock)[0] == 8  # and then it is idle for too long
        sock.close()


def a_close_answered_while_it_was_stopped_ends_in_order():
    server = Server("--workers", "1", "--drain-ms", "1000", "--close-timeout", "1000")
    sock = server.upgraded()
    server.process.send_signal(signal.SIGTERM)
    assert read_frame(sock)[0] == 8
    os.kill(server.process.pid, signal.SIGSTOP)
    sock.sendall(frame(8, b"\x03\xe9"))
    time.sleep(STOPPED)
    os.kill(server.process.pid, signal.SIGCONT)
    assert sock.recv(1) == b""  # an end, not a reset
    assert server.process.wait(timeout=60) == 0


def a_stopped_client_takes_the_answer_that_came_meanwhile():
    client = None

    def serve(sock):
        head = read_head(sock)
        os.kill(client.pid, signal.SIGSTOP)
        sock.sendall(response(head) + b"\x81\x05hello")
        time.sleep(STOPPED)
        os.kill(client.pid, signal.SIGCONT)
        sock.recv(65536)
        sock.sendall(b"\x88\x02\x03\xe8")
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass

    with Listener(serve) as listener:
        client = subprocess.Popen(
            [os.environ["WRING"], "connect", "--one", "--no-proxy", "--timeout", "3000",
             f"ws://127.0.0.1:{listener.port}/"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        out, err = client.communicate(timeout=60)
        assert (client.returncode, out) == (0, "hello\n"), (client.returncode, out, err)


def a_moment_after_it_goes_on_is_early_enough():
    """What a peer owed when the server was stopped, it may still say when the server runs again: a
    pong, the rest of a request head, a sign of life. Each had most of its time left."""
    options = ("--workers", "1", "--ping-interval", "1000", "--pong-timeout", "10000")
    for stopped in (4, 14):  # within the time of the pong, and beyond it
        with Server(*options, "--handshake-timeout", "8000") as server:
            awaited = server.upgraded()
            assert read_frame(awaited)[0] == 9
            half = socket.create_connection(("127.0.0.1", server.port))
            half.sendall(b"GET /healthz HTTP/1.1\r\n")
            time.sleep(0.3)
            os.kill(server.process.pid, signal.SIGSTOP)
            time.sleep(stopped)
            os.kill(server.process.pid, signal.SIGCONT)
            time.sleep(0.2)
            awaited.sendall(frame(10, b"") + frame(1, b"here"))
            half.sendall(b"Host: x\r\n\r\n")
            opcode, payload = read_frame(awaited)
            while opcode == 9:
                opcode, payload = read_frame(awaited)
            assert (opcode, payload) == (1, b"here"), (stopped, opcode, payload)
            assert half.recv(12) == b"HTTP/1.1 200", stopped
            awaited.close()
            half.close()


def a_peer_that_is_silent_is_ended_all_the_same():
    with Server("--workers", "1", *TIMEOUTS) as server:
        sock = server.upgraded()
        stop_for_a_while(server.process.pid)
        opcode, _ = read_frame(sock)
        while opcode == 9:
            opcode, _ = read_frame(sock)
        assert opcode == 8
        sock.close()


run([a_stopped_server_ends_nobody,
     what_was_sent_while_it_was_stopped_is_answered,
     a_close_answered_while_it_was_stopped_ends_in_order,
     a_stopped_client_takes_the_answer_that_came_meanwhile,
     a_moment_after_it_goes_on_is_early_enough,
     a_peer_that_is_silent_is_ended_all_the_same])
