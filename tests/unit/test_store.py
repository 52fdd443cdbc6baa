import pytest
import torch

from trainer.store import ArrayStore


def test_what_is_added_is_read_back_also_by_another_process_later(tmp_path):
    store, late = ArrayStore(tmp_path), ArrayStore(tmp_path)
    value = torch.randn(3, 2).half()
    store.add({"a": value, "b": torch.arange(4)})
    assert torch.equal(store["a"], value) and "a" not in late
    late.refresh()
    assert torch.equal(late["a"], value) and torch.equal(late["b"], torch.arange(4)) and len(late) == 2


def test_two_writers_may_store_the_same_key(tmp_path):
    first, second = ArrayStore(tmp_path), ArrayStore(tmp_path)
    first.add({"a": torch.ones(2), "b": torch.ones(1)})
    second.add({"a": torch.ones(2), "c": torch.ones(1)})
    first.refresh()
    assert len(first) == 3 and torch.equal(first["a"], torch.ones(2))


def test_a_kill_in_the_middle_of_a_write_leaves_nothing_behind_that_counts(tmp_path, monkeypatch):
    store = ArrayStore(tmp_path)
    monkeypatch.setattr("os.fsync", lambda file: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        store.add({"a": torch.ones(2)})
    monkeypatch.undo()
    assert "a" not in ArrayStore(tmp_path)


def test_a_shard_that_a_failing_disk_tore_is_as_good_as_not_there(tmp_path):
    ArrayStore(tmp_path).add({"a": torch.ones(1000)})
    (shard,) = tmp_path.iterdir()
    shard.write_bytes(shard.read_bytes()[:500])
    store = ArrayStore(tmp_path)
    assert "a" not in store
    store.add({"a": torch.ones(3)})
    assert len(ArrayStore(tmp_path)["a"]) == 3


def test_nothing_is_written_for_nothing(tmp_path):
    ArrayStore(tmp_path).add({})
    assert list(tmp_path.iterdir()) == []
