"""Processes of Python that start at once: each is forked from one that has imported what takes seconds.

`run` and `start` take what would stand behind `python` (`-m module ...` or `-c code ...`) and are as `subprocess`
has them. Nothing of textseg is imported beforehand, so a copy of the tree on PYTHONPATH is what such a process runs.
What those libraries read from the environment while they are imported (HF_HUB_CACHE) stays as it was: where that is
the subject, and where the start itself is, `subprocess` is the way.
"""

import atexit
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO

BEFOREHAND = ("torch", "torchvision", "gradio", "gradio_client", "scipy.ndimage", "sqlalchemy.orm", "alembic.command")


class Process:
    """As `subprocess.Popen`: standard output is read from `stdout`; what stands on standard error is `errors()`."""

    def __init__(self, command: list[str], cwd: str | None, env: Mapping[str, str]) -> None:
        self._errors: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115
        (told, tells), (out, theirs) = os.pipe(), os.pipe()
        message = json.dumps([command, cwd or os.getcwd(), dict(env)]).encode()
        server = mother()
        socket.send_fds(server, [len(message).to_bytes(4, "big") + message], [theirs, self._errors.fileno(), tells])
        os.close(tells)
        os.close(theirs)
        self.stdout: IO[str] = os.fdopen(out)
        self._told: IO[str] = os.fdopen(told)
        self.pid = int(self._told.readline())
        self.returncode: int | None = None

    def poll(self) -> int | None:
        return (
            self.wait(0) if self.returncode is None and select.select([self._told], [], [], 0)[0] else self.returncode
        )

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._told], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("a forked process", timeout or 0)
            self.returncode = int(self._told.readline())
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):  # it has ended since
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read()


def start(*command: object, cwd: object = None, env: Mapping[str, str] | None = None) -> Process:
    """A process that runs `python command...`."""
    return Process([str(part) for part in command], cwd and str(cwd), os.environ if env is None else env)  # type: ignore[arg-type]


def run(*command: object, cwd: object = None, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `python command...` to its end."""
    process = start(*command, cwd=cwd, env=env)
    printed = process.stdout.read()
    return subprocess.CompletedProcess(command, process.wait(), printed, process.errors())


@cache
def mother() -> socket.socket:
    """The way to the process that the others are forked from; it ends with this one."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, __file__, str(theirs.fileno())]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=environment, cwd="/")
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def bear(server: socket.socket) -> None:
    """Fork what is asked for, until nobody asks any more."""
    # A script's own folder comes first, where gradio would take tests/spaces.py for Hugging Face's `spaces`.
    sys.path.remove(str(Path(__file__).parent))
    for name in BEFOREHAND:
        __import__(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those between: see below
    while True:
        message, descriptors, _, _ = socket.recv_fds(server, 4, 3)
        if not message:
            return
        size, rest = int.from_bytes(message, "big"), b""
        while len(rest) < size:
            rest += server.recv(size - len(rest))
        if not os.fork():  # one between, which waits for the process and tells how it ended
            server.close()
            watch(json.loads(rest), *descriptors)
        for descriptor in descriptors:
            os.close(descriptor)


def watch(asked: list, out: int, errors: int, tells: int) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    pid = os.fork()
    if not pid:
        os.close(tells)
        become(*asked, out, errors)
    os.close(out)
    os.write(tells, f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    os.write(tells, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def become(command: list[str], cwd: str, env: dict[str, str], out: int, errors: int) -> None:
    """Be what `python command...` would be in this folder with this environment."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(errors, 2)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    given = [path for path in env.get("PYTHONPATH", "").split(os.pathsep) if path]
    sys.path[:] = [cwd, *given, *sys.path]
    kind, name, *arguments = command
    sys.argv = [kind, *arguments]
    code = 0
    try:
        if kind == "-m":
            runpy.run_module(name, run_name="__main__", alter_sys=True)
        else:
            main = sys.modules["__main__"] = types.ModuleType("__main__")
            exec(compile(name, "<string>", "exec"), vars(main))
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if code and not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except BaseException:
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
        code = 1
    finish(code)


def finish(code: int) -> None:
    """End as an interpreter does: threads are waited for, what is registered is run, what was printed is written."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    bear(socket.socket(fileno=int(sys.argv[1])))
