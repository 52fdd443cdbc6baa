"""Films on the Label page: the frames beside the photo in hand, and labels carried to the next one."""

from typing import Any

from textseg.film import chain
from textseg.project.schema import STATES
from textseg.web.api.project import ProjectApi
from textseg.web.rpc.messages import Message


class FilmFunctions:
    """Server functions about the film that a photo is a frame of."""

    api: ProjectApi

    def film(self, message: Any) -> dict[str, Any]:
        """`{"photo"}` -> its film, null for a photo that is no frame.

        `frames` has of each [photo, where it lies, number of its state, how sure its labels are or null]; below `stop`
        a person should look before labels are carried on.
        """
        films = self.api.project.films
        film = films.of(Message(message).whole("photo"))
        if film is None:
            return {"film": None}
        frames = [
            (still.photo, still.at, STATES.index(still.state), None if still.sure is None else round(still.sure, 3))
            for still in films.stills(film)
        ]
        return {"film": {"id": film.id, "name": film.name, "timed": film.timed}, "frames": frames, "stop": chain.STOP}

    def carry(self, message: Any) -> dict[str, Any]:
        """`{"photo"}`: carry its labels to the next frame -> that one, its revision, and how sure they are."""
        project = self.api.project
        project.database.check_may_change()
        step = chain.carry_to_next(
            project, Message(message).whole("photo"), lambda photo: self.api.scene(project.photo(photo))
        )
        return {"to": step.to.photo, "name": step.to.name, "revision": step.revision, "sure": step.sure,
                "stops": step.stops}  # fmt: skip
