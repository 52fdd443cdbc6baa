import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from trainer.confusion import Confusion
from trainer.datasets import UNSCORED

maps = hnp.arrays(np.int32, (3, 5), elements=st.integers(-1, 3))
predictions = hnp.arrays(np.int32, (3, 5), elements=st.integers(0, 4))


@settings(deadline=None)
@given(st.lists(st.tuples(maps, predictions), min_size=1, max_size=4))
def test_scores_equal_a_naive_count_over_the_whole_set(photos: list[tuple[np.ndarray, np.ndarray]]) -> None:
    confusion = Confusion(4)
    for truth, predicted in photos:
        confusion.add(truth, predicted)
    truth = np.concatenate([t[t >= 0] for t, _ in photos])
    predicted = np.concatenate([p[t >= 0] for t, p in photos])
    ious = [
        100 * np.sum((truth == k) & (predicted == k)) / np.sum((truth == k) | (predicted == k))
        for k in range(4)
        if (truth == k).any()
    ]
    assert confusion.miou() == pytest.approx(np.mean(ious) if ious else float("nan"), nan_ok=True)
    right = 100 * np.mean(truth == predicted) if truth.size else float("nan")
    assert confusion.pixel_accuracy() == pytest.approx(right, nan_ok=True)
    assert confusion.photos.tolist() == [sum(bool((t == k).any()) for t, _ in photos) for k in range(4)]


def test_a_class_in_too_few_photos_leaves_the_mean_but_its_mistakes_stay() -> None:
    confusion = Confusion(2)
    confusion.add(np.array([[0, 0, 1, 1]]), np.array([[0, 0, 0, 1]]))
    confusion.add(np.array([[0, 0, 0, 0]]), np.array([[0, 0, 0, 0]]))
    assert confusion.miou() == pytest.approx((100 * 6 / 7 + 50) / 2)
    assert confusion.miou(min_photos=2) == pytest.approx(100 * 6 / 7)


def test_a_word_that_wins_nowhere_in_the_truth_does_not_enter_the_mean() -> None:
    confusion = Confusion(3)
    confusion.add(np.array([[0, 0]]), np.array([[0, 2]]))
    assert confusion.miou() == 50.0


def test_unscored_pixels_may_hold_any_prediction() -> None:
    confusion = Confusion(1)
    confusion.add(np.array([[0, UNSCORED]]), np.array([[0, 1]]))
    assert confusion.pixels.tolist() == [[1, 0]]
