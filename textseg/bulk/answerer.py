"""What is done with each photo, in steps: opened, encoded, its regions found and named, and packed to be written."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from PIL import Image

from textseg import __version__
from textseg.bulk.files import label_files, made_by
from textseg.errors import EditError, PhotoError, TextsegError, explain, traced
from textseg.folders import Found
from textseg.model import Model, Scene
from textseg.model import known as known_words
from textseg.model import others as other_words
from textseg.model.encodings import EncodingStore
from textseg.model.others import Choice
from textseg.proposals import Proposer, knows_words, load_proposer, opened
from textseg.pseudolabel import CONFIDENCE, MARGIN, label_regions
from textseg.vocabulary import Vocabulary

if TYPE_CHECKING:
    from textseg.tones import Span

BATCH = 8
"""Photos that an accelerator encodes at a time. A CPU takes one: the maps of more do not fit its caches, and `lite`
takes 0.09 s for one of 640 x 480, 0.12 s for each of two and 0.14 s for each of four."""


@dataclass(frozen=True)
class Question:
    """What is asked of every photo of a run."""

    vocabulary: Vocabulary
    confidence: float = CONFIDENCE
    margin: float = MARGIN
    others: Choice = "default"
    span: Span | None = None
    """The values over which deep photos are shown; None: each over its own."""
    form: Literal["files", "regions"] = "files"
    """What an answer is: the files of a label map, or regions for a project."""
    encodings: Path | None = None
    """The folder in which what photos are encoded to is read and kept."""


@dataclass(frozen=True)
class Named:
    """Model and proposer by name, for whoever has to load them elsewhere."""

    backbone: str = "lite"
    head: str = "default"
    readout: str | None = None
    proposals: str = "regions"


@dataclass(frozen=True)
class Facts:
    """Who answers: what must be the same in all workers of a run, and what is to be told once."""

    maker: dict[str, str]
    """As files say it: backbone, head, readout."""
    proposals: str
    fingerprint: str
    """Of backbone and head."""
    batch: int = 1
    notes: tuple[str, ...] = ()
    version: str = __version__

    def agree(self, other: Facts, where: str) -> None:
        """Raise TextsegError where `other`, a worker called `where`, would answer otherwise."""
        if other.version != self.version:
            raise TextsegError(
                f"{where} has textseg {other.version} and this is {self.version}; install the same version everywhere."
            )
        if (other.fingerprint, other.proposals) != (self.fingerprint, self.proposals):
            raise TextsegError(
                f"{where} has other weights of {self.maker['backbone']} or of its head than this machine; "
                "give all the same files."
            )


@dataclass
class Job:
    """One photo to be labelled."""

    number: int
    """Its place in the run."""
    photo: Found
    sha256: str = ""
    """Of a photo of a project."""


@dataclass
class Done:
    """What became of a job."""

    job: Job
    answer: Any = None
    """`{".png": bytes, ".json": bytes}` or (index, [(word, confidence)]), by the question's form."""
    failure: str | None = None
    """Why there is no answer, in a sentence."""
    fatal: bool = False
    """Whether what failed would fail every photo."""
    seconds: dict[str, float] = field(default_factory=dict)
    """What each step took."""


@dataclass
class _Photo:
    """A photo between two steps."""

    done: Done
    image: Image.Image | None = None
    features: Any = None
    scene: Scene | None = None


