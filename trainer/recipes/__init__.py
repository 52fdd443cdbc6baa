"""Recipes: how a head is trained, in YAML; a person's own holds what differs from the one that lies here.

For each paper there are two: at full size, for the backbones that the papers train on, and in `lite/` one for `lite` on
two CPU cores, which backbones of other packages get as well.

A setting that the training would not read is refused by name, so that nobody waits for what it changes.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from textseg.errors import TrainingError
from trainer import objectives, packings
from trainer.objectives import Objective

HERE = Path(__file__).parent

IMAGE_TEXT = ("clip", "hf")
FULL_SIZE = (*IMAGE_TEXT, "dino", "dinov2", "dinov3")
"""Families of backbones that the full-size recipes are for; of these only image-text models have readouts."""

ALWAYS = frozenset(["readout", "steps", "batch", "lr", "seed", "licence", "objective"])
"""What every training reads; learning from corrections reads nothing else."""

CAPTIONS_ONLY = frozenset(["max_nouns"])
LABELS_ONLY = frozenset(
    ["words", "max_words", "words_a_photo", "class_proposal", "proposer", "confidence", "margin"]
    + ["teacher", "teacher_backbone", "teacher_readout"]
)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training does, beside its objective, data and backbone."""

    readout: str = ""
    """How the backbone is read out; empty: as the head to start from was trained, else the backbone's own default."""
    sizes: list[list[int]] = field(default_factory=list)
    """(width, height) that photos are squeezed to, one of them a step; several stretch the photos, which makes up for
    proportions lost or few. Empty: a square of the backbone's working size."""
    epochs: float = 5.0
    steps: int = 0
    """If not 0, this many steps instead of `epochs`."""
    batch: int = 128
    """Photos a step, over all processes together."""
    lr: float = 1e-3
    weight_decay: float = 0.05
    """Of matrices and kernels; biases, norms and scalars decay not."""
    warmup: float = 0.05
    """Share of the steps over which the learning rate rises; it then falls by a cosine to `lr * floor`."""
    floor: float = 0.0
    clip: float = 1.0
    """Upper bound of the gradient's norm."""
    precision: str = "auto"
    """no, bf16 or fp16; auto: what `accelerate launch` says, else bf16 where the GPU has it."""
    seed: int = 0
    checkpoint_every: int = 100
    """Steps between checkpoints."""
    thin: int = 1
    """Each step sees every n-th row and column of patches, from a place drawn anew: patches side by side say much the
    same, and a step costs n x n times less. Not for heads that look at neighbouring patches (mgca)."""
    packing: str = "float16"
    """How features lie in the cache: float16, or in half the bytes float8 (for transformers) or int8 (for `lite`); see
    trainer/packings.py."""
    max_nouns: int = 0
    """If not 0, at most this many of a photo's nouns a step, drawn anew each time."""
    templates: str = ""
    """Prompt templates of nouns and words; empty: the backbone's own."""
    words: list[str] = field(default_factory=list)
    """Vocabulary of the pseudo-labels; empty: the captions' most frequent nouns, or the shipped list's."""
    max_words: int = 200
    words_a_photo: int = 20
    class_proposal: str = "auto"
    """Which words a photo shows is asked of the teacher's embedding of the whole "photo" and its crops, or of its
    "patches", or taken from the "captions"; auto: the first where it has one (trainer/labelling.py)."""
    proposer: str = "regions"
    teacher_backbone: str = ""
    """Backbone of the model that makes pseudo-labels, such as `clip:ViT-B-16/openai`; empty: the head's own."""
    teacher_readout: str = ""
    """How that backbone is read out; empty: its default, or the head's own backbone as it is."""
    teacher: str = "none"
    """Its head: a file, or "none" for the backbone's own alignment."""
    confidence: float = 0.5
    margin: float = 0.1
    licence: str = "Trained on the photos named under data; their terms apply."
    objective: dict[str, Any] = field(default_factory=dict)
    """Settings of the objective itself."""
    head: dict[str, Any] = field(default_factory=dict)
    """Settings of the head; `type` names another one than the objective's own."""

    def __post_init__(self) -> None:
        leasts = {"batch": 1, "epochs": 0, "steps": 0, "lr": 0, "clip": 0, "checkpoint_every": 1, "thin": 1}
        for name, least in leasts.items():
            if getattr(self, name) < least:
                raise TrainingError(f"The recipe's '{name}' is {getattr(self, name)}; it must be at least {least}.")
        if not 0 <= self.warmup < 1:
            raise TrainingError(f"The recipe's 'warmup' is {self.warmup}; it is a share of the steps, from 0 up to 1.")
        if self.precision not in ("auto", "no", "bf16", "fp16"):
            raise TrainingError(f"The recipe's 'precision' is '{self.precision}'; choose auto, no, bf16 or fp16.")
        if self.packing not in packings.names():
            raise TrainingError(f"The recipe's 'packing' is '{self.packing}'; choose {', '.join(packings.names())}.")
        if self.class_proposal not in ("auto", "photo", "patches", "captions"):
            raise TrainingError(
                f"The recipe's 'class_proposal' is '{self.class_proposal}'; choose auto, photo, patches or captions."
            )
        if any(len(size) != 2 or min(size) < 1 for size in self.sizes):
            raise TrainingError("The recipe's 'sizes' is a list of [width, height] in pixels, such as [[320, 320]].")

    def step_count(self, photos: int) -> int:
        """Steps of a training on so many photos; those that fill no batch are left out of an epoch."""
        return self.steps or max(1, round(self.epochs * (photos // min(self.batch, photos))))

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def load(
    objective: str,
    recipe: str | Path | Mapping[str, Any] | None = None,
    changes: Sequence[str] = (),
    backbone: str = "lite",
    head: str | Path | None = None,
) -> Recipe:
    """The recipe here for `objective` on `backbone`, changed by a file or a mapping, then by `KEY=VALUE` texts.

    A key may reach into a section: `objective.attn_scale=10`. A training that starts from a `head` goes on with that
    head's readout and settings, unless told otherwise. Raises TrainingError for a key or value that is none, and for a
    key that this objective does not read; UnknownNameError for an objective that does not exist.

    >>> load("pacl", {"lr": 0.001}, ["objective.attn_scale=1"], "clip:ViT-B-16/openai").batch
    4096
    """
    kind = objectives.get(objective)
    settings: dict[str, Any] = {}
    shipped = shipped_for(objective, backbone)
    if shipped is not None:
        _merge(settings, _parse(shipped.read_text(encoding="utf-8"), shipped.name), shipped.name)
        if head is not None or family_of(backbone) not in IMAGE_TEXT:
            settings.pop("readout", None)
        if head is not None:
            settings.pop("head", None)
    if isinstance(recipe, Mapping):
        _merge(settings, recipe, "the recipe")
    elif recipe is not None:
        path = Path(recipe)
        if not path.is_file():
            raise TrainingError(f"The recipe {path} does not exist; give a YAML file.")
        _merge(settings, _parse(path.read_text(encoding="utf-8"), path.name), path.name)
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise TrainingError(f"'{change}' is no change of a recipe; write KEY=VALUE, such as lr=0.0005.")
        nested: Any = _parse(value, change)
        for part in reversed(key.strip().split(".")):
            nested = {part: nested}
        _merge(settings, nested, f"'{change}'")
    readable = read_by(kind)
    for key in settings:
        if key not in readable:
            raise TrainingError(f"'{objective}' does not read the setting '{key}'; it reads {', '.join(readable)}.")
    known = defaults(kind)
    for key in settings.get("objective", {}):
        if key not in known:
            raise TrainingError(
                f"The recipe's 'objective' section does not fit: '{objective}' has no setting '{key}'; "
                f"it has {', '.join(known)}."
            )
    return Recipe(**settings)


def shipped_for(objective: str, backbone: str) -> Path | None:
    """The recipe that lies here for `objective` on `backbone`; None where there is none."""
    full, small = HERE / f"{objective}.yaml", HERE / "lite" / f"{objective}.yaml"
    wanted = full if family_of(backbone) in FULL_SIZE or not small.is_file() else small
    return wanted if wanted.is_file() else None


def family_of(backbone: str) -> str:
    """`clip` of `clip:ViT-B-16/openai`."""
    return backbone.partition(":")[0]


def read_by(objective: type[Objective]) -> list[str]:
    """The settings that a training with this objective reads."""
    unread = {
        "captions": LABELS_ONLY,
        "labels": CAPTIONS_ONLY,
        "corrections": {one.name for one in fields(Recipe)} - ALWAYS,
    }[objective.needs]
    return [one.name for one in fields(Recipe) if one.name not in unread]


def defaults(objective: type[Objective]) -> dict[str, Any]:
    """The objective's own settings with the values they have unless a recipe says otherwise."""
    parameters = inspect.signature(objective).parameters.values()
    return {one.name: one.default for one in parameters if one.kind is one.KEYWORD_ONLY}


def _parse(text: str, name: str) -> Any:
    import yaml

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TrainingError(f"{name} is not valid YAML: {' '.join(str(error).split())}.") from None


def _merge(settings: dict[str, Any], changes: Any, name: str) -> None:
    """Lay `changes` over `settings`, sections key by key, each value as its setting's type."""
    if changes is None:
        return
    if not isinstance(changes, Mapping):
        raise TrainingError(f"{name} must hold settings, one 'key: value' a line.")
    kinds = {f.name: type(getattr(Recipe(), f.name)) for f in fields(Recipe)}
    for key, value in changes.items():
        if key not in kinds:
            raise TrainingError(f"{name} has a setting '{key}', which no recipe has; choose from {', '.join(kinds)}.")
        if kinds[key] is dict:
            if value is not None and not isinstance(value, Mapping):
                raise TrainingError(f"'{key}' in {name} must be a section of settings.")
            settings[key] = {**settings.get(key, {}), **(value or {})}
            continue
        if kinds[key] is list and isinstance(value, str):
            value = [part.strip() for part in value.split(",")]
        try:
            settings[key] = kinds[key](value)  # YAML reads 1e-3 as a text
        except (TypeError, ValueError):
            raise TrainingError(f"'{key}' in {name} is {value!r}; it must be a {kinds[key].__name__}.") from None
