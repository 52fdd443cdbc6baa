"""Tokenizers of text towers: open_clip's own, which is installed, and those that lie in folders or on the hub.

None of them runs code of a repository. The numbers of a text are meaningless to a tower that was trained with another
tokenizer, so one that is missing is told, never replaced.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch

from textseg.errors import WeightsError
from textseg.model import weights

Tokenize = Callable[[Sequence[str]], torch.Tensor]

FILES = ("tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "vocab.txt", "vocab.json")
"""One of these makes a folder one with a tokenizer."""

SETTINGS = ("clean", "strip_sep_token", "language")
"""Of open_clip's settings those that only say how text is read."""

PADDING = ("<pad>", "[PAD]", "<|endoftext|>", "</s>")
"""What pads a text in a tokenizer that does not say."""


def of_open_clip(text: Mapping[str, Any], folder: Path, wanted: str) -> Tokenize:
    """The tokenizer that an open_clip configuration's `text_cfg` asks for; raises WeightsError.

    One that is not open_clip's own is looked for in `folder`, where the weights lie, then in the hub's cache, then on
    the hub.
    """
    from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

    settings = {key: value for key, value in (text.get("tokenizer_kwargs") or {}).items() if key in SETTINGS}
    length, name = text.get("context_length", 77), text.get("hf_tokenizer_name")
    if not name:
        return SimpleTokenizer(context_length=length, **settings)
    beside = is_here(folder)
    source = str(folder) if beside else name
    if not beside:
        weights.fetch(name, ("tokenizer_config.json", *FILES), wanted, what="tokenizer", remedy=remedy(folder))
    with weights.loading(folder / "its tokenizer" if beside else Path(name), wanted):
        tokenizer = HFTokenizer(
            source, length, tokenizer_mode=text.get("tokenizer_mode"), trust_remote_code=False, **settings
        )
        give_padding(tokenizer.tokenizer)
        if tokenizer.strip_sep_token and tokenizer.tokenizer.sep_token is None:
            tokenizer.tokenizer.sep_token = "[SEP]"  # BERT's; a tokenizer.json alone does not say
    return tokenizer


def of_folder(folder: Path, wanted: str) -> Any:
    """transformers' tokenizer of a folder; raises WeightsError."""
    if not is_here(folder):
        raise WeightsError(f"The tokenizer of '{wanted}' is not in {folder}; put its tokenizer.json there.")
    from transformers import AutoTokenizer

    with weights.loading(folder / "its tokenizer", wanted):
        tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
        give_padding(tokenizer)
    return tokenizer


def check(numbers: torch.Tensor, known: int | None, wanted: str) -> None:
    """Raises WeightsError where token numbers are beyond what the text tower knows: another model's tokenizer."""
    if known is not None and int(numbers.max()) >= known:
        raise WeightsError(
            f"The tokenizer of '{wanted}' gives numbers up to {int(numbers.max())}, but its text tower knows {known}: "
            "it belongs to another model, so put the right tokenizer.json beside the weights."
        )


def is_here(folder: Path) -> bool:
    """Whether a folder has a tokenizer."""
    return any((folder / file).is_file() for file in FILES)


def remedy(folder: Path) -> str:
    return f"or put its tokenizer.json (and tokenizer_config.json) into {folder.resolve()}"


def give_padding(tokenizer: Any) -> None:
    """A token to pad with, for a tokenizer.json that lies there without its settings."""
    if tokenizer.pad_token is None:
        known = tokenizer.get_vocab()
        tokenizer.pad_token = next((token for token in PADDING if token in known), None)
    if tokenizer.pad_token is None:
        raise ValueError("it names no token to pad texts with")


@cache
def open_clip_text_models() -> set[str]:
    """The text towers of transformers that open_clip's own configurations name."""
    import open_clip

    texts = ((open_clip.get_model_config(name) or {}).get("text_cfg", {}) for name in open_clip.list_models())
    return {text["hf_model_name"] for text in texts if text.get("hf_model_name")}
