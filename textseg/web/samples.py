"""The sample photos: scikit-image's own, with words that suit them. `assets/samples/CREDITS.md` gives their sources."""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from textseg.web.rpc import pictures
from textseg.web.rpc.photos import UploadedPhoto


@dataclass(frozen=True)
class Sample:
    """One photo inside scikit-image's wheel (nothing is downloaded)."""

    name: str
    file: str
    words: str

    @property
    def path(self) -> Path:
        spec = find_spec("skimage")
        assert spec is not None and spec.origin is not None  # scikit-image is one of the program's requirements
        return Path(spec.origin).parent / "data" / self.file

    def photo(self) -> UploadedPhoto:
        return UploadedPhoto(self.file, _read(self.path))

    def shown(self) -> dict[str, str]:
        """What the page's list of samples needs: name, words, and a small picture as a data URL."""
        data = pictures.jpeg(self.photo().open(), 144, quality=80)
        return {"name": self.name, "words": self.words, "picture": f"data:image/jpeg;base64,{data}"}


SAMPLES = (
    Sample("coffee", "coffee.png", "cup; coffee cup, wooden table; wood; plank; floor"),
    Sample("astronaut", "astronaut.png", "astronaut; woman, flag, space shuttle; rocket, helmet"),
    Sample("cat", "chelsea.png", "cat; tabby cat; kitten, -blanket; cloth"),
    Sample("motorcycle", "motorcycle_left.png", "motorcycle, floor; garage floor; dirt, shelf; bookcase, box; carton"),
    Sample("rocket", "rocket.jpg", "rocket; missile, sky; night sky, tower; lightning rod"),
)


@cache
def _read(path: Path) -> bytes:
    return path.read_bytes()
