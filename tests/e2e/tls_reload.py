#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Certificates reloaded a hundred times under load: no message fails. A bad file changes nothing."""
import asyncio
import os
import shutil
import signal
import ssl
import subprocess
import threading

import websockets

from server import run
from tools import PATIENCE, Certs, Greeter

certs = Certs()
RELOADS = 100


def put(name, suffix, data=None):
    """The server's file becomes that of `name`, at once and as a whole."""
    target = certs.file("server" + suffix)
    if data is None:
        shutil.copy(certs.file(name + suffix), target + ".new")
    else:
        with open(target + ".new", "w", encoding="ascii") as file:
            file.write(data)
    os.replace(target + ".new", target)


def put_pair(name):
    put(name, ".key")
    put(name, ".pem")


class Serve:
    """`wring serve` whose standard error is read line by line."""

    def __init__(self):
        self.process = subprocess.Popen(
            [os.environ["WRING"], "serve", "--port", "0", "--workers", "2",
             "--handshake-timeout", "60000", "--tls-cert", certs.file("server.pem"), "--tls-key",
             certs.file("server.key")], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        line = self.process.stdout.readline()
        assert "listening on https://" in line, line
        self.port = int(line.split(":")[3].split("/")[0])
        self.url = f"wss://localhost:{self.port}/echo"

    def reload(self):
        self.process.send_signal(signal.SIGHUP)
        line = self.process.stderr.readline()
        return "OK" if line == "wring: SIGHUP: the certificates were read again\n" else line

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        assert self.process.wait(timeout=PATIENCE) == 0 or exc[0]


class Load:
    """Sessions that stay and sessions that come and go, in a thread; counts what they echo."""

    def __init__(self, url):
        self.url = url
        self.context = certs.client_context()
        self.messages = self.sessions = 0
        self.names = set()
        self.over = False
        self.error = None
        self.thread = threading.Thread(target=self.run)

    async def session(self, rounds):
        async with websockets.connect(self.url, ssl=self.context, open_timeout=PATIENCE,
                                      ping_interval=None) as sock:
            self.sessions += 1
            subject = dict(part[0] for part in sock.transport.get_extra_info("peercert")["subject"])
            self.names.add(subject["commonName"])
            greeting = "greet" in self.url
            if greeting:
                await sock.recv()
            while not self.over and rounds != 0:
                text = f"message {self.messages}"
                await sock.send(text)
                assert await asyncio.wait_for(sock.recv(), PATIENCE) == text
                self.messages += 1
                rounds -= 1

    async def come_and_go(self):
        while not self.over:
            await self.session(3)

    async def all(self):
        await asyncio.gather(*[self.session(-1) for _ in range(8)],
                             *[self.come_and_go() for _ in range(4)])

    def run(self):
        try:
            asyncio.run(self.all())
        except Exception as error:  # told by the test
            self.error = error

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.over = True
        self.thread.join()


def hundred_reloads(server):
    put_pair("first")
    assert server.reload() == "OK"
    with Load(server.url) as load:
        for i in range(RELOADS):
            put_pair("second" if i % 2 == 0 else "first")
            assert server.reload() == "OK"
            before = load.sessions
            while load.sessions < before + 2 and load.thread.is_alive():
                pass_time()
    assert load.error is None, repr(load.error)
    assert load.names == {"the server", "the second server"}, load.names
    assert load.sessions >= 2 * RELOADS and load.messages > load.sessions
    print(f"{RELOADS} reloads, {load.sessions} sessions, {load.messages} messages, none failed")


def pass_time():
    threading.Event().wait(0.001)


def bad_files_change_nothing(server):
    """The pair in use goes on, and the answer says which file and why."""
    def try_one(why):
        answer = server.reload()
        assert why in answer and certs.folder.name in answer, (why, answer)
        with Load(server.url) as load:
            while load.sessions < 20 and load.thread.is_alive():
                pass_time()
        assert load.error is None, repr(load.error)
        assert load.names == {"the server"}, load.names

    put_pair("first")
    assert server.reload() == "OK"
    put("", ".pem", "-----BEGIN CERTIFICATE-----\nnonsense\n")
    try_one("server.pem")
    put("", ".pem", "")
    try_one("server.pem")
    put("second", ".pem")  # and the key of the first
    try_one("server.key")
    os.unlink(certs.file("server.pem"))
    try_one("No such file")
    os.mkfifo(certs.file("server.pem"))  # a pipe that nobody writes to, or a server would wait for it
    try_one("timed out")
    put_pair("expired")
    try_one("expired")
    put_pair("second")
    assert server.reload() == "OK"
    cert = ssl.get_server_certificate(("localhost", server.port), ca_certs=certs.ca)
    with open(certs.file("second.pem"), encoding="ascii") as file:
        assert cert.strip() == file.read().strip()


class Greeted(Greeter):
    def __init__(self):
        super().__init__(certs)
        self.url += "greet"


for suffix in (".pem", ".key"):
    shutil.copy(certs.file("server" + suffix), certs.file("first" + suffix))


def sighup_under_load():
    with Serve() as server:
        hundred_reloads(server)


def the_call_under_load():
    with Greeted() as server:
        hundred_reloads(server)


def sighup_with_bad_files():
    put_pair("first")
    with Serve() as server:
        bad_files_change_nothing(server)


def the_call_with_bad_files():
    put_pair("first")
    with Greeted() as server:
        bad_files_change_nothing(server)


run([sighup_under_load, the_call_under_load, sighup_with_bad_files, the_call_with_bad_files])
