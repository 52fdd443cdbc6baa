"""Starts the page: on a desktop (`python app.py`) and in a Hugging Face Space, where each visitor has a project."""

import os
from contextlib import suppress

if os.environ.get("SPACES_ZERO_GPU"):
    with suppress(ImportError):
        import spaces  # noqa: F401  # before torch, whose CUDA it stands in for

from textseg import web

if __name__ == "__main__":
    web.serve(
        shared=web.shared_project(os.environ),
        host=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
        backbone=os.environ.get("TEXTSEG_BACKBONE", "lite"),
    )
