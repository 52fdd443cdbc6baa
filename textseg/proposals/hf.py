"""`hf:REPOSITORY` or `hf:FOLDER`: the Segment Anything family through transformers, by the folder's `model_type`.

SAM (Kirillov et al., arXiv 2304.02643), SAM 2 and 2.1 (Ravi et al., 2408.00714), SAM-HQ (Ke et al., 2306.01567),
EdgeTAM (Zhou et al., 2501.07256) and SAM 3 (Carion et al., 2511.16719). Masks and scores are those of
transformers' own processors.
"""

from __future__ import annotations

from textseg.errors import WeightsError
from textseg.model import repository
from textseg.proposals import Proposer, hf_sam, hf_sam3, register
from textseg.registry import Facts

INSTEAD = "name a folder that holds the model, or use the proposer 'regions', which needs no weights"


@register(
    "hf",
    Facts(
        title="SAM 2.1 and its family",
        about="SAM, SAM 2.1, SAM-HQ, EdgeTAM and SAM 3 through transformers: a repository of the hub or a folder.",
        example="hf:facebook/sam2.1-hiera-tiny",
        licence="Apache-2.0",
        size="156 MB",
        needs="its weights as safetensors, fetched once from the Hugging Face Hub or given as a folder",
        packages=("transformers",),
        weights=("facebook/sam2.1-hiera-tiny", ("model.safetensors",)),
    ),
)
def load(details: str = "", device: str | None = None) -> Proposer:
    """The proposer called `hf:<details>`; raises WeightsError."""
    name = f"hf:{details}"
    path = repository.folder(details, name, INSTEAD)
    told = repository.settings(path)["model_type"]
    if told in hf_sam3.DETECTORS:
        return hf_sam3.load(told, path, name, device)
    if told not in hf_sam.KINDS:
        raise WeightsError(
            f"'{name}' is a model of the type '{told[:40]}', which proposes no masks; name one of the types "
            f"{', '.join([*hf_sam.KINDS, *hf_sam3.DETECTORS])}."
        )
    return hf_sam.load(told, path, name, device)
