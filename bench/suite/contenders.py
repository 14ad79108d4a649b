# SPDX-License-Identifier: Apache-2.0
"""Whom: how each server is started, what it can do, and how it says its version."""
import dataclasses
import pathlib
import re
import shutil
import subprocess
import typing

ROOT = pathlib.Path(__file__).resolve().parents[2]
PEERS = ROOT / "bench" / "peers"
NCHAN_MODULE = pathlib.Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
ALL = frozenset({"echo", "tls", "fanout", "connect", "idle"})
COMPRESSING = ALL | {"deflate"}
SUITE = "TLS_AES_128_GCM_SHA256"


@dataclasses.dataclass(frozen=True)
class Place:
    """What a server is started with."""
    build: pathlib.Path  # CMake's folder
    folder: pathlib.Path  # for its own files
    port: int
    cert: pathlib.Path = None  # with TLS
    key: pathlib.Path = None

    @property
    def tls_arguments(self):
        return [str(self.cert), str(self.key)] if self.cert else []


@dataclasses.dataclass(frozen=True)
class Contender:
    key: str
    label: str
    colour: str
    families: frozenset
    command: typing.Callable  # (row, place) -> argv
    program: typing.Callable  # (build) -> path, for the check that it is there
    version: typing.Callable = lambda build: ""
    fanout_path: str = "/fanout"
    echo_path: str = "/echo"
    is_floor: bool = False
    is_own: bool = False  # another form of wring, not a peer of it
    workers: int = 1  # on as many CPUs; the second one is the generator's too
    has_tls: bool = True
    streams: int = 0  # HTTP/2: sessions on a connection; 0: HTTP/1.1
    first_warmup_s: float = 0  # before the first round: time for a compiler at run time

    def runs(self, row):
        if row.tls and self.is_floor:  # the plain floor shows what TLS costs; one of them is enough
            return row.family in ("tls", "connect") and self.key == "floor-uring"
        return row.family in self.families and (self.has_tls or not row.tls)

    def url(self, row, port):
        scheme = "wss" if row.tls and self.has_tls else "ws"
        return f"{scheme}://127.0.0.1:{port}{self.path(row)}"

    def path(self, row):
        return self.fanout_path if row.is_fanout else self.echo_path

    def is_there(self, build):
        program = self.program(build)
        return program is not None and pathlib.Path(program).exists()


def said(*argv, pattern=r"\d+\.\d+(\.\d+)?"):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    match = re.search(pattern, done.stdout + done.stderr)
    return match.group(0) if match else ""


def wring_command(workers, backend="uring"):
    def command(row, place):
        argv = [str(place.build / "wring"), "serve", "--port", str(place.port),
                "--workers", str(workers), "--backend", backend]
        if row.family == "http2" and not place.cert:
            argv.append("--http2")
        if place.cert:
            argv += ["--tls-cert", str(place.cert), "--tls-key", str(place.key)]
        return argv + (["--deflate"] if row.family == "deflate" else [])
    return command


def compressing(row, kind="shared"):
    """In front of a peer's command: none of them compresses unless DEFLATE says how."""
    return ["env", f"DEFLATE={kind}"] if row.family == "deflate" else []


def bun_command(kind):
    return lambda row, place: [*compressing(row, kind), str(bun()), str(PEERS / "bun.js"),
                               str(place.port), *place.tls_arguments]


def floor_command(backend):
    def command(row, place):
        mode = "fanout" if row.family == "fanout" else "echo"
        size = row.size or 125  # longer than a close frame, by which it knows the end
        return [str(place.build / "bench" / "bench-floor"), mode, backend, str(size),
                str(place.port)]
    return command


def bun():
    for path in (PEERS / "node_modules" / ".bin" / "bun",
                 *(PEERS / "node_modules" / "@oven").glob("*/bin/bun")):
        if path.exists():
            return path
    return None


