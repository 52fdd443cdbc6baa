"""Weights of the larger backbones: found on disk, fetched once from the hub, read without executing code."""

import hashlib
import os
import re
import socket
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from pickle import UnpicklingError
from urllib.parse import urlsplit

import torch

from textseg.errors import Cancelled, WeightsError, explain

SUFFIXES = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")
WHAT_TO_DO = "give a local file, or use the backbone 'lite', which works offline"


def local(file: str, wanted: str, names: Sequence[str] = ()) -> Path:
    """The weight file a person named, or of a folder the one called like the first of `names`, else its only one.

    `wanted` is the backbone it is for. Raises WeightsError.
    """
    path = Path(file).expanduser()
    if path.is_dir():
        return _inside(path, names, wanted)
    if not path.is_file():
        hint = f"; an absolute path starts with a third slash (///{file})" if Path(f"/{file}").exists() else ""
        raise WeightsError(f"The weights of '{wanted}' are not at {path}{looked_in(path)}{hint}.")
    return path


def looked_in(path: Path) -> str:
    """Where a path that a person named began, for a sentence that says it is not there; "" for an absolute one."""
    return "" if path.is_absolute() else f" (looked in {Path.cwd()})"


def _inside(folder: Path, names: Sequence[str], wanted: str) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    found = [path for path in sorted(folder.iterdir()) if path.suffix in SUFFIXES]
    if len(found) != 1:
        lie = f"are {len(found)} weight files, {found[0].name} and others," if found else "is no weight file"
        raise WeightsError(f"In {folder} there {lie} for '{wanted}'; name the file.")
    return found[0]


def fetch(repo: str, files: Sequence[str], wanted: str, what: str = "weights", remedy: str = WHAT_TO_DO) -> Path:
    """The first of `files` that the hub's `repo` has: from the local cache, else downloaded (progress on a terminal).

    Without a network it fails at once instead of retrying. `what` it is and the `remedy` are for people. Raises
    WeightsError.
    """
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import RemoteEntryNotFoundError

    instead = remedy.removeprefix("or ")
    with told(repo, wanted, instead):
        for file in files:
            cached = try_to_load_from_cache(repo, file)
            if isinstance(cached, str):
                return Path(cached)
    missing = f"The {what} of '{wanted}' ({repo}) {'are' if what.endswith('s') else 'is'} not on this machine"
    if constants.HF_HUB_OFFLINE:
        raise WeightsError(f"{missing} and HF_HUB_OFFLINE forbids the download; unset it, {remedy}.")
    if not reachable(constants.ENDPOINT):
        raise WeightsError(f"{missing} and {constants.ENDPOINT} cannot be reached; connect once, {remedy}.")
    with told(repo, wanted, instead):
        for file in files:
            with suppress(RemoteEntryNotFoundError):
                return Path(hf_hub_download(repo, file))
    raise WeightsError(f"{missing} and the repository has no {' or '.join(files)}; {instead}.")


@contextmanager
def told(repo: str, wanted: str, instead: str = "it goes on where it ended") -> Iterator[None]:
    """Turns what the hub or the network says of `repo` into a WeightsError of one sentence.

    `wanted` is what a person named, `instead` what else can be done when a download fails.
    """
    from huggingface_hub import constants
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        yield
    except (WeightsError, Cancelled):
        raise
    except HFValidationError:
        raise WeightsError(
            f"'{repo}', which '{wanted}' asks for, is no name of a repository; write OWNER/NAME."
        ) from None
    except GatedRepoError:
        raise WeightsError(
            f"The repository {repo} is gated: accept its terms at {constants.ENDPOINT}/{repo}, log in with "
            f"'hf auth login', and try '{wanted}' again."
        ) from None
    except RepositoryNotFoundError:
        raise WeightsError(
            f"There is no repository {repo} at {constants.ENDPOINT}, or it is private; check the name in '{wanted}', "
            "or log in with 'hf auth login' if it is yours."
        ) from None
    except Exception as error:  # the network's errors are of a library that huggingface_hub chooses
        # What the machine says, such as that the disk is full, is known; the rest is read.
        said = explain(error).rstrip(".") if isinstance(error, OSError) and error.errno else reason(error)
        raise WeightsError(
            f"{repo}, which '{wanted}' needs, is not on this machine, and the download failed ({said}); try again, "
            f"{instead}."
        ) from None


def check_memory(files: Sequence[Path], wanted: str, copies: int = 1) -> None:
    """Raises WeightsError where so many copies of weight files take more memory than is free."""
    import psutil

    takes, free = copies * sum(file.stat().st_size for file in files), psutil.virtual_memory().available
    if takes > free:
        raise WeightsError(
            f"The weights of '{wanted}' take {takes / 1e9:.1f} GB and {free / 1e9:.1f} GB of memory are free; close "
            "other programs, or use a smaller model."
        )


@contextmanager
def loading(path: Path, wanted: str) -> Iterator[None]:
    """Turns whatever goes wrong while `path` is read into `wanted` into a WeightsError of one sentence."""
    try:
        yield
    except WeightsError:
        raise
    except UnpicklingError:
        raise WeightsError(
            f"{path.name} holds other things than tensors, which could run code, or is no weight file at all, and is "
            "refused; save it as .safetensors or as a plain state dict."
        ) from None
    except Exception as error:  # the libraries answer a file that does not fit with any exception
        raise WeightsError(f"{path.name} does not fit '{wanted}' or is damaged ({reason(error)}).") from None


def read(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a .safetensors file or of a state dict; use inside `loading`."""
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return load_file(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def fingerprint(*paths: Path, facts: Sequence[str] = ()) -> str:
    """Short hash of weight files, and of what else decides the features that are computed with them."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    digest.update("\n".join(facts).encode())
    return digest.hexdigest()[:16]


def reason(error: Exception) -> str:
    """The first sentence of what a library says went wrong."""
    text = re.sub(r"^Error\(s\) in loading state_dict for .*:\s*", "", str(error).strip())
    first = re.split(r"[.:]?\s*\n|\.\s", text, maxsplit=1)[0]
    return first.rstrip(".:")[:160] or type(error).__name__


def reachable(endpoint: str, seconds: float = 4) -> bool:
    """Whether a connection to the hub can be opened; behind a proxy the download itself has to find out."""
    if urllib.request.getproxies() or os.environ.get("ALL_PROXY"):
        return True
    url = urlsplit(endpoint)
    try:
        with socket.create_connection((url.hostname or "", url.port or 443), timeout=seconds):
            return True
    except OSError:
        return False
