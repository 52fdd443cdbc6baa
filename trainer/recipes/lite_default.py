"""Train the default head of `lite` from captions and object names; no pixel label is used.

    python -m trainer.recipes.lite_default --data ../shared/data --out assets/heads/lite.safetensors

Four steps, about 15 minutes on two cores:

1. Patch features of the Flickr8k photos (captions) and the object photos (one ImageNet class name each), once.
2. Two teachers by candidate multiple-instance learning: a photo's words must be found somewhere in it, and each
   patch must be one of its photo's candidates, its words or stuff (sky, wall, grass ...) that captions seldom name.
3. Pseudo-labels: teachers and ConSE together, smoothed over feature affinity, restricted to the photo's candidates.
4. The head learns them with all words competing, so that at test time it needs no captions to rule words out.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from textseg.model import backbones
from textseg.model.embedding import embed_words
from textseg.model.heads import save
from textseg.model.heads.lexical import LexicalHead, places
from textseg.shipped import asset
from trainer.nouns import default_nouns

CAPTIONED_GRID, OBJECT_GRID = (20, 24), (20, 20)  # Flickr8k's photos are squeezed to squares: most were 4:3 or 3:2
SCALE = 15.0  # logit scale of every softmax over words
LICENCE = "Apache-2.0; learnt from Flickr8k captions (research and education) and ImageNet class names"
TOP = 8  # words kept of each patch's pseudo-label


def untrained(backbone: backbones.Backbone, width: int) -> LexicalHead:
    """A head that knows the classes and their names; the learnt part is fresh."""
    classifier: Any = backbone.alignment()
    head = LexicalHead(backbone.feature_dim, backbone.text_dim, len(classifier.bias), width)
    rows = [line.split("\t") for line in asset("words/concepts.tsv").read_text().splitlines()]
    wanted = sorted({name for row in rows for name in (*row[2].split("; "), row[3]) if name})
    embedded = dict(zip(wanted, embed_words(backbone.embed, wanted, backbone.templates), strict=True))
    names = torch.stack([
        torch.stack([embedded[name] for name in row[2].split("; ")]).mean(0) + (0.5 * embedded[row[3]] if row[3] else 0)
        for row in rows
    ])  # fmt: skip
    names = F.normalize(names, dim=1)
    centred = F.normalize(names - names.mean(0), dim=1)
    density = (centred @ centred.T).relu().square().sum(1)
    head.classifier.weight.data.copy_(classifier.weight)
    head.classifier.bias.data.copy_(classifier.bias - density.log())
    head.half_mean.copy_(names.mean(0) / 2)
    head.names.copy_(names - head.half_mean)
    return head


# --- The data --------------------------------------------------------------------------------------------------------

PERSON = frozenset(
    """
