"""Hugging Face datasets: photo, label image and the classes in it, a row a photo.

The folder holds the same rows twice: as `datasets.load_from_disk` reads them, and as parquet with a dataset card, which
is what the Hub and `datasets.load_dataset` read. Needs the extra `textseg[formats]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from textseg.errors import DatasetError, FormatError
from textseg.formats import tables
from textseg.formats.class_list import class_list
from textseg.formats.exporting import Export
from textseg.formats.incoming import Category, Entry, Incoming
from textseg.formats.registry import Format, register
from textseg.formats.source import Source, picture
from textseg.formats.values import a_name, natural
from textseg.labelmap import index_png, read_index_png

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
        export.number({c.id: int(numbers[c.id]) for c in export.classes})
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

    def recognise(self, source: Source) -> str | None:
        if source.file:
            return None
        places = [*(source.root / name for name in ("dataset_dict.json", "state.json")), *source.root.glob("*.parquet")]
        places += [*source.root.glob("data/*.parquet"), *source.root.glob("*/*.parquet")]
        return next((source.shown(place) for place in places if place.is_file()), None)

    def read(self, source: Source) -> Incoming:
        folder = source.scratch()
        labels, rows = tables.unpack(source.root, folder)
        names = _names(source, labels)
        table = np.full(2**16, -1, np.int32)
        table[[0, 255]] = 0
        table[list(names)] = np.arange(1, len(names) + 1)
        return Incoming(
            [Category(name) for name in names.values()], (_entry(source, folder, row, table) for row in rows)
        )


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


def _names(source: Source, labels: list[str] | None) -> dict[int, str]:
    """{value in the label image: name} from a ClassLabel column, `id2label.json` or a list of classes."""
    if labels is not None:
        if len(labels) >= 2**16:
            raise DatasetError(f"The class column has {len(labels):,} classes; a label image holds {2**16 - 1:,}.")
        named = dict(enumerate(labels))
        return {k: a_name(name, f"class {k}") for k, name in named.items() if not (k == 0 and name == UNLABELLED)}
    path = source.root / "id2label.json"
    if path.is_file():
        given = source.json(path)
        numbers = {natural(k, 2**16): name for k, name in given.items()} if isinstance(given, dict) else {None: ""}
        if None in numbers:
            raise DatasetError("id2label.json must be an object of names by number.")
        return {k: a_name(name, f"id2label.json: {k}") for k, name in numbers.items() if k is not None}
    classes, _ = class_list(source, source.root)
    return {k: category.name for k, category in classes.items()}


def _entry(source: Source, folder: Path, row: tables.Row, table: np.ndarray) -> Entry:
    where = f"{row.where}: {row.label_column}"

    def labels(size: tuple[int, int]) -> np.ndarray:
        content = _file(source, folder, row.label, where).read_bytes()
        with picture(content, where) as header:
            found = header.size
        if found != size:
            raise DatasetError(f"{where} is {found[0]} x {found[1]} pixels, its photo {size[0]} x {size[1]}.")
        ids = read_index_png(content)
        numbers = table[ids]
        if numbers.min() < 0:
            raise DatasetError(f"{where} holds the id {int(ids[numbers < 0][0])}, which has no name.")
        return numbers

    name = Path(row.name or row.where.replace(" ", "-")).name
    return Entry(name, row.where, _file(source, folder, row.photo, f"{row.where}: photo"), labels)


def _file(source: Source, folder: Path, cell: tables.Cell, where: str) -> Path:
    """Where a picture lies: unpacked from its cell, or named by it inside the dataset's folder."""
    if cell.file is not None:
        return folder / cell.file
    path = source.inside(cell.path, where)
    if not path.is_file() or not path.resolve().is_relative_to(source.root.resolve()):
        raise DatasetError(f"{where} holds no picture.")
    return path


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
