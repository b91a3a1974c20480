# `make` alone lists the targets.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

BIN := .venv/bin
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg
COLLECTION := collections/ansible_collections/composeops/stack

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort | expand -t 16

.PHONY: venv
venv: ## Make .venv with the locked toolchain
	@scripts/venv

.PHONY: lock
lock: ## Compile pyproject.toml into requirements.lock
	scripts/lock

.PHONY: demo
demo: venv ## Set up everything on this machine and take the pet-care system to verified production
	@scripts/demo

.PHONY: test
test: venv ## Run every test: lint, types, unit, contract, modules on a real host, the whole system
	$(MAKE) --jobs=2 --output-sync=target lint unit
	$(MAKE) bed-test

.PHONY: bed-test
bed-test: venv ## Run the tests that need real hosts (starts the test bed); GROUPS="edge stack" runs some of them
	$(BIN)/python scripts/bed_test.py $(GROUPS)

.PHONY: unit
unit: venv ## Run the fast tests: pure functions, templates, contracts; seconds, no host
	$(BIN)/pytest -q -m "not bed"

.PHONY: lint
lint: venv ## Lint and type-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(COLLECTION)/plugins molecule/testbed scripts tests/support tests/load tests/faults benchmarks
	$(BIN)/yamllint --strict .
	$(BIN)/shellcheck $$(git ls-files ':!*.j2' | xargs grep -lE '^#!(/usr)?/bin/(env )?(ba)?sh' --)
	$(BIN)/ansible-lint --offline --strict

.PHONY: format
format: venv ## Format the Python code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: docs
docs: venv ## Write the generated pages (docs/variables.md, docs/modules.md)
	$(BIN)/python scripts/generate_docs.py

.PHONY: collection
collection: venv ## Build the collection with its roles into dist/
	scripts/build-collection dist

.PHONY: bed
bed: venv ## Start the test bed (engine, registry, ACME, S3, hosts) and leave it running
	PYTHONPATH=molecule $(BIN)/python -m testbed up

.PHONY: down
down: venv ## Remove exactly what the test bed made on this machine
	PYTHONPATH=molecule $(BIN)/python -m testbed down

.PHONY: benchmarks
benchmarks: venv ## Measure against what a user would take instead (long; see benchmarks/README.md)
	benchmarks/converge/run
	benchmarks/release/run
	benchmarks/backup/run
	benchmarks/edge/run
