"""Labels as files: an index PNG and its facts beside it, for each photo of a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from textseg.errors import PhotoError, VocabularyError
from textseg.files import write_atomically
from textseg.folders import Found
from textseg.labelmap import LabelMap
from textseg.pyramids.writing import write_png, write_tiff
from textseg.vocabulary import Vocabulary

if TYPE_CHECKING:
    from textseg.bulk.tiles import TiledMap
    from textseg.model import Model
    from textseg.model.others import Choice
    from textseg.proposals import Proposer
    from textseg.pyramids import Pyramid


class LabelFolder:
    """A folder with `<stem>.png` (index PNG) and `<stem>.json` (facts) of each photo; the JSON is written last.

    Photos of subfolders have theirs in subfolders.
    """

    def __init__(self, folder: Path, photos: Sequence[Found]) -> None:
        """`photos` are never written over."""
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._photos = {photo.path.resolve() for photo in photos}
        self._taken: dict[Path, Found] = {}

    def claim(self, photo: Found) -> Path:
        """The stem of the files for `photo`; raises PhotoError if they are another photo's, or a photo themselves."""
        stem = self.stem(photo)
        png = _with(stem, ".png")
        self._check_no_photo(png)
        if self._taken.get(stem, photo) != photo:
            raise PhotoError(f"{png.name} was already written for {self._taken[stem]}; use another --out.")
        self._taken[stem] = photo
        return stem

    def release(self, photo: Found) -> None:
        """`photo` failed: its files are free for another photo of the same stem."""
        self._taken.pop(self.stem(photo), None)

    def stem(self, photo: Found) -> Path:
        """What the files of a photo begin with: its name without ending, in subfolders like its own."""
        return self.folder / PurePosixPath(photo.name).with_suffix("")

    def write(
        self, photo: Found, model: Model, labels: LabelMap, others: Choice, proposer: Proposer | None = None
    ) -> None:
        """Write both files; `proposer` is where the masks came from, None where there were none."""
        self.put(photo, label_files(photo.name, model, labels, others, proposer))

    def put(self, photo: Found, files: Mapping[str, bytes]) -> None:
        """Write what `label_files` made, in its order."""
        stem = self.stem(photo)
        stem.parent.mkdir(parents=True, exist_ok=True)
        _with(stem, ".json").unlink(missing_ok=True)  # an earlier run's facts must not stand beside this one's map
        for ending, content in files.items():
            write_atomically(_with(stem, ending), content)

    def put_tiled(self, photo: Found, found: TiledMap, pyramid: Pyramid, facts: Mapping[str, Any]) -> None:
        """Write the label map of a huge photo: a tiled GeoTIFF, an index PNG made from it, and the `facts`, last.

        Raises PhotoError where one of them is a photo, OSError.
        """
        stem = self.stem(photo)
        tiff = _with(stem, ".labels.tif")  # a photo may be called <stem>.tif, and lie in the same folder
        self._check_no_photo(tiff)
        stem.parent.mkdir(parents=True, exist_ok=True)
        _with(stem, ".json").unlink(missing_ok=True)
        write_tiff(tiff, found.size, found.read, [word.colour for word in found.vocabulary], pyramid.path)
        write_png(_with(stem, ".png"), tiff)
        told = {"photo": photo.name, "size": list(found.size), **facts, "scale": found.scale}
        content = json.dumps({**told, "classes": found.classes()}, ensure_ascii=False, indent=1)
        write_atomically(_with(stem, ".json"), content.encode())

    def _check_no_photo(self, file: Path) -> None:
        if file.resolve() in self._photos:
            raise PhotoError(f"{file} is a photo and would be overwritten; use another --out.")

    def has(
        self, photo: Found, maker: Mapping[str, str], asked: Vocabulary, others: Choice, proposals: str,
        scale: Callable[[tuple[int, int]], int] | None = None,
    ) -> bool:  # fmt: skip
        """Whether an earlier run wrote this photo's files; `maker` is `made_by` the model.

        `scale` says of a huge photo's size how many times smaller it is looked at. Raises VocabularyError if the run
        had other words, another model, other masks or another scale, or let others compete.
        """
        stem = self.stem(photo)
        try:
            facts = json.loads(_with(stem, ".json").read_text("utf-8"))
            if facts["photo"] != photo.name or not _with(stem, ".png").is_file():
                return False
            check_same(facts, maker, asked, others, proposals, str(self.folder), stem.name)
            if scale is not None:
                check_scale(facts, scale((facts["size"][0], facts["size"][1])), str(self.folder), stem.name)
        except (OSError, ValueError, KeyError, TypeError):
            return False  # there is none, or it is not ours
        return True


def label_files(
    name: str, model: Model, labels: LabelMap, others: Choice, proposer: Proposer | None = None
) -> dict[str, bytes]:
    """The files of a photo's label map by their endings, in the order to write them: the facts come last."""
    made = {**made_by(model), "others": told_others(others)}
    if proposer is not None:
        made["proposals"] = proposer.name
    facts = {"photo": name, "size": list(labels.size), **made, "classes": labels.classes()}
    return {".png": labels.to_png(), ".json": json.dumps(facts, ensure_ascii=False, indent=1).encode()}


def check_same(
    facts: Mapping[str, Any],
    maker: Mapping[str, str],
    asked: Vocabulary,
    others: Choice,
    proposals: str,
    folder: str,
    name: str,
) -> None:
    """Raise VocabularyError where the `facts` of a file `name` in `folder` are those of another question or model.

    A file that does not say what competed, or where masks came from, is from before there was a choice. Raises KeyError
    and TypeError where it is none of ours.
    """
    words = [(c["name"], *c["aliases"]) for c in facts["classes"]]
    made = {key: facts[key] for key in ("backbone", "head")}
    made |= {key: facts[key] for key in facts if key == "readout"}
    competed, masks = facts.get("others", "none"), facts.get("proposals", "regions")
    if words != [word.texts for word in asked] or made != dict(maker):
        raise VocabularyError(
            f"{folder} holds labels made with other words or another model ({name}.json); "
            "leave out --resume, or use another --out."
        )
    if competed != told_others(others):
        raise VocabularyError(
            f"{folder} holds labels made with other words competing ({name}.json: --others {competed}); "
            "use the same --others, leave out --resume, or use another --out."
        )
    if masks != proposals:
        raise VocabularyError(
            f"{folder} holds labels made with other masks ({name}.json: --proposals {masks}); "
            "use the same --proposals, leave out --resume, or use another --out."
        )


def check_scale(facts: Mapping[str, Any], scale: int, folder: str, name: str) -> None:
    """Raise VocabularyError where a huge photo was looked at otherwise than `scale` times smaller; else as above."""
    if facts["scale"] != scale:
        raise VocabularyError(
            f"{folder} holds labels made with --downscale {facts['scale']} ({name}.json), and this run has {scale}; "
            f"use --downscale {facts['scale']}, leave out --resume, or use another --out."
        )


def made_by(model: Model) -> dict[str, str]:
    """What files say of the model that made them."""
    readout = {"readout": model.readout} if model.readout else {}
    return {"backbone": model.name, "head": model.head_name, **readout}


def told_others(others: Choice) -> str:
    """Which other words competed: "default", "none", or for a list of one's own "list" and a hash of it."""
    if not others:
        return "none"
    return others if isinstance(others, str) else f"list {hashlib.sha256(repr(others).encode()).hexdigest()[:16]}"


def _with(stem: Path, ending: str) -> Path:
    """A name may have dots that begin no ending."""
    return stem.with_name(f"{stem.name}{ending}")
