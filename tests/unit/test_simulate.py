"""Simulated people: where they click next, and how a label map gets right gesture by gesture."""

import numpy as np
import pytest

from tests.tiny import noise_photo
from textseg.proposals import load_proposer
from trainer.simulate import Target, agreement, click_through, correct, next_click

HALVES = np.where(np.arange(60) < 30, 1, 2) * np.ones((40, 1), int)


def test_the_next_click_lies_in_the_middle_of_what_is_missed_then_of_what_is_too_much() -> None:
    truth = np.zeros((40, 60), bool)
    truth[10:31, 10:31] = True
    target = Target(truth, np.ones_like(truth))
    assert next_click(np.zeros_like(truth), target) == (20, 20, 1)
    everything = np.ones_like(truth)
    x, y, label = next_click(everything, target)
    assert label == -1 and not truth[y, x]
    assert next_click(truth, target) is None


def test_clicks_end_at_the_goal() -> None:
    truth = np.zeros((40, 60), bool)
    truth[10:31, 10:31] = True
    assert click_through(lambda points: truth, Target(truth, np.ones_like(truth)), goal=0.9) == [1.0]


def test_agreement_counts_scored_pixels_alone() -> None:
    truth = HALVES.copy()
    truth[:, :15] = -1
    assert agreement(np.full_like(truth, 2), truth) == pytest.approx(2 / 3)


def test_strokes_stay_within_their_class_and_end_at_the_goal() -> None:
    actions = list(correct(np.zeros_like(HALVES), HALVES, goal=0.9))
    assert {action.tool for action in actions} == {"brush"} and all(action.length >= 0 for action in actions)
    assert [action.agreement for action in actions] == sorted(action.agreement for action in actions)
    assert actions[-1].agreement >= 0.9 > actions[-2].agreement


def test_one_click_on_the_right_unit_does_what_strokes_take_long_for() -> None:
    photo = noise_photo(60, 40, seed=3)
    blocks = np.asarray(load_proposer("regions").open(photo).hierarchy(5, 5)[0].to_array())
    truth = np.where(blocks, 1, 0)
    actions = list(correct(np.zeros_like(truth), truth, load_proposer("regions").open(photo), goal=1.0))
    assert [action.tool for action in actions] == ["unit"]


def test_nothing_wrong_takes_nothing() -> None:
    assert list(correct(HALVES, HALVES)) == []
