"""Models as transformers saves them: a folder on this machine, or a repository of the hub, fetched once.

Only what is data is fetched and read: settings (JSON and text) and weights in safetensors. Weights that are pickles are
refused, or, where the caller can read them as nothing but tensors, taken when there are no others. No code of a
repository is run.
"""

import json
import re
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from textseg.errors import WeightsError
from textseg.model import weights

DATA = ("*.json", "*.txt", "*.model", "*.safetensors")
"""What a repository is fetched for: settings, tokenizers, weights."""
WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
"""One file, or the list of the files that hold the parts."""
PICKLE = "pytorch_model.bin"


def folder(name: str, wanted: str, instead: str, pickles: bool = False) -> Path:
    """The folder with the settings and weights of `name`: a folder here, else the repository `owner/name` of the hub.

    What is on this machine is used without asking the hub. `wanted` is the full name that a person typed and `instead`
    what works without it; `pickles`: a pytorch_model.bin will do, which `weights.read` takes tensors from and nothing
    else. Raises WeightsError in one sentence.
    """
    try:
        here = Path(name).expanduser()
    except RuntimeError:  # the home of nobody here
        here = Path(name)
    if name and here.is_dir():
        if not (here / "config.json").is_file():
            raise WeightsError(
                f"{here} has no config.json, so it is no model that transformers saved; name the folder that has one."
            )
        if not whole(here, pickles):
            raise _without_weights(here)
        return here
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise WeightsError(
            f"'{wanted}' names neither a folder{weights.looked_in(here)} nor a repository of the hub, which reads "
            f"owner/name; {instead}."
        )
    return _repository(name, wanted, instead, pickles)


def settings(path: Path) -> dict[str, Any]:
    """What config.json says, a JSON object with the `model_type`; raises WeightsError."""
    try:
        read = json.loads((path / "config.json").read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        read = None
    if not isinstance(read, dict) or not isinstance(read.get("model_type"), str):
        raise WeightsError(f"{path / 'config.json'} is damaged or names no model type; fetch the model again.")
    return read


def weight_files(path: Path) -> list[Path]:
    """The safetensors files of a folder: one, or the parts that the index lists; none where the index is damaged.

    Where there are none, its pickle, if it has one.
    """
    if (path / WEIGHTS[0]).is_file():
        return [path / WEIGHTS[0]]
    if not (path / WEIGHTS[1]).is_file() and (path / PICKLE).is_file():
        return [path / PICKLE]
    try:
        parts = json.loads((path / WEIGHTS[1]).read_text("utf-8"))["weight_map"].values()
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
        return []
    return sorted({path / Path(str(part)).name for part in parts})


def whole(path: Path, pickles: bool = False) -> bool:
    """Whether the weights of a folder are all there; in a pickle only where `pickles` allows it."""
    files = weight_files(path)
    return bool(files) and all(file.is_file() and (pickles or file.name != PICKLE) for file in files)


def _without_weights(path: Path) -> WeightsError:
    pickles = sorted(p.name for kind in ("*.bin", "*.pt", "*.pth", "*.ckpt") for p in path.glob(kind))
    if pickles:
        return WeightsError(
            f"{path} has its weights in {pickles[0]} only, a pickle, which could run code and is refused; save the "
            "model as model.safetensors."
        )
    return WeightsError(
        f"{path} has no model.safetensors, or not all of its parts; fetch the model again or save it whole."
    )


def _repository(name: str, wanted: str, instead: str, pickles: bool) -> Path:
    from huggingface_hub import constants, hf_hub_download, snapshot_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    get = partial(snapshot_download, name, allow_patterns=list(DATA), ignore_patterns=["*/*"])
    try:
        cached = Path(get(local_files_only=True))
        if (cached / "config.json").is_file() and whole(cached, pickles):
            return cached
    except (LocalEntryNotFoundError, ValueError, OSError):
        pass
    missing = f"'{wanted}' is no folder here and the repository {name} is not on this machine"
    if constants.HF_HUB_OFFLINE:
        raise WeightsError(f"{missing}, and HF_HUB_OFFLINE forbids the download; unset it, or {instead}.")
    if not weights.reachable(constants.ENDPOINT):
        raise WeightsError(f"{missing}, and {constants.ENDPOINT} cannot be reached; connect once, or {instead}.")
    with weights.told(name, wanted, f"or {instead}"):
        fetched = Path(get())
        if pickles and not whole(fetched):
            with suppress(EntryNotFoundError):
                hf_hub_download(name, PICKLE)
    if not (fetched / "config.json").is_file():
        raise WeightsError(f"The repository {name} has no config.json, so transformers cannot load it; {instead}.")
    if not whole(fetched, pickles):
        raise WeightsError(
            f"The repository {name} has no weights in safetensors, and others are refused because they could run code; "
            f"{instead}."
        )
    return fetched
