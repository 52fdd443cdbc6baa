"""The Explore page: load time, bytes and layout shift, and what one change of words costs, in headless Chromium.

    python benchmarks/page.py [--backbone lite] [--head default]

The model is loaded and the sample encoded before the clock starts: what is measured is the page.
"""

import argparse
import json
import shutil
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
VOCABULARIES = (
    "cup, saucer, spoon, wooden table",
    "cup, saucer, spoon, wooden table, dog",
    ", ".join(["cup", "table", *(f"thing {k}" for k in range(48))]),
)
WATCH = """
globalThis.watched = { first_paint_seconds: 0, largest_paint_seconds: 0, layout_shift: 0, blocked_seconds: 0 };
const watch = (type, take) =>
  new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
watch("paint", (one) => {
  if (one.name === "first-contentful-paint") watched.first_paint_seconds = one.startTime / 1000;
});
watch("largest-contentful-paint", (one) => { watched.largest_paint_seconds = one.startTime / 1000; });
watch("layout-shift", (one) => { if (!one.hadRecentInput) watched.layout_shift += one.value; });
watch("longtask", (one) => { watched.blocked_seconds += Math.max(0, one.duration - 50) / 1000; });
"""
"""What Lighthouse looks at, as the browser tells it; the layout shift is the sum of all, not of the worst second."""
ANSWERED = "words => document.querySelector('.explore')?.dataset.answered === words"


class Traffic:
    """Bytes on the wire, headers included, as Chromium counts them."""

    def __init__(self, page) -> None:  # type: ignore[no-untyped-def]
        self.requests = self.received = self.sent = 0
        session = page.context.new_cdp_session(page)
        session.send("Network.enable")
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.loadingFinished", self._received)

    def _sent(self, event: dict) -> None:
        self.requests += 1
        self.sent += len(event["request"].get("postData", "").encode())

    def _received(self, event: dict) -> None:
        self.received += int(event["encodedDataLength"])

    def reset(self) -> None:
        self.requests = self.received = self.sent = 0


@contextmanager
def served(backbone: str, head: str) -> Iterator[str]:
    from textseg import web

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    blocks = web.serve(port=port, backbone=backbone, head=head, block=False)
    yield f"http://127.0.0.1:{port}/"
    blocks.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="lite")
    parser.add_argument("--head", default="default")
    args = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        print("chromium is not installed (apt install chromium)", file=sys.stderr)
        return 2
    from playwright.sync_api import sync_playwright

    with served(args.backbone, args.head) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        first = browser.new_page()  # waits for the model, and warms what the server keeps
        first.goto(url)
        first.wait_for_selector(".explore:not(.stale) .classes li", timeout=300_000)
        first.close()

        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.add_init_script(WATCH)
        traffic = Traffic(page)
        began = time.perf_counter()
        page.goto(url, wait_until="commit")
        page.wait_for_selector(".shell .brand")
        header = time.perf_counter() - began
        page.wait_for_selector(".explore:not(.stale) .classes li", timeout=60_000)
        answered = time.perf_counter() - began
        page.wait_for_load_state("networkidle")
        results: dict = {
            "header_seconds": round(header, 2),
            "answered_seconds": round(answered, 2),
            "requests": traffic.requests,
            "received_kb": round(traffic.received / 1024),
            **page.evaluate("() => watched"),
            "changes": [],
        }
        for words in VOCABULARIES:
            traffic.reset()
            began = time.perf_counter()
            page.fill("#words", words)
            page.wait_for_function(ANSWERED, arg=words)
            took = time.perf_counter() - began
            page.wait_for_load_state("networkidle")
            results["changes"].append(
                {
                    "words": words.count(",") + 1,
                    "received_kb": round(traffic.received / 1024, 1),
                    "sent_kb": round(traffic.sent / 1024, 1),
                    "seconds": round(took, 2),
                }
            )
        traffic.reset()
        page.locator("[data-part=classes] li:nth-child(1) input").fill("60")
        page.click("[data-view=heat]")
        page.mouse.move(500, 400)
        results["after_answer"] = {"requests": traffic.requests, "doing": "threshold, heat map, hover"}
        browser.close()
    print(f"header seen      {results['header_seconds']:6.2f} s")
    print(f"first answer     {results['answered_seconds']:6.2f} s")
    print(f"page load        {results['received_kb']:6d} KB in {results['requests']} requests")
    first, largest = results["first_paint_seconds"], results["largest_paint_seconds"]
    print(f"first paint      {first:6.2f} s, largest {largest:.2f} s")
    print(f"layout shift     {results['layout_shift']:6.3f}  (good: at most 0.1)")
    print(f"long tasks       {results['blocked_seconds']:6.2f} s beyond 50 ms each")
    for change in results["changes"]:
        bytes_ = f"{change['received_kb']:6.1f} KB received, {change['sent_kb']:.1f} KB sent"
        print(f"{change['words']:3d} words        {bytes_}, {change['seconds']:.2f} s with the typing pause of 0.3 s")
    print(f"threshold, heat map and hover: {results['after_answer']['requests']} requests")
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
