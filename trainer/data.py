"""What a head is trained on: photos, with captions or without, from the layouts that people have them in.

Everything that is wrong with the data is found here, before the long work begins: what can be left out is left out and
counted, and a data set with nothing in it is a DatasetError.
"""

import hashlib
import json
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from textseg import images
from textseg.errors import DatasetError, PhotoError
from textseg.files import write_atomically
from textseg.model import Model
from textseg.proposals import Proposer
from textseg.pseudolabel import CONFIDENCE, MARGIN, label_regions
from textseg.vocabulary import Vocabulary
from trainer.masks import MaskStore
from trainer.nouns import Nouns
from trainer.store import ArrayStore

LONG_CAPTION = 60
"""Words; CLIP's text encoders read the first 77 tokens of a caption and drop the rest."""

PHOTOS_A_SHARD = 64
"""Photos whose pseudo-labels are written together: what a kill can cost."""

PHOTO_KEYS = ("file", "file_name", "filename", "image", "photo", "path")
CAPTION_KEYS = ("captions", "caption", "text", "sentences")


@dataclass(frozen=True)
class TrainingPhoto:
    """One photo on disk, a file or a part of a tar shard, with its captions."""

    name: str
    path: Path
    sha256: str
    captions: tuple[str, ...] = ()
    offset: int = 0
    length: int = -1

    def read(self) -> bytes:
        """The bytes of the picture file."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.length)

    def open(self) -> Image.Image:
        """The photo, upright and RGB; raises PhotoError."""
        try:
            return images.open(self.read())
        except OSError as error:
            raise PhotoError(f"{self.name} cannot be read ({error.strerror or error}).") from None
        except PhotoError as error:
            raise PhotoError(str(error).replace("The photo", self.name)) from None


@dataclass
class TrainingSet:
    """Photos, each once, in a fixed order, and what was left out and why."""

    sources: list[str]
    photos: list[TrainingPhoto]
    skipped: dict[str, list[str]] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Identifies the photos' bytes and their captions."""
        digest = hashlib.sha256()
        for photo in self.photos:
            digest.update("\0".join([photo.sha256, *photo.captions, "\n"]).encode())
        return digest.hexdigest()[:16]

    def without(self, names: Iterable[str], reason: str) -> "TrainingSet":
        """The same data set less the photos called `names`, which are counted as skipped."""
        left_out = set(names)
        if not left_out:
            return self
        photos = [photo for photo in self.photos if photo.name not in left_out]
        return replace(self, photos=photos, skipped={**self.skipped, reason: sorted(left_out)})

    def captioned(self) -> "TrainingSet":
        """The photos that have a caption; raises DatasetError when none has."""
        kept = self.without((p.name for p in self.photos if not p.captions), "photos without a caption")
        if not kept.photos:
            raise DatasetError(
                f"No photo of {', '.join(self.sources)} has a caption, and this objective learns from captions: give a "
                "TSV file (file<TAB>caption), or put a .txt file beside each photo."
            )
        return kept

    def facts(self) -> dict[str, Any]:
        """What a head file says about the data it was trained on."""
        return {
            "sources": self.sources,
            "fingerprint": self.fingerprint,
            "photos": len(self.photos),
            "captions": sum(len(photo.captions) for photo in self.photos),
            "skipped": {reason: len(names) for reason, names in self.skipped.items()},
        }

    def __str__(self) -> str:
        captions = [caption for photo in self.photos for caption in photo.captions]
        text = f"{len(self.photos):,} photos with {len(captions):,} captions"
        for reason, names in self.skipped.items():
            text += f"; {len(names):,} {reason} left out ({', '.join(names[:3])}{', …' * (len(names) > 3)})"
        long = sum(len(caption.split()) > LONG_CAPTION for caption in captions)
        if long:
            text += (
                f"; {long:,} captions are longer than {LONG_CAPTION} words, of which the text encoder may drop the end"
            )
        return text + "."


