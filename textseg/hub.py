"""What a model's name needs of the Hugging Face Hub: whether it is here, fetched beforehand, packed for elsewhere.

Loading a model fetches what it lacks, too; this is for whoever wants to see bytes, stop and go on, or carry the files
to a machine without network. They lie in the hub's own cache, where loading finds them (`HF_HUB_CACHE`), and
`HF_ENDPOINT` names a mirror.
"""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from textseg import proposals
from textseg.errors import Cancelled, UnknownNameError, WeightsError, brief
from textseg.model import backbones, readouts, repository, tokenizers, weights
from textseg.model.backbones import clip, dinov2
from textseg.proposals import hf_sam, hf_sam3, sam

Progress = Callable[[int, int], None]
"""Told how many bytes of how many are here."""

Stopped = Callable[[], bool]
"""Asked between blocks of bytes; True stops the download, and what has come stays."""

TOKENIZER = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "config.json", "merges.txt")

WAIT, PAUSE, PATIENCE = 2.0, 0.5, 30.0
"""Seconds to wait for bytes before the hub is asked anew, between two such tries, and without any before giving up."""


@dataclass(frozen=True)
class Source:
    """Files of one repository: the first of `files` that it has, or with `every` all that match these patterns."""

    repository: str
    files: tuple[str, ...]
    every: bool = False
    enough: tuple[str, ...] = ()
    """With `every`: one of these must be there, and of weights all parts."""


@dataclass(frozen=True)
class _File:
    """One file of the hub, as its answer to HEAD describes it."""

    repository: str
    name: str
    etag: str
    size: int
    url: str


def sources(name: str, readout: str | None = None) -> list[Source]:
    """What the backbone or proposer called `name` reads of the hub; nothing for local files and what is installed.

    What a repository's own settings ask for beside is told once these are here. Raises UnknownNameError for a family
    that is not registered, WeightsError for a model that is not known.
    """
    family, _, details = name.partition(":")
    if family not in backbones.names() and family not in proposals.names():
        known = sorted({*backbones.names(), *proposals.names()})
        raise UnknownNameError(f"There is no model called {brief(name)}; its family is one of {', '.join(known)}.")
    second = readouts.get(readout).second if readout else None
    beside = sources(second) if second else []
    if family == "clip":
        return [*_of_clip(details.partition("?")[0], name), *beside]
    if family == "hf":
        return [*_of_transformers(details.partition("?")[0]), *beside]
    if family == "sam":
        size, slashes, _ = details.partition("//")
        return [] if slashes or size not in sam.SIZES else [Source(sam.REPOSITORY, (sam.CHECKPOINTS[size],))]
    if family in dinov2.MODELS:
        image, _, text = details.partition("+")
        size, slashes, _ = image.partition("//")
        model = dinov2.MODELS[family].get(size)
        own = [] if slashes or model is None else [Source(f"timm/{model}", dinov2.HUB_WEIGHTS)]
        return [*own, *(sources(text) if text else [])]
    facts = (backbones if family in backbones.names() else proposals).facts(family)
    return [Source(*facts.weights)] if facts.weights and name == facts.example else []


def size_here(name: str, readout: str | None = None) -> int | None:
    """Bytes of what `name` needs of the hub, all of which is here; None where something lacks. Asks no network."""
    total = 0
    for source in sources(name, readout):
        found = _here(source)
        if not found:
            return None
        total += sum(path.stat().st_size for path in found)
    return total


def fetch(
    name: str, readout: str | None = None, progress: Progress | None = None, stopped: Stopped | None = None
) -> None:
    """Fetch what `name` needs and is not here; what an earlier try has left is gone on with.

    Raises WeightsError in one sentence, and Cancelled where `stopped` said so: what has come stays.
    """
    tried: list[Source] = []
    # Settings may name more, such as a tokenizer of another repository: they are read once they are here.
    while lacking := [one for one in sources(name, readout) if one not in tried and not _here(one)]:
        with weights.told(lacking[0].repository, name):
            files = [file for source in lacking for file in _files(source, name)]
        _download(files, name, progress or (lambda done, all: None), stopped or (lambda: False))
        tried += lacking


def folder_here(name: str) -> Path | None:
    """The folder of a model of transformers, as a person names it, where it is on this machine."""
    with suppress(RuntimeError, OSError):
        if (here := Path(name).expanduser()).is_dir():
            return here
    return _snapshot(name) if re.fullmatch(r"[\w.-]+/[\w.-]+", name) else None


def proposes(name: str) -> bool:
    """Whether a name is a proposer's; of `hf:`, which is both, the settings that are here say it."""
    family = name.partition(":")[0]
    if family not in backbones.names():
        return family in proposals.names()
    if family != "hf":
        return False
    if folder := folder_here(name.partition(":")[2]):
        with suppress(WeightsError):
            return repository.settings(folder)["model_type"] in {*hf_sam.KINDS, *hf_sam3.DETECTORS}
    return False


