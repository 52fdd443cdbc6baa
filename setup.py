"""Everything is in pyproject.toml; this only lays `assets` into the wheel (docs/adr/001-assets.md)."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithAssets(build_py):
    """Copies `assets` to `textseg/assets`; an editable install reads them from the checkout."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            shutil.copytree("assets", Path(self.build_lib, "textseg", "assets"), dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithAssets})
