"""Make the pictures of docs/first-project.md and the animation of README: a first project, in headless Chromium.

    python docs/make_tour.py [--frames DIR]

A person makes a project, lets the model label, corrects with a click, trains, and sees before and after. The photos
are those that scikit-image ships (assets/samples/CREDITS.md). `--frames` keeps the animation's frames.
"""

import argparse
import io
import shutil
import socket
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright
from skimage import data

from textseg import web
from textseg.project import Project
from textseg.vocabulary import Vocabulary

IMAGES = Path(__file__).parent / "images"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
WINDOW = {"viewport": {"width": 1280, "height": 760}, "color_scheme": "light"}
PHOTOS = ("coffee", "chelsea", "motorcycle_left", "rocket")
WORDS = "cup; coffee cup, wooden table; wood; plank, saucer; plate, spoon, cat, motorcycle, rocket, sky"
CLICKS = (
    ("3", 0.2, 0.63, "]"),
    ("3", 0.46, 0.9, ""),
    ("3", 0.75, 0.45, ""),
    ("4", 0.61, 0.745, "["),
    ("2", 0.08, 0.25, "]"),
)
"""Key of the class, where a unit of the coffee's photo is clicked, and the key of a larger or a smaller one."""
SIZE, COLOURS = (800, 475), 224
"""Of the animation."""


class Film:
    """Pictures for the page, and frames with how long each is seen."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[tuple[Image.Image, int]] = []

    def picture(self, name: str) -> None:
        path = IMAGES / f"tour-{name}.png"
        self.page.screenshot(path=path)
        print(path)

    def frame(self, milliseconds: int = 700) -> None:
        shot = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        self.frames.append((shot.resize(SIZE, Image.Resampling.LANCZOS), milliseconds))

    def write(self, path: Path) -> None:
        palette = Image.new("RGB", (SIZE[0], SIZE[1] * len(self.frames)))
        for k, (frame, _) in enumerate(self.frames):
            palette.paste(frame, (0, SIZE[1] * k))
        palette = palette.resize((SIZE[0] // 2, SIZE[1] * len(self.frames) // 2)).quantize(COLOURS)
        drawn = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame, _ in self.frames]
        times = [milliseconds for _, milliseconds in self.frames]
        drawn[0].save(path, save_all=True, append_images=drawn[1:], duration=times, loop=0, optimize=True)
        print(f"{path}: {len(drawn)} frames, {path.stat().st_size / 1e6:.2f} MB")


def made(folder: Path) -> Project:
    """The project, with its photos and nothing labelled."""
    (folder / "photos").mkdir()
    skimage = Path(data.__file__).parent
    for k, name in enumerate(PHOTOS, start=1):
        photo = next(skimage.glob(f"{name}.*"))
        Image.open(photo).convert("RGB").save(folder / "photos" / f"{k} {name.partition('_')[0]}.png")
    project = Project.create(folder / "my-project", Vocabulary.parse(WORDS))
    project.add([folder / "photos"])
    return project


def on_photo(page: Page, x: float, y: float) -> tuple[float, float]:
    """Where a point of the coffee, as shares of its sides, lies in the window while the photo is fitted."""
    box = page.locator(".desk [data-part=board]").bounding_box()
    assert box is not None
    width, height = 600, 400
    scale = min(box["width"] / width, box["height"] / height)
    across, down = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    return across + (x - 0.5) * width * scale, down + (y - 0.5) * height * scale


def explore(film: Film, url: str) -> None:
    page = film.page
    page.goto(f"{url}#explore")
    page.wait_for_function("document.querySelector('.explore:not(.stale) .classes li')", timeout=300_000)
    page.click(".sample:nth-child(3)")
    page.wait_for_selector(".sample:nth-child(3)[aria-pressed=true]")
    page.wait_for_timeout(2000)
    page.wait_for_function("document.querySelector('.explore:not(.stale) .classes li')", timeout=120_000)
    film.frame(1200)
    for typed in ("c", "cat", "cat, cup", "cat, grass, sky"):
        page.fill("#words", typed)
        if len(typed) > 1:
            answered = "words => document.querySelector('.explore').dataset.answered === words"
            page.wait_for_function(answered, arg=typed, timeout=120_000)
        page.wait_for_timeout(300)
        film.frame(400 if typed == "c" else 1300)


def label(film: Film) -> None:
    page = film.page
    page.click("header a[href='#label'], nav a[href='#label']")
    page.wait_for_selector(".labelling:not([hidden]) .class-rows li", timeout=60_000)
    page.wait_for_timeout(1000)
    film.picture("empty")
    film.frame(1200)
    page.keyboard.press("t")
    page.wait_for_selector(".labelling[data-revision='1']", timeout=300_000)
    page.wait_for_timeout(600)
    film.picture("labelled")
    film.frame(1800)
    page.keyboard.press("u")
    for number, (key, x, y, level) in enumerate(CLICKS):
        page.keyboard.press(key)
        page.mouse.move(*on_photo(page, x - 0.02, y))
        page.mouse.move(*on_photo(page, x, y), steps=3)
        page.wait_for_timeout(2500)
        if level:
            page.keyboard.press(level)
            page.wait_for_timeout(500)
        if number == 0:
            film.picture("unit")
        film.frame(900)
        page.mouse.down()
        page.mouse.up()
        page.wait_for_timeout(1200)
        film.frame(900)
    film.picture("corrected")
    page.keyboard.press("Enter")


def learn(film: Film, project: Project) -> None:
    """What a person has corrected meanwhile: one more photo, its model's labels accepted."""
    page = film.page
    for photo in project.photos()[1:2]:
        pseudolabelled(page, photo.name)
    page.click("header a[href='#learn'], nav a[href='#learn']")
    page.wait_for_selector("[data-part=train]:enabled", timeout=60_000)
    film.frame(1000)
    page.click("[data-part=train]")
    page.wait_for_timeout(4000)
    film.frame(1000)
    page.wait_for_selector(".learn [data-head='1']", timeout=400_000)
    page.wait_for_selector(".compare:not([hidden])", timeout=120_000)
    page.wait_for_timeout(2500)
    film.picture("learn")
    for value in ("80", "50", "20"):
        page.evaluate(
            "value => { const slide = document.querySelector('[data-part=slide]'); slide.value = value; "
            "slide.dispatchEvent(new Event('input', {bubbles: true})) }", value,
        )  # fmt: skip
        page.wait_for_timeout(300)
        film.frame(900)


