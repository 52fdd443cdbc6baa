"""Heads on the Learn page: made active, downloaded, put to use on every photo."""

from typing import Any

from gradio.processing_utils import save_file_to_cache

from textseg.bulk.whole_project import pseudo_label_all
from textseg.errors import Cancelled
from textseg.web.api.project import ProjectApi
from textseg.web.rpc.jobs import Jobs, Progress
from textseg.web.rpc.messages import Message


class HeadFunctions:
    """Server functions about the heads of the project in hand."""

    _api: ProjectApi
    _jobs: Jobs
    _downloads: str

    def activate(self, message: Any) -> dict[str, Any]:
        """`{"head"}`: label with it from now on; null goes back to the head that the program was started with."""
        asked = Message(message)
        self._api.project.heads.activate(asked.whole("head") if asked.has("head") else None)
        return {}

    def download(self, message: Any) -> dict[str, Any]:
        """`{"head"}` -> the address of its file."""
        path = save_file_to_cache(self._api.project.heads.path(Message(message).whole("head")), self._downloads)
        return {"url": f"gradio_api/file={path}"}

    def relabel(self, message: Any) -> dict[str, Any]:
        """`{"action": "start" | "cancel" | "look"}`: label every photo that is not done anew with the active head.

        What a person has drawn, erased or accepted stays as it is.
        """
        action = Message(message).choice("action", ("start", "cancel", "look"), "look")
        if action == "start":
            project = self._api.project
            project.database.check_may_change()
            photos = [row.id for row in project.photos() if row.state not in ("done", "skipped")]

            def work(progress: Progress) -> dict[str, Any]:
                run = pseudo_label_all(
                    project, self._api.model(), photos, progress=progress.tell, cancel=progress.stopped
                )
                if run.cancelled:
                    raise Cancelled(f"Stopped after {progress.done} of {progress.all}; those that are labelled stay.")
                return {"failed": [(one.name, reason) for one, reason in run.failed]}

            self._jobs.start(self._api.key, "Labelling photos with the active head", work)
        elif action == "cancel":
            self._jobs.cancel(self._api.key)
        return {"run": self._jobs.poll(self._api.key)}
