# make demo | test | test-slow (over an hour on two cores) | zoo (half an hour) | lint | bench
#
# test-slow runs models of full size one after another: two together need more than 20 GB.
#
# Each target makes its own part of the virtual environment $(VENV) first, once.
# Another interpreter: make test PYTHON=python3.12. An environment of your own: VENV=/path/to/venv
# (it is added to).

PYTHON ?= $(firstword $(foreach p,python3.13 python3.12 python3.11 python3 python,\
	$(shell command -v $(p) >/dev/null && $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	2>/dev/null && echo $(p))))
VENV ?= .venv
JOBS ?= 2
BIN := $(VENV)/bin
STAMPS := $(VENV)/.nncomp

.PHONY: demo test test-slow zoo lint bench clean

demo: $(STAMPS)/train
	$(BIN)/python examples/demo.py

test: $(STAMPS)/test
	$(BIN)/python -m pytest -q -n $(JOBS)

test-slow: $(STAMPS)/test
	$(BIN)/python -m pytest -q -m slow -n $(JOBS) --ignore tests/models
	$(BIN)/python -m pytest -q -m slow tests/models

zoo: $(STAMPS)/test
	$(BIN)/python -m zoo

bench: $(STAMPS)/bench
	for script in benchmarks/*.py; do $(BIN)/python $$script || exit 1; done

# mypy reads an installed wheel: it does not follow the mapping of an editable install
lint: $(STAMPS)/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	rm -rf build
	$(BIN)/python -m pip install -q --no-deps --no-build-isolation --target build/typed .
	cd build/typed && MYPYPATH=. ../../$(BIN)/mypy --config-file ../../pyproject.toml -p nncomp

clean:
	rm -rf $(VENV) build out

$(STAMPS)/made:
	@test -n "$(PYTHON)" || { echo "nncomp needs Python 3.11 or newer (PYTHON=...)"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --upgrade pip
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/train: $(STAMPS)/made pyproject.toml
	$(BIN)/python -m pip install -q -e '.[train]'
	@touch $@

$(STAMPS)/test: $(STAMPS)/made pyproject.toml
	$(BIN)/python -m pip install -q -e '.[test]'
	@touch $@ $(STAMPS)/train

$(STAMPS)/bench: $(STAMPS)/made pyproject.toml
	$(BIN)/python -m pip install -q -e '.[bench]'
	@touch $@ $(STAMPS)/train $(STAMPS)/test

$(STAMPS)/lint: $(STAMPS)/made pyproject.toml
	$(BIN)/python -m pip install -q -e '.[lint]'
	@touch $@
