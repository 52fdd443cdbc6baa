"""Steps that overlap: while one photo is in the last of them, the next is in the one before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

Item = TypeVar("Item")


def overlapped(
    items: Iterable[Item], steps: Sequence[Callable[[Any], Any]], ahead: int | None = None
) -> Iterator[Future[Any]]:
    """For each item, in order, the future, done, of the last of `steps`; each takes what the one before gave.

    Every step has a thread of its own and works on one item at a time. At most `ahead` items (default: one a step) are
    on their way beyond the one that was asked for, so that memory is theirs alone; `items` are asked for in the
    caller's thread. An error in a step is that of the item's future, and the others go on.
    """
    ahead = len(steps) if ahead is None else ahead
    threads = [ThreadPoolExecutor(1, thread_name_prefix=f"step-{number}") for number in range(len(steps))]
    waiting: deque[Future[Any]] = deque()
    try:
        for item in items:
            done: Future[Any] = Future()
            done.set_result(item)
            for thread, step in zip(threads, steps, strict=True):
                done = thread.submit(_after, step, done)
            waiting.append(done)
            del done, item  # what a step no longer needs must not be held here
            while len(waiting) > ahead:
                yield _done(waiting.popleft())
        while waiting:
            yield _done(waiting.popleft())
    finally:
        for thread in threads:
            thread.shutdown(wait=True, cancel_futures=True)


def _done(future: Future[Any]) -> Future[Any]:
    wait([future])
    return future


def _after(step: Callable[[Any], Any], before: Future[Any]) -> Any:
    return step(before.result())
