"""The model panel's side of the server: what can be chosen, what it costs here, and the switch to another model.

Whoever sits at this machine may name any repository or file; others choose only from what the server's owner offers.
"""

import logging
import re
from collections.abc import Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from textseg import catalogue, hub
from textseg.errors import Cancelled, HeadError, RequestError, TextsegError
from textseg.model import heads, readouts, repository, towers
from textseg.model.backbones import clip
from textseg.project import chosen as remembered
from textseg.project.chosen import Chosen
from textseg.web import costs
from textseg.web.api.project import ProjectApi
from textseg.web.engine import Engine
from textseg.web.rpc.jobs import Jobs, Progress
from textseg.web.rpc.messages import Message

log = logging.getLogger(__name__)

MAX_NAME = 1000
OWN_HEADS = ("default", "none")


class ModelFunctions:
    """Server functions of the header about the model. They take one message (a dict from a stranger)."""

    def __init__(self, engine: Engine, api: ProjectApi, offered: Collection[str] = ()) -> None:
        self._engine, self._api, self._offered = engine, api, tuple(offered)
        self._jobs = Jobs()

    @property
    def functions(self) -> list[Any]:
        return [self.models, self.switch, self.stop]

    def told(self) -> dict[str, Any]:
        """What the header's status says beside: the switch that runs, and how project and model go together."""
        return {
            "switch": self._jobs.poll(None), "differs": self._differs(), "remembers": self._remembers(),
            "chosen": self._shown(),
        }  # fmt: skip

    def models(self, message: Any) -> dict[str, Any]:
        """Backbones and proposers to choose from, each with its facts, and the heads there are."""
        listed = {
            "backbone": [one for one in catalogue.entries() if one.kind in ("backbone", "tower")],
            "proposer": [one for one in catalogue.entries() if one.kind == "proposer"],
        }
        now, measured = self._engine.chosen, costs.known()
        told: dict[str, Any] = {}
        for kind, used in (("backbone", now.backbone), ("proposer", now.proposals)):
            rows: dict[str, dict[str, Any]] = {}
            for one in listed[kind]:  # of a backbone and its tower with one example, the backbone
                if one.example and one.example not in rows:
                    rows[one.example] = self._row(one.example, measured, one)
            for name in [used, *self._offered]:
                if name not in rows and (name == used or hub.proposes(name) == (kind == "proposer")):
                    rows[name] = self._row(name, measured)
            told[f"{kind}s"] = [row for row in rows.values() if self._api.local or self._allowed(row["name"])]
        return {**told, "heads": self._heads(), "anything": self._api.local, "may": self._may, "chosen": self._shown()}

    def switch(self, message: Any) -> dict[str, Any]:
        """`{"backbone", "readout"?, "head", "proposals"}`: fetch and load them as a job, then answer with them.

        `head` is "default", "none" or the number of one of the project's. The model in use answers meanwhile, and goes
        on answering when anything goes wrong.
        """
        if not self._may:
            raise RequestError("The model is chosen where the server runs: textseg serve --backbone NAME, or --offer.")
        asked = Message(message)
        head = asked.text("head", "default", 20)
        chosen = Chosen(
            _full_name(asked.text("backbone", most=MAX_NAME)),
            asked.text("readout", most=100) if asked.has("readout") else None,
            head if head in OWN_HEADS else "default",
            _full_name(asked.text("proposals", most=MAX_NAME)),
        )
        for name in (chosen.backbone, chosen.proposals):
            if not self._allowed(name):
                raise RequestError(f"This server does not offer '{name}'; whoever runs it can, with --offer.")
        if chosen.readout is not None and not self._api.local and ":" in chosen.readout:
            raise RequestError("A second backbone is named where the server runs.")
        project = self._api.project if self._api.key is not None else None
        number = self._head_number(head)
        file = None if number is None or project is None else project.heads.path(number)

        def work(progress: Progress) -> dict[str, Any]:
            for name, readout in ((chosen.backbone, chosen.readout), (chosen.proposals, None)):
                hub.fetch(name, readout, progress.tell, progress.stopped)
            progress.tell(0, 0)
            if file is not None:
                _check_fits(file, chosen)
            found = chosen
            try:
                model, proposer = self._engine.load(found)
            except HeadError:  # a DINO has no alignment of its own: it is the project's head or none
                if file is None:
                    raise
                found = replace(chosen, head=str(file))
                model, proposer = self._engine.load(found)
            if progress.stopped():
                raise Cancelled(f"Stopped; {self._engine.chosen.backbone} goes on.")
            self._engine.take(found, model, proposer)
            if project is not None:
                if number is not None or self._head_fits(found):
                    project.heads.activate(number)
                remembered.remember(project.folder, found)
            return {"name": model.name}

        return {"switch": self._jobs.start(None, f"Switching to {_new(chosen, self._engine.chosen)}", work)}

    def stop(self, message: Any) -> dict[str, Any]:
        """Stop the switch that runs; what has been fetched stays."""
        return {"switch": self._jobs.cancel(None)}

    def _row(self, name: str, measured: dict[str, Any], entry: catalogue.Entry | None = None) -> dict[str, Any]:
        size = None
        with suppress(TextsegError, OSError):
            size = hub.size_here(name)
        facts = {"title": entry.title, "licence": entry.licence, "size": entry.size} if entry else {}
        return {
            "title": name, "licence": "", "size": "", **facts,
            "name": name, "here": size is not None, "bytes": size, "cost": measured.get(name),
            "readouts": _readouts(name), "needs_head": name.partition(":")[0] in ("dino", "dinov2", "dinov3"),
        }  # fmt: skip

    @property
    def _may(self) -> bool:
        """Whether whoever reaches the pages may switch at all."""
        return self._api.local or bool(self._offered)

    def _shown(self) -> dict[str, Any]:
        """What is in use, without saying to strangers where files lie."""
        now = self._engine.chosen
        own = self._api.local or now.head in OWN_HEADS
        return (now if own else replace(now, head=Path(now.head).name)).to_dict()

    def _allowed(self, name: str) -> bool:
        now = self._engine.chosen
        return self._api.local or name in (*self._offered, now.backbone, now.proposals)

    def _heads(self) -> list[dict[str, Any]]:
        """The heads of the project in hand: number, whether active, and what each was trained on."""
        if self._api.key is None:
            return []
        found = []
        for row in self._api.project.heads.all():
            with suppress(TextsegError):
                backbone, readout = _trained_on(self._api.project.heads.path(row["id"]))
                found.append({"id": row["id"], "active": row["active"], "backbone": backbone, "readout": readout})
        return found

    def _head_number(self, head: str) -> int | None:
        if head in OWN_HEADS:
            return None
        if not re.fullmatch(r"[0-9]{1,9}", head):
            raise RequestError(f"'head' is default, none or the number of one of the project's, not '{head}'.")
        if self._api.key is None:
            raise RequestError("No project is open, so there is no head of one.")
        return int(head)

    def _head_fits(self, chosen: Chosen) -> bool:
        """Whether the project's active head could be used with what was chosen: then another was chosen on purpose."""
        active = self._api.project.heads.active() if self._api.key is not None else None
        if active is None:
            return False
        with suppress(TextsegError):
            return _goes_with(active.path, chosen)
        return False

    def _differs(self) -> str | None:
        """A sentence where the project's head was trained with another model than the one in use."""
        active = self._api.project.heads.active() if self._api.key is not None else None
        now = self._engine.chosen
        if active is None or self._engine.status()["state"] not in ("ready", "fallback"):
            return None
        with suppress(TextsegError):
            backbone, readout = _trained_on(active.path)
            if not _goes_with(active.path, now) or self._engine.notice:
                named = f"{backbone} ({readout})" if readout else backbone
                return (
                    f"Head {active.id} of this project was trained with {named} and rests meanwhile: "
                    "switch to that model, or train again with this one."
                )
        return None

    def _remembers(self) -> dict[str, Any] | None:
        """What the project in hand was last worked on with, where that is not what is in use."""
        if self._api.key is None:
            return None
        found = remembered.read(self._api.project.folder)
        if found is None or found == self._engine.chosen or not self._api.local:
            return None
        return found.to_dict()


