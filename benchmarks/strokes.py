"""What a brush stroke costs on the Label page, against Gradio's ImageEditor: time, bytes, frames, memory.

    python benchmarks/strokes.py [--size 4000x3000] [--regions 500] [--strokes 30] [--many 300]

A photo of noise and blocks with a pseudo-label map of that many regions, in headless Chromium at 1440 x 900. "Saved" is
when the page says so, which is after the transaction is on disk. Bytes are bodies and headers of both directions as
Chromium counts them. Frames are those of a second of moving the zoomed photo about.
"""

import argparse
import json
import shutil
import socket
import statistics
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from textseg.project import Project, Region
from textseg.vocabulary import Vocabulary

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--enable-precise-memory-info"]
WINDOW = {"width": 1440, "height": 900}
POINTS = 20
EDITOR_STROKES = 2
"""Of the ImageEditor: without a GPU each of its frames takes long."""


class Traffic:
    """Bytes on the wire in both directions, and requests."""

    def __init__(self, page: Any) -> None:
        self.reset()
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.loadingFinished", self._received)
        session.on("Network.requestWillBeSentExtraInfo", self._sent)

    def _received(self, event: dict) -> None:
        self.received += int(event["encodedDataLength"])

    def _sent(self, event: dict) -> None:
        # Bodies by their declared length: Chromium tells no size of an uploaded file.
        headers = {name.lower(): value for name, value in event["headers"].items()}
        self.requests += 1
        self.sent += int(headers.get("content-length", 0)) + sum(len(k) + len(v) + 4 for k, v in headers.items())

    def per(self, strokes: int) -> dict[str, float]:
        return {
            "sent": self.sent / strokes,
            "received": self.received / strokes,
            "requests": self.requests / strokes,
        }

    def reset(self) -> None:
        self.sent = self.received = self.requests = 0


def photo(size: tuple[int, int]) -> Image.Image:
    rng = np.random.default_rng(0)
    blocks = Image.fromarray(rng.integers(0, 255, (12, 16, 3), np.uint8)).resize(size, Image.Resampling.NEAREST)
    noise = rng.integers(-12, 12, (size[1], size[0], 1), np.int16)
    return Image.fromarray(np.clip(np.asarray(blocks, np.int16) + noise, 0, 255).astype(np.uint8))


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def drag(page: Any, box: dict, seed: int) -> None:
    """A stroke of POINTS mouse moves, some 300 screen pixels long, somewhere in the middle of the board."""
    rng = np.random.default_rng(seed)
    x, y = box["x"] + box["width"] * rng.uniform(0.25, 0.5), box["y"] + box["height"] * rng.uniform(0.3, 0.7)
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, POINTS + 1):
        page.mouse.move(x + 15 * step, y + 20 * np.sin(step / 3))
        page.wait_for_timeout(8)  # a mouse tells of itself some hundred times a second
    page.mouse.up()


# In the page: when the mouse went up, and when the page said that this was saved.
WATCH = """() => {
  window.times = [];
  const page = document.querySelector(".labelling");
  let up = 0;
  document.addEventListener("pointerup", () => (up = performance.now()), true);
  new MutationObserver(() => {
    if (page.dataset.revision && up) window.times.push(performance.now() - up), (up = 0);
  }).observe(page, { attributes: true, attributeFilter: ["data-revision"] });
}"""
FRAMES = """() => new Promise((done) => {
  const gaps = [];
  let last = performance.now();
  const end = last + 1000;
  const tick = (now) => { gaps.push(now - last); last = now; now < end ? requestAnimationFrame(tick) : done(gaps); };
  requestAnimationFrame(tick);
})"""


