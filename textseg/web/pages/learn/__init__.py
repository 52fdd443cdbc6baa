"""Learn: what there is to learn from, trainings and heads, before and after, and which photo to label next."""

from typing import Any

import gradio as gr

from textseg.web.api.project import ProjectApi
from textseg.web.engine import Engine
from textseg.web.pages import Shared, register
from textseg.web.pages.learn.comparison import ComparisonFunctions
from textseg.web.pages.learn.heads import HeadFunctions
from textseg.web.pages.learn.suggestion import SuggestionFunctions
from textseg.web.pages.learn.trainings import TrainingFunctions
from textseg.web.rpc.jobs import Jobs
from textseg.web.rpc.page import of_any_project, page


@register("learn", title="Learn", order=30)
def component(shared: Shared) -> gr.HTML:
    """The page as a Gradio component."""
    return Learn(shared.api, shared.engine).component()


class Learn(TrainingFunctions, HeadFunctions, ComparisonFunctions, SuggestionFunctions):
    """The server side of the page. Its functions take one message (a dict from a stranger) and give one dict."""

    def __init__(self, api: ProjectApi, engine: Engine) -> None:
        self._api, self._engine = api, engine
        self._jobs = Jobs()
        self._downloads = ""

    def component(self) -> gr.HTML:
        """The page as a Gradio component."""
        from trainer import suggest

        functions = [
            self.overview, self.state, self.train, self.keep, self.complete, self.cancel, self.activate, self.download,
            self.compare, self.suggest, self.relabel, self.look,
        ]  # fmt: skip
        component = page("learn", functions, {"rules": suggest.names(), "rule": suggest.DEFAULT}, self._api.meant)
        self._downloads = component.GRADIO_CACHE
        return component

    @of_any_project
    def overview(self, message: Any) -> dict[str, Any]:
        """The classes with what a person made of each (photos, pixels); `project` is null without one."""
        if self._api.key is None:
            return {"project": None}
        project = self._api.project
        said = project.correction_counts()
        totals: dict[int, list[int]] = {}
        for counts in said.values():
            for class_id, pixels in counts.items():
                total = totals.setdefault(class_id, [0, 0])
                total[0] += 1
                total[1] += pixels
        classes = [
            {"id": c.id, "name": c.name, "colour": c.colour, "counts": totals.get(c.id, [0, 0])}
            for c in project.classes()
        ]
        return {
            "project": project.name,
            "key": self._api.key,
            "photos": sum(project.photos_by_state().values()),
            "corrected": len(said),
            "classes": classes,
            "none": totals.get(-1, [0, 0]),
        }