def pseudolabelled(page: Page, name: str) -> None:
    """The photo called `name`, labelled by the model and accepted."""
    page.locator(".photos-list li", has_text=name).first.click()
    page.wait_for_function(
        "name => document.querySelector('header [data-part=photo]').textContent.includes(name)", arg=name
    )
    page.click("[data-part=label-this]")
    page.wait_for_selector(".labelling[data-revision='1']", timeout=300_000)
    page.click("[data-part=accept-all]")
    page.wait_for_selector(".labelling[data-revision='2']", timeout=60_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=Path, metavar="DIR", help="also write the frames as PNG files")
    args = parser.parse_args()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        project = made(Path(folder))
        blocks = web.serve(port=port, project=project.folder, block=False)
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        film = Film(browser.new_page(**WINDOW))  # type: ignore[arg-type]
        url = f"http://127.0.0.1:{port}/"
        try:
            explore(film, url)
            label(film)
            learn(film, project)
        except Exception:
            film.page.screenshot(path="tour-failed.png")
            raise
        browser.close()
        blocks.close()
    film.write(IMAGES / "loop.gif")
    if args.frames:
        args.frames.mkdir(parents=True, exist_ok=True)
        for k, (frame, _) in enumerate(film.frames):
            frame.save(args.frames / f"{k:02}.png")


if __name__ == "__main__":
    main()
