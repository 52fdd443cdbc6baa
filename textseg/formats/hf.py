"""Hugging Face datasets: photo, label image and the classes in it, a row a photo.

The folder holds the same rows twice: as `datasets.load_from_disk` reads them, and as parquet with a dataset card, which
is what the Hub and `datasets.load_dataset` read. Needs the extra `textseg[formats]`.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from textseg.errors import DatasetError, FormatError, brief
from textseg.formats.class_list import class_list
from textseg.formats.exporting import Export
from textseg.formats.incoming import Category, Entry, Incoming
from textseg.formats.registry import Format, register
from textseg.formats.source import Source, a_name
from textseg.labelmap import index_png, read_index_png

LABELS = ("label", "labels", "annotation", "mask", "segmentation_mask", "semantic_mask", "semantic_segmentation")
UNLABELLED = "unlabelled"
ROWS_A_FILE = 1000


@register("hf")
class HuggingFace(Format):
    title = "Hugging Face datasets"
    layout = "dataset_dict.json and a folder a split (load_from_disk), data/*.parquet and README.md (the Hub)"
    loses = ("objects", "confidence", "provenance", "class colours", "class ids (renumbered from 1)")

    def write(self, export: Export) -> None:
        datasets = _library()
        numbers = np.zeros(2**16, np.uint16)
        numbers[[c.id for c in export.classes]] = np.arange(1, len(export.classes) + 1)
        names = [UNLABELLED, *(_told_apart(c.name) for c in export.classes)]
        features = datasets.Features(
            {
                "file_name": datasets.Value("string"),
                "image": datasets.Image(),
                "label": datasets.Image(),
                "classes": datasets.Sequence(datasets.ClassLabel(names=names)),
            }
        )
        colours = [c.colour for c in export.classes]
        rows: dict[str, list[Path]] = {}
        # One pass over the photos: each row waits in a small file, so that memory does not grow with the project.
        with TemporaryDirectory(prefix="textseg-hf-", dir=export.folder) as folder, _quiet(datasets):
            files: dict[str, Any] = {}
            for item, ids, content in export.each(None):
                split = item.split or "train"
                index = numbers[ids]
                label = index_png(index, colours)
                place = Path(folder) / split / f"{len(rows.setdefault(split, [])):08}"
                place.mkdir(parents=True)
                (place / "image").write_bytes(content)
                (place / "label").write_bytes(label)
                present = [int(k) for k in np.unique(index) if k]
                facts = {"file_name": item.name, "stem": item.stem, "classes": present}
                (place / "row.json").write_text(json.dumps(facts), "utf-8")
                rows[split].append(place)
            for split in [name for name in ("train", "val", "test") if name in rows]:
                files[split] = datasets.Dataset.from_generator(
                    _rows, features=features, gen_kwargs={"places": rows[split]}, split=datasets.NamedSplit(split),
                    cache_dir=f"{folder}/cache",
                )  # fmt: skip
            made = datasets.DatasetDict(files)
            if not export.dry_run:
                made.save_to_disk(export.folder)
                (export.folder / "data").mkdir()
                for split, part in made.items():
                    shards = -(-len(part) // ROWS_A_FILE)
                    for k in range(shards):
                        target = export.folder / "data" / f"{split}-{k:05}-of-{shards:05}.parquet"
                        part.shard(shards, k, contiguous=True).to_parquet(target)
        export.write("README.md", card(export, names, {split: len(places) for split, places in rows.items()}))

    def read(self, source: Source) -> Incoming:
        datasets = _library()
        incoming = Incoming([], [])
        entries: list[Entry] = []
        for split, part in _open(datasets, source).items():
            image, label = _columns(part, split)
            if not incoming.classes:
                names = _names(datasets, source, part)
                incoming.classes = [Category(name) for name in names.values()]
                table = np.full(2**16, -1, np.int32)
                table[[0, 255]] = 0
                table[list(names)] = np.arange(1, len(names) + 1)
            raw = part.cast_column(image, datasets.Image(decode=False)).cast_column(label, datasets.Image(decode=False))
            for k in range(len(raw)):
                entries.append(_entry(source, raw, k, f"{split} row {k}", image, label, table))
        incoming.entries = entries
        return incoming


def push(folder: Path, repository: str, private: bool = True) -> str:
    """Upload a written export to the Hub as a dataset; returns what to tell. Raises FormatError."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        hub = HfApi()
        hub.create_repo(repository, repo_type="dataset", private=private, exist_ok=True)
        hub.upload_folder(
            repo_id=repository, repo_type="dataset", folder_path=folder, allow_patterns=["README.md", "data/*.parquet"]
        )
    except (HfHubHTTPError, OSError, ValueError) as error:
        said = " ".join(str(error).split())[:160]
        raise FormatError(f"The dataset {repository} was not uploaded ({said}); log in with: hf auth login") from None
    return f"Uploaded to the dataset {repository}{' (private)' if private else ''}."


def card(export: Export, names: list[str], rows: dict[str, int]) -> str:
    """The dataset card: what is in it, and how the Hub finds it."""
    import yaml

    config = {"config_name": "default", "data_files": [{"split": s, "path": f"data/{s}-*.parquet"} for s in rows]}
    about = {
        "pretty_name": export.title, "task_categories": ["image-segmentation"], "configs": [config],
        "size_categories": [_size(sum(rows.values()))],
    }  # fmt: skip
    classes = "\n".join(f"| {k} | {name.replace('|', ' ')} |" for k, name in enumerate(names))
    splits = ", ".join(f"{n} {split}" for split, n in rows.items())
    return f"""---
{yaml.safe_dump(about, allow_unicode=True, sort_keys=False).strip()}
---

# {export.title}

Photos with label maps: {splits}. `label` is an image of the photo's size whose values are class numbers; 0 is
unlabelled. `classes` lists the classes of a photo, `file_name` is its name.

| number | class |
|---|---|
{classes}
"""


