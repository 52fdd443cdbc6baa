"""Answers from a cluster: Ray Data reads, answers in a pool of actors, and writes; nothing passes through the driver.

Reading and writing wait for disks and services and take next to no processor; an actor has the model, one torch thread
and the steps of any other worker, so that its answers are theirs byte for byte. Blocks are small: when an actor dies,
Ray gives its batch to another one, once. Photos of which nothing was heard then are tried once more by themselves,
and told if that ends an actor again. What the sink holds is done.
"""

from __future__ import annotations

import json
import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from textseg import __version__
from textseg.bulk.answerer import Answerer, Done, Facts, Job, Question
from textseg.bulk.run import Report
from textseg.bulk.urls import Held, Sink, SinkError, Source, stem
from textseg.errors import PhotoError, TextsegError, UsageError, explain
from textseg.folders import Found
from textseg.overlap import overlapped

BLOCK = 8
"""Photos that travel together, and are tried again together when an actor dies."""

WAITING_CPU = 0.01
"""Of a processor, for what mostly waits: Ray must never keep an actor from starting because of it."""

ROW: dict[str, Any] = {
    "number": 0, "name": "", "status": "", "reason": "", "data": b"", "png": b"", "json": b"", "seconds": "", "many": 0,
}  # fmt: skip
"""A photo on its way. `status` is "photo" until it is answered and "answer" until that is written; then "done", "there"
(an earlier run's), "failed" or "fatal" (with `reason`); "end" counts the photos of a source in `many`."""


@dataclass
class Reading:
    """Sources become photos, less those whose labels the sink has."""

    question: Question
    facts: Facts
    sink: Sink
    resume: bool

    def __call__(self, batch: Any) -> Iterator[Any]:
        for row in batch.to_pylist():
            yield from self.read(Source(**json.loads(row["source"])))

    def read(self, source: Source) -> Iterator[Any]:
        """A block for each photo of a source, and one that counts them."""
        number, many = source.number, 0
        seen: set[str] = set()
        owners: dict[str, str] = {}
        try:
            for name, data in source.read():
                if name in seen:  # a shard may hold a name twice
                    continue
                seen.add(name)
                many += 1
                owner = owners.setdefault(stem(name), name)
                if owner != name:
                    why = f"Its labels would have the name of those of {owner}; give it another name."
                    yield _block(_row(number, name, "failed", reason=why))
                elif self.resume and self.sink.has(name, self.question, self.facts):
                    yield _block(_row(number, name, "there"))
                else:
                    yield _block(_row(number, name, "photo", data=data))
        except (PhotoError, OSError) as error:
            many += 1
            yield _block(_row(number, source.name, "failed", reason=_said(error)))
        except TextsegError as error:
            yield _block(_row(number, source.name, "fatal", reason=str(error)))
        yield _block(_row(number, source.name, "end", many=many))


class Answering:
    """An actor: the model, and the steps of any worker."""

    def __init__(self, start: Callable[[], Answerer], facts: Facts) -> None:
        import torch

        torch.set_num_threads(1)
        self._refusal: str | None = None
        try:
            self._answerer = start()
            facts.agree(self._answerer.facts, f"The worker on {os.uname().nodename}")
        except TextsegError as error:
            self._refusal = str(error)

    def __call__(self, batch: Any) -> Any:
        rows = _rows(batch)
        wanted = [k for k, row in enumerate(rows) if row["status"] == "photo"]
        if self._refusal is not None:
            return _block(*(row | {"status": "fatal", "reason": self._refusal, "data": b""} for row in rows))
        jobs = [Job(k, Held(Path(rows[k]["name"]), rows[k]["name"], data=rows[k]["data"])) for k in wanted]
        size = self._answerer.batch
        batches = [jobs[k : k + size] for k in range(0, len(jobs), size)]
        for answered in overlapped(batches, self._answerer.steps):
            for done in answered.result():
                rows[done.job.number] |= _answered(done)
        return _block(*rows)


@dataclass
class Writing:
    """Answers become files of the sink."""

    sink: Sink

    def __call__(self, batch: Any) -> Any:
        rows = _rows(batch)
        for row in rows:
            if row["status"] == "answer":
                row["status"] = "done"
                try:
                    self.sink.write(row["name"], {".png": row["png"], ".json": row["json"]})
                except (OSError, SinkError) as error:
                    row |= {"status": "fatal", "reason": _said(error)}
            row |= {"data": b"", "png": b"", "json": b""}
        return _block(*rows)


