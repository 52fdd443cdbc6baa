"""A project's photos as a head sees them: features and regions, made once by whoever needed them first."""

from __future__ import annotations

import torch
from PIL import Image

from textseg.model import Model
from textseg.model.partition import Partition
from textseg.project import Project
from textseg.project.schema import StoredPhoto


class Encodings:
    """Features and regions of a project's photos, for one model's encoder."""

    def __init__(self, project: Project, model: Model) -> None:
        self._project, self._model, self._store = project, model, project.encodings

    def __contains__(self, photo: StoredPhoto) -> bool:
        return self._store.has(photo.sha256, self._model)

    def of(self, photo: StoredPhoto) -> tuple[torch.Tensor, Partition]:
        """((D, h, w) float16 features, the photo's regions); raises PhotoError when its file has vanished."""

        def picture() -> Image.Image:
            return self._project.picture(photo.id)

        features = self._store.features(photo.sha256, self._model)
        if features is None:
            features = self._model.features(picture()).cpu()
            self._store.keep(photo.sha256, self._model, features)
        return features, self._store.regions(photo.sha256, picture)
