"""The model behind the pages: loaded in the background, with `lite` to fall back to, and the scenes it has encoded."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

from textseg.errors import HeadError, TextsegError
from textseg.model import Model, Scene, SceneCache, load_model
from textseg.model.encodings import EncodingStore, encoder
from textseg.project.chosen import Chosen
from textseg.proposals import Proposals, Proposer, knows_words, load_proposer, opened
from textseg.web import costs, zerogpu
from textseg.web.rpc.photos import Photo

log = logging.getLogger(__name__)

FALLBACK, FALLBACK_PROPOSALS = "lite", "regions"
MAX_WAITING = 16
"""Photos that may wait for the encoder; more are refused, so that a crowd cannot take every thread."""


class Engine:
    """Loads one model, says how far it is, and encodes each photo once."""

    def __init__(
        self,
        backbone: str = FALLBACK,
        head: str | PathLike[str] = "default",
        proposals: str = FALLBACK_PROPOSALS,
        readout: str | None = None,
    ) -> None:
        self.backbone, self.head, self.readout, self._proposals = backbone, head, readout, proposals
        self.scenes = SceneCache()
        self.notice: str | None = None
        self._model: Model | None = None
        self._failure: TextsegError | None = None
        self._settled = threading.Event()
        self._proposer: Proposer | None = None
        self._no_proposer: str | None = None
        self._loading_proposer = threading.Lock()
        self._started = time.monotonic()
        self._load_seconds = 0.0
        self._encode_seconds: float | None = None
        self._encoding = threading.Lock()
        self._waiting = 0
        self._readouts: dict[str, Model] = {}
        self._learnt: dict[tuple[Path, int, int], Model] = {}
        self._then: Callable[[Model], object] = lambda model: None
        self._before: tuple[Chosen, Model, Proposer] | None = None
        self._lender = zerogpu.lender()
        self._gpu: zerogpu.LentGpu | None = None
        self._kept: dict[Any, Scene] = {}

    def start(self, then: Callable[[Model], object]) -> None:
        """Load the model in a thread of its own, then call `then(model)` in it, and again of each that is taken.

        Where a GPU is lent for single calls it must be there before the pages are, and is loaded at once.
        """
        self._then = then
        if self._lender is not None:
            return self._load()
        threading.Thread(target=self._load, name="load-model", daemon=True).start()

    def model(self, readout: str | None = None) -> Model:
        """The model, once it is loaded; raises the reason when none could be. `readout` asks for another one."""
        self._settled.wait()
        if self._model is None:
            raise self._failure or TextsegError("The model could not be loaded; restart the program.")
        if readout is None:
            return self._model
        with self._encoding:
            if readout not in self._readouts:
                self._readouts[readout] = load_model(self._model.name, self.head, readout=readout)
            return self._readouts[readout]

    @property
    def chosen(self) -> Chosen:
        """What was asked for, by name."""
        return Chosen(self.backbone, self.readout, str(self.head), self._proposals)

    def load(self, chosen: Chosen) -> tuple[Model, Proposer]:
        """Another model and proposer, loaded beside those in use, which answer meanwhile; raises TextsegError.

        What this one has in common with `chosen` is used again, as is the one before it. Others leave the memory.
        """
        if self._before is not None and self._before[0] == chosen:
            return self._before[1:]
        now, model, proposer = self.chosen, self._model, self._proposer
        self._before = None
        self.scenes.retain(lambda scene: model is not None and scene.model.backbone is model.backbone)
        if model is None or self.notice or replace(chosen, proposals=now.proposals) != now:
            model = self._measured(chosen)
        if proposer is None or self._no_proposer or chosen.proposals != now.proposals:
            began, held = time.monotonic(), costs.held_mb()
            proposer = load_proposer(chosen.proposals)
            costs.note(chosen.proposals, load=time.monotonic() - began, memory=max(0.0, costs.held_mb() - held))
        return model, proposer

    def take(self, chosen: Chosen, model: Model, proposer: Proposer) -> None:
        """Answer with these from now on; scenes of those before stay while there is room."""
        with self._encoding, self._loading_proposer:
            if self._model is not None and self._proposer is not None and self.notice is None:
                self._before = (self.chosen, self._model, self._proposer)
            self.backbone, self.readout, self.head = chosen.backbone, chosen.readout, chosen.head
            self._proposals, self._proposer, self._no_proposer = chosen.proposals, proposer, None
            self._model, self.notice, self._failure = model, None, None
            self._readouts, self._learnt, self._encode_seconds = {}, {}, None
            self._gpu, self._kept = None, {}
        self._settled.set()
        threading.Thread(target=self._prepare, args=(model,), name="prepare-model", daemon=True).start()

    def _measured(self, chosen: Chosen) -> Model:
        """The model, and how long it takes to load and what it holds, remembered."""
        began, held = time.monotonic(), costs.held_mb()
        device = None if self._lender is None else "cpu"
        model = load_model(chosen.backbone, chosen.head, device, readout=chosen.readout)
        model.text(["photo"])  # a tokenizer that is missing is told now, not at the first question
        self._load_seconds = round(time.monotonic() - began, 1)
        costs.note(chosen.backbone, load=time.monotonic() - began, memory=max(0.0, costs.held_mb() - held))
        return model

    def _prepare(self, model: Model) -> None:
        try:
            self.proposer()
            self._then(model)
        except Exception:  # what follows is a convenience: the model itself is fine
            log.exception("the preparation after loading failed")

    def learnt(self, head: Path, name: str) -> Model:
        """The same backbone with a head that a project learnt; raises HeadError."""
        model = self.model()
        with self._encoding:
            try:
                facts = head.stat()
            except OSError:
                raise HeadError(f"The file {head} of {name} is gone; train again.") from None
            key = (head, facts.st_mtime_ns, facts.st_size)  # a folder may be deleted and made anew
            if key not in self._learnt:
                loaded = load_model(model.backbone, head, str(model.device))
                loaded.head_name = name
                self._learnt = {**dict(list(self._learnt.items())[-3:]), key: loaded}
            return self._learnt[key]

    def scene(
        self,
        photo: Photo,
        readout: str | None = None,
        model: Model | None = None,
        encodings: EncodingStore | None = None,
    ) -> Scene:
        """The scene of `photo`, encoded now unless an earlier question did; raises PhotoError.

        `model` is one of `learnt`: a photo that is encoded already only passes its head. `encodings` are those of the
        photo's project: what they hold is not encoded again, and what they lack is kept there.
        """
        scene = self._scene(photo, model or self.model(readout), encodings)
        if encodings is not None and not encodings.has(photo.key, scene.model):
            kept = encodings
            scene.once(("kept", kept.folder), lambda: kept.keep(photo.key, scene.model, scene.features))
        return scene

    def _scene(self, photo: Photo, model: Model, encodings: EncodingStore | None) -> Scene:
        key = (photo.key, model.fingerprint)
        scene = self._kept.get(key) or self.scenes.get(key)
        if scene is not None:
            return scene
        if self._waiting >= MAX_WAITING:
            raise TextsegError("Many photos are waiting for the encoder; try again in a minute.")
        self._waiting += 1
        try:
            with self._encoding:
                scene = self.scenes.get(key)
                if scene is None:
                    scene = self._known(photo, model, encodings)
                if scene is None:
                    image = photo.open()
                    began = time.monotonic()
                    lent = self._gpu is not None and self._model is not None and model.backbone is self._model.backbone
                    scene = model.scene(image, self._gpu.features(image)) if lent and self._gpu else model.encode(image)
                    took = time.monotonic() - began
                    before = self._encode_seconds
                    self._encode_seconds = took if before is None else 0.7 * before + 0.3 * took
                    if before is None:
                        costs.note(model.name, photo=took)
                self.scenes.put(key, scene)
                return scene
        finally:
            self._waiting -= 1

    def keep(self, photo: Photo) -> None:
        """Encode a photo now, and keep its scene whatever else comes, as long as the model answers."""
        scene = self.scene(photo)
        self._kept[(photo.key, scene.model.fingerprint)] = scene

    def forget(self, photos: Collection[str]) -> None:
        """Let go of the scenes of these photos, which are named by the hash of their file."""
        self.scenes.forget(lambda key: key[0] in photos)

    def proposer(self) -> Proposer:
        """Where masks come from, loaded at the first call; `regions` with a notice where it cannot be had."""
        with self._loading_proposer:
            if self._proposer is None:
                try:
                    self._proposer = load_proposer(self._proposals)
                except TextsegError as error:
                    if self._proposals == FALLBACK_PROPOSALS:
                        raise
                    self._no_proposer = f"{error} Masks are those of '{FALLBACK_PROPOSALS}' meanwhile."
                    self._proposer = load_proposer(FALLBACK_PROPOSALS)
            return self._proposer

    @property
    def names_words(self) -> bool:
        """Whether the proposer is loaded and finds words by itself: then its masks answer best."""
        return self._proposer is not None and knows_words(self._proposer)

    def proposals(self, scene: Scene, photo: str = "", encodings: EncodingStore | None = None) -> Proposals:
        """The photo of `scene` in front of the proposer, opened once.

        `encodings` are those of the photo's project: what a proposer encodes the photo to, with the sha256 `photo`, is
        kept there too.
        """
        return opened(scene, self.proposer(), encodings, photo)

    def _known(self, photo: Photo, model: Model, encodings: EncodingStore | None) -> Scene | None:
        """The scene from features that another head's scene has, or that lie on disk."""
        other = self.scenes.get((photo.key, self.model().fingerprint))
        if other is not None and encoder(other.model) == encoder(model):
            return model.scene(other.photo, other.features)
        features = None if encodings is None else encodings.features(photo.key, model)
        return None if features is None else model.scene(photo.open(), features)

    def has_scene(self, photo: Photo) -> bool:
        """Whether a question about `photo` can be answered without the encoder."""
        model = self._model
        if model is None:
            return False
        key = (photo.key, model.fingerprint)
        return key in self._kept or self.scenes.get(key) is not None

    def status(self) -> dict[str, Any]:
        """What the model chip and its panel say."""
        model = self._model
        state = "failed" if self._failure and model is None else "loading"
        if model is not None:
            state = "fallback" if self.notice else "ready"
        told = [self.notice or (str(self._failure) if self._failure else None), self._no_proposer]
        status: dict[str, Any] = {
            "state": state,
            "asked": self.backbone,
            "name": model.name if model else self.backbone,
            "notice": " ".join(one for one in told if one) or None,
            "seconds": round(time.monotonic() - self._started, 1) if state == "loading" else self._load_seconds,
            "encode_seconds": self._encode_seconds and round(self._encode_seconds, 2),
            "waiting": self._waiting,
        }
        if model is not None:
            backbone = model.backbone
            status |= {
                "key": model.fingerprint,
                "head": model.head_name,
                "readout": model.readout,
                "licence": backbone.licence,
                "templates": backbone.templates,
                "short_side": backbone.short_side,
                "patch_stride": backbone.patch_stride,
                "device": str(model.device),
                "proposals": self._proposer.name if self._proposer else self._proposals,
                "memory_mb": memory_mb(),
                "scenes": len(self.scenes),
                "scenes_mb": round(self.scenes.nbytes / 2**20),
            }
        return status

    def _load(self) -> None:
        try:
            try:
                self._model = self._measured(self.chosen)
                if self._lender is not None:
                    twin = load_model(self.backbone, self.head, zerogpu.DEVICE, readout=self.readout)
                    self._gpu = zerogpu.LentGpu(twin, self._lender)
            except TextsegError as error:
                if self.backbone == FALLBACK and self.head in ("default", "none"):
                    raise
                self.notice = str(error)
                self._model = load_model(FALLBACK, "default")
        except TextsegError as error:
            self._failure = error
        except Exception:
            log.exception("the model could not be loaded")
            self._failure = TextsegError("The model could not be loaded; the server's log says why.")
        self._load_seconds = round(time.monotonic() - self._started, 1)
        self._settled.set()
        if self._model is not None:
            self._prepare(self._model)


def memory_mb() -> int | None:
    """Megabytes of memory this process holds at most so far, None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10))