@dataclass
class Cluster:
    """Ray, on this machine or where RAY_ADDRESS says."""

    workers: int | None = None
    """At most so many actors; None: one a processor of the cluster."""
    block: int = BLOCK
    quiet: bool = True
    _gpus: float = field(default=0.0, init=False)

    def __enter__(self) -> Cluster:
        try:
            import ray
        except ImportError:
            raise UsageError("--engine ray needs the package ray: pip install 'textseg[ray]'.") from None
        os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
        if not ray.is_initialized():
            kept: dict[str, Any] = {} if os.environ.get("RAY_ADDRESS") else {"include_dashboard": False}
            if kept and self.workers is not None:
                kept["num_cpus"] = self.workers + 1  # one for what waits
            try:
                ray.init(log_to_driver=not self.quiet, logging_level=logging.ERROR, **kept)
            except (ConnectionError, ValueError, RuntimeError) as error:
                raise UsageError(f"Ray cannot be reached: {str(error).strip().splitlines()[0][:200]}") from None
        if self.quiet:
            logging.getLogger("ray.data").setLevel(logging.ERROR)
            warnings.filterwarnings("ignore", message=".*ray_remote_args", category=DeprecationWarning)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.max_errored_blocks = -1  # what they held is tried again, see `label`
        here = ray.cluster_resources()
        self._gpus = min(1.0, here.get("GPU", 0.0))
        if self.workers is None:
            self.workers = max(1, int(here.get("GPU") or here.get("CPU", 1)))
        return self

    def __exit__(self, *_: object) -> None:
        import ray

        ray.shutdown()

    def facts(self, start: Callable[[], Answerer]) -> Facts:
        """Those of a worker; raises TextsegError where it has another version, or no weights."""
        import ray

        told = ray.get(ray.remote(num_cpus=1)(_facts_of).remote(start))
        if isinstance(told, str):
            raise TextsegError(told)
        if told.version != __version__:
            raise TextsegError(
                f"The workers have textseg {told.version} and this is {__version__}; install the same everywhere."
            )
        return told

    def rows(
        self, sources: Sequence[Source], start: Callable[[], Answerer], reading: Reading, alone: bool = False
    ) -> Iterator[dict[str, Any]]:
        """What became of each photo of `sources`, as it comes; `alone`: no two of them travel together."""
        import ray

        size = 1 if alone else self.block
        items = [{"source": json.dumps(source.__dict__)} for source in sources]
        data: Any = ray.data.from_items(items, override_num_blocks=max(1, len(items) // size))
        data = data.map_batches(reading, batch_size=size, batch_format="pyarrow", num_cpus=WAITING_CPU)
        data = data.map_batches(
            Answering,
            fn_constructor_args=(start, reading.facts),
            batch_size=size,
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=self.workers),
            num_cpus=1,
            num_gpus=self._gpus,
            max_restarts=-1,
            max_task_retries=0 if alone else 1,
        )
        data = data.map_batches(Writing(reading.sink), batch_size=size, batch_format="pyarrow", num_cpus=WAITING_CPU)
        yield from data.iter_rows()


def label(
    sources: Sequence[Source],
    question: Question,
    sink: Sink,
    start: Callable[[], Answerer],
    cluster: Cluster,
    resume: bool = False,
    tell: Callable[[Found, str], object] | None = None,
    progress: Callable[[Report], object] | None = None,
    facts: Facts | None = None,
) -> Report:
    """Label photos into `sink`; as `run.label`, but what is answered is written where it was answered."""
    report = Report()
    reading = Reading(question, facts or cluster.facts(start), sink, resume)
    seen: dict[int, set[str]] = {}
    due: dict[int, int] = {}
    places = {source.number: source for source in sources}
    left = list(sources)
    for again in (False, True):
        for row in cluster.rows(left, start, Reading(**{**reading.__dict__, "resume": resume or again}), alone=again):
            number, name, status = row["number"], row["name"], row["status"]
            if status == "end":
                due[number] = row["many"]
                continue
            if status == "fatal":
                if not report.labelled:
                    raise TextsegError(row["reason"])
                report.stopped = row["reason"]
                return report
            if name in seen.setdefault(number, set()):
                continue
            seen[number].add(name)
            _count(report, row, again and not resume, _place(places[number], name), tell)
            if progress is not None:
                progress(report)
        left = [source for source in sources if len(seen.get(source.number, ())) < due.get(source.number, 1)]
        if not left:
            return report
    for source in left:
        why = "A photo ended the process that worked on it, twice; leave it out, or make it smaller."
        report.failed.append((_place(source, source.name), why))
        if tell is not None:
            tell(*report.failed[-1])
    if progress is not None:
        progress(report)
    return report


def _count(
    report: Report, row: dict[str, Any], retried: bool, photo: Found, tell: Callable[[Found, str], object] | None
) -> None:
    """Note what became of a photo; of one that is there when it is tried again, only the answer had got lost."""
    for step, seconds in json.loads(row["seconds"] or "{}").items():
        report.seconds[step] = report.seconds.get(step, 0.0) + seconds
    if row["status"] == "done" or (row["status"] == "there" and retried):
        report.labelled.append(photo)
    elif row["status"] == "there":
        report.skipped.append(photo)
    else:
        report.failed.append((photo, row["reason"]))
        if tell is not None:
            tell(photo, row["reason"])


def _place(source: Source, name: str) -> Found:
    return Found(Path(source.url), name, source.page)


def _facts_of(start: Callable[[], Answerer]) -> Facts | str:
    try:
        return start().facts
    except TextsegError as error:
        return str(error)


def _answered(done: Done) -> dict[str, Any]:
    told = {"data": b"", "seconds": json.dumps(done.seconds)}
    if done.failure is not None:
        return told | {"status": "fatal" if done.fatal else "failed", "reason": done.failure}
    return told | {"status": "answer", "png": done.answer[".png"], "json": done.answer[".json"]}


def _row(number: int, name: str, status: str, **more: Any) -> dict[str, Any]:
    return ROW | {"number": number, "name": name, "status": status} | more


def _rows(batch: Any) -> list[dict[str, Any]]:
    return batch.to_pylist()


def _block(*rows: dict[str, Any]) -> Any:
    """A pyarrow table; numpy would cut zeros off the end of a file."""
    import pyarrow

    kinds = {int: pyarrow.int64(), str: pyarrow.string(), bytes: pyarrow.binary()}
    schema = pyarrow.schema([(name, kinds[type(value)]) for name, value in ROW.items()])
    return pyarrow.Table.from_pylist(list(rows), schema=schema)


def _said(error: TextsegError | OSError) -> str:
    return explain(error) if isinstance(error, OSError) else str(error)
