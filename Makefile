# Everything runs in .venv, made here from what pyproject.toml names: Python 3.11 or later and make are all it
# takes.
PY := .venv/bin/python
READY := .venv/.ready
NEW_ENOUGH := -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
# Run and not only looked for: some names on a PATH stand for a Python that is not installed.
PYTHON = $(shell for name in python3 python3.13 python3.12 python3.11; do $$name $(NEW_ENOUGH) && echo $$name && break; done)
TOO_OLD = budgettop needs Python 3.11 or later, and $(or $(shell python3 -V 2>/dev/null),no python3) is what is here

.PHONY: run demo test check bench screenshots clean

run: $(READY)  ## the daemon and the dashboard
	.venv/bin/budgettop

demo: $(READY)  ## the same on a built-in fake provider: no key, no cost
	.venv/bin/budgettop --demo

test: $(READY)
	$(PY) -m pytest -n 3 --dist loadfile

check: $(READY)  ## lint, format, types, import rules, tests
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports
	.venv/bin/basedpyright
	$(PY) -m pytest -n 3 --dist loadfile

bench: $(READY)  ## budgetd beside nginx in one run; needs nginx and wrk
	$(PY) -m tests.bench
	$(PY) -m tests.bench.guard
	$(PY) -m tests.bench.prices
	$(PY) -m tests.bench.lag

screenshots: $(READY)  ## screenshots/* from the running program
	$(PY) tests/screenshots.py
	BUDGETD_SCREENSHOTS=screenshots $(PY) -m pytest -q tests/alerts/test_desktop.py -k is_seen

clean:
	rm -rf .venv dist

$(READY): pyproject.toml
	$(if $(PYTHON),,$(error $(TOO_OLD)))
	@$(PY) $(NEW_ENOUGH) || rm -rf .venv  # one that an older Python made
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@
