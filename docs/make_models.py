"""Write docs/models.md from the registries: backbones, image towers, their readouts, licences.

python docs/make_models.py       # writes it
python docs/make_models.py -     # prints it
"""

import sys
from collections import defaultdict
from pathlib import Path

import open_clip

from textseg import catalogue
from textseg.catalogue import Entry
from textseg.model import readouts, towers

PAGE = Path(__file__).parent / "models.md"

TOP = """# Models

`python docs/make_models.py` writes this page from the registries; `textseg models` says the same on the command line,
and which of it loads on your machine. Sizes are those of float32 weights.

## In one minute

Nothing to fetch: `lite` is installed. With a network, a strong start is CLIP B/16 for the words and Segment Anything
2.1 for the masks, on the command line

    textseg serve --backbone clip:ViT-B-16/openai --proposals hf:facebook/sam2.1-hiera-tiny

or **on the page**: click the model's name in the header, mark *CLIP* under Backbone and *SAM 2.1* under Masks by, and
*Switch*. The page says how many bytes are here, how fast they come and how long the rest takes; *Cancel* keeps what has
come, and the next try goes on there. What is in use answers until the new one is ready, and goes on when anything goes
wrong.

| | licence | to fetch | memory | on two CPU cores |
|---|---|---|---|---|
| `clip:ViT-B-16/openai` | MIT | 599 MB | 0.7 GB | 7 s for each new photo (600 x 400, on a busy machine) |
| `hf:facebook/sam2.1-hiera-tiny` | Apache-2.0 | 156 MB | 1.9 GB | 6 s for each new photo, 0.3 s a click |

The panel says what each costs on your machine once it was loaded there. Others to begin with:

    textseg serve --backbone clip:ViT-B-16-SigLIP2/webli   # Apache-2.0, 1.5 GB
    textseg serve --backbone hf:google/tipsv2-b14          # Apache-2.0, 780 MB

- A project remembers the model it is worked on with (`model.json` in its folder): the next `textseg serve --project
  DIR` has it again where all of it is on the machine, and the panel offers it where it is not.
- A head goes with the model that it was trained with. With another one it rests, and the panel says so.
- On a server that others reach, and in a Space, nobody chooses a model unless its owner offers some by
  `textseg serve --offer NAME`; repositories and files of one's own are named only on the machine itself.

The first use fetches the weights from the Hugging Face Hub into its cache; after that no network is needed.
Beforehand, with a bar, and going on where an earlier try was stopped:

    textseg models fetch clip:ViT-B-16/openai hf:facebook/sam2.1-hiera-tiny
    HF_ENDPOINT=https://mirror.example.org textseg models fetch clip:ViT-B-16/openai     # from a mirror

For a machine without network, copy what is needed into a folder; the command says how to use it there:

    textseg models pack /media/stick clip:ViT-B-16/openai hf:facebook/sam2.1-hiera-tiny

**Files of your own** are named, a file or a folder:

    clip:ViT-B-16//weights/vit_b_16.safetensors     # a state dict as open_clip saves it (.safetensors, .pt, .bin)
    clip:ViT-B-16-SigLIP//weights/siglip            # a folder: weight file, tokenizer.json, open_clip_config.json
    hf:weights/siglip2                              # a folder that transformers saved

- SigLIP, CLIPA and towers of many languages have a tokenizer of their own, which open_clip does not bring: its
  `tokenizer.json` (and `tokenizer_config.json`) lie beside the weight file, or are in the hub's cache. Without it
  photos are encoded, and words are refused in one sentence.
- Mean and deviation of a local file are those of the model's own weights, as open_clip knows them, unless an
  `open_clip_config.json` beside it says otherwise. ViT-L-14 alone has weights with two of them: local files get
  OpenAI's, and LAION-2B's need that file.
- Nothing loads by executing code: safetensors, or pickles of which only tensors are read; `trust_remote_code` is never
  set.

`--readout NAME` says how a tower is read out patch by patch ([methods.md](methods.md)); a head remembers the one it was
trained on.
"""

END = """
## How it is checked

Pooled photo and text embeddings equal those of open_clip and transformers to 1e-5, and dense ones a naive computation,
on real configurations made shallow with random weights (`tests/unit/test_towers.py`,
`tests/unit/test_hf_backbone.py`). At real size, eight of open_clip's, one a way of pooling: at most 1.8e-7 apart
(`python benchmarks/towers.py`, 2026-11-26).

## What does not load

- `swin_base_patch4_window7_224` and `vit_relpos_medium_patch16_cls_224`: their positions are tied to one size, and
  open_clip has no weights of them.
- `clip:` models whose text tower is transformers' (`roberta`, `xlm-roberta`, `mt5`, `nllb`) fetch that tower's
  `config.json` and tokenizer from the hub once, also with a local weight file.
- `dinov2:`, `dinov3:` and `dino:` never saw a word and need a trained head; words go through MiniLM or, written behind
  a plus, another model: `dinov2:small+clip:ViT-B-16/openai`. A head brings the one it was trained with.
- PE-Spatial and SAM have no text side: they are no backbones.
"""


def page() -> str:
    """The whole page."""
    entries = catalogue.entries()
    return "\n".join([TOP, *_backbones(entries), *_towers(entries), *_readouts(), END])


def _backbones(entries: list[Entry]) -> list[str]:
    rows = [
        f"| `{one.example}` | {one.about} | {one.licence} | {one.size} | {one.needs or 'nothing'} |"
        for one in entries
        if one.kind == "backbone"
    ]
    return [
        "## Backbones\n",
        "| example | what it is | licence | size | needs |",
        "|---|---|---|---|---|",
        *rows,
        "",
    ]


def _towers(entries: list[Entry]) -> list[str]:
    """One row a family: what it is, its towers by the names to type, and its readouts."""
    families = [one for one in entries if one.kind == "tower"]
    rows = [
        f"| **{one.title}**: {one.about} | {_names(one.name)} | {_listed(one.readouts)} | {one.licence} | "
        f"`{one.example}`, {one.size} |"
        for one in families
    ]
    return [
        "## Image towers, and which readouts they have\n",
        "The first readout is the default.\n",
        "| family | towers | readouts | licence of the weights | example |",
        "|---|---|---|---|---|",
        *rows,
        "",
    ]


def _names(family: str) -> str:
    """open_clip's models of a family, and transformers' types."""
    by_family: dict[str | None, list[str]] = defaultdict(list)
    for name in open_clip.list_models():
        by_family[towers.family((open_clip.get_model_config(name) or {})["vision_cfg"])].append(name)
    names = [name for name in by_family[family] if not name.endswith("-quickgelu")]
    types = [f"`hf:` of type `{name}`" for name in towers.get(family).model_types]
    return ", ".join([*(f"`{name}`" for name in names), *types])


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _readouts() -> list[str]:
    rows = []
    for name in readouts.names():
        readout, facts = readouts.get(name), readouts.facts(name)
        needs = [*sorted(readout.needs), *(["a second backbone"] if readout.second else [])]
        other = f", or {towers.ATTENTION_POOL}" if readout.of_pool else ""
        rows.append(f"| `{name}` | {facts.about} | {' and '.join(needs) or 'nothing'}{other} |")
    return ["## Readouts\n", "| `--readout` | what it is | needs a tower with |", "|---|---|---|", *rows]


if __name__ == "__main__":
    if sys.argv[1:] == ["-"]:
        print(page(), end="")
    else:
        PAGE.write_text(page(), "utf-8")
