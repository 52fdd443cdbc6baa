"""The Label page with ten thousand photos: page load, search, next photo and DOM nodes, in headless Chromium.

    python benchmarks/queue_page.py [--photos 10000] [--backbone lite]

The photos are 640 x 480 JPEGs of noise, one file under ten thousand names. The model is loaded before the clock starts.
"""

import argparse
import hashlib
import json
import os
import shutil
import socket
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
TIMED = """async ([part, value, event]) => {
  const field = document.querySelector(`.queue [data-part=${part}]`),
    found = document.querySelector(".queue [data-part=found]"),
    before = found.textContent,
    began = performance.now();
  let longest = 0;
  new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) longest = Math.max(longest, duration);
  }).observe({ entryTypes: ["longtask"] });
  field.value = value;
  field.dispatchEvent(new Event(event, { bubbles: true }));
  while (found.textContent === before) await new Promise(requestAnimationFrame);
  await new Promise(requestAnimationFrame);
  return [performance.now() - began, longest];
}"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=10_000)
    parser.add_argument("--backbone", default="lite")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(make(Path(folder), options.photos), options.backbone)
    for name, value in found.items():
        print(f"{name:40} {value}")
    if options.json:
        options.json.write_text(json.dumps(found, indent=1))
    return 0


def make(folder: Path, photos: int) -> Path:
    """A project of so many photos: one file under as many names, none with labels."""
    from textseg.project import Project
    from textseg.project.schema import StoredPhoto
    from textseg.vocabulary import Vocabulary

    project = Project.create(folder / "many", Vocabulary.parse("cat, sofa, wall"))
    noise = np.random.default_rng(1).integers(0, 256, (15, 20, 3), dtype=np.uint8)
    file = folder / "photo.jpg"
    Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC).save(file)
    rows = []
    for number in range(photos):
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        os.link(file, project.folder / "photos" / f"{sha256}.jpg")
        name = f"p{number // 1000}_{number % 1000:04d}.jpg"
        rows.append(StoredPhoto(sha256=sha256, name=name, suffix=".jpg", width=640, height=480))
    with project.database.writing() as session:
        session.add_all(rows)
    project.close()
    return folder / "many"


def measure(project: Path, backbone: str) -> dict[str, str]:
    from playwright.sync_api import sync_playwright

    from textseg import web

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    found: dict[str, str] = {}
    blocks = web.serve(port=port, project=project, backbone=backbone, block=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(120_000)
        page.goto(f"http://127.0.0.1:{port}/#explore")
        page.wait_for_selector(".chip .dot.ready")
        for visit in ("first", "second"):
            began = time.perf_counter()
            page.goto("about:blank")
            page.goto(f"http://127.0.0.1:{port}/#label/5000")
            page.wait_for_selector(".labelling[data-photo='5000']")
            found[f"page load, {visit} visit"] = f"{time.perf_counter() - began:.2f} s"
        found["DOM nodes"] = str(page.evaluate("document.querySelectorAll('*').length"))
        for text in ("p7_0555", "9", ""):
            took, longest = page.evaluate(TIMED, ["search", text, "input"])
            found[f"search for {text!r}"] = f"{took:.0f} ms, longest task {longest:.0f} ms"
        for state in ("open", "done", ""):
            took, longest = page.evaluate(TIMED, ["filter", state, "change"])
            found[f"filter {state or 'all'!r}"] = f"{took:.0f} ms, longest task {longest:.0f} ms"
        found["next photo"] = steps(page, "d", 5000, 1)
        found["previous photo"] = steps(page, "a", 5010, -1)
        began = time.perf_counter()
        page.evaluate("document.querySelector('.photos-list').scrollTop = 56 * 8000")
        page.wait_for_selector(".photos-list [data-photo='8002'] img")
        found["thumbnails of another place"] = f"{time.perf_counter() - began:.2f} s"
        found["DOM nodes after all that"] = str(page.evaluate("document.querySelectorAll('*').length"))
        browser.close()
    blocks.close()
    return found


def steps(page, key: str, at: int, by: int) -> str:  # type: ignore[no-untyped-def]
    times = []
    for _ in range(10):
        at += by
        began = time.perf_counter()
        page.keyboard.press(key)
        page.wait_for_selector(f".labelling[data-photo='{at}']")
        times.append(time.perf_counter() - began)
        page.wait_for_timeout(700)  # a person looks at it: this photo and the next are encoded
    return f"{statistics.median(times):.2f} s, at most {max(times):.2f} s"


if __name__ == "__main__":
    sys.exit(main())
