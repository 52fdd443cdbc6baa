"""Starts the page: on a desktop (`python app.py`) and in a Hugging Face Space."""

import os

from textseg import web

if __name__ == "__main__":
    web.serve(
        host=os.environ.get("GRADIO_SERVER_NAME", "127.0.0.1"),
        port=int(os.environ.get("GRADIO_SERVER_PORT", "7860")),
        backbone=os.environ.get("TEXTSEG_BACKBONE", "lite"),
    )
