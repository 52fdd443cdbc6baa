import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from textseg.model import dense

sizes = st.tuples(st.integers(1, 90), st.integers(1, 90))


@settings(deadline=None)
@given(st.integers(1, 6), st.tuples(st.integers(1, 9), st.integers(1, 9)), sizes, st.integers(0, 99))
def test_streamed_arg_max_equals_upsampling_everything(words, grid_size, size, seed):
    grid = torch.randn(words, *grid_size, generator=torch.Generator().manual_seed(seed))
    naive = dense.upsample(grid, size).argmax(0) + 1
    streamed, _ = dense.label(grid, size)
    assert (torch.from_numpy(streamed) == naive).all()


def test_rows_come_in_bounded_blocks(monkeypatch):
    monkeypatch.setattr(dense, "BLOCK_BYTES", 4 * 5 * 40 * 7)  # at least seven rows of at most five words
    blocks = [rows for rows, _, _ in dense.winners(torch.ones(5, 2, 6), (50, 40))]
    assert max(rows.stop - rows.start for rows in blocks) == 7
    assert sorted(y for rows in blocks for y in range(rows.start, rows.stop)) == list(range(50))


def test_many_words_need_two_bytes_an_id():
    ids, _ = dense.label(torch.eye(300)[:, None], (1, 300))
    assert ids.dtype.itemsize == 2 and ids.tolist() == [list(range(1, 301))]


def test_thresholds_and_background_words_give_zero_but_keep_the_score():
    grid = torch.tensor([[[0.9, 0.2, 0.1]], [[0.1, 0.1, 0.6]]])
    ids, score = dense.label(grid, (1, 3), torch.tensor([0.5, -torch.inf]), torch.tensor([True, False]))
    assert ids.tolist() == [[1, 0, 0]]
    assert score.tolist() == [[round(0.9 * 255), round(0.2 * 255), round(0.6 * 255)]]


@pytest.mark.parametrize("size", [(1, 1), (3, 3)])
def test_the_first_word_wins_a_tie(size):
    ids, _ = dense.label(torch.zeros(3, 1, 1), size)
    assert set(ids.ravel().tolist()) == {1}
