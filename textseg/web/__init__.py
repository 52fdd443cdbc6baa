"""The pages, served by Gradio: `build` makes the app, `serve` runs it. One file a page."""

import os

# Before Gradio is imported: neither it nor the libraries below it may ask any other host anything on their own.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
os.environ.setdefault("DO_NOT_TRACK", "1")

from textseg.web.app import build, serve  # noqa: E402
from textseg.web.visitors.shared import shared_project  # noqa: E402

__all__ = ["build", "serve", "shared_project"]
