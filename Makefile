# Everything below creates .venv by itself. CI runs these same targets and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH := .venv-bench

export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS := 180

.PHONY: demo test test-all check bench sweep bench-clients bench-pull interop constraints clean

demo: $(STAMP)  ## two local CRMs with a seeded company, the night twice, a scoreboard page
	$(BIN)/tandem demo --out out

test: $(STAMP)  ## the tests that take less than five minutes
	$(BIN)/pytest -m "not slow" -n 2 --dist loadfile

test-all: $(STAMP)  ## all tests
	$(BIN)/pytest -n 2 --dist loadfile

check: $(STAMP)  ## style, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(BENCH)/.installed  ## figures, beside peers that live in an environment of their own
	$(BENCH)/bin/python -m benchmarks

bench-clients: $(STAMP)  ## CPU of our pulls beside the official clients' own
	$(BIN)/python -m benchmarks.clients

bench-pull: $(STAMP)  ## calls, time and memory of a first load, a changed and a quiet night at full size
	$(BIN)/python -m benchmarks.pull

interop: $(STAMP)  ## both stand-ins and our SOQL against clients that others wrote; needs Node.js 20
	cd tests/interop && npm install --no-package-lock --no-audit --no-fund --silent
	$(BIN)/python tests/interop/run.py

sweep: $(STAMP)  ## each fault at every single request of a night; takes hours, not in CI
	$(BIN)/python -m benchmarks.sweep

constraints:  ## resolve anew and pin exactly
	rm -rf .venv-pin && $(PYTHON) -m venv .venv-pin
	.venv-pin/bin/pip install -q --disable-pip-version-check '.[dev]'
	.venv-pin/bin/pip freeze --exclude tandem | grep -v '^tandem' > constraints.txt
	rm -rf .venv-pin build *.egg-info

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tandem needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -e '.[dev]' -c constraints.txt
	@touch $(STAMP)

$(BENCH)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(BENCH)
	$(BENCH)/bin/pip install -q --disable-pip-version-check -e '.[bench]' -c constraints.txt
	@touch $@

clean:
	rm -rf $(VENV) $(BENCH) .tandem out build *.egg-info
