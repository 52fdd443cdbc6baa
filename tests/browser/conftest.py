"""A served app and a real Chromium. Every page must stay silent: no console error, no request to another host."""

import re
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from PIL import Image

from tests.browser.labelling import SIZE
from tests.browser.tab import VIEWPORT, Tab
from tests.tiny import noise_photo, tiny_model

if TYPE_CHECKING:
    from textseg.project import Project

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CLOSED: set[str] = set()
"""Addresses of apps that a test has closed: pages that are still open there look for them in vain."""

LOOPBACK = {"127.0.0.1", "localhost", "::1", "0.0.0.0"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)
            if CHROMIUM is None:
                item.add_marker(pytest.mark.skip(reason="chromium is not installed (apt install chromium)"))


@dataclass
class App:
    """The running app and what it did."""

    url: str
    encoded: list[tuple[int, int]] = field(default_factory=list)
    """Sizes of the photos that the encoder has seen."""
    called: set[str] = field(default_factory=set)
    """Hosts that this process has looked up or connected to."""


PORTS: list[int] = []
"""Ports of this worker: the next app takes the first that no app has, for a browser caches by address."""
TAKEN: set[int] = set()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@contextmanager
def port_of_an_app() -> Iterator[int]:
    if TAKEN.issuperset(PORTS):
        PORTS.append(free_port())
    port = next(port for port in PORTS if port not in TAKEN)
    TAKEN.add(port)
    yield port
    TAKEN.discard(port)


@contextmanager
def serving_tiny(port: int | None = None, others: bool = False, **options: object) -> Iterator[str]:
    """The address of an app whose model encodes in a millisecond; `options` are those of `textseg.web.serve`."""
    from textseg import web
    from textseg.web import engine
    from textseg.web.samples import SAMPLES

    with pytest.MonkeyPatch.context() as patch, nullcontext(port) if port else port_of_an_app() as port:
        patch.setattr(engine, "load_model", lambda *_, **__: tiny_model())
        patch.setattr("textseg.web.nouns.Nouns.embed", lambda *_: None)
        if not others:  # words mean nothing to a random model: a thousand others would leave every pixel empty
            patch.setattr("textseg.model.others.of", lambda *_, **__: None)
        patch.setattr("textseg.web.app.SAMPLES", SAMPLES[:1])
        url = f"http://127.0.0.1:{port}/"
        blocks = web.serve(port=port, block=False, **options)  # type: ignore[arg-type]
        CLOSED.discard(url)
        yield url
        CLOSED.add(url)
        blocks.close()


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    from textseg import web
    from textseg.model import Model, Scene
    from textseg.web.nouns import Nouns

    port = free_port()
    app = App(f"http://127.0.0.1:{port}/")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        all_words, encode = Nouns.__init__, Model.encode
        connect, look_up = socket.socket.connect, socket.getaddrinfo

        def few_words(self: Nouns) -> None:
            all_words(self)
            self.words = ["dog", "bridge", "tree", "kitten", "bottle", "car"]

        def counted(self: Model, photo: Image.Image) -> Scene:
            app.encoded.append(photo.size)
            return encode(self, photo)

        def noted_connect(self: socket.socket, address: object) -> None:
            if isinstance(address, tuple):
                app.called.add(str(address[0]))
            return connect(self, address)  # type: ignore[arg-type]

        def noted_look_up(host: object, *rest: object, **named: object) -> object:
            app.called.add(host.decode() if isinstance(host, bytes) else str(host))
            return look_up(host, *rest, **named)  # type: ignore[arg-type]

        patch.setattr(Nouns, "__init__", few_words)
        patch.setattr(Model, "encode", counted)
        patch.setattr(socket.socket, "connect", noted_connect)
        patch.setattr(socket, "getaddrinfo", noted_look_up)
        # The untrained alignment: the same answers whatever head is shipped.
        blocks = web.serve(port=port, head="none", block=False)
        yield app
        blocks.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def tab(chromium) -> Tab:  # type: ignore[no-untyped-def]
    return Tab(chromium)


