#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""`wring connect` and a person at a terminal: editing, history, signals, what is on the screen."""
import os
import pty
import re
import signal
import subprocess
import sys
import tempfile
import termios
import threading
import time

from connect_tools import (Terminal, close_frame, command, read_client_frame, sends, wait_until)
from server import Server, frame, run
from tools import PATIENCE, Listener, environment, read_head, response

URL = "ws://127.0.0.1:{}/"
UP, LEFT, HOME, KILL_LINE, END_OF_INPUT = "\x1b[A", "\x1b[D", "\x01", "\x15", "\x04"
HIDDEN = r"\r\x1b\[J"


def has_editor():
    """Built without libedit there is no prompt."""
    with Listener(sends(b"")) as server:
        terminal = Terminal(URL.format(server.port))
        text = terminal.wait_for("Ctrl-D ends\r\n")
        terminal.type("\x03")
        wait_until(lambda: terminal.read_more() == "" and terminal.process.poll() is not None or
                   terminal.process.poll() is not None, "it does not end")
        terminal.close()
        return "> " in text


class Room:
    """A server that sends what the test says, and keeps what it received."""

    def __init__(self):
        self.got = []
        self.sock = None
        self.listener = Listener(self.serve)
        self.url = URL.format(self.listener.port)

    def serve(self, sock):
        sock.sendall(response(read_head(sock)))
        self.sock = sock
        while (received := read_client_frame(sock)) is not None:
            self.got.append(received)
            if received[0] == 8:
                sock.sendall(close_frame(1000))

    def say(self, text, opcode=1):
        wait_until(lambda: self.sock is not None, "nobody connected")
        self.sock.sendall(frame(opcode, text.encode(), mask=None))

    def texts(self):
        return [payload.decode() for opcode, payload in self.got if opcode == 1]

    def wait_texts(self, *texts):
        wait_until(lambda: len(self.texts()) >= len(texts), "no message came")
        assert self.texts() == list(texts), self.texts()

    def __enter__(self):
        self.listener.__enter__()
        return self

    def __exit__(self, *exc):
        self.listener.__exit__(*exc)


def sent_and_received_are_told_apart():
    with Room() as room:
        terminal = Terminal(room.url)
        terminal.wait_for("connected to .*\r\n> ")
        terminal.type("hello\r")
        terminal.wait_for("hello\r\n> ")
        room.wait_texts("hello")
        room.say("two\nlines")
        terminal.wait_for(HIDDEN + "< two\r\n  lines\r\n> ")
        room.say("\x1b[2Jbang\u009b")
        terminal.wait_for(r"< \\x1b\[2Jbang\\u009b\r\n> ")
        terminal.type(END_OF_INPUT)
        terminal.wait_for(r"closed with 1000 \(normal\)")
        terminal.end()


def end_of_input_ends_a_busy_feed():
    def serve(sock):
        sock.sendall(response(read_head(sock)))
        asked = threading.Event()

        def feed():
            while not asked.is_set():
                sock.sendall(frame(1, b"news", mask=None))
                time.sleep(0.02)
            sock.sendall(close_frame(1000))
        feeder = threading.Thread(target=feed)
        feeder.start()
        while (received := read_client_frame(sock)) is not None and received[0] != 8:
            pass
        asked.set()
        feeder.join()
    for variables in ({}, {"TERM": "dumb"}):
        with Listener(serve) as server:
            terminal = Terminal(URL.format(server.port), **variables)
            terminal.wait_for("Ctrl-D ends\r\n")
            terminal.wait_for("< news\r\n")
            terminal.type(END_OF_INPUT)
            terminal.wait_for(r"closed with 1000 \(normal\)")
            terminal.end()
    with Room() as room:
        terminal = Terminal("--linger", "off", room.url)
        terminal.wait_for("Ctrl-C ends\r\n> ")
        terminal.type("\x03")
        terminal.end()


