"""Make assets/words/imagenet_names.safetensors: the ImageNet class names in MiniLM's space, which ConSE combines.

    python -m trainer.recipes.imagenet_names

They are shipped because embedding a thousand names takes longer than labelling a photo.
"""

from safetensors.torch import save_file

from textseg.model.backbones.lite import imagenet_names
from textseg.model.embedding import embed_words
from textseg.model.text import MiniLM
from textseg.shipped import asset


def main() -> None:
    names = embed_words(MiniLM().embed, imagenet_names(), "scene")
    save_file({"names": names.half()}, asset("words/imagenet_names.safetensors"))


if __name__ == "__main__":
    main()
