"""Films on the Label page: the frames beside the photo in hand, and labels carried to the next ones, or back."""

import functools
from typing import Any

from textseg.errors import FilmError
from textseg.film import chain
from textseg.project.schema import STATES
from textseg.web.api.project import ProjectApi
from textseg.web.rpc.jobs import Jobs, Progress
from textseg.web.rpc.messages import Message

WAYS = ("sure", "end", "back")
"""On to where labels are not sure any more, on to the end of the film, or back as far as they are surer."""


class FilmFunctions:
    """Server functions about the film that a photo is a frame of."""

    api: ProjectApi
    carrying: Jobs

    def film(self, message: Any) -> dict[str, Any]:
        """`{"photo", "film"?: the one in hand}` -> its film, null for a photo that is no frame.

        `frames` has of each [photo, where it lies, number of its state, how sure its labels are or null, whether any of
        them were carried]; below `stop` a person should look before labels are carried on.
        """
        asked, films = Message(message), self.api.project.films
        film = films.of(asked.whole("photo"), _film(asked))
        if film is None:
            return {"film": None}
        frames = [
            (still.photo, still.at, STATES.index(still.state), None if still.sure is None else round(still.sure, 3),
             still.carried is not None)
            for still in films.stills(film)
        ]  # fmt: skip
        return {"film": {"id": film.id, "name": film.name, "timed": film.timed}, "frames": frames, "stop": chain.STOP}

    def carry(self, message: Any) -> dict[str, Any]:
        """`{"photo", "film"?}`: carry its labels to the next frame -> that one, and how sure they are."""
        asked, project = Message(message), self.api.project
        project.database.check_may_change()
        return _told(chain.carry_to_next(project, asked.whole("photo"), self._seen(), _film(asked)))

    def carry_on(self, message: Any) -> dict[str, Any]:
        """`{"action": "start" | "look" | "cancel", "photo", "film"?, "way": one of WAYS}`: from frame to frame.

        The report is of the last frame, with how many `frames` were labelled, and whether a person `stopped` it.
        """
        asked, project = Message(message), self.api.project
        action = asked.choice("action", ("start", "look", "cancel"), "look")
        if action != "start":
            return self.carrying.cancel(self.api.key) if action == "cancel" else self.carrying.poll(self.api.key)
        project.database.check_may_change()
        photo, way = asked.whole("photo"), asked.choice("way", WAYS)
        film, back = project.films.of(photo, _film(asked)), way == "back"
        if film is None:
            raise FilmError("This photo is no frame of a film.")
        start = chain.begin(project, film, photo, back)
        all = chain.ahead(project, film, start, back)
        if not all:
            raise FilmError(
                "Every frame before this one is done or skipped."
                if back
                else "Every frame after this one is done or skipped."
            )
        seen = self._seen()

        def work(progress: Progress) -> dict[str, Any]:
            report: dict[str, Any] = {}
            progress.tell(0, all)
            for step in chain.carry_on(project, film, seen, start, 0.0 if way == "end" else chain.STOP, back):
                frames = progress.done + (not step.kept)
                progress.tell(frames, all)
                report = _told(step) | {"frames": frames, "stopped": progress.stopped() and frames < all}
                if report["stopped"]:
                    break
            return report

        return self.carrying.start(self.api.key, "Carrying back" if back else "Carrying on", work)

    def _seen(self) -> chain.Seen:
        """The photos of the project, all by one model, which is loaded when the first is asked for."""
        project, model = self.api.project, functools.cache(self.api.model)
        return lambda photo: self.api.scene(project.photo(photo), model())


def _film(asked: Message) -> int | None:
    return asked.whole("film") if asked.has("film") else None


def _told(step: chain.Step) -> dict[str, Any]:
    return {"to": step.to.photo, "name": step.to.name, "sure": step.sure, "stops": step.stops, "kept": step.kept}
