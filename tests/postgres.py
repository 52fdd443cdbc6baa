"""PostgreSQL for tests: a cluster of its own on loopback, started as nobody of importance, with a database a test."""

from __future__ import annotations

import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

from textseg.project.place import Place

SETTINGS = {
    "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": "200",
    "fsync": "off", "full_page_writes": "off",
}  # fmt: skip
"""No test pulls a plug: what a killed process has written stays written."""

ROOM = 2 * 2**30
"""Bytes that must be free where it keeps its data in memory."""


def programs() -> Path | None:
    """The folder of initdb and postgres, the newest; None where they are not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Cluster:
    """A running server; raises RuntimeError with a sentence where none can be started. `stop` ends it."""

    def __init__(self, **settings: str) -> None:
        there = programs()
        if there is None:
            raise RuntimeError("PostgreSQL is not installed (apt install postgresql)")
        self._programs = there
        memory = Path("/dev/shm")  # where nothing waits for a disk that others use
        roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM
        self.folder = Path(tempfile.mkdtemp(prefix="textseg-postgres-", dir=memory if roomy else None))
        self._account: dict[str, object] = {}
        if os.geteuid() == 0:  # it refuses to run as root
            self._account = {"user": "nobody", "group": "nogroup", "extra_groups": []}
            shutil.chown(self.folder, "nobody", "nogroup")
        self.password = secrets.token_hex(8)
        secret = self.folder / "password"
        secret.write_text(self.password)
        secret.chmod(0o644)  # in a folder of 0700
        made = self._run(
            "initdb", "-D", self.folder / "data", "-U", "tester", "-A", "scram-sha-256", "--pwfile", secret,
            "-E", "UTF8", "--locale=C.UTF-8", "--no-sync",
        )  # fmt: skip
        if made.returncode:
            self.stop()
            raise RuntimeError(f"PostgreSQL could not be set up here ({made.stdout.strip().splitlines()[-1:]})")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._settings = SETTINGS | settings
        self._connections: dict[str, psycopg.Connection] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, again after `stop` or a kill."""
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        command = [self._programs / "postgres", "-D", self.folder / "data", "-p", str(self.port), *options]
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **self._account)  # type: ignore[call-overload]
        for _ in range(600):
            if not self._run("pg_isready", "-h", "127.0.0.1", "-p", str(self.port)).returncode:
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        said = (self.folder / "log").read_text(errors="replace").strip().splitlines()[-1:]
        self.stop()
        raise RuntimeError(f"PostgreSQL did not start here ({said})")

    def halt(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server, its connections too; its data stay."""
        self._connections.clear()
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=60)
            self.process = None

    def stop(self) -> None:
        """End it, and remove what it kept."""
        self.halt(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://tester:{self.password}@127.0.0.1:{self.port}/{name}"

    def empty(self, name: str) -> str:
        """The URL of a database without a table, to which nobody is connected; one is made the first time."""
        if not self.do(f"SELECT 1 FROM pg_database WHERE datname = '{name}'"):
            self.do(f'CREATE DATABASE "{name}"')
        else:  # much quicker than another database
            self.cut(name)
            self.do("DROP SCHEMA public CASCADE", name)
            self.do("CREATE SCHEMA public", name)
        return self.url(name)

    def cut(self, name: str) -> None:
        """End all connections to a database."""
        self._connections.pop(name, None)
        self.do(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")

    def do(self, statement: str, name: str = "postgres") -> list[tuple[object, ...]]:
        """One statement outside a transaction; -> its rows."""
        connection = self._connections.get(name)
        if connection is None or connection.closed:
            connection = psycopg.connect(self.url(name).replace("+psycopg", ""), autocommit=True)
            self._connections[name] = connection
        cursor = connection.execute(statement)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []

    def _run(self, program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [str(self._programs / program), *map(str, arguments)]
        return subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd="/", **self._account
        )  # type: ignore[call-overload,no-any-return]


class Places:
    """`places("p")`: a new place for a project called p, in one kind of database."""

    def __init__(self, kind: str, folder: Path, cluster: Cluster | None = None) -> None:
        self.kind, self._folder, self.cluster = kind, folder, cluster
        self._calls = itertools.count(1)

    def __call__(self, name: str) -> Place:
        """Its files lie in the test's folder, under its name; what had the name before may be gone."""
        folder = self._folder / name
        if folder.exists():
            folder = self._folder / str(next(self._calls)) / name
        return Place(folder) if self.cluster is None else Place.of(self.cluster.empty(name), folder)
