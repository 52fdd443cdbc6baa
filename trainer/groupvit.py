"""GroupViT's inference (arXiv 2202.11094; MixReorg's, arXiv 2308.04829): every group of a photo takes one word.

With unit segments Z_g of the grouping head, words t_k, s the logit scale and the photo's mean segment z:

    p(g, k) = softmax_k(s Z_g . t_k),   q(g, k) = softmax_k(s Z_g . t_k) over the 5 words most like z
    word(g) = argmax_k p(g, k) q(g, k), and none where that maximum is below min(0.95, the largest of them)

and each pixel takes the word of the group that has most of it. All of it is GroupViT's public code; that z is the mean
of our head's segments, and that groups are found on the features of the whole photo, are our reading. A head answers as
every other one does unless `--protocol groupvit` asks for this.
"""

import numpy as np
import torch
import torch.nn.functional as F

from textseg.errors import HeadError
from textseg.model import Scene, dense
from textseg.model.heads.grouping import GroupingHead
from textseg.vocabulary import Vocabulary

MOST_WORDS = 5
"""Words that a photo may show."""


@torch.inference_mode()
def answer(
    scene: Scene, vocabulary: Vocabulary, templates: str | None = None, background: float | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """((H, W) index of a word, -1 for none; (H, W) float32 its probability, p q).

    `background`: the probability below which a group is none of the words, as far as any group is above it; None: every
    group takes a word. Raises HeadError for a head without groups.
    """
    model, head = scene.model, scene.model.head
    if not isinstance(head, GroupingHead):
        raise HeadError(f"GroupViT's inference needs a head of type 'grouping', not '{head.kind}'.")
    segments, share = head.segments(scene.features[None].float().to(model.device))
    texts, owner = model.embed(vocabulary, templates)
    logits = _by_word(segments[0] @ texts.T, owner, len(vocabulary)) * model.logit_scale
    photo = _by_word(F.normalize(segments.mean(1), dim=-1) @ texts.T, owner, len(vocabulary))[0]
    shown = photo.topk(min(MOST_WORDS, len(vocabulary))).indices
    among = logits.new_full((len(vocabulary),), -torch.inf).index_fill(0, shown, 0)
    probability, word = ((logits + among).softmax(1) * logits.softmax(1)).max(1)
    if background is not None:
        word = torch.where(probability < min(background, float(probability.max())), -1, word)
    group = dense.upsample(share[0].unflatten(-1, scene.features.shape[-2:]), scene.size[::-1]).argmax(0)
    return word[group].cpu().numpy().astype(np.int32), probability[group].float().cpu().numpy()


def _by_word(scores: torch.Tensor, owner: torch.Tensor, words: int) -> torch.Tensor:
    """(G, T) scores of names and aliases -> (G, K), the best of each word's."""
    best = scores.new_full((len(scores), words), -torch.inf)
    return best.scatter_reduce(1, owner.expand_as(scores), scores, "amax")
