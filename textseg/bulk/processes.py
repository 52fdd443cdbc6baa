"""Answers from several processes of this machine: each has the model, one torch thread, and overlapping steps.

One process a core, each on one thread, labels more photos than one process on all threads: the parts that are not
torch's have one thread anyway. A process that dies takes no answer with it that was given; the photos it was busy with
are tried once more, each alone in a process, and one that ends its process again is told as the cause.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

from textseg.bulk.answerer import Answerer, Done, Facts, Job
from textseg.errors import TextsegError
from textseg.overlap import overlapped

AHEAD = 4
"""Batches that a worker is given at a time: one a step, and one that waits."""

FEW = 24
"""Photos for which it is not worth while to start processes: loading the model takes as long as labelling so many."""

WORKER_BYTES = 1_300_000_000
"""Of memory that a worker with `lite` and its photos takes."""

STARTS = 3
"""Workers that may end one after the other before they are ready."""

_IMPORTED = ["textseg.bulk.answerer", "textseg.proposals.regions", "timm", "skimage.segmentation", "scipy.ndimage"]
"""What a worker needs, imported once for all of them where processes can be forked from a clean one."""


def sensible_count(photos: int) -> int:
    """Workers for so many photos: one a core that this process may use, as far as there is memory for them."""
    import psutil

    if photos < FEW:
        return 1
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(cores, psutil.virtual_memory().available // WORKER_BYTES))


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Processes that are started inside have one thread for each library that would take as many as there are cores."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Worker:
    """A process that answers, seen from the one that asks."""

    def __init__(self, context: Any, start: Callable[[], Answerer]) -> None:
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, start), daemon=True)
        self.process.start()
        theirs.close()  # so that its end is the end of the connection
        self.facts: Facts | None = None
        self.held: dict[int, Job] = {}
        self.alone = False
        """Whether it has a photo whose process died before, and is given nothing else."""

    def give(self, job: Job) -> None:
        self.held[job.number] = job
        with contextlib.suppress(OSError):  # it died: what it holds is found when its connection ends
            self.connection.send(job)

    def receive(self) -> Any:
        """What it says; None when it has died."""
        try:
            return self.connection.recv()
        except Exception:  # its end of the connection is gone, or it died while it sent
            return None

    def end(self) -> None:
        self.connection.close()
        self.process.join(1)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class Processes:
    """A crew of `count` processes, each with what `start` gives, which is pickled. A context manager."""

    def __init__(self, start: Callable[[], Answerer], count: int) -> None:
        way = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
        self._context: Any = multiprocessing.get_context(way)
        self._start = start
        if way == "forkserver":
            self._context.set_forkserver_preload(_IMPORTED)
        self._facts: Facts | None = None
        self._dead = 0
        self._retried: set[int] = set()
        with _one_thread():
            self._workers = [_Worker(self._context, start) for _ in range(max(1, count))]

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End them; may be called again."""
        for worker in self._workers:
            worker.end()
        self._workers = []

    @property
    def facts(self) -> Facts:
        while self._facts is None:
            for worker in self._ready():
                self._heard(worker)
        return self._facts

    def run(self, jobs: Iterable[Job]) -> Iterator[Done]:
        """What became of each job, in the order in which answers come."""
        again = deque[Job]()
        source: Iterator[Job] | None = iter(jobs)
        while True:
            for worker in self._workers:
                source = self._fed(worker, source, again)
            if source is None and not again and not any(worker.held for worker in self._workers):
                return
            for worker in self._ready():
                held = list(worker.held.values())
                said = self._heard(worker)
                if isinstance(said, Done):
                    yield said
                elif said is _DEAD:
                    for job in held:
                        if job.number in self._retried:
                            yield Done(job, failure=self._cause(worker))
                        else:
                            self._retried.add(job.number)
                            again.append(job)

    def _fed(self, worker: _Worker, source: Iterator[Job] | None, again: deque[Job]) -> Iterator[Job] | None:
        """Give a worker what it has room for; None instead of `source` once that is at its end."""
        if worker.facts is None or (worker.alone and worker.held):
            return source
        worker.alone = False
        if again:  # first each of these by itself: nobody gets anything new until they are under way
            if not worker.held:
                worker.alone = True
                worker.give(again.popleft())
            return source
        while source is not None and len(worker.held) < AHEAD * worker.facts.batch:
            job = next(source, None)
            if job is None:
                return None
            worker.give(job)
        return source

    def _ready(self) -> list[_Worker]:
        """Those that have something to say, or have died; waits for the first."""
        by_connection: dict[Any, _Worker] = {worker.connection: worker for worker in self._workers}
        return [by_connection[one] for one in wait(list(by_connection))]

    def _heard(self, worker: _Worker) -> Any:
        """What a worker says: what became of a job, its facts, or _DEAD, and then there is another in its place."""
        said = worker.receive()
        if isinstance(said, Done):
            worker.held.pop(said.job.number, None)
        elif isinstance(said, Facts):
            worker.facts, self._dead = said, 0
            self._facts = self._facts or said
            self._facts.agree(said, "A worker")
        elif isinstance(said, str):
            raise TextsegError(said)
        else:
            said = _DEAD
            worker.end()
            self._dead += worker.facts is None
            if self._dead >= STARTS:
                raise TextsegError(
                    f"The processes that label end before they are ready{_by_signal(worker)}; there may be too little "
                    "memory: use fewer --workers."
                )
            self._workers[self._workers.index(worker)] = _Worker(self._context, self._start)
        return said

    @staticmethod
    def _cause(worker: _Worker) -> str:
        return (
            f"The process that worked on it ended, twice{_by_signal(worker)}; leave the photo out, or make it smaller."
        )


_DEAD = object()


def _by_signal(worker: _Worker) -> str:
    code = worker.process.exitcode
    with contextlib.suppress(ValueError):
        return f" (by {signal.Signals(-code).name})" if code is not None and code < 0 else ""
    return ""


def _work(connection: Connection, start: Callable[[], Answerer]) -> None:
    """What a worker does: answers the jobs that come, until there are no more or nobody listens."""
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that asks, who ends this one
    torch.set_num_threads(1)
    try:
        answerer = start()
        facts = answerer.facts
    except TextsegError as error:
        connection.send(str(error))
        return

    def batches() -> Iterator[list[Job]]:
        with contextlib.suppress(EOFError, OSError):
            while True:
                batch = [connection.recv()]
                while len(batch) < answerer.batch and connection.poll():
                    batch.append(connection.recv())
                yield batch

    def send(answered: list[Done]) -> None:
        for done in answered:
            connection.send(done)

    with contextlib.suppress(OSError):
        connection.send(facts)
        for sent in overlapped(batches(), [_ending(step) for step in (*answerer.steps, send)]):
            sent.result()


def _ending(step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The step; an error that is no photo's own ends the process, which is seen, as the end of its thread is not."""

    def run(batch: Any) -> Any:
        try:
            return step(batch)
        except BaseException as error:
            if not isinstance(error, OSError):  # that is how it ends when nobody listens any more
                traceback.print_exc()
            os._exit(1)

    return run
