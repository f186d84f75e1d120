# The course in two commands: `make lab` opens it, `make test` checks it. `make help` lists the rest.
# It needs Python 3.11 to 3.13 and make; everything else goes into the folder .venv.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
ifneq ($(word 2,$(VENV)),)
  $(error VENV is "$(VENV)"; it must not contain spaces)
endif
# A course folder that was moved or copied needs its environment adjusted.
ifneq ($(shell cat $(VENV)/ready 2>/dev/null),$(CURDIR))
  $(shell rm -f $(VENV)/ready)
endif
NOTEBOOKS = $(wildcard notebooks/*.ipynb)
# Two tests, or notebooks, at once, and one core for each: more threads only get in each other's way.
ONE_CORE = TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1 OMP_NUM_THREADS=1
# What takes longer waits a lot, for a browser or a kernel, so three at once.
# PROFILE=ci tries properties on all their random examples, not on a tenth of them.
PYTEST = $(ONE_CORE) $(BIN)/python -m pytest -n 2 --hypothesis-profile=$(or $(PROFILE),default)

# JupyterLab starts for root only when told to; in a container, root is who you are.
AS_ROOT = $(if $(filter 0,$(shell id -u)),--allow-root)

.DEFAULT_GOAL := help
.PHONY: help lab data test test-fast test-more test-real test-full lint format execute record base exercises bench site slides handouts grade hub lock clean

help: ## List the commands
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /:/' | awk -F: '{printf "make %-10s %s\n", $$1, $$2}'

lab: $(VENV)/ready ## Open the course in JupyterLab
	$(BIN)/python -m jupyterlab $(AS_ROOT) --LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb

data: $(VENV)/ready ## Show what data is on disk; SET=mnist or SET=all fetches it (FROM=folder, FORCE=1)
	@$(BIN)/python -m course_utils.data.download $(SET) $(if $(FROM),--from "$(FROM)") $(if $(filter-out 0,$(FORCE)),--force)

test: $(VENV)/ready-test lint ## Check everything on the embedded data: style, unit tests, examples, every notebook
	$(PYTEST) --dist worksteal -m "not full and not browser" --durations 20
	$(ONE_CORE) $(BIN)/python -m tools.check_notebooks --tier embedded

test-fast: $(VENV)/ready-test lint ## Check what can be checked in two minutes, after each change
	$(PYTEST) --dist worksteal -m "not slow and not full and not browser" --durations 20

test-more: $(VENV)/ready-test $(VENV)/ready-site ## Check what takes longer: trainings, large nets, browser, site
	$(PYTEST) -n 3 --dist loadfile -m "full or browser" --durations 20

test-real: $(VENV)/ready-test ## Run the notebooks on the real data, where there is some on disk
	@case $$($(BIN)/python -c "from course_utils.data.download import status; \
	  print(any(s.on_disk and s.tier == 'real' for s in status()))") in \
	True) $(ONE_CORE) $(BIN)/python -m tools.check_notebooks;; \
	False) echo "There is no real data on disk.";; \
	*) exit 1;; esac

test-full: test test-more test-real ## All of these

lint: $(VENV)/ready-test ## Check the style of modules, tests and notebooks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/ready-test ## Bring modules, tests and notebooks into the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

execute: $(VENV)/ready-test ## Run notebooks top to bottom and store their outputs (NOTEBOOKS="one.ipynb ...")
	$(BIN)/python -m tools.execute $(NOTEBOOKS)

record: $(VENV)/ready-test ## Train the recorded runs of notebooks again (NOTEBOOKS=one.ipynb, SEEDS="0 1 2", RUNS=name, TIER=real)
	$(BIN)/python -m tools.record $(NOTEBOOKS) $(if $(SEEDS),--seeds $(SEEDS)) \
	  $(if $(RUNS),--runs $(RUNS)) $(if $(TIER),--tier $(TIER)) $(if $(filter-out 0,$(FAST)),--fast)

base: $(VENV)/ready ## Pretrain the course's own base again, three hours (FAST=1 for bfloat16)
	$(BIN)/python -m tools.pretrain $(if $(filter-out 0,$(FAST)),--fast)

exercises: $(VENV)/ready-test ## Write the exercises into the notebooks, from the package that holds them
	$(BIN)/python -m tools.exercises

bench: $(VENV)/ready-test ## Compare our speed with that of named peers (ONLY=pipeline for one comparison)
	$(BIN)/python -m tools.benchmark $(ONLY)

site: $(VENV)/ready-site ## Build the course as web pages that need no network, in build/site
	@$(BIN)/python -m tools.pages site

slides: $(VENV)/ready-site ## Build slides of the lectures that need no network, in build/slides
	@$(BIN)/python -m tools.pages slides

handouts: $(VENV)/ready ## Write the students' copies, without outputs and solutions, to build/handouts.zip
	@$(BIN)/python -m tools.handouts

grade: $(VENV)/ready ## Grade the notebooks in a folder, each in a sandbox: FROM=folder, to build/grades.csv
	@$(BIN)/python -m tools.grade "$(FROM)"

hub: $(VENV)/ready-hub ## Serve the course to a class, as root on Linux: STUDENTS=names.txt INSTRUCTOR=name
	@$(BIN)/python -c "from course_utils import cats_and_dogs, pretrained; \
	  cats_and_dogs.load(); pretrained.efficientnet_lite0()"
	HUB_STUDENTS="$(STUDENTS)" HUB_INSTRUCTOR="$(INSTRUCTOR)" \
	  $(BIN)/python -m jupyterhub -f deploy/jupyterhub_config.py

lock: ## Pin the newest versions that fit together (needs uv)
	uv pip compile --universal --fork-strategy fewest --python-version 3.11 --no-header \
	  --no-annotate --no-emit-index-url --upgrade pyproject.toml -o requirements.txt
	uv pip compile --universal --fork-strategy fewest --python-version 3.11 --no-header \
	  --no-annotate --no-emit-index-url --extra test -c requirements.txt pyproject.toml \
	  -o requirements-test.txt
	uv pip compile --universal --fork-strategy fewest --python-version 3.11 --no-header \
	  --no-annotate --no-emit-index-url --upgrade --extra site -c requirements-test.txt \
	  pyproject.toml -o requirements-site.txt
	uv pip compile --universal --fork-strategy fewest --python-version 3.11 --no-header \
	  --no-annotate --no-emit-index-url --upgrade --extra hub -c requirements-site.txt \
	  pyproject.toml -o requirements-hub.txt
	awk -F'==' 'NR == FNR { pin[$$1] = $$2; next } \
	  /- [a-z-]+==/ { split($$1, name, "- "); print $$1 "==" pin[name[2]]; next } { print }' \
	  requirements.txt environment.yml > environment.draft
	mv environment.draft environment.yml

clean: ## Remove the environment, the caches and what was built; data and notebooks stay
	rm -rf $(VENV) build .pytest_cache .ruff_cache .hypothesis *.egg-info

# A marker file is written last, so an interrupted set-up starts again and a finished one is kept.
$(VENV)/ready: requirements.txt pyproject.toml
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { $(PYTHON) -c 'import sys; \
	  v = sys.version_info; sys.exit(None if (3, 11) <= v < (3, 14) else \
	  "This course needs Python 3.11, 3.12 or 3.13, and %s is %d.%d. Try: make PYTHON=python3.12 ..." \
	  % (sys.executable, *v[:2]))' && \
	  echo "Setting up the environment in $(VENV). The first time, this takes some minutes." && \
	  $(PYTHON) -m venv $(VENV); }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@# TensorFlow's start-up lines stay out of the notebooks, JupyterLab does not look for news.
	@mkdir -p $(VENV)/etc/ipython $(VENV)/share/jupyter/lab/settings
	@echo 'c = get_config(); c.IPKernelApp.capture_fd_output = False' \
	  > $(VENV)/etc/ipython/ipython_kernel_config.py
	@echo '{"@jupyterlab/apputils-extension:notification":' \
	  '{"fetchNews": "false", "checkForUpdates": false}}' \
	  > $(VENV)/share/jupyter/lab/settings/overrides.json
	@echo "$(CURDIR)" > $@

$(VENV)/ready-test: $(VENV)/ready requirements-test.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-test.txt
	@touch $@

$(VENV)/ready-site: $(VENV)/ready requirements-site.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-site.txt
	@touch $@

# JupyterHub sends each browser to its server through a proxy that is written for Node.js.
$(VENV)/ready-hub: $(VENV)/ready requirements-hub.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-hub.txt
	npm install --silent --prefix $(VENV) configurable-http-proxy@5.3.0
	@touch $@
