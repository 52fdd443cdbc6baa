"""The tables of a Hugging Face dataset, unpacked with suspicion: only bytes in the folder, never a path or an address.

    python -m textseg.formats.tables FOLDER OUT

`unpack` runs this in a process of its own with bounded memory and time, for a forged table can end the process that
reads it, and twenty kilobytes of parquet can stand for gigabytes. Nothing is decoded but the cells of two columns, and
the package `datasets`, which opens whatever a row names, is not asked.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from textseg.errors import DatasetError, brief

LABELS = ("label", "labels", "annotation", "mask", "segmentation_mask", "semantic_mask", "semantic_segmentation")
MAX_ROWS = 200_000
MAX_CELL_BYTES = 256 * 2**20
MAX_RATIO, MIN_UNPACKED = 100, 2**30
"""The pictures may be so many times as large as the tables, or a gigabyte."""
MAX_MEMORY = 4 * 2**30
"""Address space of the process that reads."""
MAX_SECONDS = 1800
FAILED = 3
"""Exit status of a reader that found out what is wrong and wrote it."""


@dataclass(frozen=True)
class Cell:
    """A picture of a row: bytes in a file of their own, or the path that the row has instead."""

    file: str | None
    path: str | None


@dataclass(frozen=True)
class Row:
    """A photo with its label image."""

    where: str
    name: str | None
    photo: Cell
    label: Cell
    label_column: str


def unpack(root: Path, out: Path) -> tuple[list[str] | None, Iterator[Row]]:
    """(names of the class column, the rows) of the dataset in `root`, its cells in files of `out`.

    Raises DatasetError, also when the reader was ended by what it read.
    """
    command = [sys.executable, "-m", "textseg.formats.tables", os.fspath(root.resolve()), os.fspath(out)]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=MAX_SECONDS, cwd=Path(__file__).resolve().parents[2], check=False
        )
    except subprocess.TimeoutExpired:
        raise DatasetError(
            f"{root.name} took more than {MAX_SECONDS // 60} minutes to read and was given up."
        ) from None
    problem = out / "problem"
    if done.returncode == FAILED and problem.is_file():
        raise DatasetError(problem.read_text("utf-8"))
    if done.returncode:
        raise DatasetError(
            f"{root.name} cannot be read as a Hugging Face dataset: its tables are damaged, or need more than "
            f"{MAX_MEMORY // 2**30} GB of memory."
        )
    names = json.loads((out / "names.json").read_text("utf-8"))
    return names, _written(out / "rows.jsonl")


def _written(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield Row(**row | {"photo": Cell(**row["photo"]), "label": Cell(**row["label"])})


# In the process of its own


def main(root: Path, out: Path) -> int:
    """Write names.json, rows.jsonl and a file a cell into `out`, or the sentence that says what is wrong."""
    _bound_memory()
    try:
        write_rows(root, out)
    except DatasetError as error:
        (out / "problem").write_text(str(error), "utf-8")
        return FAILED
    except Exception as error:  # pyarrow raises anything at all on a torn file
        said = brief(" ".join(str(error).split()), 160)
        (out / "problem").write_text(f"The tables cannot be read as a Hugging Face dataset ({said}).", "utf-8")
        return FAILED
    return 0


def write_rows(root: Path, out: Path) -> None:
    """The work of `main`; raises whatever goes wrong."""
    splits = _splits(root)
    room = max(MIN_UNPACKED, MAX_RATIO * sum(path.stat().st_size for files in splits.values() for path in files))
    names: list[str] | None = None
    number = 0
    with (out / "rows.jsonl").open("w", encoding="utf-8") as lines:
        for split, path in ((split, path) for split, files in splits.items() for path in files):
            table = _Table(path, split)
            names = names or table.names
            if number + table.told > MAX_ROWS:
                raise DatasetError(f"The dataset has more than {MAX_ROWS:,} rows.")
            for k, cells in enumerate(table.rows()):
                number += 1
                if number > MAX_ROWS:
                    raise DatasetError(f"The dataset has more than {MAX_ROWS:,} rows.")
                where = f"{split} row {k}" if len(splits[split]) == 1 else f"{path.name} row {k}"
                row = table.row(cells, where, out, number)
                room -= sum((out / cell.file).stat().st_size for cell in (row.photo, row.label) if cell.file)
                if room < 0:
                    raise DatasetError(f"{path.name} would unpack to more than {MAX_RATIO} times its bytes: too much.")
                lines.write(json.dumps(asdict(row)) + "\n")
    (out / "names.json").write_text(json.dumps(names), "utf-8")


class _Table:
    """One parquet or arrow file: its columns of photo and label image, its class names, its rows one by one."""

    def __init__(self, path: Path, split: str) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path = path
        self.told = 0
        """Rows that the file says it has; 0 where it does not say."""
        if path.suffix == ".parquet":
            self._parquet = pq.ParquetFile(path, thrift_string_size_limit=2**27, thrift_container_size_limit=2**20)
            schema, self.told = self._parquet.schema_arrow, self._parquet.metadata.num_rows
        else:
            self._parquet = None
            with pa.OSFile(os.fspath(path)) as file:
                schema = pa.ipc.open_stream(file).schema
        features = _features(schema)
        pictures = [field.name for field in schema if _is_picture(field, features.get(field.name))]
        label = next((name for name in LABELS if name in pictures), None)
        photos = [name for name in pictures if name != label]
        if label is None or not photos:
            raise DatasetError(
                f"The split {split} has the image columns {', '.join(pictures) or 'none'}; needed: one of photos and "
                f"one called {' or '.join(LABELS[:4])}."
            )
        self._photo, self._label = "image" if "image" in photos else photos[0], label
        self._named = "file_name" in schema.names and pa.types.is_string(schema.field("file_name").type)
        self.names = _class_names(features)

    def rows(self) -> Iterator[dict[str, Any]]:
        """The rows, each checked and then converted alone."""
        import pyarrow as pa

        columns = [self._photo, self._label, *(["file_name"] if self._named else [])]
        if self._parquet is not None:
            batches = self._parquet.iter_batches(batch_size=1, columns=columns)
        else:
            batches = (batch.select(columns) for batch in pa.ipc.open_stream(pa.memory_map(os.fspath(self._path))))
        for batch in batches:
            batch.validate(full=True)  # a forged offset would be read past the end of memory
            for k in range(batch.num_rows):
                yield batch.slice(k, 1).to_pylist()[0]

    def row(self, cells: dict[str, Any], where: str, out: Path, number: int) -> Row:
        photo = _cell(cells[self._photo], out / f"{number}.photo", f"{where}: {self._photo}")
        label = _cell(cells[self._label], out / f"{number}.label", f"{where}: {self._label}")
        return Row(where, cells.get("file_name") or photo.path, photo, label, self._label)


def _cell(value: Any, file: Path, where: str) -> Cell:
    content = value.get("bytes") if isinstance(value, dict) else value
    path = value.get("path") if isinstance(value, dict) else None
    path = path if isinstance(path, str) else None
    if isinstance(content, bytes):
        if len(content) > MAX_CELL_BYTES:
            raise DatasetError(f"{where} has {len(content):,} bytes; the limit is {MAX_CELL_BYTES:,}.")
        file.write_bytes(content)
        return Cell(file.name, path)
    if path is None:
        raise DatasetError(f"{where} holds no picture.")
    return Cell(None, path)


def _splits(root: Path) -> dict[str, list[Path]]:
    """The files of each split: as `save_to_disk` wrote them, or parquet files."""
    if (root / "dataset_dict.json").is_file():
        named = _json(root / "dataset_dict.json").get("splits")
        if not isinstance(named, list):
            raise DatasetError("dataset_dict.json has no list of splits.")
        return {str(name): _saved(root / _plain(name, "dataset_dict.json: splits")) for name in named}
    if (root / "state.json").is_file():
        return {"train": _saved(root)}
    found: dict[str, list[Path]] = {}
    for path in dict.fromkeys(
        sorted([*root.glob("data/*.parquet"), *root.glob("*.parquet"), *root.glob("*/*.parquet")])
    ):
        found.setdefault(path.name.split("-")[0].removesuffix(".parquet"), []).append(path)
    if not found:
        raise DatasetError(f"{root.name} holds neither dataset_dict.json, state.json nor parquet files.")
    return found


def _saved(folder: Path) -> list[Path]:
    state = _json(folder / "state.json")
    files = state.get("_data_files")
    if not isinstance(files, list):
        raise DatasetError(f"{folder.name}/state.json has no list of files.")
    named = [file.get("filename") if isinstance(file, dict) else None for file in files]
    return [folder / _plain(name, f"{folder.name}/state.json: _data_files") for name in named]


def _plain(name: Any, where: str) -> str:
    """A name without a folder in it."""
    if not isinstance(name, str) or name in ("", ".", "..") or Path(name).name != name or "\\" in name or "\0" in name:
        raise DatasetError(f"{where} has {brief(name)}, which is no name inside the folder.")
    return name


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > 2**24:
            raise ValueError
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise DatasetError(f"{path.parent.name}/{path.name} cannot be read as a Hugging Face dataset.")
    return content


def _features(schema: Any) -> dict[str, Any]:
    """What the `datasets` package wrote of its own types into the schema."""
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return features if isinstance(features, dict) else {}
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}


def _is_picture(field: Any, feature: Any) -> bool:
    import pyarrow as pa

    declared = isinstance(feature, dict) and feature.get("_type") == "Image"
    if pa.types.is_struct(field.type):
        binary = [f.name for f in field.type if pa.types.is_binary(f.type) or pa.types.is_large_binary(f.type)]
        return "bytes" in binary
    return declared and (pa.types.is_binary(field.type) or pa.types.is_large_binary(field.type))


def _class_names(features: dict[str, Any]) -> list[str] | None:
    for feature in features.values():
        inner = feature.get("feature", feature) if isinstance(feature, dict) else {}
        if isinstance(inner, dict) and inner.get("_type") == "ClassLabel" and isinstance(inner.get("names"), list):
            return [str(name) for name in inner["names"]]
    return None


def _bound_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
