"""A Space without a GPU of its own asks for one for single calls: here from a stand-in for the package that lends."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from tests.tiny import noise_photo, tiny_model
from textseg.model import Scene
from textseg.web import engine, zerogpu
from textseg.web.engine import Engine
from textseg.web.rpc.photos import UploadedPhoto


class Spaces(ModuleType):
    """Lends nothing: notes for how long it was asked, and that what comes back could leave the process."""

    def __init__(self) -> None:
        super().__init__("spaces")
        self.asked: list[int] = []

    def GPU(self, task, duration):  # noqa: N802
        import pickle

        def call(*arguments):
            self.asked.append(duration(*arguments))
            return pickle.loads(pickle.dumps(task(*pickle.loads(pickle.dumps(arguments)))))

        return call


@pytest.fixture
def spaces(monkeypatch):
    stand_in = Spaces()
    monkeypatch.setitem(sys.modules, "spaces", stand_in)
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    return stand_in


@pytest.fixture
def devices(monkeypatch):
    asked = []

    def load(name, head, device=None, readout=None):
        asked.append(device)
        return tiny_model()

    monkeypatch.setattr(engine, "load_model", load)
    return asked


def photo(seed: int) -> UploadedPhoto:
    import io

    buffer = io.BytesIO()
    noise_photo(60, 40, seed=seed).save(buffer, "PNG")
    return UploadedPhoto("p.png", buffer.getvalue())


def test_nothing_is_lent_elsewhere(monkeypatch, devices):
    monkeypatch.setitem(sys.modules, "spaces", Spaces())
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert zerogpu.lender() is None


def test_the_twin_is_on_cuda_before_the_pages_are_and_the_rest_on_the_cpu(spaces, devices):
    Engine().start(lambda model: None)
    assert devices[:2] == ["cpu", "cuda"]  # in this thread, before start returns


def test_a_photo_is_encoded_by_what_is_lent_and_answers_as_ever(spaces, devices):
    lent = Engine()
    lent.start(lambda model: None)
    scene = lent.scene(photo(1))
    assert isinstance(scene, Scene) and len(spaces.asked) == 1
    alone = tiny_model().encode(photo(1).open())
    assert scene.embedding.allclose(alone.embedding, atol=0.02)
    lent.scene(photo(1))
    assert len(spaces.asked) == 1  # encoded once


def test_it_asks_for_as_long_as_it_has_taken(spaces, devices, monkeypatch):
    ticks = iter([0.0, 0.5, 10.0, 40.0, 50.0, 150.0, 200.0, 201.0])
    gpu = zerogpu.LentGpu(tiny_model(), spaces)
    monkeypatch.setattr(zerogpu, "time", SimpleNamespace(monotonic=lambda: next(ticks)))
    for seed in range(4):
        gpu.features(noise_photo(60, 40, seed=seed))
    assert spaces.asked == [zerogpu.FIRST, zerogpu.LEAST, 61, zerogpu.MOST]
