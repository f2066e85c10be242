# Everything runs in .venv, made here on first use from pyproject.toml and constraints.txt.
# Nothing is activated, nothing outside this folder is written, and every target can be run again.
#
#   make demo    install what a run needs, run the bundled pipeline, say what to look at
#   make test    install the development extras too, run the tests in two processes (JOBS=4: in four)
#   make test-fast    the tests without the slow ones
#   make soak    kill processes of runs a thousand times, and compare every byte (about an hour)
#   make claims  run the experiments of benchmarks/claims for up to 85 minutes; again, until all are there
#   make pages   make a report and use it in a real Chromium (Debian: apt install chromium)
#   make loop    draw tasks, train on them, train by reward, and say what each added (over an hour)
#
# On Linux the default build of torch carries CUDA (several GB). For a CPU build that pip does not find
# by itself: make demo TORCH=/path/to/torch-2.13.0-cpu.whl

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-fast lint pages loop claims soak schemas fuzz bench clean

PYTHON ?= python3
TORCH ?= torch
PIP := .venv/bin/python -m pip --disable-pip-version-check
INSTALL := $(PIP) install --quiet --constraint constraints.txt
DECLARED := pyproject.toml constraints.txt
RUN_STAMP := .venv/.installed-run
DEV_STAMP := .venv/.installed-dev
JOBS ?= 2
# A file's tests share what they draw, so a file stays in one process; the slow folders come first.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_WAIT_POLICY=passive OMP_NUM_THREADS=1 .venv/bin/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

help:
	@sed -n 's/^#   //p' Makefile
	@echo 'make setup | lint | schemas | fuzz | bench | clean'

$(RUN_STAMP): $(DECLARED)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) must be Python 3.11 or later: make PYTHON=/path/to/python3.11 ..." >&2; exit 2; }
	@echo 'Installing into .venv; the first time takes some minutes.'
	@$(PYTHON) -m venv .venv
	@$(INSTALL) setuptools '$(TORCH)'
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(DEV_STAMP): $(RUN_STAMP)
	@echo 'Installing the extras train, diffusion, ocr, s3 and dev into .venv.'
	@$(INSTALL) --no-build-isolation --editable '.[train,diffusion,ocr,s3,dev]'
	@touch $@

setup: $(DEV_STAMP)
	@echo 'Ready: .venv/bin/zero-engine --help'

demo: $(RUN_STAMP)
	.venv/bin/zero-engine run pipelines/gsm8k_nano.yaml
	@echo
	@echo 'Look at the drawings:  out/gsm8k_nano/report.html (one page, opens offline in any browser)'
	@echo 'Check every byte:      .venv/bin/zero-engine validate out/gsm8k_nano'
	@echo "Load the rows:         .venv/bin/python -c \"from datasets import load_from_disk; print(load_from_disk('out/gsm8k_nano/data')[0])\""

test: $(DEV_STAMP)
	$(PYTEST)

test-fast: $(DEV_STAMP)
	$(PYTEST) -m "not slow and not soak"

lint: $(DEV_STAMP)
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/python -m zero_engine.contracts --check schemas/ docs/
	.venv/bin/python -m zero_engine.read.known_page --check docs/formats.md
	.venv/bin/python -m zero_engine.cli.reference --check docs/cli.md

claims: $(DEV_STAMP)
	.venv/bin/python benchmarks/claims/claims.py
	.venv/bin/python benchmarks/claims/page.py

pages: $(DEV_STAMP)
	.venv/bin/zero-engine run pipelines/gsm8k_nano.yaml
	.venv/bin/python -m tests.browser.check_report out/gsm8k_nano

loop: $(DEV_STAMP)
	.venv/bin/python benchmarks/loop.py

soak: $(DEV_STAMP)
	.venv/bin/python -m pytest -m soak tests/bootstrap tests/faults tests/painters
	ZERO_ENGINE_SEEDS=240 .venv/bin/python -m pytest tests/faults/test_any_damage.py
	.venv/bin/python benchmarks/soak.py --kills 1000

schemas: $(RUN_STAMP)
	.venv/bin/python -m zero_engine.contracts schemas/ docs/
	.venv/bin/python -m zero_engine.read.known_page docs/formats.md
	.venv/bin/python -m zero_engine.cli.reference docs/cli.md

fuzz: $(DEV_STAMP)
	.venv/bin/python tests/fuzz/mutate.py --files 20000

bench: $(RUN_STAMP)
	@for script in $(filter-out benchmarks/loop.py benchmarks/soak.py,$(wildcard benchmarks/*.py)); do \
	  echo "== $$script"; OMP_WAIT_POLICY=passive .venv/bin/python "$$script" || exit 1; \
	done

clean:
	rm -rf .venv out build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