def label_page(browser: Any, folder: Path, size: tuple[int, int], regions: int, strokes: int, many: int) -> dict:
    from textseg import web

    photo(size).save(folder / "large.jpg", quality=92)
    project = Project.create(folder / "p", Vocabulary.parse("cat, sofa, wall, floor"))
    project.add([folder / "large.jpg"])
    side = int(np.ceil(regions**0.5))
    rows, columns = np.arange(size[1])[:, None] * side // size[1], np.arange(size[0]) * side // size[0]
    index = np.minimum(rows * side + columns, regions - 1) + 1
    project.put_model_labels(1, index, [Region(1 + k % 4, 0.9) for k in range(regions)], head="model")
    port = free_port()
    blocks = web.serve(port=port, project=folder / "p", block=False)
    page = browser.new_page(viewport=WINDOW)
    page.set_default_timeout(300_000)
    page.goto(f"http://127.0.0.1:{port}/#label/1")
    page.wait_for_selector(".labelling[data-revision='1']")
    # Let the encoder come to rest, so that it is not measured with the strokes.
    page.wait_for_function("document.querySelector('[data-part=encoding]').textContent.startsWith('Encoding')")
    page.wait_for_function("document.querySelector('[data-part=encoding]').textContent === ''")
    traffic = Traffic(page)
    page.keyboard.press("b")
    box = page.locator(".desk [data-part=board]").bounding_box()
    page.evaluate(WATCH)
    revision = 1
    for seed in range(strokes):
        page.keyboard.press(str(1 + seed % 4))
        drag(page, box, seed)
        revision += 1
        page.wait_for_selector(f".labelling[data-revision='{revision}']")
    page.wait_for_timeout(1500)  # what follows a stroke (who made which pixels) is counted with it
    result = {
        "seconds_to_saved": statistics.median(page.evaluate("window.times")) / 1000,
        "worst_seconds": max(page.evaluate("window.times")) / 1000,
    } | traffic.per(strokes)
    # Frames while a zoomed photo is moved about by the hand.
    page.keyboard.press("v")
    page.mouse.move(box["x"] + 400, box["y"] + 300)
    for _ in range(4):
        page.mouse.wheel(0, -200)
    gaps: list[float] = []
    for outlines in (False, True):
        if outlines:
            page.keyboard.press("k")
        page.evaluate("() => { window.frames = (" + FRAMES + ")() }")
        page.mouse.down()
        for step in range(25):
            page.mouse.move(box["x"] + 400 + 8 * (step % 12), box["y"] + 300 + 6 * (step % 9))
            page.wait_for_timeout(20)
        page.mouse.up()
        gaps = page.evaluate("() => window.frames")
        result["frame_outlines" if outlines else "frame"] = statistics.median(gaps) / 1000
    page.keyboard.press("Control+0")
    page.keyboard.press("b")
    page.evaluate("window.gc?.()")
    heap = page.evaluate("performance.memory.usedJSHeapSize")
    for seed in range(many):
        drag(page, box, 1000 + seed)
        revision += 1
    page.wait_for_selector(f".labelling[data-revision='{revision}']")
    page.evaluate("window.gc?.()")
    result["heap_mb"] = heap / 2**20
    result["heap_mb_after_many"] = page.evaluate("performance.memory.usedJSHeapSize") / 2**20
    page.close()
    blocks.close()
    return result


def image_editor(browser: Any, size: tuple[int, int], strokes: int) -> dict:
    """The same strokes in `gr.ImageEditor` with a listener for what a person does; its answer is nothing."""
    import gradio as gr

    changed = threading.Semaphore(0)
    with gr.Blocks() as blocks:
        editor = gr.ImageEditor(value=np.asarray(photo(size)), type="numpy", canvas_size=size, height=700)
        editor.input(lambda _: changed.release(), editor, None, show_progress="hidden")
    port = free_port()
    blocks.launch(server_port=port, prevent_thread_lock=True, quiet=True, run_history=False)
    page = browser.new_page(viewport=WINDOW)
    page.set_default_timeout(120_000)
    page.goto(f"http://127.0.0.1:{port}/")
    page.wait_for_selector(".image-container canvas, canvas")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(3000)
    page.get_by_label("Brush", exact=True).click()
    page.wait_for_timeout(500)
    box = page.locator("canvas").first.bounding_box()
    traffic = Traffic(page)
    page.wait_for_timeout(2000)
    traffic.reset()
    for seed in range(strokes):
        drag(page, box, seed)
        page.wait_for_timeout(5000)  # it uploads what was painted once the hand rests; not every stroke is told
    told = 0
    while changed.acquire(blocking=False):
        told += 1
    if not told:
        raise SystemExit("the ImageEditor told of no stroke")
    result = traffic.per(strokes)
    page.close()
    blocks.close()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="4000x3000")
    parser.add_argument("--regions", type=int, default=500)
    parser.add_argument("--strokes", type=int, default=30)
    parser.add_argument("--many", type=int, default=300)
    args = parser.parse_args()
    width, height = map(int, args.size.split("x"))
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        flags = [*FLAGS, "--js-flags=--expose-gc"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        label = label_page(browser, Path(folder), (width, height), args.regions, args.strokes, args.many)
        print(f"a photo of {width} x {height} pixels with {args.regions} regions; {args.strokes} strokes")
        print(f"mouse-up to saved    {label['seconds_to_saved']:.3f} s, at most {label['worst_seconds']:.3f} s")
        print(f"a frame when moving  {label['frame'] * 1000:.0f} ms, outlines {label['frame_outlines'] * 1000:.0f} ms")
        print(f"page's memory        {label['heap_mb']:.0f} MB, {label['heap_mb_after_many']:.0f} MB {args.many} later")
        print(f"bytes a stroke       {label['sent']:.0f} sent, {label['received']:.0f} received", flush=True)
        editor = image_editor(browser, (width, height), EDITOR_STROKES)
        print(f"gr.ImageEditor       {editor['sent']:.0f} sent, {editor['received']:.0f} received")
        ratio = (editor["sent"] + editor["received"]) / (label["sent"] + label["received"])
        print(f"ratio                1 / {ratio:.0f}")
        print(json.dumps({"label": label, "image_editor": editor}))
        browser.close()


if __name__ == "__main__":
    main()
