"""A hub on 127.0.0.1 that speaks the Hugging Face Hub's protocol: listings, HEAD with ETag and size, ranges."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

COMMIT = "c" * 40
BLOCK = 2**14


class Hub:
    """What it holds, what it was asked for, and how it misbehaves."""

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        """Bytes by repository and file name."""
        self.gated: set[str] = set()
        self.asked: list[tuple[str, str, str]] = []
        """(method, path, range) of each request."""
        self.breaks_after: int | None = None
        """The next file ends, the connection with it, after so many bytes."""
        self.dripping = threading.Event()
        """While it is set, files come block by block and slowly, and never end."""
        self.url, self.cache = "", Path()

    def add(self, repository: str, folder: Path) -> None:
        """Offer the files of a folder."""
        self.files[repository] = {path.name: path.read_bytes() for path in folder.iterdir()}

    def sent(self, name: str) -> list[str]:
        """The ranges in which a file was asked for."""
        return [asked for method, path, asked in self.asked if method == "GET" and path.endswith(f"/{name}")]


@contextmanager
def serving(monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[Hub]:
    """A hub that huggingface_hub takes for its own, with an empty cache."""
    from huggingface_hub import constants

    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def log_message(self, *_: Any) -> None:
            pass

        def answer(self) -> None:
            path = self.path.partition("?")[0]
            hub.asked.append((self.command, path, self.headers.get("Range", "")))
            if listed := re.fullmatch(r"/api/models/([^/]+/[^/]+)(/revision/main|/tree/[^/]+)?", path):
                self.listing(listed[1], (listed[2] or "").startswith("/tree"))
            elif wanted := re.fullmatch(r"/([^/]+/[^/]+)/resolve/[^/]+/(.+)", path):
                self.file(wanted[1], wanted[2])
            else:
                self.refuse(404, "EntryNotFound")

        def refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def listing(self, repository: str, tree: bool) -> None:
            if repository not in hub.files:
                return self.refuse(401, "RepoNotFound")
            files = hub.files[repository]
            told: Any = [{"type": "file", "path": name, "size": len(data), "oid": "0"} for name, data in files.items()]
            if not tree:
                told = {"id": repository, "sha": COMMIT, "siblings": [{"rfilename": name} for name in files]}
            content = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def file(self, repository: str, name: str) -> None:
            if repository not in hub.files:
                return self.refuse(401, "RepoNotFound")
            if repository in hub.gated:
                return self.refuse(403, "GatedRepo")
            if name not in hub.files[repository]:
                return self.refuse(404, "EntryNotFound")
            content = hub.files[repository][name]
            digest = hashlib.sha256(content).hexdigest()
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            start = int(asked[1]) if asked else 0
            self.send_response(206 if asked else 200)
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            self.send_header("ETag", f'"{digest}"')
            self.send_header("X-Linked-ETag", f'"{digest}"')
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            if self.command == "GET":
                self.body(content[start:])

        def body(self, content: bytes) -> None:
            if hub.breaks_after is not None:
                content, hub.breaks_after = content[: hub.breaks_after], None
                self.close_connection = True
            try:
                while len(content) > BLOCK and hub.dripping.is_set():
                    self.wfile.write(content[:BLOCK])
                    content = content[BLOCK:]
                    stop.wait(0.05)
                while hub.dripping.is_set() and not stop.wait(0.05):
                    pass
                self.wfile.write(content)
            except OSError:  # whoever asked has gone
                self.close_connection = True

    stop = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.cache = cache
    hub.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(cache))
    try:
        yield hub
    finally:
        stop.set()
        hub.dripping.clear()
        server.shutdown()
        server.server_close()