def a_message_does_not_garble_the_line():
    with Room() as room:
        terminal = Terminal(room.url, columns=20)
        terminal.wait_for("Ctrl-D ends\r\n> ")
        terminal.type("grüße")
        terminal.wait_for("e$")
        room.say("news")
        terminal.wait_for(HIDDEN + "< news\r\n> grüße")
        terminal.type("x" * 30)  # the cursor is in the second row
        terminal.wait_for("x{12}")
        wait_until(lambda: terminal.read_more() == "", "it goes on drawing")
        room.say("more")
        terminal.wait_for(r"\x1b\[1A" + HIDDEN + "< more\r\n> grüßex{13}")
        terminal.type(LEFT * 30 + "\x08\x08SSE")
        terminal.type("\r")
        room.wait_texts("grüSSE" + "x" * 30)
        terminal.type("\x03")
        terminal.end()


def keys_of_every_kind():
    with Room() as room:
        terminal = Terminal(room.url)
        terminal.wait_for("Ctrl-D ends\r\n> ")
        for typed, sent in [("a\tb", "a\tb"), ("z" * 9000, "z" * 9000), ("\x16\x01", "\x01"),
                            ("\U0001f600\u4f60", "\U0001f600\u4f60")]:
            terminal.type(typed)
            terminal.type("\r")
            wait_until(lambda n=len(room.texts()), t=sent: terminal.read_more() is not None and
                       t in room.texts()[n - 1:], (typed, room.texts()[-1:]))
        terminal.type("\x1b")  # the first byte of a key; the rest comes later
        time.sleep(0.2)
        room.say("meanwhile")
        terminal.wait_for("< meanwhile\r\n> ")
        terminal.type("[A\x01x\r")
        wait_until(lambda: room.texts()[-1] == "x\U0001f600\u4f60", room.texts()[-1])
        terminal.type("a\rb\rc\r" * 50)  # a paste
        wait_until(lambda: len(room.texts()) == 155, len(room.texts()))
        assert room.texts()[-150:] == ["a", "b", "c"] * 50
        for _ in range(20):  # typed ahead: the terminal takes no key between two lines
            terminal.type("\x16\x01\r")
        wait_until(lambda: terminal.read_more() is not None and len(room.texts()) == 175,
                   len(room.texts()))
        assert room.texts()[-20:] == ["\x01"] * 20, room.texts()[-20:]
        terminal.type(END_OF_INPUT)
        terminal.end()


def a_terminal_that_goes_away():
    with Room() as room:
        terminal = Terminal(room.url)
        terminal.wait_for("Ctrl-D ends\r\n> ")
        terminal.type("half a line")
        terminal.wait_for("half a line")
        os.close(terminal.slave)
        os.close(terminal.master)  # SIGHUP
        assert terminal.process.wait(PATIENCE) == 0
        assert room.got == [(8, b"\x03\xe8")], room.got


def the_end_beside_a_line():
    """Whatever ends the command, the line that was being edited is taken from the screen."""
    for serve, code, text in [
            (sends(close_frame(1000, b"bye")), 0, r"\* closed with 1000 \(normal\) bye\r\n"),
            (sends(close_frame(1011)), 3, "wring: the server closed with 1011 .*\r\n"),
            (lambda sock: sock.sendall(response(read_head(sock), status=b"403 Forbidden")), 6,
             "wring: .*403 Forbidden\r\n")]:
        with Listener(serve) as server:
            terminal = Terminal(URL.format(server.port))
            shown = terminal.wait_for(text)
            assert shown.count(" closed with ") <= 1, shown  # told once
            terminal.end(code)
            assert re.fullmatch(r"(> (\x1b\[\d*[GKJ]|\r)*\x1b\[J)*",
                                re.sub(r"\x1b\[\d*m", "", terminal.screen)), terminal.screen


def a_resized_terminal():
    with Room() as room:
        terminal = Terminal(room.url, columns=80)
        terminal.wait_for("Ctrl-D ends\r\n> ")
        terminal.type("y" * 40)
        terminal.wait_for("y{40}")
        terminal.resize(20)  # SIGWINCH comes from the kernel
        terminal.wait_for("> y{18}")
        room.say("news")
        terminal.wait_for(HIDDEN + "< news\r\n> y{18}")
        terminal.type("\r")
        room.wait_texts("y" * 40)
        terminal.type("\x03")
        terminal.end()