man|woman|boy|girl|child|people|kid|guy|lady|person|baby|adult|player|rider|skier|surfer|
skateboarder|snowboarder|swimmer|cyclist|biker|runner|climber|dancer|toddler|teenager|soldier|
officer|policeman|fireman|worker|boxer|wrestler|musician|singer|guitarist|drummer|performer|clown|
cowboy|crowd|team|audience|spectator|family|couple|hiker|racer|athlete|gymnast|jogger|pedestrian|
diver|friend|mother|father|son|daughter|brother|sister|infant|gentleman|bride|groom|referee|fan|
student|tourist|fisherman|farmer|driver|passenger|sailor|golfer|catcher|football player|soccer player|
baseball player|basketball player|tennis player|hockey player|police officer|construction worker
""".replace("\n", "").split("|")
)
"""Nouns of captions that mean a person; all of them count as "person"."""

IMPLIED = {
    noun: words.split("|")
    for words, nouns in {
        "sea|water": "ocean sea wave surf", "water": "lake river pond stream pool", "swimming pool": "pool",
        "river": "stream", "road": "street highway", "pavement": "sidewalk", "sand": "beach dune", "bicycle": "bike",
        "motorcycle": "motorbike", "tree": "forest wood branch", "grass": "lawn yard meadow field",
        "rock": "cliff boulder stone canyon", "dog": "puppy pup terrier greyhound poodle collie",
        "building": "skyscraper store shop house church", "snow": "slope", "dirt": "mud", "fence": "railing",
        "railing": "rail", "stairs": "stair step steps", "couch": "sofa", "plant": "bush flower",
        "boat": "raft canoe kayak ship", "car": "van jeep taxi vehicle suv",
    }.items()
    for noun in nouns.split()
}  # fmt: skip
IMPLIED |= {"ocean": ["sea", "water"], "stream": ["water", "river"], "pool": ["water", "swimming pool"],
            "cliff": ["rock"], "house": ["building"]}  # fmt: skip
"""What else is there when a caption has the noun."""

ALSO_CALLED = {
    "person": ["people", "man", "woman", "child", "boy", "girl"], "couch": ["sofa"], "bicycle": ["bike"],
    "road": ["street"], "pavement": ["sidewalk"], "sea": ["ocean"], "motorcycle": ["motorbike"], "rug": ["carpet"],
    "tree": ["trees"], "building": ["buildings"], "grass": ["lawn"], "rock": ["rocks"], "mountain": ["mountains"],
    "cabinet": ["cupboard"], "ground": ["soil"],
}  # fmt: skip
"""Other names for a word, drawn half of the time, so that they work as well as the word."""

STUFF = """
sky|cloud|tree|grass|road|building|wall|floor|water|sand|snow|rock|mountain|dirt|fence|bush|plant|house|window|door|
ceiling|curtain|table|pavement|sea|river|hill|gravel|stairs|carpet|shelf|ground|field|railing|brick wall|stone wall|
wood wall|wood floor|tile wall|roof|rug|cabinet|blanket|pillow|counter|cupboard|mirror|light|lamp|platform|railroad|
playing field|banner|towel|bridge|paper|cardboard
""".replace("\n", "").split("|")
"""What may fill any photo unsaid."""

ABOVE = frozenset(["sky", "cloud", "ceiling"])
BELOW = frozenset(
    """
grass|road|ground|floor|dirt|sand|pavement|gravel|carpet|rug|wood floor|field|playing field|water|sea|river|snow|
platform|railroad|table|counter
""".replace("\n", "").split("|")
)
"""Where the world has them: the pseudo-labels are told what every caption's reader knows."""

UNTAUGHT = frozenset(
    """
shorts|pants|t-shirt|jeans|arms|glasses|sunglasses|bunch|gathering|falls|star|tank|harness|court|parade|
shirt|jacket|hat|helmet|coat|uniform|suit|dress|outfit|cap|jersey|gear|clothes|costume|collar|sweater|clothing|vest|
bathing suit|skirt|sweatshirt|shoe|scarf|swimsuit|plaid|glove|tie|mask|boot|sandal|jumper|yellow jacket|leather|cloth|
tongue|beard|tooth|hair|trunk|stripe|paw|wing|tail|audience|head|arm|leg|foot|hand|face|eye|mouth|nose|ear|body|finger|
shoulder|knee|neck|chest|back|lap|cheek|chin|
ball|soccer ball|tennis ball|baseball|basketball|frisbee|rope|leash|toy|stick|skate|goal|hoop|swing|slide|hose|rail|
ledge|ring|
park|orange|light|fly|drink|owner|chew|pick|cover|brush|pack|tackle|downhill|flight|corner|stage|band|market|traffic|
pile|landscape|terrain|spray|wire|lab|paint|shepherd|bar|board|concrete|metal|plastic|track|dirt track|wood|muzzle|bull|
wheel|stone|city|room|office|school|beam|wave|picture|photo|photograph|camera|watch|piece|equipment|art|working|works|
crop|exit|cast|copper|fabric|housing|launch|palace|silver|switch|satellite|gun|weapon|cigarette|row|seat|setting
""".replace("\n", "").split("|")
)
"""Caption nouns that teach nothing here: clothes and parts of a body (they are the person), things smaller than a
patch (the field around them would learn their name), and what has no place in the photo."""


