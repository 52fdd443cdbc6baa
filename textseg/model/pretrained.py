"""Models of transformers, read from a folder: whole, in float32, nothing but tensors, running no code of theirs."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from textseg.errors import WeightsError
from textseg.model import repository, weights


def read(model: str, path: Path, wanted: str) -> Any:
    """The model in a folder as the class `model` of transformers, whole and in float32; raises WeightsError."""
    import transformers

    weights.check_memory(repository.weight_files(path), wanted)
    kind = getattr(transformers, model)
    file = repository.weight_files(path)[0]
    with quiet(), weights.loading(file if file.name == repository.PICKLE else path, wanted):
        source = {"state_dict": weights.read(file)} if file.name == repository.PICKLE else {"use_safetensors": True}
        found, told = kind.from_pretrained(
            None if "state_dict" in source else path, config=settings(kind.config_class, path), dtype=torch.float32,
            local_files_only=True, ignore_mismatched_sizes=True, output_loading_info=True, **source,
        )  # fmt: skip
        if other := sorted(told["mismatched_keys"]):
            raise WeightsError(
                f"{path} does not hold what its config.json describes: {len(other)} of its tensors have another size, "
                f"the first is {other[0][0]}; fetch the model again."
            )
        if missing := sorted(told["missing_keys"]):
            raise WeightsError(
                f"{path} lacks {len(missing)} of the tensors that its config.json describes, the first is "
                f"{missing[0]}; fetch the model again."
            )
    return found.eval().requires_grad_(False)


def settings(config: Any, path: Path) -> Any:
    """The settings in a folder as the class `config` of transformers, whatever model the folder is mainly of."""
    read, _ = config.get_config_dict(path, local_files_only=True)
    return config.from_dict({**read, "model_type": config.model_type})


def image_processor(kind: str, path: Path, wanted: str) -> Any:
    """What prepares photos: as the folder says, or where it says nothing as the class `kind` does by default."""
    import transformers

    with quiet(), weights.loading(path, wanted):
        if (path / "preprocessor_config.json").is_file() or "image_processor" in _read(path / "processor_config.json"):
            return getattr(transformers, kind).from_pretrained(path, local_files_only=True)
        return getattr(transformers, kind)()


def _read(path: Path) -> dict[str, Any]:
    """A JSON object; empty where there is no such file."""
    read = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return read if isinstance(read, dict) else {}


@contextmanager
def quiet() -> Iterator[None]:
    """transformers loads without bars and warnings: what goes wrong is told in a sentence."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
