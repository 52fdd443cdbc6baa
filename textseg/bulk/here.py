"""Answers from this process: its steps overlap in threads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice

from textseg.bulk.answerer import Answerer, Done, Facts, Job
from textseg.overlap import overlapped


class Here:
    """A crew of one: a model that is loaded already, in this process."""

    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer

    @cached_property
    def facts(self) -> Facts:
        return self._answerer.facts

    def run(self, jobs: Iterable[Job]) -> Iterator[Done]:
        for answered in overlapped(batches(jobs, self._answerer.batch), self._answerer.steps):
            yield from answered.result()


def batches(jobs: Iterable[Job], size: int) -> Iterator[list[Job]]:
    """`size` at a time, the last ones as many as are left."""
    source = iter(jobs)
    while batch := list(islice(source, size)):
        yield batch
