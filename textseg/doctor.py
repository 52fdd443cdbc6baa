"""What this machine has for textseg: packages, backbones that load now, device, memory. Downloads nothing."""

import os
import platform
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

import textseg
from textseg.errors import TextsegError

GB = 10**9


def report() -> dict[str, Any]:
    """Everything `textseg doctor` tells, fit for JSON; sizes are in GB (10^9 bytes)."""
    return {
        "textseg": textseg.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": _device(),
        "memory": _memory(),
        "disk": _disk(),
        "backbones": _backbones(),
        "proposals": _proposals(),
        "chromium": chromium(),
        "packages": packages(),
    }


def describe(facts: dict[str, Any]) -> str:
    """A report for people."""
    device, memory, disk = facts["device"], facts["memory"], facts["disk"]
    lines = [
        f"textseg {facts['textseg']}, Python {facts['python']}, {facts['platform']}",
        "",
        f"device    {device['name']} ({device['detail']})",
        f"memory    {memory['free_gb']} GB free of {memory['total_gb']} GB",
        f"disk      {disk['free_gb']} GB free at {disk['folder']}",
        f"chromium  {facts['chromium'] or 'not found (only the browser tests need it)'}",
        "",
        "backbones that load now",
    ]
    for backbone in facts["backbones"]:
        answer = f"no: {backbone['reason']}" if backbone["reason"] else "yes"
        answer += ", with a default head" if backbone["loads"] and backbone["default_head"] else ""
        lines.append(f"  {backbone['name']:<34} {answer}")
    lines += ["", "proposers of masks"]
    for proposer in facts["proposals"]:
        lines.append(f"  {proposer['name']:<34} {f'no: {reason}' if (reason := proposer['reason']) else 'yes'}")
    lines += ["", "packages"]
    for name, version in facts["packages"].items():
        lines.append(f"  {name:<34} {version or 'MISSING: pip install ' + name}")
    return "\n".join(lines)


def packages() -> dict[str, str | None]:
    """Version of each package that textseg needs to run, None where it is missing."""
    found: dict[str, str | None] = {}
    for requirement in _requirements():
        match = re.match(r"[\w.-]+", requirement)
        if match:
            try:
                found[match[0]] = metadata.version(match[0])
            except metadata.PackageNotFoundError:
                found[match[0]] = None
    return found


def chromium() -> str | None:
    """Path of the Chromium that the browser tests drive, if one is installed."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def _requirements() -> list[str]:
    """As the installed distribution says, or requirements.txt where textseg runs from a bare checkout."""
    try:
        return [line for line in metadata.requires("textseg") or [] if "extra ==" not in line]
    except metadata.PackageNotFoundError:
        lines = Path(__file__).parent.parent.joinpath("requirements.txt").read_text().splitlines()
        return [line for line in lines if line and not line.startswith("#")]


def _device() -> dict[str, str]:
    import torch

    from textseg.model.backbones import best_device

    name = best_device()
    detail = torch.cuda.get_device_name() if name == "cuda" else f"{torch.get_num_threads()} threads"
    return {"name": name, "detail": detail, "torch": torch.__version__}


def _memory() -> dict[str, float]:
    import psutil

    memory = psutil.virtual_memory()
    return {"free_gb": round(memory.available / GB, 1), "total_gb": round(memory.total / GB, 1)}


def _disk() -> dict[str, Any]:
    folder = Path.cwd()
    return {"folder": str(folder), "free_gb": round(shutil.disk_usage(folder).free / GB, 1)}


def _backbones() -> list[dict[str, Any]]:
    """One entry a registered family: its example, really loaded, without network."""
    from textseg.model import backbones, default_head

    found = []
    with _offline():
        for family in backbones.names():
            name = backbones.facts(family).example or family
            try:
                reason = _lacking(name)
                if reason is None:
                    backbones.load(name)
            except (TextsegError, ImportError) as error:
                reason = str(error)
            has_head = default_head(name) is not None
            found.append({"name": name, "loads": reason is None, "reason": reason, "default_head": has_head})
    return found


def _proposals() -> list[dict[str, Any]]:
    """One entry a registered family of proposers: its example, and whether its weights are here."""
    from textseg import proposals

    names = [proposals.facts(family).example or family for family in proposals.names()]
    return [{"name": name, "reason": _lacking(name)} for name in names]


def _lacking(name: str) -> str | None:
    """The sentence that a model's weights are not on this machine, None where they are."""
    from textseg import hub

    if hub.size_here(name) is not None:
        return None
    return f"Its weights are not on this machine; 'textseg models fetch {name}' brings them."


@contextmanager
def _offline() -> Iterator[None]:
    """No model hub is asked inside: huggingface_hub reads its flag at import, others the environment."""
    from huggingface_hub import constants

    before = os.environ.get("HF_HUB_OFFLINE"), constants.HF_HUB_OFFLINE
    os.environ["HF_HUB_OFFLINE"], constants.HF_HUB_OFFLINE = "1", True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before[1]
        if before[0] is None:
            del os.environ["HF_HUB_OFFLINE"]
        else:
            os.environ["HF_HUB_OFFLINE"] = before[0]