def pack(folder: Path, names: Sequence[str]) -> int:
    """Copy what these models need into `folder`, laid out as the hub's cache; -> bytes. All of it must be here.

    No links are used, so that any stick can hold it. On the other machine `HF_HUB_CACHE` names the folder.
    """
    total = 0
    for source in dict.fromkeys(source for name in names for source in sources(name)):
        for path in _here(source):
            snapshot = _snapshot(source.repository)
            assert snapshot is not None  # what is here lies in it
            target = folder / snapshot.parents[1].name / "snapshots" / snapshot.name / path.relative_to(snapshot)
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.is_file() or target.stat().st_size != path.stat().st_size:
                shutil.copyfile(path, target)
            ref = target.parents[len(path.relative_to(snapshot).parts) + 1] / "refs" / "main"
            ref.parent.mkdir(exist_ok=True)
            ref.write_text(snapshot.name)
            total += path.stat().st_size
    return total


def _of_clip(details: str, wanted: str) -> list[Source]:
    if details.startswith("hf-hub:"):
        repo = details.removeprefix("hf-hub:")
        told = Source(repo, ("open_clip_config.json",))
        config: dict[str, Any] = {}
        if found := _here(told):
            with weights.loading(found[0], wanted):
                config = json.loads(found[0].read_text("utf-8"))["model_cfg"]
        return [told, Source(repo, clip.HUB_WEIGHTS), *_of_text(config.get("text_cfg", {}), repo)]
    model, slashes, _ = details.partition("//")
    if slashes:
        return _of_text(clip.architecture(model, wanted)["text_cfg"])
    from open_clip.pretrained import get_pretrained_cfg

    model, _, tag = details.rpartition("/")
    facts = get_pretrained_cfg(model, tag)
    if not facts:
        clip.tagged(model, tag, wanted)  # says what is known
        raise WeightsError(f"open_clip knows no weights called '{details}'.")
    repo, _, file = facts["hf_hub"].rpartition("/")
    weight_file = Source(repo, (file,) if file else clip.HUB_WEIGHTS)
    return [weight_file, *_of_text(clip.architecture(model, wanted)["text_cfg"])]


def _of_text(text: dict[str, Any], beside: str = "") -> list[Source]:
    tower, tokenizer = text.get("hf_model_name"), text.get("hf_tokenizer_name")
    found = [Source(tower, ("config.json",))] if tower else []
    if tokenizer:
        patterns = (*TOKENIZER, *tokenizers.FILES)
        found.append(Source(tokenizer, patterns, every=True, enough=tokenizers.FILES))
    return found


def _of_transformers(name: str) -> list[Source]:
    with suppress(RuntimeError, OSError):
        if Path(name).expanduser().is_dir():
            return []
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise WeightsError(f"'hf:{name}' names neither a folder here nor a repository, which reads OWNER/NAME.")
    return [Source(name, repository.DATA, every=True, enough=repository.WEIGHTS)]


def _snapshot(repo: str) -> Path | None:
    """The folder of the repository's newest version that is here."""
    from huggingface_hub import constants
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=repo, repo_type="model")
    with suppress(OSError, ValueError):
        snapshot = folder / "snapshots" / (folder / "refs" / "main").read_text("utf-8").strip()
        return snapshot if snapshot.is_dir() else None
    return None


def _here(source: Source) -> list[Path]:
    """The files of a source that are on this machine; empty unless they are enough to load it."""
    snapshot = _snapshot(source.repository)
    if snapshot is None:
        return []
    if not source.every:
        return [path for path in (snapshot / file for file in source.files) if path.is_file()][:1]
    found = [path for path in sorted(snapshot.iterdir()) if path.is_file() and _matches(path.name, source.files)]
    if source.enough == repository.WEIGHTS:
        pickle = snapshot / repository.PICKLE
        if not (snapshot / "config.json").is_file() or not repository.whole(snapshot, pickles=True):
            return []
        return [*found, pickle] if pickle in repository.weight_files(snapshot) else found
    return found if any((snapshot / file).is_file() for file in source.enough) else []


def _matches(file: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatch(file, pattern) for pattern in patterns)


