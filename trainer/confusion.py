"""Pixels counted over a labelled photo set: how many are right, and how many of those that were sure of it.

True positives, predicted and labelled area are summed per class over the whole set, at each photo's own resolution, on
the pixels that are scored; IoU = TP / (predicted + labelled - TP), and mIoU is the mean over the classes that occur in
the ground truth. (IoU of single photos is never averaged; a class that occurs nowhere in the ground truth has no IoU.)
"""

import numpy as np

from trainer.datasets import UNSCORED


class Confusion:
    """Pixels by (class in the ground truth, class predicted), summed over photos; the last column is "none"."""

    def __init__(self, classes: int) -> None:
        self.pixels = np.zeros((classes, classes + 1), np.int64)
        self.photos = np.zeros(classes, np.int64)
        """In how many photos each class occurs."""

    def add(self, truth: np.ndarray, predicted: np.ndarray) -> None:
        """Count one photo: (H, W) class indices, UNSCORED in `truth` where a pixel is not scored."""
        scored = truth != UNSCORED
        rows, columns = self.pixels.shape
        cells = truth[scored].astype(np.int64) * columns + predicted[scored]
        counts = np.bincount(cells, minlength=rows * columns).reshape(rows, columns)
        self.pixels += counts
        self.photos += counts.any(1)

    def counted(self, min_photos: int = 1) -> np.ndarray:
        """(K,) whether each class occurs in the ground truth of at least `min_photos` photos."""
        return self.photos >= max(1, min_photos)

    def iou(self) -> np.ndarray:
        """(K,) IoU in per cent; NaN for a class that neither occurs nor is predicted."""
        correct = self.pixels.diagonal()
        union = self.pixels.sum(1) + self.pixels[:, :-1].sum(0) - correct
        return 100 * np.divide(correct, union, out=np.full(len(correct), np.nan), where=union > 0)

    def miou(self, min_photos: int = 1) -> float:
        """Mean IoU in per cent over the counted classes; NaN when there are none."""
        counted = self.counted(min_photos)
        return float(self.iou()[counted].mean()) if counted.any() else float("nan")

    def pixel_accuracy(self) -> float:
        """Per cent of the scored pixels that are right."""
        total = self.pixels.sum()
        return float(100 * self.pixels.trace() / total) if total else float("nan")


class Reliability:
    """Pixels by the probability they were given, to compare with how many of them are right."""

    bins = 15

    def __init__(self) -> None:
        self.pixels, self.right, self.told = (np.zeros(self.bins) for _ in range(3))

    def add(self, truth: np.ndarray, predicted: np.ndarray, certainty: np.ndarray) -> None:
        """Count one photo: (H, W) class indices, UNSCORED in `truth` where a pixel is not scored; probabilities."""
        scored = truth != UNSCORED
        told = certainty[scored].astype(np.float64)
        at = np.minimum((told * self.bins).astype(np.intp), self.bins - 1)
        self.pixels += np.bincount(at, minlength=self.bins)
        self.right += np.bincount(at, truth[scored] == predicted[scored], self.bins)
        self.told += np.bincount(at, told, self.bins)

    def ece(self) -> float:
        """Expected calibration error (Guo et al., ICML 2017), 0..1: the mean distance of told and true."""
        total = self.pixels.sum()
        return float(np.abs(self.right - self.told).sum() / total) if total else float("nan")
