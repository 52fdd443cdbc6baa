"""The app: Gradio's Blocks with one header and one component a page, and how it is served."""

import atexit
import mimetypes
import os
import shutil
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from textseg import __version__
from textseg.errors import TextsegError, UsageError
from textseg.project import Project
from textseg.project.chosen import Chosen
from textseg.project.place import Place
from textseg.shipped import asset
from textseg.users import Users
from textseg.web import pages
from textseg.web.access import Access, current, guarding
from textseg.web.api.export import add_export
from textseg.web.api.project import ProjectApi, add_project
from textseg.web.api.segment import add_segment
from textseg.web.api.tools import add_tools, check_installed, offer_only_tools
from textseg.web.blocks import Pages
from textseg.web.engine import Engine
from textseg.web.gate import LOOPBACK, Gate, known_as
from textseg.web.models import ModelFunctions, of_project
from textseg.web.nouns import Nouns
from textseg.web.pages import Shared
from textseg.web.rpc.page import ASSETS, TOKEN, page, url
from textseg.web.rpc.photos import MAX_FILE_MB
from textseg.web.samples import SAMPLES
from textseg.web.sign_in import SignIn
from textseg.web.visitors import Visitors
from textseg.web.visitors.api import VisitorApi
from textseg.web.visitors.functions import VisitFunctions
from textseg.web.visitors.shared import SharedProject, WhoIsSignedIn

FIRST = ("shared", "shell", "canvas")
"""Folders of `assets/web` whose styles come before those of the pages that stand on them."""

DAY = 24 * 3600
MAX_QUEUED = 32
"""Calls of the named endpoints that may wait; more are refused in a sentence."""
MAX_SESSIONS = 1000


def build(
    backbone: str | None = None,
    head: str | PathLike[str] = "default",
    project: str | Path | Place | None = None,
    local: bool = False,
    proposals: str | None = None,
    readout: str | None = None,
    offered: Sequence[str] = (),
    visitors: Visitors | None = None,
    shared: SharedProject | None = None,
    access: Access | None = None,
    mcp: bool = False,
) -> gr.Blocks:
    """The app as Gradio Blocks. The model loads in the background; the page opens at once and says how far it is.

    `local`: only whoever sits at this machine reaches it, so the page may make and open projects anywhere on it, and
    switch to any model; others switch to those that are `offered`. Where no model is named, it is the one that the
    project remembers, as far as it is on this machine. With `visitors` every visitor has a project of their own, and
    perhaps the `shared` one beside it. `access` says who may do what, None that everybody may. `mcp`: an assistant's
    tools are there too.
    """
    said = (backbone, str(head), proposals, readout) != (None, "default", None, None)
    place = None if project is None else Place.of(project)
    known = of_project(place.folder) if place is not None and not said else None
    chosen = known or Chosen(backbone or "lite", readout, str(head), proposals or "regions")
    engine, nouns = Engine(chosen.backbone, chosen.head, chosen.proposals, chosen.readout), Nouns()
    if visitors is not None:
        api: ProjectApi = VisitorApi(visitors, engine, shared)
        own = {sample.photo().key for sample in SAMPLES}
        visitors.deleted = lambda photos: engine.forget(set(photos) - own)
    else:
        api = ProjectApi(Project(place) if place is not None else None, engine, local)
    api.users = None if access is None else access.users
    all_pages = Shared(engine, api, nouns)
    kept = (3600, DAY) if visitors is None else (600, round(visitors.limits.life))
    shown = Pages(title="textseg", analytics_enabled=False, fill_width=True, delete_cache=kept)
    shown.access = access
    with guarding(access), shown as blocks:
        add_header(all_pages, offered)
        for name in pages.names():
            pages.get(name)(all_pages)
        if shared is not None and shared.open_for == "signed-in":
            gr.LoginButton(visible=False)  # what makes Gradio keep a session of those who sign in
        add_segment(engine)
        add_project(api)
        add_export(api)
        if mcp:
            add_tools(engine, api, nouns)

    def prepare(model: Any) -> None:
        engine.keep(SAMPLES[0].photo())  # so that the first visit is answered at once
        nouns.embed(model)
        for sample in SAMPLES[1:] if visitors is not None else ():  # and every example that strangers try
            engine.keep(sample.photo())

    engine.start(then=prepare)
    return blocks


def add_header(shared: Shared, offered: Sequence[str] = ()) -> None:
    """Add what stands over every page: links to the pages, and how the model is."""

    def status(message: Any) -> dict[str, Any]:
        """How far the model is, and what it costs here."""
        visited = {} if visit is None else {"visit": visit.told()}
        me = current()
        return {
            **shared.engine.status(),
            **chooser.told(),
            **visited,
            "me": None if me is None else {"name": me.name, "role": me.role},
            "nouns": [shared.nouns.done, len(shared.nouns.words)],
        }

    visit = VisitFunctions(shared.api) if isinstance(shared.api, VisitorApi) else None
    chooser = ModelFunctions(shared.engine, shared.api, offered)
    links = [{"name": name, "title": pages.facts(name).title or name} for name in pages.names()]
    first = "label" if shared.api.key is not None else links[0]["name"]
    functions = [status, *chooser.functions, *(visit.functions if visit else [])]
    given = {"version": __version__, "pages": links, "first": first, "visits": visit.given if visit else None}
    page("shell", functions, given)


