"""What is decided by hand about WordNet's nouns: the lists of tables.yaml."""

from pathlib import Path

import yaml

_tables = yaml.safe_load(Path(__file__).with_name("tables.yaml").read_text(encoding="utf-8"))

ADDED, DROPPED, GENERIC = (frozenset(_tables[name]) for name in ("added", "dropped", "generic"))
