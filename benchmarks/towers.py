"""Image-text towers of real size with random weights, saved, loaded by name and compared with their own library.

    python benchmarks/towers.py                 # eight of open_clip's, one a family of pooling
    python benchmarks/towers.py ViT-L-14 RN50   # others, by open_clip's names
    python benchmarks/towers.py --all           # every one of open_clip's up to --parameters

No network is needed: what it shows does not depend on what was learned. It prints the largest difference between
pooled photo and text embeddings here and open_clip's own, the readouts, and seconds a photo of 640 x 480.
"""

import argparse
import logging
import os
import tempfile
import time
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import save_file

from textseg import Vocabulary, load_model
from textseg.errors import TextsegError

NAMES = (
    "ViT-B-32", "coca_ViT-B-32", "EVA02-B-16", "MobileCLIP-S1", "MobileCLIP2-S0", "PE-Core-T-16-384", "convnext_base",
    "ViT-B-16-SigLIP",
)  # fmt: skip
WORDS = "cat; kitten, sofa, wall"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--all", action="store_true")
    parser.add_argument("--parameters", type=float, default=250, help="of a model, at most, in millions (with --all)")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    logging.disable(logging.WARNING)  # that nothing was learned is meant
    photo = Image.fromarray(np.random.default_rng(0).integers(0, 256, (480, 640, 3), dtype=np.uint8))
    print(f"{'model':<32}{'M':>6}{'photos':>10}{'texts':>10}{'seconds':>9}  grid      readouts", flush=True)
    for name in open_clip.list_models() if args.all else args.names:
        try:
            with tempfile.TemporaryDirectory() as folder:
                print(f"{name:<32}{measure(name, Path(folder), photo, args)}", flush=True)
        except (TextsegError, OSError) as error:
            print(f"{name:<32}{error}", flush=True)


def measure(name: str, folder: Path, photo: Image.Image, args: argparse.Namespace) -> str:
    """One line of the table."""
    torch.manual_seed(0)
    if args.all and (size := parameters(name)) > args.parameters:
        return f"{size:>6.0f}  larger than --parameters"
    theirs = open_clip.create_model(name, pretrained_text=False).eval()
    config = open_clip.get_model_config(name)
    text = config["text_cfg"]
    if text.get("hf_tokenizer_name"):
        make_tokenizer(folder)
    path = folder / "weights.safetensors"
    save_file({key: value.contiguous() for key, value in theirs.state_dict().items()}, path)
    model = load_model(f"clip:{name}//{path}", device=args.device)
    ours = model.backbone
    side = ours.tower.native
    square = photo.resize((side, side))
    pixels = (ours._pixels([square])).cpu()
    texts = ["a photo of a cat", "sofa", "a wall behind a sofa and a cat"]
    with torch.no_grad():
        photos = (ours.embed_photos([square]).cpu() - F.normalize(theirs.encode_image(pixels), dim=1)).abs().max()
        words = (ours.embed(texts) - F.normalize(theirs.encode_text(ours.tokenize(texts)), dim=1)).abs().max()
    start = time.perf_counter()
    scene = model.encode(photo)
    seconds = time.perf_counter() - start
    similarity = scene.similarity(Vocabulary.parse(WORDS))
    assert np.isfinite(similarity).all()
    grid = "x".join(map(str, similarity.shape))
    return f"{millions(theirs):>6.0f}{photos:>10.1e}{words:>10.1e}{seconds:>9.2f}  {grid:<9} {' '.join(ours.readouts)}"


def parameters(name: str) -> float:
    """Millions of parameters, without memory for them."""
    with torch.device("meta"):
        return millions(open_clip.create_model(name, pretrained_text=False, device="meta"))


def millions(model: torch.nn.Module) -> float:
    return sum(parameter.numel() for parameter in model.parameters()) / 1e6


def make_tokenizer(folder: Path) -> None:
    """A tokenizer of a few words, where the real one cannot be had."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    words = ["<pad>", "</s>", "<unk>", *["a", "photo", "of", "the", "cat", "kitten", "sofa", "wall", "behind", "and"]]
    tokenizer = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    tokenizer.save(str(folder / "tokenizer.json"))


if __name__ == "__main__":
    main()