@pytest.fixture
def new_page(chromium, tab: Tab, request: pytest.FixtureRequest) -> Iterator[Callable[..., object]]:  # type: ignore[no-untyped-def]
    """`new_page(context, **window)`: an empty page that must stay silent.

    The first of a test is the worker's tab; others, and those that ask for more than a viewport, such as `alone=True`,
    have a window of their own, or that of `context`. `expects` is a regular expression of the console errors that the
    test brings about itself.
    """
    opened, complaints, hosts = [], [], set()
    failed_before = request.session.testsfailed

    def new(context=None, expects=None, alone=False, **window):  # type: ignore[no-untyped-def]
        def complain(message) -> None:  # type: ignore[no-untyped-def]
            if message.type != "error" or page.url.startswith(tuple(CLOSED)):
                return
            if not (expects and re.search(expects, message.text)):
                complaints.append(message.text)

        page = tab.take(**window) if context is None and not alone and window.keys() <= {"viewport"} else None
        if page is None:
            if context is None:
                context = chromium.new_context(**({"viewport": VIEWPORT} | window))
                opened.append(context)
            page = context.new_page()
            opened.append(page)
        page.set_default_timeout(90_000)
        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(f"{error}\n{error.stack}"))
        page.on("request", lambda call: hosts.add(urlsplit(call.url).hostname))
        return page

    yield new
    for thing in reversed(opened):
        thing.close()
    if tab.lent:
        if request.session.testsfailed > failed_before:
            tab.spoil()
        tab.give_back()
    assert complaints == []
    assert hosts - {None} <= LOOPBACK


@pytest.fixture
def open_page(app: App, new_page) -> Iterator[Callable[..., object]]:  # type: ignore[no-untyped-def]
    """`open_page(**window)`: the app with its first sample answered."""
    dialogs = []

    def open_(**window):  # type: ignore[no-untyped-def]
        page = new_page(**window)
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        page.goto(app.url)
        page.wait_for_selector(".explore:not(.stale) .classes li")
        return page

    yield open_
    assert dialogs == []


@pytest.fixture
def page(open_page: Callable[..., object]) -> object:
    return open_page()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, "Project"]]:
    """The app with a project of twenty photos and a model that encodes in a millisecond."""
    from textseg.project import Project
    from textseg.vocabulary import Vocabulary

    folder = tmp_path_factory.mktemp("label")
    project = Project.create(folder / "p", Vocabulary.parse("cat, sofa, wall"))
    for seed in range(20):
        noise_photo(*SIZE, seed=seed).save(folder / f"photo{seed:02}.png")
    project.add([folder / f"photo{seed:02}.png" for seed in range(20)])
    with serving_tiny(project=folder / "p") as url:
        yield url, project


@pytest.fixture
def open_photo(served, new_page) -> Callable:  # type: ignore[no-untyped-def,type-arg]
    """`open_photo(id, **window)`: the Label page with this photo in hand; it must stay without complaints."""

    def open_(photo: int, **window):  # type: ignore[no-untyped-def]
        page = new_page(**({"viewport": {"width": 1280, "height": 800}} | window))
        page.goto(f"{served[0]}#label/{photo}")
        page.wait_for_selector(f".labelling[data-photo='{photo}']")
        return page

    return open_


CALLS = re.compile("/component_server/")
"""Addresses of server functions."""


class Held:
    """Calls of one server function that wait in the browser: `release` lets the server hear them."""

    def __init__(self, page, function: str, about: str = "") -> None:  # type: ignore[no-untyped-def]
        self.page, self.routes, self.holding = page, [], True

        def handle(route) -> None:  # type: ignore[no-untyped-def]
            text = route.request.post_data or ""
            if self.holding and f'"fn_name":"{function}"' in text and about in text:
                self.routes.append(route)
            else:
                route.fallback()

        page.route(CALLS, handle)

    def wait(self) -> None:
        """Until one is held."""
        for _ in range(1500):
            if self.routes:
                return
            self.page.wait_for_timeout(20)
        raise AssertionError("the page did not ask")

    def release(self) -> None:
        """Let them go, and wait until all are answered."""
        self.holding = False
        for route in self.routes:
            with self.page.expect_response(lambda response, route=route: response.request == route.request) as answered:
                route.continue_()
            answered.value.finished()
        self.page.evaluate("() => new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")


def begin_visit(page, url: str, words: str) -> None:  # type: ignore[no-untyped-def]
    """A visitor of a Space begins a project of the samples with these words, and has it in front of them."""
    page.goto(f"{url}#label")
    page.fill(".visit-form [data-part=project-words]", words)
    page.click(".visit-form button[type=submit]")
    page.wait_for_selector(".labelling[data-photo] .class-rows li")


def class_names(page) -> list[str]:  # type: ignore[no-untyped-def]
    """The project's classes, as Label lists them."""
    return [name.strip() for name in page.locator(".class-rows .name").all_text_contents()]
