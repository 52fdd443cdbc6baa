"""Words in prompt templates -> one unit vector each."""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from textseg.vocabulary import templates as named_templates

Embed = Callable[[Sequence[str]], torch.Tensor]


def embed_words(embed: Embed, words: Sequence[str], templates: str) -> torch.Tensor:
    """(K, E) class embeddings: the normalised mean over templates of unit text embeddings.

    Normalised before and after averaging, as open_clip's zero-shot classifier does (Radford et al. 2021, 3.1.4).
    """
    prompts = named_templates(templates)
    vectors = embed([prompt.format(word) for word in words for prompt in prompts])
    return F.normalize(vectors.unflatten(0, (len(words), len(prompts))).mean(1), dim=1)
