# Gateroom's workshop. `make run` and `make test` need nothing but make and Python 3.11 or newer with venv.
# Everything is installed into .venv, on first use and again when the pins change; `make clean` forgets it.

PYTHON ?= python3
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check install
COMPILE := $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-annotate --no-header $(ARGS)

.DEFAULT_GOAL := help
.PHONY: help run test check fmt openapi bench lock clean

help:
	@echo "make run      serve on http://127.0.0.1:8000 (ARGS=... are options of gateroom serve)"
	@echo "make test     run the tests (ARGS=... are options of pytest)"
	@echo "make check    formatting, lint, types, import rules"
	@echo "make fmt      format, and mend what the linter can"
	@echo "make openapi  write openapi/openapi.json anew"
	@echo "make bench    measure against other servers (ARGS=... are options of gateroom bench)"
	@echo "make lock     pin requirements anew (ARGS=--upgrade takes the newest)"
	@echo "make clean    remove .venv and caches; data in var stays"

run: $(VENV)/.run
	@exec $(BIN)/gateroom serve $(ARGS)

# All of them: several files at a time, one for each processor, then what measures alone. ARGS: in order, in one process.
test: $(VENV)/.dev
	@$(if $(ARGS),$(BIN)/pytest $(ARGS),$(BIN)/pytest -m "not alone" --numprocesses auto --dist loadfile && $(BIN)/pytest -m alone)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict src tests
	$(BIN)/lint-imports

fmt: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

openapi: $(VENV)/.run
	@mkdir -p openapi
	$(BIN)/gateroom openapi > $(VENV)/openapi.json
	mv $(VENV)/openapi.json openapi/openapi.json

bench: $(VENV)/.dev
	@$(BIN)/gateroom bench $(ARGS)

# uv resolves for every Python and platform at once; what it writes installs with pip.
lock: $(VENV)/.lock
	$(COMPILE) pyproject.toml --output-file requirements/run.txt
	$(COMPILE) pyproject.toml --all-extras --constraints requirements/run.txt \
		--output-file requirements/dev.txt
	echo "hatchling>=1.27 editables" | tr " " "\n" | \
		$(COMPILE) - --constraints requirements/dev.txt --output-file requirements/build.txt
	echo "uv" | $(COMPILE) - --output-file requirements/lock.txt

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis build dist
	find src tests examples -name __pycache__ -type d -prune -exec rm -rf {} +

# The package itself is installed editable, built by the pinned hatchling of build.txt: with build isolation pip would
# fetch whatever is newest, without a hash.
$(VENV)/.run: requirements/run.txt requirements/build.txt pyproject.toml $(VENV)/.created
	@echo "Installing what Gateroom needs into $(VENV) ..."
	@$(PIP) --require-hashes -r requirements/run.txt -r requirements/build.txt
	@$(PIP) --no-build-isolation --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/build.txt pyproject.toml $(VENV)/.created
	@echo "Installing what Gateroom and its tests need into $(VENV) ..."
	@$(PIP) --require-hashes -r requirements/dev.txt -r requirements/build.txt
	@$(PIP) --no-build-isolation --no-deps --editable .
	@touch $(VENV)/.run $@

$(VENV)/.lock: requirements/lock.txt $(VENV)/.created
	@$(PIP) --require-hashes -r requirements/lock.txt
	@touch $@

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "$(PYTHON) is not Python 3.11 or newer: install one, then name it: make PYTHON=python3.13" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments: apt-get install python3-venv" >&2; exit 1; }
	@$(PYTHON) -m venv --clear $(VENV)
	@touch $@
