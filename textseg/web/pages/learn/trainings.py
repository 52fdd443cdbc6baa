"""Trainings on the Learn page: begun, watched, stopped, begun by themselves."""

from typing import Any

from textseg.web.api.project import ProjectApi
from textseg.web.rpc.jobs import Jobs
from textseg.web.rpc.messages import Message


class TrainingFunctions:
    """Server functions about the trainings of the project in hand."""

    _api: ProjectApi
    _jobs: Jobs

    def state(self, message: Any) -> dict[str, Any]:
        """The newest training with its curve, the older ones in short, and all heads."""
        trainings = self._api.project.trainings.all()
        newest = trainings[0] if trainings else None
        heads = self._api.project.heads.all()
        for head in heads:
            head["data"] = {**head["data"], "held_back": len(head["data"]["held_back"])}
        short = [{key: row[key] for key in ("id", "state", "problem", "began", "seconds", "head")} for row in trainings]
        return {
            "training": newest,
            "trainings": short[:20],
            "heads": heads,
            "run": self._jobs.poll(self._api.key),
            "keep": self._api.project.trainings.keeps_learning,
            "complete": self._api.project.trainings.complete,
        }

    def keep(self, message: Any) -> dict[str, Any]:
        """`{"on"}`: whether a photo that is done begins a training by itself."""
        self._api.project.trainings.keep_learning(Message(message).flag("on"))
        return {}

    def complete(self, message: Any) -> dict[str, Any]:
        """`{"on"}`: whether photos marked done show everything, for this and all later trainings."""
        self._api.project.trainings.take_as_complete(Message(message).flag("on"))
        return {}

    def train(self, message: Any) -> dict[str, Any]:
        """Begin a training in a process of its own."""
        return {"training": self._api.train(self._api.project.name, {})}

    def cancel(self, message: Any) -> dict[str, Any]:
        """`{"training"}`: stop it at its next step."""
        self._api.project.trainings.cancel(Message(message).whole("training"))
        return {}
