# Everything a fresh machine needs is made here: `python3` (3.11, with venv), `make` and a package index.
SHELL := /bin/bash
.SHELLFLAGS := -o pipefail -c
PYTHON ?= python3
AIRFLOW ?= 3.3
VENVS := $(CURDIR)/.venvs
UV := $(VENVS)/tools/bin/uv
MLSERVER_PYTHON := $(VENVS)/mlserver/bin/python
export SELDON_LOCAL_MLSERVER_PYTHON := $(MLSERVER_PYTHON)
export UV_LINK_MODE := copy
# A company mirror is signed by what the system trusts, not by what is built into uv.
export UV_SYSTEM_CERTS ?= true
export UV_CACHE_DIR ?= $(CURDIR)/.cache/uv

.PHONY: help environments demo test newest newest-pre newest-run package lint format soak crash bench docs clean
.DEFAULT_GOAL := help

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

environments: $(foreach name,airflow-3.3 airflow-2.11 mlserver docs,$(VENVS)/$(name)/.ready) ## make the virtual environments, which the others do by themselves

demo: $(VENVS)/airflow-$(AIRFLOW)/.ready $(VENVS)/mlserver/.ready ## deploy, replace, turn down and break a model on this machine, and try two as canaries; UI=1 leaves Airflow running with the fleet page
	@$(VENVS)/airflow-$(AIRFLOW)/bin/python tools/demo.py

# These import no Airflow (the pure core, the Kubernetes client, the local server), or take no more of it than a
# connection and an exception, whose tests run on both versions. Or they ask operators for what the cluster does, which
# is the same on both: those that ask for what Airflow does run on both.
ONCE := $(addprefix tests/unit/,core delivery kube local serving test_docs.py test_layers.py test_oracle.py test_package.py \
    test_quick_start.py test_reasons.py test_seed_defects.py test_workflows.py) \
  tests/integration/local tests/e2e/test_demo.py \
  $(patsubst %,tests/integration/test_%.py,adoption apply_traffic canary_disturbed canary_golden canary_traffic claims \
    client crash_safety delete_and_predict histories hostile_names outages prometheus_queries races request_counts \
    run_undo scale seed_defects_requests serving_http serving_mlserver shared_watch smoke_test snippets staging \
    storage_rclone storage_secret_writer storage_secrets taken_names ttl waiting write_preconditions)
ARGS_2.11 := $(addprefix --ignore=,$(ONCE))
# Processes per Airflow version: most tests wait for a cluster most of the time. 3.3 has more to run.
WORKERS ?= 2
WORKERS_3.3 ?= 4

test: ## run the tests on both Airflow versions, side by side
	@$(MAKE) --no-print-directory --jobs=2 test-3.3 test-2.11

test-%: $(VENVS)/airflow-%/.ready $(VENVS)/mlserver/.ready ## run the tests on one Airflow version
	$(VENVS)/airflow-$*/bin/python -m pytest --numprocesses $(or $(WORKERS_$*),$(WORKERS)) --no-loadscope-reorder $(ARGS_$*) $(PYTEST_ARGS) 2>&1 | sed -u 's/^/airflow $*: /'

newest: PACKAGES = -e '.[test]'
newest: newest-run ## run the tests on the newest of everything: nothing is pinned

# Naming a pre-release allows those of the package named, and of what it pins; of nothing else.
newest-pre: PACKAGES = -e '.[test]' 'apache-airflow>=3.4.0b1'
newest-pre: newest-run ## the same with Airflow's own pre-releases

newest-run: $(UV) $(VENVS)/mlserver/.ready
	$(UV) venv --quiet --clear --python $(PYTHON) $(VENVS)/newest
	$(UV) pip install --quiet --upgrade --python $(VENVS)/newest/bin/python $(PACKAGES)
	$(UV) pip list --python $(VENVS)/newest/bin/python | grep -E '^(apache-airflow|kubernetes|pydantic|aiohttp)'
	$(VENVS)/newest/bin/python -m pytest --numprocesses $(WORKERS) --no-loadscope-reorder $(PYTEST_ARGS)

