# Everything runs in .venv, made here from what pyproject.toml names: python3 and make are all it takes.
PY := .venv/bin/python
READY := .venv/.ready

.PHONY: run demo test check bench screenshots clean

run: $(READY)  ## the daemon and the dashboard
	.venv/bin/budgettop

demo: $(READY)  ## the same on a built-in fake provider: no key, no cost
	.venv/bin/budgettop --demo

test: $(READY)
	$(PY) -m pytest -n 2 --dist loadfile

check: $(READY)  ## lint, format, types, import rules, tests
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/lint-imports
	.venv/bin/basedpyright
	$(PY) -m pytest -n 2 --dist loadfile

bench: $(READY)  ## budgetd beside nginx in one run; needs nginx and wrk
	$(PY) -m tests.bench
	$(PY) -m tests.bench.guard
	$(PY) -m tests.bench.prices

screenshots: $(READY)  ## screenshots/* from the running program
	$(PY) tests/screenshots.py
	BUDGETD_SCREENSHOTS=screenshots $(PY) -m pytest -q tests/alerts/test_desktop.py -k is_seen

clean:
	rm -rf .venv dist

$(READY): pyproject.toml
	python3 -m venv .venv
	.venv/bin/pip install --quiet --disable-pip-version-check -e '.[dev]'
	touch $@