def _files(source: Source, wanted: str) -> list[_File]:
    """What the hub has of a source, with sizes; raises what huggingface_hub raises, and WeightsError."""
    from huggingface_hub import HfApi, constants, get_hf_file_metadata, hf_hub_url

    if constants.HF_HUB_OFFLINE:
        raise WeightsError(
            f"{source.repository}, which '{wanted}' needs, is not on this machine and HF_HUB_OFFLINE forbids the "
            "download; unset it, or bring the files with 'textseg models pack'."
        )
    if not weights.reachable(constants.ENDPOINT):
        raise WeightsError(
            f"{source.repository}, which '{wanted}' needs, is not on this machine and {constants.ENDPOINT} cannot be "
            "reached; connect once, name a mirror by HF_ENDPOINT, or bring the files with 'textseg models pack'."
        )
    listed = [file.rfilename for file in HfApi().model_info(source.repository).siblings or []]
    if source.every:
        names = [name for name in listed if "/" not in name and _matches(name, source.files)]
        if source.enough == repository.WEIGHTS and not set(names) & set(source.enough):
            names += [name for name in listed if name == repository.PICKLE]
    else:
        names = [name for name in source.files if name in listed][:1]
    if not names:
        raise WeightsError(
            f"The repository {source.repository} has no {' or '.join(source.files)}, which '{wanted}' needs; "
            "name another one."
        )
    found = []
    for name in names:
        url = hf_hub_url(source.repository, name)
        told = get_hf_file_metadata(url)
        found.append(_File(source.repository, name, told.etag or "", told.size or 0, url))
    return found


def _download(files: Sequence[_File], wanted: str, progress: Progress, stopped: Stopped) -> None:
    """Bring files into the hub's cache; a part that an earlier try left is gone on with."""
    from huggingface_hub import constants, hf_hub_download
    from huggingface_hub.file_download import repo_folder_name

    total, before = sum(file.size for file in files), 0
    for file in files:
        if not re.fullmatch(r"[\w.-]{1,128}", file.etag):
            raise WeightsError(f"{constants.ENDPOINT} does not say which version of {file.name} it has; try again.")
        folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=file.repository, repo_type="model") / "blobs"
        blob = folder / file.etag
        with weights.told(file.repository, wanted):
            if not blob.is_file():
                folder.mkdir(parents=True, exist_ok=True)
                part = folder / f"{file.etag}.part"
                _bring(file, part, partial(_within, progress, before, total), stopped)
                part.replace(blob)
            hf_hub_download(file.repository, file.name)  # finds the bytes, and notes where they belong
        before += file.size
        progress(before, total)


def _within(progress: Progress, before: int, total: int, done: int) -> None:
    """How far one file of several is."""
    progress(before + done, total)


def _bring(file: _File, part: Path, progress: Callable[[int], None], stopped: Stopped) -> None:
    """Append to `part` what it lacks; huggingface_hub itself would throw away what has come when it is stopped."""
    from huggingface_hub.errors import HfHubHTTPError

    with part.open("ab") as out:
        if out.tell() > file.size:
            out.truncate(0)
        _room(part, file.size - out.tell())
        progress(out.tell())
        heard = time.monotonic()
        while out.tell() < file.size:
            try:
                for _ in _bytes(file, out):
                    heard = time.monotonic()
                    progress(out.tell())
                    _go_on(file, stopped)
            except (HfHubHTTPError, Cancelled):
                raise
            except Exception:  # the network's errors are of a library that huggingface_hub chooses
                _go_on(file, stopped)
                if time.monotonic() - heard > PATIENCE:
                    raise
                time.sleep(PAUSE)
    # Large files are named by the sha256 of what they hold.
    if re.fullmatch(r"[0-9a-f]{64}", file.etag) and _sha256(part) != file.etag:
        part.unlink()
        raise WeightsError(f"What came of {file.name} of {file.repository} is damaged and was removed; try again.")


def _bytes(file: _File, out: BinaryIO) -> Iterator[int]:
    """Ask for what `out` lacks and append it, block by block as it comes; -> their lengths."""
    from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

    headers = {**build_hf_headers(), "Accept-Encoding": "identity", "Range": f"bytes={out.tell()}-"}
    with get_session().stream("GET", file.url, headers=headers, timeout=(10, WAIT, 10, 10)) as response:
        hf_raise_for_status(response)
        if response.status_code == 200:  # a server that knows no ranges sends all of it
            out.truncate(0)
        for block in response.iter_raw():
            yield out.write(block)
    if out.tell() != file.size:
        raise ConnectionError(f"{file.name} ended after {out.tell()} of {file.size} bytes")


def _go_on(file: _File, stopped: Stopped) -> None:
    if stopped():
        raise Cancelled(f"Stopped; what has come of {file.repository} stays, and the next try goes on from there.")


def _room(part: Path, size: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if size > free:
        raise WeightsError(
            f"The download takes {size / 1e9:.1f} GB and {free / 1e9:.1f} GB are free at {part.parents[2]}; free some "
            "space, or name another folder by HF_HUB_CACHE."
        )


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
