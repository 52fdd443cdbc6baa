"""People on the Label page: who is on a photo, who is to do it, reviews, and two opinions compared."""

from typing import Any

import numpy as np
from PIL import Image

from textseg.errors import RequestError
from textseg.project.team import MOST_NOTE
from textseg.web.access import ForbiddenError, current
from textseg.web.api.project import ProjectApi
from textseg.web.rpc import pictures
from textseg.web.rpc.messages import Message, whole

MOST_ASSIGNED = 100_000
SHOWN_SIDE = 900
DIFFERS = (230, 30, 140)
"""The colour of pixels on which two people do not agree; no class has it by default."""


def _photo_id(value: Any, name: str) -> int:
    return whole(value, name, 0, 2**31 - 1)


class TeamFunctions:
    """Server functions about the people of the project in hand; they mean something where people sign in."""

    api: ProjectApi

    def team(self, message: Any) -> dict[str, Any]:
        """`team`: who I am, everybody, how photos stand and who is on them; null where nobody signs in.

        What was given to somebody who is not among the people any more is free from now on.
        """
        me, users = current(), self.api.users
        if me is None or users is None:
            return {"team": None}
        team, people = self.api.project.team, users.all()
        names = {user.name for user in people}
        standing, present = team.standing(), team.present()
        known = {row.assignee for row in standing.values() if row.assignee}
        known |= {who for on in present.values() for who in on}
        for who in sorted(known - names):
            team.free(who)
        return {
            "team": {
                "me": me.name,
                "role": me.role,
                "people": [{"name": user.name, "role": user.role} for user in people],
                "standing": {
                    str(photo): {"assignee": row.assignee if row.assignee in names else None, "review": row.review}
                    for photo, row in standing.items()
                },
                "present": {str(photo): [who for who in on if who in names] for photo, on in present.items()},
            }
        }

    def look(self, message: Any) -> dict[str, Any]:
        """`{"photo", "left"?}`: say that I am on a photo -> who else is, how it stands, whose opinions there are."""
        asked, me = Message(message), self._me()
        project = self.api.project
        key = asked.whole("photo")
        names = {user.name for user in self.api.users.all()} if self.api.users else set()
        others = project.team.look(key, me, asked.whole("left") if asked.has("left") else None)
        photo, trail = project.photo(key), project.team.trail(key)
        said = next((one for one in reversed(trail) if one["what"] in ("returned", "reviewed")), None)
        by = next((one["who"] for one in reversed(trail) if one["what"] == "labelled"), None)
        return {
            "others": [one for one in others if one["who"] in names],
            "state": photo.state,
            "assignee": photo.assignee if photo.assignee in names else None,
            "review": photo.review,
            "by": by if photo.state == "done" else None,
            "note": said if photo.review == "returned" else None,
            "opinions": list(dict.fromkeys(one["who"] for one in trail if one["what"] == "labelled")),
        }

    def assign(self, message: Any) -> dict[str, Any]:
        """`{"photos": [id, ...], "whom": name or ""}`: give photos to somebody, or take them back."""
        asked = Message(message)
        whom = asked.text("whom", "", 64)
        photos = asked.items("photos", MOST_ASSIGNED, _photo_id)
        self.api.project.team.assign(photos, self._labeller(whom) if whom else None)
        return {}

    def review(self, message: Any) -> dict[str, Any]:
        """`{"photo", "verdict": "reviewed" | "returned", "note"?, "revision"?: that was looked at}`."""
        asked = Message(message)
        verdict = asked.choice("verdict", ("reviewed", "returned"))
        seen = asked.whole("revision") if asked.has("revision") else None
        self.api.project.team.review(asked.whole("photo"), verdict, asked.text("note", "", MOST_NOTE), seen)
        return {}

    def trail(self, message: Any) -> dict[str, Any]:
        """`{"photo"}` -> what was said of it, oldest first, and who drew what in it."""
        key = Message(message).whole("photo")
        return {"trail": self.api.project.team.trail(key), "history": self.api.project.history(key)}

    def second(self, message: Any) -> dict[str, Any]:
        """`{"photo", "whom"}`: have somebody label a photo again, without seeing what was done."""
        asked = Message(message)
        self.api.project.team.second(asked.whole("photo"), self._labeller(asked.text("whom", most=64)))
        return {}

    def agreement(self, message: Any) -> dict[str, Any]:
        """`{"photo"}` -> `people`, `iou` [[class id, 0..1], ...], `pixels` 0..1, `differs`: a JPEG in base64."""
        key = Message(message).whole("photo")
        found = self.api.project.team.agreement(key)
        grey = np.asarray(self.api.project.picture(key).convert("L").convert("RGB"))
        shown = np.where(found.differs[..., None], np.array(DIFFERS, np.uint8), grey)
        return {
            "people": list(found.people),
            "iou": [[k, round(share, 4)] for k, share in found.iou.items()],
            "pixels": round(found.pixels, 4),
            "differs": pictures.jpeg(Image.fromarray(shown), SHOWN_SIDE),
        }

    def adjudicate(self, message: Any) -> dict[str, Any]:
        """`{"photo", "choice": name | "agreed"}`: make one opinion, or what both say, the photo's label map."""
        asked = Message(message)
        self.api.project.team.adjudicate(asked.whole("photo"), asked.text("choice", most=64))
        return {}

    def _me(self) -> str:
        me = current()
        if me is None:
            raise RequestError("Nobody signs in here; start the server with --users FILE.")
        return me.name

    def _labeller(self, name: str) -> str:
        """A person who may be given a photo; raises RequestError, ForbiddenError."""
        user = None if self.api.users is None else self.api.users.get(name)
        if user is None:
            raise RequestError(f"There is nobody called '{name}' here.")
        if not user.may("label"):
            raise ForbiddenError(f"{name} may only look; somebody with the role 'label' can be given photos.")
        return name