def read(paths: Sequence[str | Path], cache: Path | None = None) -> TrainingSet:
    """Read a data set from one or more places, photos with equal bytes merged.

    A place is a TSV file (`file<TAB>caption`, one caption a line), a JSON or JSON-lines list (or COCO's captions
    file), a folder of photos with or without a `.txt` of captions beside each, a folder that holds `captions.tsv`, a
    webdataset tar shard, a folder of shards, or a brace pattern of shards (`cc3m-{000..331}.tar`). `cache` keeps the
    tables of contents of shards. Raises DatasetError when nothing is left, or a place cannot be read.
    """
    skipped: dict[str, list[str]] = {}
    by_hash: dict[str, TrainingPhoto] = {}
    for place in paths:
        before = len(by_hash)
        for photo in _read_place(str(place), skipped, cache):
            known = by_hash.setdefault(photo.sha256, photo)
            if known is not photo:
                captions = tuple(dict.fromkeys((*known.captions, *photo.captions)))
                by_hash[photo.sha256] = replace(known, captions=captions)
        if not by_hash and before == 0:
            why = "; ".join(f"{len(names):,} {reason}, such as {names[0]}" for reason, names in skipped.items())
            raise DatasetError(f"There is no photo to train on in {place}{f' ({why})' if why else ''}.")
    return TrainingSet([Path(place).name for place in paths], list(by_hash.values()), skipped)


def _read_place(place: str, skipped: dict[str, list[str]], cache: Path | None) -> Iterator[TrainingPhoto]:
    path = Path(place)
    if "{" in path.name and not path.exists():
        import braceexpand

        yield from _read_shards([Path(p) for p in braceexpand.braceexpand(place)], skipped, cache)
    elif not path.exists():
        raise DatasetError(f"The data set {place} does not exist.")
    elif path.is_dir():
        yield from _read_folder(path, skipped, cache)
    elif path.suffix == ".tar":
        yield from _read_shards([path], skipped, cache)
    elif path.suffix in (".json", ".jsonl"):
        yield from _from_table(path, _json_pairs(path), skipped)
    elif path.suffix in (".tsv", ".txt"):
        yield from _from_table(path, _tsv_pairs(path, skipped), skipped)
    else:
        raise DatasetError(
            f"{path.name} is no data set: give a .tsv, .json, .jsonl or .tar file, or a folder of photos."
        )


def _read_folder(folder: Path, skipped: dict[str, list[str]], cache: Path | None) -> Iterator[TrainingPhoto]:
    shards = sorted(folder.glob("*.tar"))
    if (folder / "captions.tsv").is_file():
        yield from _read_place(str(folder / "captions.tsv"), skipped, cache)
    elif shards:
        yield from _read_shards(shards, skipped, cache)
    else:
        found = sorted(p for p in folder.rglob("*") if p.suffix.lower() in images.SUFFIXES and p.is_file())
        for path, sha256 in zip(found, _hashes(found), strict=True):
            beside = path.with_suffix(".txt")
            captions = (
                _captions(beside.read_text(encoding="utf-8", errors="replace").splitlines()) if beside.is_file() else ()
            )
            if beside.is_file() and not captions:
                skipped.setdefault("captions without text", []).append(beside.name)
            yield TrainingPhoto(str(path.relative_to(folder)), path, sha256, captions)


def _tsv_pairs(path: Path, skipped: dict[str, list[str]]) -> Iterator[tuple[str, list[str]]]:
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        file, tab, caption = line.partition("\t")
        if number == 1 and file.strip().lower() in PHOTO_KEYS:
            continue  # a header
        if tab:
            yield file.strip(), [caption]
        elif line.strip():
            skipped.setdefault("lines without a tab", []).append(f"{path.name} line {number}")


