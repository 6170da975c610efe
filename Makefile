# Two commands do all the set-up: `make molecules` runs the main job, `make test` runs the tests.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
RELEASE := .venv-release
# interpreters that `make wheel` installs the wheel for
PYTHONS ?= $(PYTHON)
OUT ?= runs/molecules
MINUTES ?= 6
NATIVE := setup.py $(shell find src/softdraw/kernels/cpu/src -name '*.[ch]')

SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer -O1

.DEFAULT_GOAL := help
.PHONY: help install molecules test test-slow test-lowest test-gpu sanitize wheel wheel-aarch64 lint format bench bench-gpu figures temperature docs clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

# A newcomer who only wants to see molecules does not wait for what the tests need.
$(VENV)/.molecules-installed: pyproject.toml constraints.txt $(NATIVE)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[molecules]"
	touch $@

$(VENV)/.installed: pyproject.toml constraints.txt $(NATIVE)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $(VENV)/.molecules-installed $@

$(VENV)/.docs-installed: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[docs]"
	touch $@

install: $(VENV)/.installed  ## make .venv with everything that molecules and test need

molecules: $(VENV)/.molecules-installed  ## train, steer and draw molecules; ends with OUT/report.html (MINUTES=6)
	$(BIN)/softdraw molecules run --minutes $(MINUTES) --out $(OUT) --resume

test: $(VENV)/.installed  ## the test suite
	$(BIN)/python -m pytest -n 2 --dist loadfile

test-slow: $(VENV)/.installed  ## the tests that take minutes
	$(BIN)/python -m pytest -n 2 --dist loadfile -m slow

# Older torch comes from PyPI for Linux with CUDA, gigabytes of it, and runs on the CPU all the same.
$(LOWEST)/.installed: pyproject.toml constraints-lowest.txt $(NATIVE)
	test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-lowest.txt -e ".[test]"
	touch $@

test-lowest: $(LOWEST)/.installed  ## the test suite with the lowest versions that pyproject.toml allows
	$(LOWEST)/bin/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.installed  ## style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed  ## rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test-gpu: $(VENV)/.installed  ## the tests that need a CUDA or ROCm card, and Triton
	$(BIN)/python -m pytest -m gpu tests/kernels tests/functional

sanitize: $(VENV)/.installed  ## the C extension's tests under AddressSanitizer and UBSan
	rm -rf build/sanitized && mkdir -p build && cp -r src build/sanitized
	find build/sanitized -name '*.so' -delete
	SOFTDRAW_CFLAGS="$(SANITIZERS)" SOFTDRAW_LDFLAGS="-fsanitize=address,undefined" $(BIN)/python setup.py -q build_ext --build-lib build/sanitized --build-temp build/sanitized-objects
	PYTHONPATH=build/sanitized LD_PRELOAD="$$($(CC) -print-file-name=libasan.so) $$($(CC) -print-file-name=libstdc++.so)" ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile -p no:cacheprovider tests/kernels

# Only the tools, not the package itself: it is what they build.
$(RELEASE)/.installed: pyproject.toml constraints.txt
	test -x $(RELEASE)/bin/python || $(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['release'], sep='\n')" > $(RELEASE)/requirements.txt
	$(RELEASE)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r $(RELEASE)/requirements.txt
	touch $@

wheel: $(RELEASE)/.installed  ## dist/: sdist and x86-64 wheel, installed into empty environments (PYTHONS="python3.11 python3.12")
	$(RELEASE)/bin/python release/build.py
	$(RELEASE)/bin/python release/check.py $(PYTHONS)

wheel-aarch64: $(RELEASE)/.installed  ## the wheel for aarch64, after `make wheel`; its tests run emulated
	$(RELEASE)/bin/python release/aarch64.py build
	$(RELEASE)/bin/python release/aarch64.py test

bench: $(VENV)/.installed  ## time softdraw against its peers on this machine
	$(BIN)/python -m benchmarks

bench-gpu: $(VENV)/.installed  ## the same on a CUDA or ROCm card
	$(BIN)/python -m benchmarks --device cuda

temperature: $(VENV)/.installed  ## measure and draw what temperature does: docs/images/temperature.svg
	$(BIN)/softdraw temperature cubic --out runs/temperature --picture docs/images/temperature.svg

figures: $(VENV)/.installed  ## draw docs/images/ again, each by the script of its name in docs/figures/
	for script in docs/figures/*.py; do $(BIN)/python $$script || exit 1; done

docs: $(VENV)/.docs-installed  ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

clean:  ## remove what the other targets made, runs/ aside
	rm -rf $(VENV) $(LOWEST) $(RELEASE) build dist site .pytest_cache .mypy_cache .ruff_cache .hypothesis .benchmarks .import_linter_cache
	find src -name '*.so' -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
