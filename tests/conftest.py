"""What every test stands on: no network, no telemetry, one thread a worker, and one model for all."""

import os
import shutil

# Set before torch, gradio or huggingface_hub are imported, and inherited by the commands that tests start.
os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from tests.postgres import Cluster, Places
    from textseg.model import Model


MEMORY_DISK = "/dev/shm"


def pytest_configure() -> None:
    """Temporary folders lie in memory where there is room: a project is written through to the disk at every step."""
    if os.access(MEMORY_DISK, os.W_OK) and shutil.disk_usage(MEMORY_DISK).free > 4e9:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY_DISK)


@pytest.fixture(scope="session")
def lite() -> "Model":
    """The embedded backbone with its untrained alignment: the same answers whatever head is shipped."""
    from textseg.model import load_model

    return load_model("lite", head="none")


@pytest.fixture(scope="session")
def cluster() -> "Iterator[Cluster]":
    """A PostgreSQL server of this run; where there can be none, the tests that want it are skipped and say why."""
    from tests.postgres import Cluster

    try:
        running = Cluster()
    except RuntimeError as error:
        pytest.skip(str(error))
    yield running
    running.stop()


@pytest.fixture(params=["sqlite", "postgres"])
def places(request: pytest.FixtureRequest, tmp_path: Path) -> "Places":
    """`places("p")`: where a new project called p may lie, once in a folder and once in a database."""
    from tests.postgres import Places

    cluster = request.getfixturevalue("cluster") if request.param == "postgres" else None
    return Places(request.param, tmp_path, cluster)


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def all_places(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> "Places":
    """As `places`, for property tests, each example of which wants a project of its own."""
    from tests.postgres import Places

    cluster = request.getfixturevalue("cluster") if request.param == "postgres" else None
    return Places(request.param, tmp_path_factory.mktemp("places"), cluster)


@pytest.fixture(scope="session")
def sample() -> Callable[[str], Image.Image]:
    """Photos that scikit-image ships: `sample("chelsea")` (a cat), "astronaut", "coffee", "rocket"."""
    from skimage import data

    return lambda name: Image.fromarray(getattr(data, name)()).convert("RGB")


@pytest.fixture(scope="session")
def cat_photo(sample: Callable[[str], Image.Image], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A JPEG file of a cat, 451 x 300."""
    path = tmp_path_factory.mktemp("photos") / "cat.jpg"
    sample("chelsea").save(path, quality=95)
    return path


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How long each layer took, over all workers, and its slowest test."""
    layers: dict[str, list[tuple[float, str]]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                layers.setdefault("/".join(report.nodeid.split("/")[:2]), []).append((report.duration, report.nodeid))
    if layers:
        terminalreporter.section("time by layer")
    for layer, times in sorted(layers.items()):
        seconds, name = max(times)
        total = sum(duration for duration, _ in times)
        terminalreporter.line(f"{layer:<16} {total:8.1f} s   slowest: {name.rpartition('/')[2]} {seconds:.1f} s")
