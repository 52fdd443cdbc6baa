"""The pages: each is one module that registers itself, with its markup, script and style in `assets/web/<name>`."""

from collections.abc import Callable
from dataclasses import dataclass

import gradio as gr

from textseg.registry import Facts, Registry
from textseg.web.api.project import ProjectApi
from textseg.web.engine import Engine
from textseg.web.nouns import Nouns


@dataclass(frozen=True)
class Shared:
    """What the pages of one server share."""

    engine: Engine
    """The model, and the scenes it has encoded."""
    api: ProjectApi
    """The project in hand."""
    nouns: Nouns
    """Everyday words, embedded in the background."""


Builder = Callable[[Shared], gr.HTML]
"""Makes a page's component, by `textseg.web.rpc.page.page`, inside the Blocks being built."""

_registry: Registry[Builder] = Registry("page", __name__)
get, facts = _registry.get, _registry.facts


def register(name: str, title: str, order: int) -> Callable[[Builder], Builder]:
    """Decorator: the page called `name`, under the address `#name`; `title` and `order` are those of its link."""
    return _registry.register(name, Facts(title=title, order=order))


def names() -> list[str]:
    """The pages in the order of their links."""
    return sorted(_registry.names(), key=lambda name: (facts(name).order, name))