def the_history_outlives_the_command():
    with Room() as room, tempfile.TemporaryDirectory() as state:
        for typed in ("one\rtwo\r secret\rone\r\r", UP + "\r" + UP + UP + "\r"):
            before = len(room.texts())
            terminal = Terminal(room.url, state=state)
            terminal.wait_for("Ctrl-D ends\r\n> ")
            terminal.type(typed)
            wait_until(lambda n=before + typed.count("\r"): len(room.texts()) == n, "nothing came")
            terminal.type(END_OF_INPUT)
            terminal.end()
        # the second time: the newest, "one"; then "one" and before it "two"
        assert room.texts() == ["one", "two", " secret", "one", "", "one", "two"], room.texts()
        path = os.path.join(state, "wring", "history")
        assert os.stat(path).st_mode & 0o777 == 0o600
        assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
        with open(path, encoding="utf-8") as file:
            assert file.read() == "one\ntwo\n"  # none twice
        with open(path, "a", encoding="utf-8") as file:  # far more than is kept
            file.writelines(f"line {i % 1100}\n" for i in range(2200))
        terminal = Terminal(room.url, state=state)
        terminal.wait_for("Ctrl-D ends\r\n> ")
        terminal.type(END_OF_INPUT)
        terminal.end()
        with open(path, encoding="utf-8") as file:
            assert file.read().splitlines() == [f"line {i}" for i in range(100, 1100)]


def a_history_that_cannot_be_kept_is_no_fault():
    with Room() as room:
        terminal = Terminal(room.url, XDG_STATE_HOME="/dev/null")
        terminal.wait_for("Ctrl-D ends\r\n> ")
        terminal.type("one\r")
        room.wait_texts("one")
        terminal.type(UP + "\r")
        room.wait_texts("one", "one")
        terminal.type(END_OF_INPUT)
        terminal.end()


def lines_that_are_not_sent():
    """A person is told, and goes on."""
    with Room() as room:
        terminal = Terminal("--json-input", room.url)
        terminal.wait_for("Ctrl-D ends\r\n> ")
        terminal.type("hello\r")
        terminal.wait_for("line 1 of the input was not sent: it is not one JSON object.*\r\n> ")
        terminal.type('{"data":"hello"}\r')
        room.wait_texts("hello")
        terminal.type(END_OF_INPUT)
        terminal.end()


def bytes_that_are_no_characters():
    """The line is refused, not sent without them; they are seen, and can be deleted."""
    with Room() as room:
        for options in ((), ("--binary",)):
            terminal = Terminal(*options, room.url)
            terminal.wait_for("Ctrl-D ends\r\n> ")
            before = len(room.got)
            for number, typed in enumerate((b"h\xff\r", b"\xc3q\r", b"\xe4\xbd\r"), 1):
                terminal.type(typed)
                terminal.wait_for(f"line {number} of the input was not sent: it is not UTF-8.*\r\n> ")
            terminal.type(b"h\xff\x7f\xc3i\x08\x08i\r")  # deleted again
            wait_until(lambda: len(room.got) > before, "nothing came")
            assert [payload for _, payload in room.got[before:]] == [b"hi"], room.got
            terminal.type(UP)
            terminal.wait_for("hi")  # what was refused is not remembered
            terminal.type(KILL_LINE + END_OF_INPUT)
            terminal.end()


def binary_lines():
    with Room() as room:
        terminal = Terminal("--binary", room.url)
        terminal.wait_for("Ctrl-D ends\r\n> ")
        terminal.type("a\rb\r")
        wait_until(lambda: len(room.got) == 2, "nothing came")
        assert room.got == [(2, b"a"), (2, b"b")], room.got
        room.say("\x1b", 2)
        terminal.wait_for(r"< \\x1b\r\n> ")
        terminal.type(END_OF_INPUT)
        terminal.end()


def interrupted_once_and_twice():
    with Room() as room:
        terminal = Terminal(room.url)
        terminal.wait_for("Ctrl-D ends\r\n> ")
        terminal.type("half a li")
        terminal.wait_for("half a li")
        terminal.type("\x03")
        terminal.end(0)
        assert room.got == [(8, b"\x03\xe8")], room.got
    asked = []

    def answers_no_close(sock):
        sock.sendall(response(read_head(sock)))
        while read_client_frame(sock) is not None:
            asked.append(True)
    with Listener(answers_no_close) as server:
        terminal = Terminal(URL.format(server.port))
        terminal.wait_for("Ctrl-D ends\r\n> ")
        terminal.type("\x03")
        wait_until(lambda: asked, "no close came")
        terminal.type("\x03")
        terminal.end(130)  # and the terminal is as it was