@dataclass
class Photos:
    """Patch features of one set, and what is known of each photo."""

    features: np.ndarray  # (N, h * w, D) float16, on disk
    grid: tuple[int, int]
    target: torch.Tensor  # (N, K) share of the captions that have the word
    people_told: bool  # captions never leave people out; a class name does not tell
    weight: torch.Tensor  # (N,) weight of the photo in the loss

    def batch(self, index: np.ndarray, phase: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Every second patch of every second row from one of four phases: (B, T, D) features and their (T,) numbers."""
        height, width = self.grid
        rows, columns = np.arange(phase // 2, height, 2), np.arange(phase % 2, width, 2)
        patches = (rows[:, None] * width + columns).ravel()
        features = np.stack([self.features[i][patches] for i in index])
        return torch.from_numpy(features).float(), torch.from_numpy(patches)


def encode(backbone: backbones.Backbone, files: Sequence[Path], grid: tuple[int, int], cache: Path) -> np.ndarray:
    """(N, h * w, D) float16 patch features of photos squeezed to `grid`, in a file under `cache`."""
    path, (height, width) = cache / f"{files[0].parent.parent.name}-{height_width(grid)}.npy", grid
    if path.exists():
        return np.load(path, mmap_mode="r")
    partial = path.with_suffix(".partial.npy")
    shape = (len(files), height * width, backbone.feature_dim)
    features = np.lib.format.open_memmap(partial, "w+", np.float16, shape)
    size = (width * backbone.patch_stride, height * backbone.patch_stride)
    for i, file in enumerate(files):
        photo = Image.open(file).convert("RGB").resize(size, Image.Resampling.BICUBIC)
        features[i] = backbone.encode([photo])[0].flatten(1).T.half().numpy()
    features.flush()
    partial.rename(path)
    return np.load(path, mmap_mode="r")


def height_width(grid: tuple[int, int]) -> str:
    return "x".join(map(str, grid))


def captions(data: Path) -> dict[str, list[str]]:
    """The captions of each photo of Flickr8k's training list."""
    found = defaultdict(list)
    for line in (data / "flickr8k" / "captions.tsv").read_text().splitlines():
        file, caption = line.split("\t", 1)
        found[file].append(caption)
    return found


def said(texts: Sequence[str]) -> dict[str, float]:
    """Words of one photo -> share of its captions that have or imply the word."""
    counts: Counter[str] = Counter()
    for text in texts:
        nouns = default_nouns().find(text)
        words = {"person" if noun in PERSON else noun for noun in nouns}
        counts.update(words | {word for noun in nouns for word in IMPLIED.get(noun, ())})
    return {word: count / len(texts) for word, count in counts.items()}


def class_words() -> list[str]:
    """An everyday word for each ImageNet class: its name, or for what few people can name the kind of thing it is."""
    nouns, words = set(default_nouns().names), []
    for line in asset("words/concepts.tsv").read_text().splitlines():
        _, _, synonyms, hypernym = line.split("\t")
        names = synonyms.lower().split("; ")
        choices = [
            "dog" if hypernym in {"terrier", "hound", "spaniel", "dog", "wild dog", "fox terrier"} else "",
            *(name for name in names if name in nouns and " " not in name),
            hypernym if hypernym in nouns else "",
            *(name for name in names if name in nouns),
            hypernym or names[0],
        ]
        words.append(next(filter(None, choices)))
    return words


def load(backbone: backbones.Backbone, data: Path, cache: Path) -> tuple[list[str], Photos, Photos]:
    """(words, captioned photos, object photos)."""
    texts = captions(data)
    shares = [said(texts[file]) for file in texts]
    photos_with = Counter(word for share in shares for word in share)
    heard = [word for word, n in photos_with.most_common() if n >= 10 and word not in UNTAUGHT]
    named = class_words()
    words = list(dict.fromkeys([*heard, *STUFF, *named]))
    place = {word: k for k, word in enumerate(words)}

    taught = set(heard) | set(STUFF)
    captioned = torch.zeros(len(shares), len(words))
    for i, share in enumerate(shares):
        for word in share.keys() & taught:
            captioned[i, place[word]] = share[word]
    objects = F.one_hot(torch.tensor([place[word] for word in named]), len(words)).float()
    repeats = Counter(named)
    weight = torch.tensor([repeats[word] ** -0.5 for word in named])

    files = [data / "flickr8k" / "images" / file for file in texts]
    rows = (data / "object-photos" / "names.tsv").read_text().splitlines()
    object_files = [data / "object-photos" / "images" / row.split("\t")[0] for row in rows]
    return (
        words,
        Photos(encode(backbone, files, CAPTIONED_GRID, cache), CAPTIONED_GRID, captioned, True, torch.ones(len(files))),
        Photos(encode(backbone, object_files, OBJECT_GRID, cache), OBJECT_GRID, objects, False, weight / weight.mean()),
    )


# --- The training ----------------------------------------------------------------------------------------------------


class Lesson:
    """Words, photos and the losses that both stages share."""

    def __init__(
        self, head: LexicalHead, words: list[str], backbone: backbones.Backbone, photos: tuple[Photos, Photos]
    ) -> None:
        def text(words: list[str]) -> torch.Tensor:
            return head.text(embed_words(backbone.embed, words, backbone.templates))

        self.words, self.photos = words, photos
        self.texts = text(words)
        self.other_names = {words.index(word): text(names) for word, names in ALSO_CALLED.items() if word in words}
        self.class_texts = F.normalize(head.names, dim=1)
        self.stuff = torch.tensor([word in set(STUFF) for word in words])
        self.person = words.index("person")

    def gravity(self, height: int) -> torch.Tensor:
        """(height, K) how readily a row of the photo has the word: ABOVE and BELOW fade out the other way."""
        y = ((torch.arange(height) + 0.5) / height)[:, None]
        above, below = (torch.tensor([word in group for word in self.words]) for group in (ABOVE, BELOW))
        fading = torch.where(above, ((0.65 - y) / 0.4).clamp(0.03, 1), torch.ones(()))
        return torch.where(below, ((y - 0.15) / 0.45).clamp(0.1, 1), fading)

    def candidates(self, photos: Photos, stuff: float, person: float) -> torch.Tensor:
        """(N, K) how readily a patch may be the word: 1 for the photo's own, less for stuff and for person."""
        weight = torch.where(photos.target > 0, 1.0, torch.where(self.stuff, stuff, 0.0))
        weight[:, self.person] = person * (photos.target[:, self.person] > 0) if photos.people_told else person
        return weight

    def prior(self, photos: Photos) -> torch.Tensor:
        """(K,) log share of each word in a set, added to logits in training only."""
        share = (photos.target * photos.weight[:, None]).mean(0) + 1e-3
        return (share / share.sum()).log()

    def drawn_texts(self) -> torch.Tensor:
        """(K, E) the words, or for half of those that have some, another name."""
        texts = self.texts.clone()
        for k, names in self.other_names.items():
            if torch.rand(()) < 0.5:
                texts[k] = names[torch.randint(len(names), ())]
        return texts

    def named_somewhere(self, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        """(B,) cross-entropy between the photo's words and log-mean-exp of patch posteriors, logits (B, T, K)."""
        photo = logits.log_softmax(-1).logsumexp(1) - math.log(logits.shape[1])
        return -(target / target.sum(1, keepdim=True).clamp(min=1e-6) * photo).sum(1)

    def distilled(self, head: LexicalHead, x: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        """(B,) cross-entropy with the classifier's posterior at 16 patches."""
        some = torch.randint(x.shape[1], (16,))
        with torch.no_grad():
            posterior = head.posterior(x[:, some])
        return -(posterior * (SCALE * z[:, some] @ self.class_texts.T).log_softmax(-1)).sum(-1).mean(1)

    def batches(self, epochs: int, size: int, seed: int) -> Iterator[list[tuple[np.ndarray, int]]]:
        """Photo indices of each set and a phase, a third as many object photos as captioned ones."""
        random = np.random.default_rng(seed)
        many, few = (len(photos.target) for photos in self.photos)
        for _ in range(epochs):
            order, others = random.permutation(many), random.permutation(few)
            steps = many // size
            for k in range(steps):
                phase = int(random.integers(4))
                share = few // steps
                chosen = order[k * size : (k + 1) * size], others[k * share : (k + 1) * share]
                yield [(np.sort(index), phase) for index in chosen]


def fit(head: LexicalHead, losses: Iterator[torch.Tensor], steps: int, rate: float = 1.5e-3) -> LexicalHead:
    """AdamW, one cycle."""
    optimizer = torch.optim.AdamW([p for p in head.parameters() if p.requires_grad], lr=rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    for loss in losses:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return head.eval()


def words_of(head: LexicalHead, x: torch.Tensor, place: torch.Tensor) -> torch.Tensor:
    """`head.words` in bfloat16 where the machine has it: half the time."""
    with torch.autocast("cpu", torch.bfloat16):
        return head.words(x, place).float()


def teacher(head: LexicalHead, lesson: Lesson, seed: int, epochs: int = 4, size: int = 128) -> LexicalHead:
    """Candidate multiple-instance learning, the same at every place of a photo."""
    torch.manual_seed(seed)
    candidates = [lesson.candidates(lesson.photos[0], 0.3, 0.3), lesson.candidates(lesson.photos[1], 0.2, 0.2)]
    priors = [lesson.prior(photos) for photos in lesson.photos]

    def losses() -> Iterator[torch.Tensor]:
        for batch in lesson.batches(epochs, size, seed):
            total, texts = torch.zeros(()), lesson.drawn_texts()
            for photos, allowed, prior, share, (index, phase) in zip(
                lesson.photos, candidates, priors, (1.0, 0.3), batch, strict=True
            ):
                x, patches = photos.batch(index, phase)
                z = words_of(head, x, torch.zeros(len(patches), 4))
                logits = SCALE * z @ texts.T + prior
                mass = (logits.softmax(-1) * allowed[index][:, None]).sum(-1)
                loss = lesson.named_somewhere(logits, photos.target[index])
                loss = loss - 0.5 * (mass + 1e-6).log().mean(1) + 0.7 * lesson.distilled(head, x, z)
                total = total + share * (loss * photos.weight[index]).mean()
            yield total

    return fit(head, losses(), epochs * (len(lesson.photos[0].target) // size))


@torch.inference_mode()
def pseudo_labels(
    heads: Sequence[LexicalHead], lesson: Lesson, photos: Photos, stuff: float, person: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, T, TOP) logits and words of every patch: what the teachers see, among the photo's candidates."""
    height, width = photos.grid
    allowed = lesson.candidates(photos, stuff, person).clamp(min=1e-6).log()
    gravity = lesson.gravity(height).log().repeat_interleave(width, 0)
    nowhere = torch.zeros(height * width, 4)
    logits, words = [], []
    for i, weight in enumerate(allowed):
        x = torch.from_numpy(photos.features[i].astype(np.float32))[None]
        learnt = sum(words_of(head, x, nowhere) for head in heads) / len(heads)
        z = heads[0].smooth(heads[0].mixed(x, learnt))[0]
        best = (35 * z @ lesson.texts.T + weight + gravity).topk(TOP, dim=1)
        logits.append(best.values.half())
        words.append(best.indices.short())
    return torch.stack(logits).clone(), torch.stack(words).clone()


def student(
    head: LexicalHead, lesson: Lesson, labels: list[tuple[torch.Tensor, torch.Tensor]], seed: int,
    epochs: int = 4, size: int = 96,
) -> LexicalHead:  # fmt: skip
    """Learn the pseudo-labels with every word competing; common words are held back by the root of their share."""
    torch.manual_seed(seed)
    prior = lesson.prior(lesson.photos[0])
    common = torch.full((len(lesson.words),), 1 / len(lesson.words))

    def losses() -> Iterator[torch.Tensor]:
        for batch in lesson.batches(epochs, size, seed):
            total, texts = torch.zeros(()), lesson.drawn_texts()
            for k, (photos, share, (index, phase)) in enumerate(zip(lesson.photos, (1.0, 0.3), batch, strict=True)):
                x, patches = photos.batch(index, phase)
                logits, words = (part[index][:, patches] for part in labels[k])
                logits, words = logits.float(), words.long()
                label = (logits - 0.5 * common.log()[words]).softmax(-1)
                z = words_of(head, x, places(*photos.grid)[patches])
                scores = SCALE * z @ texts.T
                loss = -(label * scores.log_softmax(-1).gather(-1, words)).sum(-1).mean(1)
                loss = loss + 0.5 * lesson.distilled(head, x, z)
                if k == 0:
                    seen = torch.zeros_like(common).index_add_(0, words.flatten(), logits.softmax(-1).flatten())
                    common.mul_(0.98).add_(0.02 * seen / seen.sum()).clamp_(min=1e-5)
                    loss = loss + 0.3 * lesson.named_somewhere(scores + prior, photos.target[index])
                total = total + share * (loss * photos.weight[index]).mean()
            yield total

    return fit(head, losses(), epochs * (len(lesson.photos[0].target) // size))


def main() -> None:
    """Train and save."""
    parser = argparse.ArgumentParser(description="Train the default head of lite; no pixel label is used.")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("assets/heads/lite.safetensors"))
    parser.add_argument("--cache", type=Path, help="folder for 5 GB of patch features (default: a temporary one)")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        train(options.data, options.out, options.cache or Path(temporary), options.seed)


def fingerprint(data: Path) -> str:
    """Identifies the words that were taught: the captions and the object names."""
    taught = (data / "flickr8k" / "captions.tsv", data / "object-photos" / "names.tsv")
    return hashlib.sha256(b"".join(file.read_bytes() for file in taught)).hexdigest()[:16]


def train(data: Path, out: Path, cache: Path, seed: int) -> None:
    """All four steps."""
    start = time.time()

    def log(step: str) -> None:
        print(f"{time.time() - start:6.0f} s  {step}", flush=True)

    backbone = backbones.load("lite", "cpu", None)
    torch.manual_seed(seed)
    words, captioned, objects = load(backbone, data, cache)
    log(f"{len(captioned.target)} captioned photos, {len(objects.target)} objects, {len(words)} words")
    teachers = []
    for k in range(2):
        torch.manual_seed(seed * 10 + k)
        head = untrained(backbone, 512)
        lesson = Lesson(head, words, backbone, (captioned, objects))
        teachers.append(teacher(head, lesson, seed * 10 + k))
        log(f"teacher {k + 1}")
    labels = [pseudo_labels(teachers, lesson, captioned, 0.8, 0.6), pseudo_labels(teachers, lesson, objects, 0.6, 0.4)]
    log("pseudo-labels")
    torch.manual_seed(seed * 10 + 2)
    head = student(untrained(backbone, 768), lesson, labels, seed * 10 + 2)
    log("head")
    facts = {
        "objective": "lexical",
        "seed": seed,
        "words": words,
        "data": {"sources": ["flickr8k captions", "object-photos names"], "fingerprint": fingerprint(data)},
        "date": date.today().isoformat(),
        "licence": LICENCE,
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    save(head.half(), out, backbone, **facts)
    log(f"{out}: {out.stat().st_size / 1e6:.1f} MB, {json.dumps(head.config)}")


if __name__ == "__main__":
    main()
