"""Heads: the small trained modules that map patch features into the text space, and their file.

A head file is one `.safetensors`: the head's tensors, and under the metadata key `textseg` one JSON with format
version, head type, backbone (name and weight hash), text side, objective, full config, logit scale, calibration, data
fingerprint, seed, scores, date and licence note.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import nn

from textseg.errors import HeadError, TextsegError, brief
from textseg.files import write_atomically
from textseg.model.calibration import Calibration
from textseg.registry import Registry

if TYPE_CHECKING:
    from textseg.model.backbones import Backbone

FORMAT_VERSION = 1

_registry: Registry[type[Head]] = Registry("head type", __name__)
register, names, get = _registry.register, _registry.names, _registry.get


class Head(nn.Module):
    """Maps features into a space where the dot product with a mapped word is their similarity.

    Subclasses take their whole configuration as keyword arguments of `build` and keep it in `config`.
    """

    kind: ClassVar[str] = "none"
    """The head type in a head file; "none" is a backbone's own alignment, which no file holds."""
    config: dict[str, Any] = {}
    logit_scale: float | None = None
    """Similarities are multiplied by this before a softmax over words; None: by the backbone's own scale."""
    calibration: Calibration = Calibration()
    """How similarities become probabilities."""
    sizes: tuple[tuple[int, float], ...] = ()
    """(short side, weight) of the sizes at which a photo is encoded, the finest last; empty: the backbone's own.

    Features are averaged on the finest grid, and the head runs once.
    """

    @classmethod
    def build(cls, backbone: Backbone, **config: Any) -> Head:
        """A fresh head for `backbone`."""
        raise NotImplementedError

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """(B, D, h, w) features -> (B, E', h', w') embeddings."""
        raise NotImplementedError

    def text(self, embeddings: torch.Tensor) -> torch.Tensor:
        """(K, E) unit text embeddings -> (K, E'), in the space of `forward`."""
        return embeddings

    def rivals(self, names: Sequence[str], embeddings: torch.Tensor) -> torch.Tensor:
        """`text` of words that nobody typed and that compete all the same; a head may know them by their names."""
        return self.text(embeddings)


def readout_of(backbone: Backbone) -> str | None:
    """The readout that `backbone` was loaded with; None for one that has none to choose from."""
    return getattr(backbone, "readout", None)


def save(head: Head, path: str | PathLike[str], backbone: Backbone, /, **facts: Any) -> None:
    """Write a head file, atomically. `facts`: objective, data, seed, scores, date, licence.

    A fact of the head itself (config, logit scale, calibration) may be given too and is written as it is given.
    """
    from safetensors.torch import save as serialise

    facts = {
        "format": FORMAT_VERSION,
        "type": head.kind,
        "backbone": {
            "name": backbone.name,
            "weights": backbone.weights_hash,
            "readout": readout_of(backbone),
            "feature_dim": backbone.feature_dim,
        },
        "text": {"dim": backbone.text_dim, "templates": backbone.templates},
        "config": head.config,
        "logit_scale": head.logit_scale,
        "calibration": head.calibration.facts(),
        **facts,
    }
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in head.state_dict().items()}
    write_atomically(Path(path), serialise(tensors, metadata={"textseg": json.dumps(facts, sort_keys=True)}))


def read_facts(path: str | PathLike[str]) -> dict[str, Any]:
    """The JSON of a head file, without its tensors; raises HeadError."""
    from safetensors import SafetensorError, safe_open

    path = Path(path)
    if not os.path.isfile(path):  # false, too, for what can be no name of a file
        raise HeadError(f"The head {path} does not exist; give a .safetensors file, 'default' or 'none'.")
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {})["textseg"])
        if not isinstance(facts, dict) or not isinstance(facts.get("format", 0), int):
            raise ValueError
    except (SafetensorError, KeyError, ValueError, OSError, RecursionError):
        raise HeadError(f"{path.name} is not a textseg head file, or it is cut short.") from None
    if facts.get("format", 0) > FORMAT_VERSION:
        raise HeadError(
            f"{path.name} was written by a newer textseg (format {brief(facts['format'])}); update the program."
        )
    return facts


