"""Files that travel with the program: scripts, styles, word lists, default heads."""

from pathlib import Path

_HERE = Path(__file__).parent


def asset(name: str) -> Path:
    """Path of a shipped file, for example `asset("heads/lite.safetensors")`.

    In a wheel the files lie inside the package; in a checkout they are the top-level folder `assets`.
    """
    inside = _HERE / "assets"
    return (inside if inside.is_dir() else _HERE.parent / "assets") / name