def a_stopped_terminal_keeps_nothing_waiting():
    with Room() as room:
        terminal = Terminal(room.url)
        terminal.wait_for("Ctrl-D ends\r\n> ")
        termios.tcflow(terminal.slave, termios.TCOOFF)  # as Ctrl-S does
        room.say("unseen")
        room.say("beat", 9)
        wait_until(lambda: room.got == [(10, b"beat")], "no pong came")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(PATIENCE) == 1
        assert room.got[1:] == [(8, b"\x03\xe8")], room.got
        assert termios.tcgetattr(terminal.slave)[3] == terminal.found[3]
        termios.tcflow(terminal.slave, termios.TCOON)
        terminal.close()


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        return file.read().rsplit(")", 1)[1].split()[0]


def suspended_and_resumed():
    """Ctrl-Z with a shell of sorts as the parent: this process forks one."""
    with Room() as room:
        pid, master = pty.fork()
        if pid == 0:  # the session's leader; the command is a job of its own
            os.environ["TERM"] = "xterm"
            signal.signal(signal.SIGTTOU, signal.SIG_IGN)
            job = subprocess.Popen(command(room.url), env=environment(XDG_STATE_HOME="/dev/null"),
                                   process_group=0)
            os.tcsetpgrp(0, job.pid)
            while True:
                _, status = os.waitpid(job.pid, os.WUNTRACED)
                if not os.WIFSTOPPED(status):
                    os._exit(os.waitstatus_to_exitcode(status) & 255)
                cooked = termios.tcgetattr(0)[3] & termios.ICANON
                print("STOPPED COOKED" if cooked else "STOPPED RAW", flush=True)
                time.sleep(0.1)
                os.kill(job.pid, signal.SIGCONT)
        terminal = Terminal.__new__(Terminal)
        terminal.master, terminal.screen = master, ""
        terminal.wait_for("Ctrl-D ends\r\n> ")
        terminal.type("half")
        terminal.wait_for("half")
        terminal.type("\x1a")
        terminal.wait_for("STOPPED COOKED\r\n")
        terminal.wait_for("> half")
        terminal.type(" done\r")
        room.wait_texts("half done")
        terminal.type(END_OF_INPUT)
        terminal.wait_for("closed with 1000")
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        os.close(master)


def colours_can_be_left_out():
    with Room() as room:
        for variables, coloured in [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)]:
            terminal = Terminal(room.url, **variables)
            text = ""
            while "Ctrl-D ends" not in text:
                text += terminal.read_more()
            assert ("\x1b[33m*" in text) == coloured, (variables, text)
            terminal.type(END_OF_INPUT)
            terminal.end()
        terminal = Terminal(room.url, TERM="dumb")  # the terminal's own editing
        terminal.wait_for(r"^\* connected to [^\r]*\r\n")
        terminal.type("hello\n")
        room.wait_texts("hello")
        room.say("hi")
        terminal.wait_for("< hi\r\n")
        assert "\x1b" not in terminal.screen
        terminal.type(END_OF_INPUT)
        terminal.end()


def a_fed_terminal_gets_bare_lines():
    """Input from a pipe: nothing to tell apart."""
    with Server() as server:
        master, slave = pty.openpty()
        done = subprocess.run(command("--one", server.url()), input=b"hello\n", stdout=slave,
                              stderr=subprocess.PIPE, env=environment(TERM="xterm"),
                              timeout=PATIENCE)
        assert (done.returncode, os.read(master, 100)) == (0, b"hello\r\n")
        os.close(master)
        os.close(slave)


if not has_editor():
    print("wring was built without libedit")
    sys.exit(77)
run([sent_and_received_are_told_apart, end_of_input_ends_a_busy_feed, a_message_does_not_garble_the_line, keys_of_every_kind,
     a_terminal_that_goes_away, the_end_beside_a_line, a_resized_terminal,
     the_history_outlives_the_command, a_history_that_cannot_be_kept_is_no_fault,
     lines_that_are_not_sent, bytes_that_are_no_characters, binary_lines, interrupted_once_and_twice,
     a_stopped_terminal_keeps_nothing_waiting, suspended_and_resumed, colours_can_be_left_out,
     a_fed_terminal_gets_bare_lines])
