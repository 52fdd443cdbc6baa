"""Cityscapes and Mapillary Vistas: index PNGs in folders of their own. Only read."""

from __future__ import annotations

from pathlib import Path

from textseg.errors import DatasetError
from textseg.formats.class_list import NONE
from textseg.formats.devkit import reader
from textseg.formats.incoming import Category, Entry, Incoming
from textseg.formats.registry import Format, register
from textseg.formats.source import Source
from textseg.formats.values import a_colour, a_list, a_name, an_object

CITYSCAPES = (
    "static", "dynamic", "ground", "road", "sidewalk", "parking", "rail track", "building", "wall", "fence",
    "guard rail", "bridge", "tunnel", "pole", "polegroup", "traffic light", "traffic sign", "vegetation", "terrain",
    "sky", "person", "rider", "car", "truck", "bus", "caravan", "trailer", "train", "motorcycle", "bicycle",
)  # fmt: skip
"""The classes of `labelIds` from 4 on; 0 to 3 (unlabeled, ego vehicle, border, out of roi) are nothing."""
FIRST = 4
SCORED = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
"""`labelIds` of the 19 classes that `labelTrainIds` numbers from 0."""
KINDS = ("labelIds", "labelTrainIds")


@register("cityscapes")
class Cityscapes(Format):
    title = "Cityscapes"
    layout = "leftImg8bit/SPLIT/CITY/*_leftImg8bit.png, gtFine/SPLIT/CITY/*_gtFine_labelIds.png"
    writes = False

    def recognise(self, source: Source) -> str | None:
        found = next(iter(_label_files(source)), None) if source.file is None else None
        return source.shown(found) if found is not None else None

    def read(self, source: Source) -> Incoming:
        classes = [Category(name, implied=True) for name in CITYSCAPES]
        numbers = {k: max(0, k - FIRST + 1) for k in range(FIRST + len(CITYSCAPES))} | {255: 0}
        trained = {k: numbers[i] for k, i in enumerate(SCORED)} | {255: 0}
        by_id, by_train_id = reader(source, numbers, {}), reader(source, trained, {})
        files = _label_files(source)
        if not files:
            raise DatasetError(f"{source.root} holds no *_gtFine_labelIds.png where Cityscapes has them.")
        entries = []
        for label in files:
            frame, _, rest = label.stem.rpartition("_gt")
            place = label.parent.relative_to(source.root)
            beside = source.root.joinpath("leftImg8bit", *place.parts[1:])
            photo = source.photo(f"{frame}_leftImg8bit", beside, label.parent) or source.photo(frame, beside)
            name = photo.name if photo else f"{frame}_leftImg8bit.png"
            labels = (by_train_id if rest.endswith("TrainIds") else by_id)(label)
            entries.append(Entry(name, source.shown(label), photo, labels))
        return Incoming(classes, entries)


def _label_files(source: Source) -> list[Path]:
    """The `labelIds` of each frame, or its `labelTrainIds`, in gtFine (gtCoarse where there is nothing finer)."""
    for folder in ("gtFine", "gtCoarse"):
        for kind in KINDS:
            found = sorted((source.root / folder).rglob(f"*_{folder}_{kind}.png"))
            if found:
                return found
    return []


@register("mapillary")
class Mapillary(Format):
    title = "Mapillary Vistas"
    layout = "config.json, training/images, training/labels (or training/v2.0/labels)"
    writes = False

    def recognise(self, source: Source) -> str | None:
        found = _config(source) if source.file is None else None
        return source.shown(found) if found is not None else None

    def read(self, source: Source) -> Incoming:
        path = _config(source)
        if path is None:
            raise DatasetError(f"{source.shown(source.root / 'config.json')} does not exist; it names the classes.")
        shown = source.shown(path)
        classes: list[Category] = []
        numbers: dict[int, int] = {}
        for k, value in enumerate(a_list(an_object(source.json(path), shown).get("labels"), f"{shown}: labels")):
            where = f"{shown}: labels[{k}]"
            described = an_object(value, where)
            name = a_name(described.get("readable") or described.get("name"), f"{where}.readable")
            numbers[k] = 0
            if name.casefold() not in NONE:
                classes.append(Category(name, colour=a_colour(described.get("color")), implied=True))
                numbers[k] = len(classes)
        labels_of = reader(source, numbers | {255: numbers.get(255, 0)}, {})
        version = path.stem.partition("_")[2]
        entries = []
        for part in (source.root / name for name in ("training", "validation", "testing")):
            folder = next((f for f in (part / version / "labels", part / "labels") if f.is_dir()), None)
            for label in sorted(folder.glob("*.png")) if folder else []:
                photo = source.photo(label.stem, part / "images")
                entries.append(Entry(photo.name if photo else label.stem, source.shown(label), photo, labels_of(label)))
        return Incoming(classes, entries)


def _config(source: Source) -> Path | None:
    """The newest `config.json`, `config_v1.2.json`, `config_v2.0.json` whose label maps are there."""
    found = sorted(source.root.glob("config*.json"), reverse=True)
    parts = [part for part in source.root.glob("*") if part.is_dir()]
    for path in found:
        version = path.stem.partition("_")[2]
        if any((part / version / "labels").is_dir() or (part / "labels").is_dir() for part in parts):
            return path if source.mentions(path, '"labels"') else None
    return None
