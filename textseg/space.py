"""A Hugging Face Space from this checkout: its README front matter, from the Spacefile, and the files it runs.

    textseg space build DIR      writes the Space's folder
    textseg space push DIR       uploads it

The fields are those of the Spaces configuration reference.
"""

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import yaml

from textseg.errors import SpaceError
from textseg.files import write_atomically

ROOT = Path(__file__).parent.parent
FILES = ("app.py", "LICENSE", "NOTICE", "pyproject.toml", "setup.py")
FOLDERS = ("textseg", "trainer", "assets")
EXTRAS = ("formats", "space")
"""What the pages of a Space offer beyond what the program needs: every format, a lent GPU, sign-in, tools over MCP."""
THUMBNAIL, THUMBNAIL_FILE = "docs/images/explore.png", "thumbnail.png"

COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
HARDWARE = {
    "cpu-basic", "cpu-upgrade", "t4-small", "t4-medium", "l4x1", "l4x4", "l40sx1", "l40sx4", "l40sx8",
    "a10g-small", "a10g-large", "a10g-largex2", "a10g-largex4", "a100-large", "a100x4", "a100x8",
}  # fmt: skip

# What each field must be: a pattern for text, a set of choices, or a type.
FIELDS: dict[str, re.Pattern[str] | set[str] | type] = {
    "title": re.compile(r".+"),
    "emoji": re.compile(r"\W+"),
    "colorFrom": COLOURS,
    "colorTo": COLOURS,
    "sdk": {"gradio"},
    "sdk_version": re.compile(r"\d+\.\d+\.\d+"),
    "python_version": re.compile(r"3\.(1[1-9]|[2-9]\d)(\.\d+)?"),
    "app_file": re.compile(r"[\w./-]+\.py"),
    "license": re.compile(r"[a-z0-9.-]+"),
    "short_description": re.compile(r".{1,60}"),
    "suggested_hardware": HARDWARE,
    "startup_duration_timeout": re.compile(r"\d+(s|m|h)"),
    "header": {"mini", "default"},
    "fullWidth": bool,
    "pinned": bool,
    "disable_embedding": bool,
    "hf_oauth": bool,
    "models": list,
    "datasets": list,
    "tags": list,
    "preload_from_hub": list,
}


def read(path: Path = ROOT / "Spacefile") -> dict[str, Any]:
    """The fields of a Spacefile, checked; raises SpaceError that names the field."""
    try:
        fields = yaml.safe_load(path.read_text("utf-8"))
    except OSError:
        raise SpaceError(f"{path} cannot be read; build a Space from a checkout of textseg.") from None
    except yaml.YAMLError as error:
        raise SpaceError(f"{path} is not YAML: {str(error).splitlines()[0]}.") from None
    check(fields, path.name)
    return fields


def check(fields: Any, name: str = "Spacefile") -> None:
    """Raise SpaceError unless `fields` has every field, each with a value that a Space understands."""
    if not isinstance(fields, dict):
        raise SpaceError(f"{name} must be a mapping of fields such as `title: textseg`.")
    for field in [*FIELDS, *fields]:
        if field not in fields:
            raise SpaceError(f"{name} lacks the field '{field}'.")
        if field not in FIELDS:
            raise SpaceError(f"{name} has the field '{field}', which a Gradio Space does not know.")
        rule, value = FIELDS[field], fields[field]
        if isinstance(rule, type):
            fits = isinstance(value, rule)
            if rule is list:
                fits = fits and all(isinstance(item, str) for item in value)
            wanted = {bool: "true or false", list: "a list of texts"}[rule]
        elif isinstance(rule, set):
            fits, wanted = value in rule, "one of " + ", ".join(sorted(rule))
        else:
            fits = isinstance(value, str) and rule.fullmatch(value) is not None
            wanted = f"text like {rule.pattern}"
        if not fits:
            raise SpaceError(f"{name} has {field}: {value!r}, but it must be {wanted}.")


def build(folder: Path) -> str:
    """Write the Space into `folder` (new, empty, or an earlier build, which is replaced); returns a sentence.

    Raises SpaceError.
    """
    fields = read()
    for name in (*FILES, *FOLDERS, "requirements.txt", THUMBNAIL, fields["app_file"]):
        if not (ROOT / name).exists():
            raise SpaceError(f"{ROOT / name} does not exist; build a Space from a checkout of textseg.")
    if folder.exists() and (not folder.is_dir() or (any(folder.iterdir()) and not _is_space(folder))):
        raise SpaceError(f"{folder} holds something else than a Space; name a new or empty folder.")
    folder.mkdir(parents=True, exist_ok=True)
    for name in FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.partial"))
    for name in FILES:
        shutil.copyfile(ROOT / name, folder / name)
    shutil.copyfile(ROOT / THUMBNAIL, folder / THUMBNAIL_FILE)
    write_atomically(folder / "requirements.txt", requirements().encode())
    write_atomically(folder / "README.md", readme(fields).encode())
    return f"The Space is in {folder}; `textseg space push {folder}` uploads it."


def requirements() -> str:
    """What a Space installs: all that its pages offer works there."""
    own = (ROOT / "requirements.txt").read_text("utf-8")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    more = "\n".join(line for extra in EXTRAS for line in extras[extra])
    return f"{own.rstrip()}\n\n# What the pages offer beyond.\n{more}\n"


def readme(fields: dict[str, Any], name: str | None = None) -> str:
    """The Space's README: front matter, then the opening of the project's own.

    With the Space's `name` it has a picture wherever it is linked to, which wants the whole address.
    """
    if name is not None:
        fields = fields | {"thumbnail": f"https://huggingface.co/spaces/{name}/resolve/main/{THUMBNAIL_FILE}"}
    front = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)
    opening = (ROOT / "README.md").read_text("utf-8").split("\n## ")[0]
    # Pictures and links of the checkout lead nowhere in a Space.
    opening = re.sub(r"!\[[^]]*]\([^)]*\)\n*", "", opening)
    opening = re.sub(r"\[([^]]*)]\((?!https?:)[^)]*\)", r"\1", opening)
    return f"---\n{front}---\n\n{opening.strip()}\n"


def push(folder: Path, name: str | None = None) -> str:
    """Upload a built Space; `name` is `owner/space`, by default `textseg` of whom the token belongs to.

    Makes the Space when it does not exist, and removes what is no longer in the folder, in one commit. Raises
    SpaceError when there is no build, no token, no network or no permission.
    """
    if not _is_space(folder):
        raise SpaceError(f"{folder} holds no Space; make one with `textseg space build {folder}`.")
    import huggingface_hub

    if huggingface_hub.get_token() is None:
        raise SpaceError("There is no Hugging Face token; run `hf auth login` or set HF_TOKEN first.")
    hub = huggingface_hub.HfApi()
    try:
        name = name or f"{hub.whoami()['name']}/textseg"
        write_atomically(folder / "README.md", readme(read(), name).encode())
        hub.create_repo(name, repo_type="space", space_sdk="gradio", exist_ok=True)
        hub.upload_folder(
            repo_id=name,
            repo_type="space",
            folder_path=folder,
            commit_message="Update from the Spacefile",
            delete_patterns="*",
        )
    except Exception as error:  # what a failed request raises differs between versions of huggingface_hub
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise SpaceError(f"The Space could not be pushed ({reason}); check network and token.") from None
    return f"The Space {name} was pushed."


def _is_space(folder: Path) -> bool:
    readme = folder / "README.md"
    return readme.is_file() and readme.read_text("utf-8", errors="replace").startswith("---\n")
