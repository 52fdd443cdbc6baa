"""What was encoded stays encoded: features on disk, for all processes, bounded, never another encoder's."""

import os
from multiprocessing import get_context

import numpy as np
import pytest
import torch

from tests.tiny import TinyBackbone, noise_photo
from textseg.errors import PhotoError
from textseg.model import Model, load_model
from textseg.model.encodings import EncodingStore, encoder

SHA = "ab" * 32


def photo():
    return noise_photo(seed=1)


def nothing():
    raise AssertionError("the photo was opened")


@pytest.fixture
def model():
    return load_model(TinyBackbone(), "none")


@pytest.fixture
def store(tmp_path):
    return EncodingStore(tmp_path / "features")


def files(store):
    return {path.stem for path in store.folder.rglob("*.safetensors")}


def test_a_photo_is_encoded_once_and_answers_alike_from_disk(store, model):
    first = store.scene(SHA, model, photo)
    again = EncodingStore(store.folder).scene(SHA, load_model(TinyBackbone(), "none"), photo)
    assert model.backbone.encoded == 1 and again.model.backbone.encoded == 0
    assert torch.equal(first.features, again.features)
    torch.testing.assert_close(first.embedding, again.embedding, atol=2e-3, rtol=0)


def test_a_photo_that_cannot_be_opened_leaves_nothing(store, model):
    def torn():
        raise PhotoError("torn")

    with pytest.raises(PhotoError):
        store.scene(SHA, model, torn)
    assert not files(store) and not store.has(SHA, model)


@pytest.mark.parametrize(
    "change", [{"name": "tiny?stride=4"}, {"weights_hash": "f" * 16}, {"short_side": 32}, {"window": 32}]
)
def test_other_weights_readouts_and_sizes_are_another_encoder(store, model, change):
    store.scene(SHA, model, photo)
    backbone = TinyBackbone()
    for name, value in change.items():
        setattr(backbone, name, value)
    other = load_model(backbone, "none")
    assert encoder(other) != encoder(model) and store.features(SHA, other) is None


def test_a_heads_own_sizes_are_part_of_the_encoder_and_its_weights_are_not(model):
    def with_sizes(sizes):
        head = TinyBackbone().alignment()
        head.sizes = sizes
        return Model(model.backbone, head, "none")

    assert encoder(with_sizes(((32, 1.0),))) != encoder(model)
    assert encoder(with_sizes(((32, 0.5), (64, 0.5)))) != encoder(with_sizes(((32, 0.3), (64, 0.7))))
    trained = with_sizes(())
    torch.nn.init.zeros_(trained.head.project.weight)
    assert encoder(trained) == encoder(model) and trained.fingerprint != model.fingerprint


@pytest.mark.parametrize("damage", [b"", b"\x08\0\0\0", None])
def test_a_torn_file_is_ignored_and_written_anew(store, model, damage):
    store.scene(SHA, model, photo)
    (path,) = store.folder.rglob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-7] if damage is None else damage)
    assert store.features(SHA, model) is None
    store.scene(SHA, model, photo)
    assert model.backbone.encoded == 2 and store.features(SHA, model) is not None


def test_the_bound_holds_and_what_was_used_longest_ago_leaves(store, model):
    features = model.features(photo())
    store.keep("a", model, features)
    size = next(store.folder.rglob("*.safetensors")).stat().st_size
    store.max_bytes = 3 * size
    for place, name in enumerate(("b", "c")):
        store.keep(name, model, features)
        os.utime(next(store.folder.rglob(f"{name}.safetensors")), ns=(place + 2, place + 2))
    os.utime(next(store.folder.rglob("a.safetensors")), ns=(1, 1))
    assert store.features("a", model) is not None  # asked for just now: b is the oldest
    store.keep("d", model, features)
    assert files(store) == {"a", "c", "d"}
    store.max_bytes = 1
    store.keep("e", model, features)
    assert files(store) == {"e"}


def test_regions_are_found_once_for_all_encoders(store):
    found = store.regions(SHA, photo)
    again = store.regions(SHA, nothing)
    assert len(found.layers) == len(again.layers) and np.array_equal(found.ids, again.ids)


def test_a_full_disk_costs_time_only(store, model, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("textseg.model.encodings.write_atomically", full)
    assert store.scene(SHA, model, photo).grid == (8, 12) and not files(store)
    monkeypatch.undo()
    monkeypatch.setattr("textseg.model.encodings.SPARE_DISK", 2**62)
    assert store.scene(SHA, model, photo).grid == (8, 12) and not files(store)


def write_many(folder, seed):
    store, model = EncodingStore(folder, 40_000), load_model(TinyBackbone(), "none")
    for i in range(20):
        store.scene(f"{(i + seed) % 7}", model, photo)


def test_two_writers_share_a_folder(store, model):
    writers = [get_context("spawn").Process(target=write_many, args=(store.folder, seed)) for seed in (0, 3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(120)
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert not list(store.folder.rglob("*.partial")) and files(store)
    expected = model.features(photo())
    assert all(torch.equal(store.features(name, model), expected) for name in files(store))
    assert sum(path.stat().st_size for path in store.folder.rglob("*.safetensors")) <= 40_000