def of_project(folder: Path) -> Chosen | None:
    """What a project remembers, where all of it is on this machine: nothing is fetched because a file says so."""
    found = remembered.read(folder)
    if found is None:
        return None
    try:
        here = [hub.size_here(found.backbone, found.readout), hub.size_here(found.proposals)]
    except (TextsegError, OSError):
        return None
    return found if None not in here else None


def _new(chosen: Chosen, now: Chosen) -> str:
    """What is other than now, by name; the backbone where only readout or head are."""
    names = [] if chosen.backbone == now.backbone else [chosen.backbone]
    names += [] if chosen.proposals == now.proposals else [chosen.proposals]
    return " and ".join(names) or chosen.backbone


def _full_name(name: str) -> str:
    """A repository or folder that a person typed without its family is one of transformers."""
    name = name.strip()
    plain = ":" not in name and (re.fullmatch(r"[\w.-]+/[\w.-]+", name) or Path(name).expanduser().is_dir())
    return f"hf:{name}" if plain else name


def _readouts(name: str) -> list[str]:
    """The readouts of a backbone, its default first; empty where it has none, or nothing is known of it yet."""
    family, _, details = name.partition(":")
    with suppress(TextsegError, OSError, KeyError):
        if family == "clip" and not details.startswith("hf-hub:"):
            model = details.partition("//")[0] if "//" in details else details.rpartition("/")[0]
            of = towers.family(clip.architecture(model, name)["vision_cfg"])
            return readouts.of(towers.get(of).has) if of else []
        if family == "hf":
            folder = hub.folder_here(details.partition("?")[0])
            told = repository.settings(folder)["model_type"] if folder else ""
            return next(
                (readouts.of(towers.get(of).has) for of in towers.names() if told in towers.get(of).model_types), []
            )
    return []


def _trained_on(head: Path) -> tuple[str, str | None]:
    """Backbone and readout that a head file was trained on; raises HeadError."""
    told = heads.read_facts(head).get("backbone")
    name = told.get("name") if isinstance(told, dict) else None
    return (name if isinstance(name, str) else "another model"), heads.trained_readout(head)


def _goes_with(head: Path, chosen: Chosen) -> bool:
    backbone, readout = _trained_on(head)
    named = heads.full_name(head, chosen.backbone).partition("?")[0]
    return backbone.partition("?")[0] == named and (not readout or chosen.readout in (None, readout))


def _check_fits(head: Path, chosen: Chosen) -> None:
    if not _goes_with(head, chosen):
        backbone, readout = _trained_on(head)
        with_readout = f" and the readout {readout}" if readout else ""
        raise HeadError(
            f"That head was trained with {backbone}{with_readout} and goes with no other model; choose its own."
        )
