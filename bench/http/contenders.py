# SPDX-License-Identifier: Apache-2.0
"""Whom: the servers of script/bench http, and how each is started."""
import dataclasses
import pathlib
import shutil
import typing

from bench.suite.contenders import bun, said

HERE = pathlib.Path(__file__).resolve().parent
PAGE = ("abcdefghijklmnopqrstuvwxyz" * 40)[:1024]


@dataclasses.dataclass(frozen=True)
class Contender:
    key: str
    label: str
    command: typing.Callable  # (build, folder, port) -> argv
    program: typing.Callable  # (build) -> path or None
    version: typing.Callable = lambda build: ""
    environment: dict = dataclasses.field(default_factory=dict)

    def is_there(self, build):
        program = self.program(build)
        return program is not None and pathlib.Path(program).exists()


def wring_program(build):
    return build / "bench" / "bench-http-server"


def wring_command(build, folder, port):
    return [str(wring_program(build)), str(port)]


def nginx_command(build, folder, port):
    text = (HERE / "nginx.conf.in").read_text()
    for name, value in (("PORT", port), ("FOLDER", folder), ("PAGE", PAGE)):
        text = text.replace(f"@{name}@", str(value))
    config = folder / "nginx.conf"
    config.write_text(text)
    return ["nginx", "-e", "stderr", "-c", str(config)]


def bun_command(build, folder, port):
    return [str(bun()), str(HERE / "bun.js"), str(port)]


CONTENDERS = [
    Contender("wring", "wring", wring_command, wring_program, lambda build: "",
              {"WRING_BACKEND": "uring"}),
    Contender("wring-epoll", "wring on epoll", wring_command, wring_program, lambda build: "",
              {"WRING_BACKEND": "epoll"}),
    Contender("nginx", "nginx", nginx_command, lambda build: shutil.which("nginx"),
              lambda build: said("nginx", "-v")),
    Contender("bun", "Bun", bun_command, lambda build: bun(),
              lambda build: said(str(bun()), "--version")),
]
