# `make help` lists the targets. Everything runs inside .venv, which the first target makes.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: agreement help paper test lint check contracts docs halts tokens sim mutants lock clean
.PHONY: chaos powercut load

# A run is a dozen processes, and each would compile everything that it imports.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MEMBERS := $(sort $(wildcard mts1b-*/pyproject.toml))
SOURCES := $(MEMBERS:/pyproject.toml=/src)
BENCHMARKS := $(wildcard benchmarks mts1b-*/benchmarks)
# The slowest folders first, so that the two workers end together.
TESTS := $(wildcard tests/wheels tests/integration tests/docs tests/contracts tests/proof tests/halts tests/guarantees) \
         $(sort $(wildcard mts1b-*/tests))

help: ## Show this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
	    while IFS='|' read -r name text; do printf '  make %-10s %s\n' "$$name" "$$text"; done

paper: $(READY) ## Set up, then trade the sample tape on paper, end to end
	@$(BIN)/mts paper

test: check ## Set up, then run all checks and all tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(TESTS)

lint: $(READY) ## Check style, formatting and types
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check . || { echo "not formatted; run: $(BIN)/ruff format ." >&2; exit 1; }
	@$(BIN)/mypy --no-error-summary $(SOURCES) tools $(BENCHMARKS)

contracts: $(READY) ## Check the architecture
	@$(BIN)/python -m tools.contracts

check: lint contracts ## Check style, types and the architecture; run no tests

docs: $(READY) ## Run every snippet and check every link of the documentation
	@$(BIN)/python -m pytest tests/docs

halts: $(READY) ## Race halts against orders: RACES=10000
	@$(BIN)/python -m tools.halts.races --races $(or $(RACES),10000)
	@$(BIN)/python -m tools.halts.latency --runs $(or $(RUNS),30)

chaos: $(READY) ## Kill -9 real processes under load, then count: CYCLES=1000
	@$(BIN)/python -m tools.proof.chaos --cycles $(or $(CYCLES),1000) --seed $(or $(SEED),1)
	@$(BIN)/python -m tools.proof.recovery

powercut: $(READY) ## Cut the power of the store at random moments: IMAGES=5000
	@$(BIN)/python -m tools.proof.powercut --images $(or $(IMAGES),5000)

load: $(READY) ## Measure latency from intent to the wire at 500 orders/s: MINUTES=2
	@$(BIN)/python -m tools.proof.load --minutes $(or $(MINUTES),2) --rate $(or $(RATE),500)

sim: $(READY) ## Simulate the order path under faults: SEEDS=1..1000, LOG=file to stop and go on
	@$(BIN)/mts sim sweep --seeds $(or $(SEEDS),1..1000) $(if $(LOG),--log $(LOG))

mutants: $(READY) ## Plant a fault at a time in the order path and see seeds find it
	@$(BIN)/mts sim mutants

tokens: $(READY) ## Attack approvals: COUNT=10000000
	@$(BIN)/python -m mts1b_riskengine.token_attack --count $(or $(COUNT),10000000)

agreement: $(READY) ## Compare quantkit with other libraries, in an environment of their own
	@$(BIN)/uv venv -q --allow-existing --python $(BIN)/python build/peers
	@$(BIN)/uv pip install -q --python build/peers/bin/python -r tools/agreement/peers.txt \
	    ./mts1b-foundation -e ./mts1b-quantkit
	@build/peers/bin/python -m tools.agreement --write
	@build/peers/bin/python -m tools.agreement.papers --write
	@build/peers/bin/python -m tools.agreement.plots

lock: $(READY) ## Renew requirements.lock from the packages' dependencies
	@sh tools/lock.sh

clean: ## Remove .venv, caches and build output; never what a run has recorded
	@rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml tools/bootstrap.sh $(MEMBERS)
	@PYTHON="$(PYTHON)" sh tools/bootstrap.sh
