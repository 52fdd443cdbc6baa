"""What the recipe knows of words: the tables of words.yaml."""

from pathlib import Path

import yaml

_tables = yaml.safe_load(Path(__file__).with_name("words.yaml").read_text(encoding="utf-8"))

PERSON = frozenset(_tables["person"])
IMPLIED: dict[str, list[str]] = _tables["implied"]
ALSO_CALLED: dict[str, list[str]] = _tables["also_called"]
STUFF: list[str] = _tables["stuff"]
ABOVE, BELOW = frozenset(_tables["above"]), frozenset(_tables["below"])
UNTAUGHT = frozenset(_tables["untaught"])