package: $(VENVS)/airflow-$(AIRFLOW)/.ready $(VENVS)/mlserver/.ready ## build wheel and source distribution into dist, and try the wheel as a new user does: in an empty environment, with a browser
	rm -rf dist
	$(UV) build --quiet --out-dir dist .
	$(UV) venv --quiet --clear --python $(PYTHON) $(VENVS)/package
	$(UV) pip install --quiet --python $(VENVS)/package/bin/python --constraints constraints/airflow-$(AIRFLOW).txt dist/*.whl
	$(VENVS)/package/bin/python -I tools/try_package.py
	SELDON_TEST_INSTALLED_PYTHON=$(VENVS)/package/bin/python $(VENVS)/airflow-$(AIRFLOW)/bin/python -m pytest --capture=no tests/e2e/test_new_user.py
	@ls dist

lint: $(VENVS)/airflow-3.3/.ready ## check style, types and the contracts of imports
	$(VENVS)/airflow-3.3/bin/ruff check .
	$(VENVS)/airflow-3.3/bin/ruff format --check .
	$(VENVS)/airflow-3.3/bin/mypy
	$(VENVS)/airflow-3.3/bin/lint-imports --no-cache --no-logo

format: $(VENVS)/airflow-3.3/.ready ## put the code into the house's format
	$(VENVS)/airflow-3.3/bin/ruff check --fix .
	$(VENVS)/airflow-3.3/bin/ruff format .

soak: $(VENVS)/airflow-3.3/.ready ## 200 random rollouts against an operator with faults, 500 histories of racing runs, 200 canaries judged by a real Prometheus, every end checked
	$(VENVS)/airflow-3.3/bin/python -m tests.soak
	$(VENVS)/airflow-3.3/bin/python -m tests.histories --histories 500
	$(VENVS)/airflow-3.3/bin/python -m tests.canaries --canaries 200

crash: $(VENVS)/airflow-3.3/.ready ## kill every operator at, answer wrongly, or race with it before, every request
	SELDON_CRASH_EVERYTHING=1 $(VENVS)/airflow-3.3/bin/python -m pytest --numprocesses $(WORKERS) --timeout 1200 tests/integration/test_crash_safety.py tests/integration/test_races.py

bench: $(VENVS)/airflow-3.3/.ready ## print the benchmarks' ratios
	$(VENVS)/airflow-3.3/bin/python benchmarks/parse.py
	$(VENVS)/airflow-3.3/bin/python benchmarks/waits.py
	$(VENVS)/airflow-3.3/bin/python benchmarks/canaries.py
	$(VENVS)/airflow-3.3/bin/python benchmarks/fleet.py

docs: $(VENVS)/docs/.ready ## build the documentation into docs/_build, warnings are errors
	$(VENVS)/docs/bin/sphinx-build -W --keep-going --quiet -b html -d docs/_build/.doctrees docs docs/_build

$(UV):
	$(PYTHON) -m venv $(VENVS)/tools
	$(VENVS)/tools/bin/python -m pip install --quiet --disable-pip-version-check uv

# Only there: import-linter needs a newer rich than Airflow 2.11 has.
LINT_3.3 := ,lint

$(VENVS)/airflow-%/.ready: $(UV) pyproject.toml constraints/airflow-%.txt
	$(UV) venv --quiet --clear --python $(PYTHON) $(@D)
	$(UV) pip install --quiet --python $(@D)/bin/python --constraints constraints/airflow-$*.txt -e '.[test$(LINT_$*)]'
	@touch $@

$(VENVS)/docs/.ready: $(UV) constraints/docs.txt
	$(UV) venv --quiet --clear --python $(PYTHON) $(@D)
	$(UV) pip install --quiet --python $(@D)/bin/python --no-deps --requirements constraints/docs.txt
	@touch $@

$(VENVS)/mlserver/.ready: $(UV) constraints/mlserver.txt
	$(UV) venv --quiet --clear --python $(PYTHON) $(@D)
	$(UV) pip install --quiet --python $(@D)/bin/python --no-deps --requirements constraints/mlserver.txt
	@touch $@

clean: ## remove everything that was made here
	rm -rf $(VENVS) .cache .local-seldon docs/_build docs/api .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