def _json_pairs(path: Path) -> Iterator[tuple[str, list[str]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix == ".jsonl":
            records: Any = [json.loads(line) for line in text.splitlines() if line.strip()]
        else:
            records = json.loads(text)
    except ValueError as error:
        raise DatasetError(f"{path.name} is not valid JSON: {error}.") from None
    if isinstance(records, dict) and {"images", "annotations"} <= records.keys():  # COCO captions
        files = {image["id"]: image["file_name"] for image in records["images"]}
        records = [
            {"file": files.get(a["image_id"], ""), "caption": a.get("caption", "")} for a in records["annotations"]
        ]
    if not isinstance(records, list):
        raise DatasetError(
            f'{path.name} must hold a list of photos, such as [{{"file": "a.jpg", "caption": "a cat"}}].'
        )
    for number, record in enumerate(records, start=1):
        record = {"file": record} if isinstance(record, str) else record
        file = next((record[key] for key in PHOTO_KEYS if key in record), None) if isinstance(record, dict) else None
        if not isinstance(file, str):
            raise DatasetError(
                f"Entry {number} of {path.name} names no photo; it needs one of {', '.join(PHOTO_KEYS)}."
            )
        given = next((record[key] for key in CAPTION_KEYS if key in record), [])
        yield file, [str(c) for c in (given if isinstance(given, list) else [given])]


def _from_table(
    table: Path, pairs: Iterable[tuple[str, list[str]]], skipped: dict[str, list[str]]
) -> Iterator[TrainingPhoto]:
    """Photos of a table; their files lie beside it, or in `images/` beside it, or where an absolute path says."""
    captions: dict[str, list[str]] = {}
    for file, texts in pairs:
        if not all(text.strip() for text in texts):
            skipped.setdefault("captions without text", []).append(file)
        captions.setdefault(file, []).extend(texts)
    places: dict[str, Path] = {}
    for file in captions:
        path = next((p for p in (table.parent / "images" / file, table.parent / file) if p.is_file()), None)
        if path is None:
            skipped.setdefault("missing photos", []).append(file)
        else:
            places[file] = path
    for (file, path), sha256 in zip(places.items(), _hashes(list(places.values())), strict=True):
        yield TrainingPhoto(file, path, sha256, _captions(captions[file]))


def _read_shards(shards: Sequence[Path], skipped: dict[str, list[str]], cache: Path | None) -> Iterator[TrainingPhoto]:
    for shard in shards:
        if not shard.is_file():
            raise DatasetError(f"The shard {shard} does not exist.")
        for member in _contents(shard, cache):
            if member["caption"] is not None and not member["caption"]:
                skipped.setdefault("captions without text", []).append(member["name"])
            yield TrainingPhoto(
                f"{shard.name}/{member['name']}",
                shard,
                member["sha256"],
                tuple(member["caption"] or ()),
                member["offset"],
                member["length"],
            )


def _contents(shard: Path, cache: Path | None) -> list[dict[str, Any]]:
    """Table of contents of a webdataset shard: its photos, where they lie in the file, their captions.

    webdataset groups the members into samples; the offsets, which let photos be read in any order, come from tarfile.
    """
    import webdataset

    stat = shard.stat()
    facts = f"{shard.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}"
    kept = cache / "shards" / f"{hashlib.sha256(facts.encode()).hexdigest()[:32]}.json" if cache else None
    if kept and kept.is_file():
        return json.loads(kept.read_text(encoding="utf-8"))
    contents = []
    try:
        with tarfile.open(shard, "r:") as archive:
            place = {member.name: (member.offset_data, member.size) for member in archive if member.isfile()}
        samples = webdataset.WebDataset(
            [str(shard)],
            shardshuffle=False,
            nodesplitter=lambda src: src,
            workersplitter=lambda src: src,
            empty_check=False,
        )
        for sample in samples:
            ending = next((key for key in sample if f".{key.rpartition('.')[2].lower()}" in images.SUFFIXES), None)
            if ending is None:
                continue
            name = f"{sample['__key__']}.{ending}"
            caption = sample.get("txt", sample.get("caption"))
            if caption is None and "json" in sample:
                record = json.loads(sample["json"])
                caption = next((str(record[key]).encode() for key in CAPTION_KEYS if record.get(key)), None)
            contents.append(
                {
                    "name": name,
                    "sha256": hashlib.sha256(sample[ending]).hexdigest(),
                    "offset": place[name][0],
                    "length": place[name][1],
                    "caption": None if caption is None else _captions(caption.decode("utf-8", "replace").splitlines()),
                }
            )
    except (tarfile.TarError, OSError, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DatasetError(
            f"The shard {shard.name} is damaged or no plain tar file ({reason}); fetch it again."
        ) from None
    if kept:
        _keep(kept, contents)
    return contents


def _captions(texts: Iterable[str]) -> tuple[str, ...]:
    """Captions without surplus white space; empty and repeated ones dropped."""
    return tuple(dict.fromkeys(clean for text in texts if (clean := " ".join(text.split()))))


def _hashes(paths: Sequence[Path]) -> list[str]:
    def sha256(path: Path) -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(sha256, paths))


def _keep(path: Path, facts: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(facts).encode())


def nouns_of(photos: Sequence[TrainingPhoto], nouns: Nouns, cache: Path | None = None) -> list[tuple[str, ...]]:
    """The nouns of each photo's captions, in the order they are first named; kept in `cache`."""
    facts = json.dumps([nouns.names, [photo.captions for photo in photos]])
    kept = cache / "nouns" / f"{hashlib.sha256(facts.encode()).hexdigest()[:32]}.json" if cache else None
    if kept and kept.is_file():
        return [tuple(found) for found in json.loads(kept.read_text(encoding="utf-8"))]
    found = [tuple(dict.fromkeys(n for caption in photo.captions for n in nouns.find(caption))) for photo in photos]
    if kept:
        _keep(kept, found)
    return found


def pseudo_labels(
    photos: Sequence[TrainingPhoto],
    model: Model,
    vocabulary: Vocabulary,
    proposer: Proposer,
    grids: Sequence[tuple[int, int]],
    store: ArrayStore,
    words_a_photo: int = 20,
    confidence: float = CONFIDENCE,
    margin: float = MARGIN,
    share: tuple[int, int] = (0, 1),
    progress: Any = None,
    masks: MaskStore | None = None,
) -> None:
    """AFSS, stage 1: label the patches of photos that nobody labelled, into `store`.

    Of each photo first its `words_a_photo` likeliest words are kept (METHODS.md section 5, class proposal; by the mean
    probability over patches, our reading), then its proposals are named with them (`textseg.pseudolabel`). The store
    gets, for each (h, w) of `grids`, `label_keys(photo, grid)`: int16 word index or -1, and float16 confidence.
    `share` (i, n) does the i-th of n parts of the work; `masks` keeps what the proposer finds for other words.
    """
    todo = [p for p in photos if any(key not in store for grid in grids for key in label_keys(p, grid))]
    for start in range(share[0] * PHOTOS_A_SHARD, len(todo), share[1] * PHOTOS_A_SHARD):
        labelled: dict[str, torch.Tensor] = {}
        some = todo[start : start + PHOTOS_A_SHARD]
        for photo in some:
            scene = model.encode(photo.open())
            similarity = torch.from_numpy(scene.similarity(vocabulary)).flatten(1)
            likely = (
                (similarity * model.logit_scale).softmax(0).mean(1).topk(min(words_a_photo, len(vocabulary))).indices
            )
            asked = Vocabulary(tuple(vocabulary[int(k)] for k in likely))
            proposals = masks.open(photo.sha256, scene) if masks else proposer.open(scene.photo, scene)
            regions = label_regions(scene, asked, proposals, others=None)
            for grid in grids:
                index, surety = regions.patches(grid, confidence, margin)
                index = torch.where(index < 0, -1, likely[index.clamp(min=0)])
                label_key, confidence_key = label_keys(photo, grid)
                labelled |= {label_key: index.to(torch.int16), confidence_key: surety.half()}
        store.add(labelled)
        if masks is not None:
            masks.flush()
        if progress is not None:
            progress.update(len(some))


def label_keys(photo: TrainingPhoto, grid: tuple[int, int]) -> tuple[str, str]:
    """Where a store holds the labels and the confidence of a photo's patches."""
    place = f"{photo.sha256}/{grid[0]}x{grid[1]}"
    return f"{place}/labels", f"{place}/confidence"