def _size(rows: int) -> str:
    for limit, name in ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K")):
        if rows < limit:
            return name
    return "100K<n<1M"


def _rows(places: list[Path]) -> Iterator[dict[str, Any]]:
    for place in places:
        facts = json.loads((place / "row.json").read_text("utf-8"))
        yield {
            "file_name": facts["file_name"],
            "image": {"bytes": (place / "image").read_bytes(), "path": facts["file_name"]},
            "label": {"bytes": (place / "label").read_bytes(), "path": f"{facts['stem']}.png"},
            "classes": facts["classes"],
        }


def _told_apart(name: str) -> str:
    return f"{name} (class)" if name == UNLABELLED else name


def _open(datasets: Any, source: Source) -> dict[str, Any]:
    """The splits under a folder: as `save_to_disk` wrote them, or parquet files."""
    root = source.root
    parquet = sorted([*root.glob("data/*.parquet"), *root.glob("*.parquet"), *root.glob("*/*.parquet")])
    try:
        with _quiet(datasets):
            if (root / "dataset_dict.json").is_file() or (root / "state.json").is_file():
                loaded = datasets.load_from_disk(str(root))
                return dict(loaded) if isinstance(loaded, datasets.DatasetDict) else {"train": loaded}
            splits: dict[str, list[str]] = {}
            for path in dict.fromkeys(parquet):
                splits.setdefault(path.name.split("-")[0].removesuffix(".parquet"), []).append(str(path))
            with TemporaryDirectory(prefix="textseg-hf-") as cache:
                found = {
                    split: datasets.Dataset.from_parquet(files, cache_dir=cache, keep_in_memory=True)
                    for split, files in splits.items()
                }
    except Exception as error:  # the library raises anything at all on a torn file
        said = brief(" ".join(str(error).split()), 160)
        raise DatasetError(f"{root} cannot be read as a Hugging Face dataset ({said}).") from None
    if not found:
        raise DatasetError(f"{root} holds neither dataset_dict.json, state.json nor parquet files.")
    return found


def _columns(part: Any, split: str) -> tuple[str, str]:
    """The columns of photo and label map."""
    pictures = [name for name, feature in part.features.items() if type(feature).__name__ == "Image"]
    label = next((name for name in LABELS if name in pictures), None)
    photos = [name for name in pictures if name != label]
    if label is None or not photos:
        raise DatasetError(
            f"The split {split} has the image columns {', '.join(pictures) or 'none'}; needed: one of photos and one "
            f"called {' or '.join(LABELS[:4])}."
        )
    return ("image" if "image" in photos else photos[0]), label


def _names(datasets: Any, source: Source, part: Any) -> dict[int, str]:
    """{value in the label image: name} from a ClassLabel column, `id2label.json` or a list of classes."""
    for feature in part.features.values():
        inner = getattr(feature, "feature", feature)
        if type(inner).__name__ == "ClassLabel":
            named = dict(enumerate(inner.names))
            return {k: a_name(name, f"class {k}") for k, name in named.items() if not (k == 0 and name == UNLABELLED)}
    path = source.root / "id2label.json"
    if path.is_file():
        given = source.json(path)
        if not isinstance(given, dict) or not all(str(k).isdigit() and int(k) < 2**16 for k in given):
            raise DatasetError("id2label.json must be an object of names by number.")
        return {int(k): a_name(name, f"id2label.json: {k}") for k, name in given.items()}
    classes, _ = class_list(source, source.root)
    return {k: category.name for k, category in classes.items()}


def _entry(source: Source, part: Any, k: int, where: str, image: str, label: str, table: np.ndarray) -> Entry:
    row = part[k]
    name = row.get("file_name") or (row[image] or {}).get("path") or f"{where.replace(' ', '-')}"

    def labels(size: tuple[int, int]) -> np.ndarray:
        content = _bytes(source, part[k][label], f"{where}: {label}")
        try:
            with Image.open(io.BytesIO(content)) as header:
                found = header.size
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
            raise DatasetError(f"{where}: {label} is not a picture.") from None
        if found != size:
            raise DatasetError(f"{where}: {label} is {found[0]} x {found[1]} pixels, its photo {size[0]} x {size[1]}.")
        ids = read_index_png(content)
        numbers = table[ids]
        if numbers.min() < 0:
            raise DatasetError(f"{where}: {label} holds the id {int(ids[numbers < 0][0])}, which has no name.")
        return numbers

    return Entry(Path(str(name)).name, where, _bytes(source, row[image], f"{where}: {image}"), labels)


def _bytes(source: Source, value: Any, where: str) -> bytes:
    if isinstance(value, dict) and isinstance(value.get("bytes"), bytes):
        return value["bytes"]
    if isinstance(value, dict) and value.get("path"):
        path = source.inside(value["path"], where)
        if path.is_file():
            return path.read_bytes()
    raise DatasetError(f"{where} holds no picture.")


@contextmanager
def _quiet(datasets: Any) -> Iterator[None]:
    """No progress bars of the library's own."""
    shown = datasets.utils.logging.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()


def _library() -> Any:
    try:
        import datasets
    except ImportError:
        raise FormatError("This format needs the package datasets: pip install 'textseg[formats]'.") from None
    return datasets
