# Everything runs from the project's own folder with relative paths, so the path to it may hold spaces.
PYTHON ?= $(shell command -v python3.11 || command -v python3 || echo python3.11)
VENV := .venv
RUN := $(VENV)/bin/python
WATTPLAN := $(RUN) -m batch.cli
INSTALLED := $(VENV)/installed.stamp

DATASET ?= data/reference-2025q4
PLAN ?= plan
GAP ?= 0.02
TIME_LIMIT ?= 600
PLAN_OPTIONS ?=
LOCK_OPTIONS ?=

.DEFAULT_GOAL := help
.PHONY: help plan test check format lock docs questions bench bench-full soak soak-differential soak-kills soak-api soak-explain clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /make \1	/p' Makefile | expand -t 16

$(INSTALLED): requirements.lock pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Wattplan needs Python 3.11 or later; name it with: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments (no ensurepip); on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing the locked dependencies into $(VENV) (once)" >&2
	@rm -f $(INSTALLED)
	@"$(PYTHON)" -m venv $(VENV)
	@$(RUN) -m pip install -qq --disable-pip-version-check --require-hashes -r requirements.lock
	@$(RUN) -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --config-settings editable_mode=compat --editable .
	@touch $(INSTALLED)

plan: $(INSTALLED) ## plan the reference dataset (DATASET=, PLAN=, GAP=, TIME_LIMIT=, PLAN_OPTIONS=) and write its report
	@$(WATTPLAN) plan "$(DATASET)" -o "$(PLAN)" --baseline spreadsheet --gap $(GAP) --time-limit $(TIME_LIMIT) $(PLAN_OPTIONS); code=$$?; \
	if [ $$code -ge 2 ]; then exit $$code; fi; \
	if [ $$code -eq 1 ]; then \
	  echo "The plan is written and audited; its gap is larger than the $(GAP) asked. More time: make plan TIME_LIMIT=3600"; fi
	@$(WATTPLAN) report "$(PLAN)" -o "$(PLAN)/report.html"

# Tests that start services, or look at the clock: two files at a time, since most of it is waiting. All others: on all cores.
SERVED := $(wildcard tests/api/test_*.py) tests/batch/engine tests/batch/study/test_cli_study.py tests/batch/test_cli_serve.py \
  tests/benchmarks/test_bench.py tests/benchmarks/test_service_report.py
# Apart, because the browser's driver keeps an event loop running in its process.
BROWSED := tests/api/page

test: $(INSTALLED) ## run every test
	$(RUN) -m pytest --durations 20 --numprocesses auto --maxprocesses 4 --dist worksteal $(SERVED:%=--ignore=%) $(BROWSED:%=--ignore=%) tests
	$(RUN) -m pytest --durations 20 --numprocesses 2 --dist loadfile $(SERVED)
	$(RUN) -m pytest --durations 20 $(BROWSED)

check: $(INSTALLED) ## lint, format and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

format: $(INSTALLED) ## format the code
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

lock: $(INSTALLED) ## resolve the dependencies anew (LOCK_OPTIONS=--upgrade for newer versions)
	$(RUN) -m uv pip compile --quiet --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate \
	  --all-extras $(LOCK_OPTIONS) pyproject.toml --output-file requirements.lock

docs: $(INSTALLED) ## write the chapters that come from the code
	$(RUN) -m models.schema docs/
	$(RUN) -m optimizer.docs docs/
	$(RUN) -m api.docs docs/

questions: $(INSTALLED) ## answer the questions of docs/questions on the plan in PLAN= (ten minutes) and write docs/questions.md
	$(RUN) -m benchmarks.questions "$(PLAN)"

bench: $(INSTALLED) ## measure the main goals (a quarter of an hour; leave the machine alone) and write benchmarks/RESULTS.md
	$(RUN) -m benchmarks.bench

bench-full: $(INSTALLED) ## measure everything (half a day); goes on where it stopped
	$(RUN) -m benchmarks.bench --full

soak: soak-differential soak-kills soak-api soak-explain ## what takes long: right answers, nothing lost

soak-differential: $(INSTALLED) ## optima of 230 random datasets against SCIP's (an hour), and write benchmarks/DIFFERENTIAL.md
	$(RUN) -m benchmarks.soak_differential

soak-kills: $(INSTALLED) ## kill parts of the service 50 times (ten minutes a database) and write benchmarks/SOAK.md
	$(RUN) -m benchmarks.soak_kills

soak-api: $(INSTALLED) ## Schemathesis over all of the service (three minutes), and write benchmarks/SOAK-API.md
	$(RUN) -m benchmarks.soak_api

soak-explain: $(INSTALLED) ## 100 planted conflicts, 20 why-nots planned anew, prices solved again (ten minutes), and write benchmarks/SOAK-EXPLAIN.md
	$(RUN) -m benchmarks.soak_explain

clean: ## delete the virtual environment, caches and build files; plans stay
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
