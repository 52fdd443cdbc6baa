"""textseg: type words, see where each word is in your photos, correct it, and have the model learn from that.

model = textseg.load_model("lite")
scene = model.encode(pil_image)
labels = textseg.segment(scene, textseg.Vocabulary.parse("cat; kitten, sofa, wall"))
"""

from typing import TYPE_CHECKING, Any

from textseg.errors import TextsegError
from textseg.vocabulary import Vocabulary

if TYPE_CHECKING:
    from textseg.labelmap import LabelMap
    from textseg.model import Model, Scene, load_model
    from textseg.proposals import load_proposer
    from textseg.segmentation import segment

__version__ = "0.1.0"
__all__ = ["LabelMap", "Model", "Scene", "TextsegError", "Vocabulary", "load_model", "load_proposer", "segment"]

# torch takes a second to import, so what needs it is imported when it is first asked for.
_LAZY = {
    "LabelMap": "textseg.labelmap",
    "Model": "textseg.model",
    "Scene": "textseg.model",
    "load_model": "textseg.model",
    "load_proposer": "textseg.proposals",
    "segment": "textseg.segmentation",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'textseg' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)