def trained_readout(path: str | PathLike[str]) -> str | None:
    """The readout whose features a head file was trained on; None where it does not say. Raises HeadError."""
    trained_on = read_facts(path).get("backbone")
    readout = trained_on.get("readout") if isinstance(trained_on, dict) else None
    return readout if isinstance(readout, str) else None


def full_name(path: str | PathLike[str], name: str) -> str:
    """The backbone `name` with the text side that a head file was trained with, where `name` does not say one.

    `dinov2:small` becomes `dinov2:small+clip:ViT-B-16/openai`. Raises HeadError.
    """
    trained_on = read_facts(path).get("backbone")
    known = trained_on.get("name") if isinstance(trained_on, dict) else None
    return known if isinstance(known, str) and known.startswith(f"{name}+") else name


def load(path: str | PathLike[str], backbone: Backbone) -> Head:
    """Load a head for `backbone`; raises HeadError when it was made for another one, does not fit, or is forged."""
    facts = read_facts(path)
    try:
        return _loaded(Path(path), facts, backbone)
    except TextsegError:
        raise
    except Exception as error:
        raise HeadError(
            f"{Path(path).name} does not describe a head as this program writes it ({type(error).__name__}); "
            "get it again from where it came."
        ) from None


def _loaded(path: Path, facts: dict[str, Any], backbone: Backbone) -> Head:
    from safetensors.torch import load_file

    trained_on, name = facts["backbone"], path.name
    # What follows the question mark is a patch stride: a head may be used at a finer one than it was trained at.
    if trained_on["name"].partition("?")[0] != backbone.name.partition("?")[0]:
        raise HeadError(f"{name} was trained on {brief(trained_on['name'])} and does not fit '{backbone.name}'.")
    readout = trained_on.get("readout")
    if readout and readout != readout_of(backbone):
        raise HeadError(
            f"{name} was trained on the readout {brief(readout)} of '{backbone.name}', not on "
            f"'{readout_of(backbone)}'; leave out --readout, or give the one it was trained on."
        )
    if trained_on["weights"] != backbone.weights_hash:
        raise HeadError(f"{name} was trained on other weights or another readout of '{backbone.name}' than these.")
    if facts["text"]["dim"] != backbone.text_dim or trained_on["feature_dim"] != backbone.feature_dim:
        raise HeadError(f"{name} has other dimensions than '{backbone.name}' and cannot be used with it.")
    try:
        with torch.device("meta"):  # first without memory: a forged width could ask for all there is
            shapes = {key: value.shape for key, value in _built(facts, backbone).state_dict().items()}
        tensors = load_file(path)
        if shapes != {key: value.shape for key, value in tensors.items()}:
            raise HeadError(
                f"The tensors of {name} do not fit a head of type {brief(facts['type'])} with its settings."
            )
        head = _built(facts, backbone)
    except (TypeError, ValueError):
        raise HeadError(
            f"The settings of {name} are not those of a head of type {brief(facts['type'])} in this version; "
            "train it again."
        ) from None
    try:
        head.load_state_dict(tensors)
    except (RuntimeError, ValueError) as error:
        raise HeadError(
            f"The tensors of {name} do not fit a head of type {brief(facts['type'])}: {brief(str(error), 300)}."
        ) from None
    scale = facts.get("logit_scale")
    if scale and not 0 < float(scale) < float("inf"):
        raise ValueError
    head.logit_scale = scale or head.logit_scale
    if facts.get("calibration") is not None:
        try:
            head.calibration = Calibration.read(facts["calibration"])
        except ValueError as error:
            raise HeadError(f"The calibration in {name} cannot be used: {error}.") from None
    return head.eval().requires_grad_(False)


def _built(facts: dict[str, Any], backbone: Backbone) -> Head:
    return _registry.get(facts["type"]).build(backbone, **copy.deepcopy(facts["config"]))
