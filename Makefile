# make app    set up, then serve the page on http://127.0.0.1:7860
# make test   set up, then run the linters and every test
# make venv   set up only: .venv with everything in it
# make docs   set up with the extra [docs], then build the documentation site into site/
# make release            wheel and sdist in dist/, checked; VERSION=0.2.0 cuts that version first
# make test-versions      every test but the browser's with the oldest and the newest versions allowed (slow)
# make space  set up, then build the Space, install it in an environment of its own, and click through it there
# make fuzz   set up, then try mutated input at every door for ten minutes (MINUTES=2 for less)

# The first Python that is new enough; PYTHON=... chooses another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
READY := .venv/ready
# pip shows its progress on a terminal only.
QUIET := $(if $(MAKE_TERMOUT),,--quiet)

# Two things at once: packages of Debian while pip installs, TypeScript while mypy reads.
MAKEFLAGS += --jobs=2

.PHONY: app test test-versions venv docs release lint python types chromium postgres fuzz space clean
.DEFAULT_GOAL := app

app: $(READY)
	$(BIN)/textseg serve

test: $(READY) chromium postgres lint
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

venv: $(READY)

lint: python types

python: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

# The JSDoc types of the pages' JavaScript, checked by a pinned TypeScript; without npm only this is left out.
types:
	@if [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund --loglevel=error; \
	then npx --no-install tsc --project tsconfig.json; \
	else echo "The types of the pages' JavaScript are not checked, as npm is missing or could not install TypeScript." >&2; fi

$(READY): requirements.txt pyproject.toml setup.py
	@$(or $(PYTHON),false) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "textseg needs Python 3.11 or newer; install it, or name it: make PYTHON=/path/to/python3" >&2; \
		exit 1; }
	@echo "Setting up .venv; the first time this takes a few minutes and, on Linux, about 7 GB."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv || { \
		echo "Python's venv module is missing; on Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@# Modules are compiled when they are first imported, and most never are.
	$(BIN)/python -m pip install $(QUIET) --disable-pip-version-check --no-compile -e '.[train,formats,dev]'
	@touch $@

# The browser tests drive Debian's chromium; where it cannot be installed they are skipped and say so.
chromium:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && { \
		echo "Installing chromium for the browser tests."; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; }; } \
		|| echo "chromium could not be installed: the browser tests will be skipped."

# The tests of projects in a database start Debian's PostgreSQL, each run its own; where it is not there they say so.
# After chromium, as one installation of packages locks out the other.
postgres: chromium
	@ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || command -v initdb >/dev/null || { \
		[ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && { \
		echo "Installing postgresql for the tests of projects in a database."; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq postgresql >/dev/null; }; } \
		|| echo "postgresql could not be installed: the tests of projects in a database will be skipped."

# Strict: a link that leads nowhere, or a page outside the navigation, ends it. The site loads nothing from other hosts.
docs: $(READY)
	$(BIN)/python -m pip install $(QUIET) --disable-pip-version-check -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "The site is in site/; open site/index.html."

release: $(READY)
	$(BIN)/python -m pip install $(QUIET) --disable-pip-version-check -e '.[release]'
	$(if $(VERSION),$(BIN)/python .ci/release.py cut $(VERSION))
	$(BIN)/python .ci/release.py check

test-versions: $(READY)
	$(BIN)/python -m pip install $(QUIET) --disable-pip-version-check -e '.[release]'
	$(BIN)/python .ci/versions.py test oldest
	$(BIN)/python .ci/versions.py test newest

fuzz: $(READY)
	$(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),10)

space: $(READY) chromium
	rm -rf build/space build/space-venv
	$(BIN)/textseg space build build/space
	$(PYTHON) -m venv build/space-venv
	build/space-venv/bin/pip install $(QUIET) --disable-pip-version-check -r build/space/requirements.txt
	SPACE_PYTHON=$(CURDIR)/build/space-venv/bin/python $(BIN)/pytest tests/browser/test_space.py
	$(BIN)/python -m benchmarks.space --python build/space-venv/bin/python

clean:
	rm -rf .venv .venv-oldest .venv-newest node_modules build dist site *.egg-info
