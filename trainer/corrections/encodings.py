"""A project's photos as a head sees them: features and regions, made once by whoever needed them first.

Of a huge photo they are those of its tiles.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from PIL import Image

from textseg.model import Model
from textseg.model.partition import Partition
from textseg.project import Project
from textseg.project.schema import StoredPhoto
from textseg.pyramids import plan
from trainer.corrections.areas import Area


class Encodings:
    """Features and regions of a project's photos, for one model's encoder."""

    def __init__(self, project: Project, model: Model) -> None:
        self._project, self._model, self._store = project, model, project.encodings

    def __contains__(self, photo: StoredPhoto) -> bool:
        return self._store.has(photo.sha256, self._model)

    def of(self, photo: StoredPhoto) -> tuple[torch.Tensor, Partition]:
        """((D, h, w) float16 features, the photo's regions); raises PhotoError when its file has vanished."""
        return self._of(photo.sha256, lambda: self._project.picture(photo.id))

    def of_area(self, photo: StoredPhoto, area: Area) -> tuple[torch.Tensor, Partition]:
        """The same of a tile of a huge photo."""

        def picture() -> Image.Image:
            with self._project.pyramid(photo.id) as pyramid:
                return plan.picture(pyramid, area.box, area.scale)

        return self._of(f"{photo.sha256}-{area.key}", cache(picture))

    def _of(self, key: str, picture: Callable[[], Image.Image]) -> tuple[torch.Tensor, Partition]:
        features = self._store.features(key, self._model)
        if features is None:
            features = self._model.features(picture()).cpu()
            self._store.keep(key, self._model, features)
        return features, self._store.regions(key, picture)
