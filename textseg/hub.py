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
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from textseg import downloads, proposals
from textseg.downloads import File, Progress, Stopped
from textseg.errors import UnknownNameError, WeightsError, brief
from textseg.model import backbones, readouts, repository, tokenizers, weights
from textseg.model.backbones import clip, dinov2
from textseg.proposals import hf_sam, hf_sam3, sam

TOKENIZER = ("tokenizer*", "special_tokens_map.json", "added_tokens.json", "config.json", "merges.txt")


@dataclass(frozen=True)
class Source:
    """Files of one repository: the first of `files` that it has, or with `every` all that match these patterns."""

    repository: str
    files: tuple[str, ...]
    every: bool = False
    enough: tuple[str, ...] = ()
    """With `every`: one of these must be there, and of weights all parts."""


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
        downloads.download(files, name, progress or (lambda done, all: None), stopped or (lambda: False))
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


def _files(source: Source, wanted: str) -> list[File]:
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
        found.append(File(source.repository, name, told.etag or "", told.size or 0, url))
    return found