def page_head() -> str:
    """Styles and modules, named in the page's head so that they load beside Gradio's own."""
    web, names = asset("web"), pages.names()
    folders = [*FIRST, *sorted(names)]
    links = [
        f'<link rel="{rel}" href="{url(path.relative_to(web).as_posix())}">'
        for rel, suffix in (("stylesheet", "css"), ("modulepreload", "js"))
        for folder in folders
        for path in sorted((web / folder).rglob(f"*.{suffix}"))
    ]
    # One page shows at a time: that which the header has put in front, the first one until there is a header.
    hidden = [f'body[data-page]:not([data-page="{names[0]}"]) #{names[0]}-page']
    hidden += [f'body:not([data-page="{name}"]) #{name}-page' for name in names[1:]]
    style = f"<style>{', '.join(hidden)} {{ display: none !important; }}</style>"
    return f'<meta name="textseg-token" content="{TOKEN}">' + style + "".join(links)


def serve(
    host: str = "127.0.0.1",
    port: int = 7860,
    project: str | Path | Place | None = None,
    backbone: str | None = None,
    head: str | PathLike[str] = "default",
    block: bool = True,
    allow_hosts: Sequence[str] = (),
    share_project: bool = False,
    proposals: str | None = None,
    readout: str | None = None,
    offered: Sequence[str] = (),
    visitors: Visitors | None = None,
    shared: SharedProject | None = None,
    users: str | Path | None = None,
    mcp: bool = False,
) -> gr.Blocks:
    """Serve the pages until interrupted (or, without `block`, until the returned Blocks are closed).

    `allow_hosts` are names beside this machine's own by which browsers reach the server, such as a proxy's. A project
    is served beyond this machine only with `share_project`: whoever reaches the pages can then do everything to it.
    `offered` are the models that those who do not sit at this machine may switch to. With a file of `users` people
    sign in, and nobody counts as sitting at this machine. In a Space, and wherever there are `visitors`, each visitor
    has a project of their own. With `mcp`, and in a Space, an assistant has tools at /gradio_api/mcp/. Raises
    TextsegError when the port is taken.
    """
    in_space = "SPACE_ID" in os.environ
    if mcp:
        check_installed()
    mcp = mcp or (in_space and find_spec("mcp") is not None)
    access = None if users is None else Access(Users(users))
    local = host in LOOPBACK and not in_space and not known_as(allow_hosts) and access is None
    if project is not None and not local and not share_project and access is None:
        raise UsageError(
            "Everyone who reaches this server could see, change and download the project, and train in it; "
            "say --share-project if you mean that."
        )
    _keep_private()
    if in_space and project is None and visitors is None and access is None:
        visitors = Visitors()
    if visitors is not None:
        visitors.start()
    blocks = build(
        backbone, head, project, local and visitors is None, proposals, readout, offered, visitors, shared, access, mcp
    )
    blocks.queue(max_size=MAX_QUEUED)
    signs_in = shared is not None and shared.open_for == "signed-in"
    gate = Middleware(Gate, allowed=known_as([host, *allow_hosts]), in_space=in_space, signs_in=signs_in)
    door = [] if access is None else [Middleware(SignIn, access=access)]
    middleware = [gate, *door, Middleware(WhoIsSignedIn)]
    try:
        blocks.launch(
            server_name=host, server_port=port, prevent_thread_lock=True, quiet=True, mcp_server=mcp,
            app_kwargs={"middleware": middleware, "routes": [_assets()]}, **launch_options(),
        )  # fmt: skip
    except OSError:
        raise TextsegError(f"Port {port} of {host} is taken or may not be used; choose another with --port.") from None
    if mcp:
        offer_only_tools(blocks)
    print(f"textseg is on http://{host}:{port}", flush=True)
    if block:
        blocks.block_thread()
    return blocks


def _keep_private() -> None:
    """Uploads and results lie in a folder of this process, which no other user of the machine can read."""
    if not os.environ.get("GRADIO_TEMP_DIR"):
        os.environ["GRADIO_TEMP_DIR"] = folder = tempfile.mkdtemp(prefix="textseg-served-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)


def _assets() -> Mount:
    """Scripts and styles at an address of their own: Gradio's would tell where on the disk they lie."""
    # Browsers refuse a module script of another type, and some systems' tables have another one.
    mimetypes.add_type("text/javascript", ".js")
    return Mount(f"/{ASSETS}", StaticFiles(directory=asset("web")))


def launch_options() -> dict[str, Any]:
    """What the app always runs with: nothing recorded, nothing shared, no links to elsewhere."""
    return {
        "share": False,
        "footer_links": [],
        "run_history": False,
        "enable_monitoring": False,
        "strict_cors": True,
        "state_session_capacity": MAX_SESSIONS,
        "ssr_mode": False,
        "max_file_size": f"{MAX_FILE_MB}mb",
        "favicon_path": asset("web/icon.png"),
        "head": page_head(),
        "theme": gr.themes.Base(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]),
        "blocked_paths": [os.fspath(asset("heads"))],
    }
