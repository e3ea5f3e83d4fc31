# What there is to do here; `make` alone lists it. A new target that is to be listed gets a
# `## what it does`, needs `setup` if it runs anything of ours, and stands in .PHONY.

.DEFAULT_GOAL := help
.PHONY: help setup demo run test bench chaos mutate audit docs clean distclean
.PHONY: lint lint-python lint-types lint-imports lint-sql lint-sql-rebuild lint-dbt lint-house

VENV := .venv
BIN := $(VENV)/bin
# The first of these that is new enough makes the environment; PYTHON=... says which.
PYTHONS := $(or $(PYTHON),python3.11 python3.12 python3.13 python3 python)
IS_FIT := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))
# The installer is the lock's own, with its hashes, so that two machines set up alike.
UV := sed -n '/^uv==/,/[^\\]$$/p' requirements.lock
# Trust what the machine's own tools trust: pip does, and a company's index may need it.
export UV_SYSTEM_CERTS := 1
# Says for which folder the environment was made whole: in another one its commands would not start.
STAMP := $(VENV)/.made-for
ELSEWHERE := $(shell [ "$$(cat $(STAMP) 2>/dev/null)" = "$(CURDIR)" ] || echo elsewhere)
.PHONY: elsewhere

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  make %-10s %s\n", $$1, $$2 }'

setup: $(STAMP) ## Create the environment in .venv from requirements.lock
	@:

$(STAMP): requirements.lock pyproject.toml $(ELSEWHERE)
	@if [ -n "$(ELSEWHERE)" ] || ! $(BIN)/python -c '$(IS_FIT)' 2>/dev/null; then \
		python=; \
		for candidate in $(PYTHONS); do \
			if "$$candidate" -c '$(IS_FIT)' 2>/dev/null; then python="$$candidate"; break; fi; \
		done; \
		if [ -z "$$python" ]; then \
			echo "make: Python 3.11 to 3.13 is needed, and none was found as: $(PYTHONS). Name one: make PYTHON=/path/to/python3.11" >&2; \
			exit 1; \
		fi; \
		if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
			echo "make: $$python has no venv module: install it (Debian: apt-get install python3-venv), or name another: make PYTHON=..." >&2; \
			exit 1; \
		fi; \
		echo "Making $(VENV) with $$("$$python" --version), from requirements.lock ..."; \
		"$$python" -m venv --clear $(VENV); \
		$(UV) > $(VENV)/uv.lock && \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes --only-binary :all: -r $(VENV)/uv.lock; \
	else \
		echo "Bringing $(VENV) up to requirements.lock ..."; \
	fi && \
	export VIRTUAL_ENV="$(CURDIR)/$(VENV)" && \
	$(BIN)/uv pip sync --quiet --require-hashes --no-build requirements.lock && \
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable . && \
	printf '%s\n' "$(CURDIR)" > $@

demo: setup ## Run three cycles over a simulated market, and show the result
	@$(BIN)/p2p demo

run: setup ## Run one cycle over the real market
	@$(BIN)/p2p run

# One more than there are cores: now and then every test waits for processes of its own.
WORKERS = $(shell n=$$(($$(getconf _NPROCESSORS_ONLN) + 1)); echo $$((n < 4 ? n : 4)))

test: setup ## Run the tests: all of them, or make test TESTS=tests/load
	@$(BIN)/pytest -q --durations=10 --numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder $(TESTS)

lint: lint-python lint-types lint-imports lint-sql lint-sql-rebuild lint-dbt lint-house ## Check style, types, imports, SQL, the dbt project, the lock file and tests/house

lint-python: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check

lint-types: setup
	$(BIN)/mypy

lint-imports: setup
	$(BIN)/lint-imports --no-logo --no-cache

SQLFLUFF := $(BIN)/python .ci/lint_sql.py lint --disable-progress-bar --processes 2

# The models as an incremental run renders them, then as a full rebuild does. In the latter LT02 and
# ST03 stay out: what the branch not taken leaves stands at odd indents, what only it read, unread.
lint-sql: setup
	$(SQLFLUFF) dbt_project

lint-sql-rebuild: setup
	DBT_LINT_REBUILD=1 $(SQLFLUFF) --exclude-rules ST06,LT02,ST03 dbt_project/models/marts

lint-dbt: setup
	$(BIN)/dbt --quiet --warn-error parse --no-partial-parse

lint-house: setup
	$(BIN)/pytest -q tests/house

bench: setup ## Measure the cost of a cycle over 50,000 offers, into bench/latest.json (minutes)
	@$(BIN)/python -m bench

chaos: setup ## Kill the pipeline a hundred times and audit its data: make chaos KILLS=100 SEED=1
	@$(BIN)/python -m chaos --kills $(or $(KILLS),100) --seed $(or $(SEED),1)

mutate: setup ## Mutation-test the models: make mutate MODELS=... MUTANTS=20 SEED=1 LEVEL=units
	@$(BIN)/python -m mutate --mutants $(or $(MUTANTS),20) --seed $(or $(SEED),1) --level $(or $(LEVEL),units) $(MODELS)

audit: setup ## Check the locked packages for known vulnerabilities (needs a network)
	@.ci/audit

docs: setup ## Build the documentation of tables and checks
	@$(BIN)/p2p docs

clean: ## Remove caches and build output; keep the environment, .env and the warehouse
	rm -rf target logs dbt_packages .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache *.egg-info
	find . \( -path ./$(VENV) -o -path ./.p2p -o -path ./.git \) -prune -o -type d -name __pycache__ -exec rm -rf {} +

distclean: clean ## Remove the environment too; keep .env and the warehouse
	rm -rf $(VENV)
