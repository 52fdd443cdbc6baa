"""Work in the background of a page: one job at a time for each project, with progress, an end, and a way to stop it."""

import contextvars
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from textseg.errors import Cancelled, ProjectError, TextsegError, explain, traced

log = logging.getLogger(__name__)

SETTLED = 2.0
"""Seconds after which it is said how long the rest will take."""


class Progress:
    """What a job is given: `progress(done, all)` says how far it is, and raises Cancelled once a person stopped it."""

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped
        self.done = self.all = 0

    def __call__(self, done: int, all: int) -> None:
        self.tell(done, all)
        if self._stopped.is_set() and done < all:
            raise Cancelled("Stopped; nothing was changed.")

    def tell(self, done: int, all: int) -> None:
        """How far it is, without stopping it."""
        self.done, self.all = done, all

    def stopped(self) -> bool:
        """Whether a person stopped it, for work that ends by itself and says in its own words what stays."""
        return self._stopped.is_set()


Work = Callable[[Progress], dict[str, Any]]
"""Answers a report for the page. A job that leaves something behind when it is stopped raises Cancelled itself."""


class Job:
    """One piece of work in a thread of its own. Its state is running, done, cancelled, failed or crashed."""

    def __init__(self, what: str, work: Work) -> None:
        self.what, self.state = what, "running"
        self._report: dict[str, Any] | None = None
        self._problem: str | None = None
        self._stop = threading.Event()
        self._progress = Progress(self._stop)
        self._began = time.monotonic()
        self._ended: float | None = None
        # In a copy of the caller's context: what a message named, such as its project, holds in the thread too.
        run = contextvars.copy_context().run
        self._thread = threading.Thread(target=run, args=(self._run, work), name=what, daemon=True)
        self._thread.start()

    @property
    def running(self) -> bool:
        return self.state == "running"

    def cancel(self) -> None:
        """Stop it at its next step; may be called at any time, and again."""
        self._stop.set()

    def close(self, seconds: float | None = None) -> None:
        """Stop it and wait for its end, at most `seconds`; may be called again."""
        self.cancel()
        self._thread.join(seconds)

    def poll(self) -> dict[str, Any]:
        """How far it is, how long it takes and will take (seconds), and what came of it."""
        done, all = self._progress.done, self._progress.all
        took = (time.monotonic() if self._ended is None else self._ended) - self._began
        known = self.running and done and took > SETTLED
        return {
            "what": self.what,
            "state": self.state,
            "running": self.running,
            "done": done,
            "all": all,
            "seconds": round(took, 1),
            "left": round(took / done * (all - done)) if known else None,
            "report": self._report,
            "problem": self._problem,
        }

    def _run(self, work: Work) -> None:
        state = "crashed"
        try:
            self._report = work(self._progress)
            state = "done"
        except Cancelled as error:
            state, self._problem = "cancelled", str(error)
        except TextsegError as error:
            state, self._problem = "failed", str(error)
        except OSError as error:
            state, self._problem = "failed", explain(error)
        except Exception as error:
            log.error("%s ended unexpectedly: %s", self.what, traced(error))
            self._problem = f"{self.what} ended unexpectedly; the server's log says why."
        finally:
            self._ended = time.monotonic()
            self.state = state  # last: whoever sees the end sees all of it


IDLE = {
    "what": "", "state": "idle", "running": False, "done": 0, "all": 0, "seconds": 0.0, "left": None, "report": None,
    "problem": None,
}  # fmt: skip


class Jobs:
    """The newest job of each project, by the project's key."""

    def __init__(self) -> None:
        self._jobs: dict[str | None, Job] = {}
        self._lock = threading.Lock()

    def start(self, project: str | None, what: str, work: Work) -> dict[str, Any]:
        """Begin; answers like `poll`. Raises ProjectError while another job of the project is running."""
        with self._lock:
            before = self._jobs.get(project)
            if before is not None and before.running:
                raise ProjectError(f"{before.what} is still going on; wait for it, or stop it.")
            self._jobs[project] = job = Job(what, work)
        return job.poll()

    def poll(self, project: str | None) -> dict[str, Any]:
        job = self._newest(project)
        return dict(IDLE) if job is None else job.poll()

    def cancel(self, project: str | None) -> dict[str, Any]:
        """Stop what is running, if anything is; answers like `poll`."""
        job = self._newest(project)
        if job is not None:
            job.cancel()
        return self.poll(project)

    def _newest(self, project: str | None) -> Job | None:
        with self._lock:  # one that is being started runs before it is listed
            return self._jobs.get(project)

    def close(self, seconds: float | None = None) -> None:
        """Stop all and wait; may be called again."""
        for job in list(self._jobs.values()):
            job.close(seconds)