class Answerer:
    """A model and a proposer that answer one question; each of `steps` may run in a thread of its own."""

    def __init__(self, model: Model, proposer: Proposer, question: Question) -> None:
        self.model, self.proposer, self.question = model, proposer, question
        self._encodings = None if question.encodings is None else EncodingStore(question.encodings)
        self.batch = 1 if model.device.type == "cpu" else BATCH

    @classmethod
    def load(cls, named: Named, question: Question) -> Answerer:
        """Load what has these names; raises TextsegError."""
        from textseg.model import load_model

        model = load_model(named.backbone, named.head, readout=named.readout)
        return cls(model, load_proposer(named.proposals), question)

    @property
    def facts(self) -> Facts:
        notes = tuple(word_notes(self.model, self.question.vocabulary, self.question.others, self.proposer))
        return Facts(made_by(self.model), self.proposer.name, self.model.fingerprint, self.batch, notes)

    @property
    def steps(self) -> list[Callable[[Any], Any]]:
        """From a list of jobs to the list of what became of them."""
        return [self._decode, self._encode, self._answer]

    def _decode(self, jobs: Sequence[Job]) -> list[_Photo]:
        photos = [_Photo(Done(job)) for job in jobs]
        for photo in photos:
            with _step("decode", photo.done):
                photo.image = photo.done.job.photo.open(self.question.span)
                if self._encodings is not None:
                    photo.features = self._encodings.features(photo.done.job.sha256, self.model)
        return photos

    def _encode(self, photos: list[_Photo]) -> list[_Photo]:
        well = [photo for photo in photos if photo.image is not None and photo.done.failure is None]
        new = [photo for photo in well if photo.features is None]
        if len(new) > 1:
            with _step("encode", *(photo.done for photo in new)):
                scenes = self.model.encode_all([photo.image for photo in new if photo.image is not None])
                for photo, scene in zip(new, scenes, strict=True):
                    photo.scene = scene
        for photo in well:
            if photo.image is None or photo.scene is not None:
                continue
            photo.done.failure, photo.done.fatal = None, False  # what fails together may do well alone
            with _step("encode", photo.done):
                if photo.features is None:
                    photo.scene = self.model.encode(photo.image)
                else:
                    photo.scene = self.model.scene(photo.image, photo.features)
        return photos

    def _answer(self, photos: list[_Photo]) -> list[Done]:
        for photo in photos:
            if photo.scene is None:
                continue
            with _step("regions", photo.done):
                photo.done.answer = self._packed(photo.done.job, photo.scene)
            if self._encodings is not None and photo.features is None:
                self._encodings.keep(photo.done.job.sha256, self.model, photo.scene.features)
        return [photo.done for photo in photos]

    def _packed(self, job: Job, scene: Scene) -> Any:
        asked = self.question
        proposals = opened(scene, self.proposer, self._encodings, job.sha256)
        found = label_regions(scene, asked.vocabulary, proposals, others=asked.others)
        if asked.form == "files":
            labels = found.paint(asked.confidence, asked.margin)
            return label_files(job.photo.name, self.model, labels, asked.others, self.proposer)
        index, sure = found.index(asked.confidence, asked.margin)
        return index, [(region.word, region.confidence) for region in sure]


def word_notes(model: Model, vocabulary: Vocabulary, others: Choice, proposer: Proposer | None = None) -> Iterator[str]:
    """Which words the model does not know, and where nothing competes: sentences to be told once; all are asked.

    Of a `proposer` that knows words, and is asked in the model's place, nothing is said.
    """
    if proposer is not None and knows_words(proposer):
        return
    strange = known_words.unknown(model, vocabulary)
    if strange:
        yield known_words.sentence(strange)
    rest = other_words.of(model, others)
    if rest is not None and not rest.rivals(model, vocabulary).any():
        yield "All other words are too near to those given to compete; some word will win every pixel."


@contextmanager
def _step(name: str, *jobs: Done) -> Iterator[None]:
    """One step of some photos: its time, shared among them, and what goes wrong is noted in them."""
    began, failure, fatal = time.perf_counter(), None, False
    try:
        yield
    except (PhotoError, EditError) as error:
        failure = str(error)
    except TextsegError as error:
        failure, fatal = str(error), True
    except OSError as error:
        failure, fatal = explain(error), True
    except MemoryError:
        failure = "There is not enough memory for this photo; make it smaller, or use fewer --workers."
    except Exception as error:
        failure = f"The photo could not be labelled ({traced(error)}); please report this."
    for done in jobs:
        done.seconds[name] = (time.perf_counter() - began) / len(jobs)
        if failure is not None:
            done.failure, done.fatal = failure, fatal