def nginx_command(row, place):
    tls = ""
    if place.cert:
        tls = (f" ssl;\n        ssl_certificate {place.cert};\n"
               f"        ssl_certificate_key {place.key};\n"
               f"        ssl_protocols TLSv1.3;\n        ssl_conf_command Ciphersuites {SUITE}")
    text = (PEERS / "nginx.conf.in").read_text()
    for name, value in (("PORT", place.port), ("FOLDER", place.folder), ("TLS", tls)):
        text = text.replace(f"@{name}@", str(value))
    config = place.folder / "nginx.conf"
    config.write_text(text)
    return ["nginx", "-e", "stderr", "-c", str(config)]


def nchan_version(build):
    nchan = said("dpkg-query", "-W", "-f", "${Version}", "libnginx-mod-nchan")
    return f"{nchan}, nginx {said('nginx', '-v')}"


def ws_version(build):
    ws = said("node", "-p", f"require('{PEERS}/node_modules/ws/package.json').version")
    return f"{ws}, Node {said('node', '--version')}"


def over_http2(streams, colour):
    plural = "s" if streams > 1 else ""
    return Contender(f"wring-h2-{streams}", f"HTTP/2, {streams} stream{plural}", colour,
                     frozenset({"http2"}), wring_command(1), lambda build: build / "wring",
                     lambda build: said(str(build / "wring"), "--version"),
                     fanout_path="/topic/all", is_own=True, streams=streams)


CONTENDERS = [
    Contender("wring", "wring", "#e4572e", COMPRESSING | {"http2"}, wring_command(1),
              lambda build: build / "wring",
              lambda build: said(str(build / "wring"), "--version"), fanout_path="/topic/all",
              is_own=True),
    Contender("wring-epoll", "wring on epoll", "#f2a07b", COMPRESSING, wring_command(1, "epoll"),
              lambda build: build / "wring",
              lambda build: said(str(build / "wring"), "--version"), fanout_path="/topic/all",
              is_own=True),
    Contender("wring-2", "wring, two workers", "#f2a58f", frozenset({"fanout"}), wring_command(2),
              lambda build: build / "wring",
              lambda build: said(str(build / "wring"), "--version"), fanout_path="/topic/all",
              is_own=True, workers=2),
    over_http2(1, "#b91c1c"),
    over_http2(10, "#be185d"),
    over_http2(100, "#86198f"),
    Contender("floor-uring", "floor, io_uring", "#475569", ALL, floor_command("uring"),
              lambda build: build / "bench" / "bench-floor", is_floor=True, has_tls=False),
    Contender("floor-epoll", "floor, epoll", "#94a3b8", ALL, floor_command("epoll"),
              lambda build: build / "bench" / "bench-floor", is_floor=True, has_tls=False),
    Contender("bun", "Bun", "#8b5cf6", COMPRESSING, bun_command("shared"),
              lambda build: bun(), lambda build: said(str(bun()), "--version"), first_warmup_s=1),
    Contender("bun-dedicated", "Bun, dedicated compressors", "#c4b5fd", frozenset({"deflate"}),
              bun_command("dedicated"), lambda build: bun(),
              lambda build: said(str(bun()), "--version"), first_warmup_s=1),
    Contender("lws", "libwebsockets", "#0d9488", COMPRESSING,
              lambda row, place: [*compressing(row), str(place.build / "bench" / "bench-peer-lws"),
                                  str(place.port), *place.tls_arguments],
              lambda build: build / "bench" / "bench-peer-lws",
              lambda build: said("pkg-config", "--modversion", "libwebsockets")),
    Contender("ws", "Node ws", "#2563eb", COMPRESSING,
              lambda row, place: [*compressing(row), "node", str(PEERS / "ws.mjs"), str(place.port),
                                  *place.tls_arguments],
              lambda build: shutil.which("node") and PEERS / "node_modules" / "ws",
              ws_version, first_warmup_s=1),
    Contender("nchan", "nginx + nchan", "#ca8a04", frozenset({"fanout", "connect", "idle"}),
              nginx_command, lambda build: shutil.which("nginx") and NCHAN_MODULE, nchan_version,
              echo_path="/fanout"),
]


def by_key(key):
    return next(contender for contender in CONTENDERS if contender.key == key)
