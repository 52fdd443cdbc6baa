"""Tables that say which captions a photo has: TSV, JSON and JSON lines, COCO's captions."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from textseg.errors import DatasetError
from trainer.shards import CAPTION_KEYS

PHOTO_KEYS = ("file", "file_name", "filename", "image", "photo", "path")


def tsv_pairs(path: Path, skipped: dict[str, list[str]]) -> Iterator[tuple[str, list[str]]]:
    """(file, its caption) of each line `file<TAB>caption`; lines without a tab are noted in `skipped`."""
    lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines()
    for number, line in enumerate(lines, start=1):
        file, tab, caption = line.partition("\t")
        if number == 1 and file.strip().lower() in PHOTO_KEYS:
            continue  # a header
        if tab:
            yield file.strip(), [caption]
        elif line.strip():
            skipped.setdefault("lines without a tab", []).append(f"{path.name} line {number}")


def json_pairs(path: Path) -> Iterator[tuple[str, list[str]]]:
    """(file, captions) of each entry of a JSON list, JSON lines or COCO's captions; raises DatasetError."""
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
