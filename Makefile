# Everything below creates .venv by itself. CI runs these same targets and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
BENCH := .venv-bench

export DO_NOT_TRACK := 1
export PREFECT_SERVER_ANALYTICS_ENABLED := false
export PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS := 180

.PHONY: demo test test-all check bench sweep soak bench-matching bench-clients bench-clock bench-handoffs bench-review bench-identity bench-pull bench-watch bench-writes bench-board interop constraints clean bench-credit screenshots

demo: $(STAMP)  ## two local CRMs with a seeded company, the night twice, a scoreboard page
	$(BIN)/tandem demo --out out

screenshots: demo  ## docs/scoreboard.png from the demo's page; needs chromium
	chromium --headless --no-sandbox --disable-gpu --hide-scrollbars --no-first-run --disable-background-networking \
	  --user-data-dir=$$(mktemp -d) --window-size=1240,1500 --screenshot=docs/scoreboard.png file://$(CURDIR)/out/scoreboard.html

test: $(STAMP)  ## the tests that take less than five minutes
	$(BIN)/pytest -m "not slow" -n 2 --dist loadfile

# In the order of the files: the longest have few tests, and would all begin at the end otherwise.
test-all: $(STAMP)  ## all tests
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

check: $(STAMP)  ## style, types, import contracts
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench-credit: $(BENCH)/.installed  ## credit of millions of touches, beside a scan and two peers
	$(BENCH)/bin/python -m benchmarks credit

bench: $(BENCH)/.installed  ## figures, beside peers that live in an environment of their own
	$(BENCH)/bin/python -m benchmarks

bench-matching: $(BENCH)/.installed  ## precision, recall, CPU and memory of matching beside its peers; MILLION=1 for a million a side
	$(BENCH)/bin/python -m benchmarks.matching $(if $(MILLION),--million)

bench-clients: $(STAMP)  ## CPU of our pulls beside the official clients' own
	$(BIN)/python -m benchmarks.clients

bench-clock: $(BENCH)/.installed  ## CPU of a million working times beside its peers
	$(BENCH)/bin/python -m benchmarks.clock

bench-handoffs: $(STAMP)  ## every handoff of 20,000 seeded people against the truth, through both stand-ins
	$(BIN)/python -m benchmarks.handoffs

bench-review: $(STAMP)  ## what the first 500 questions to a person are worth, of 100,000 hard records a side
	$(BIN)/python -m benchmarks.review_queue

bench-identity: $(STAMP)  ## CPU of a night that looks again only at people who changed, beside one that looks at all
	$(BIN)/python -m benchmarks.identity_nights

bench-pull: $(STAMP)  ## calls, time and memory of a first load, a changed and a quiet night at full size
	$(BIN)/python -m benchmarks.pull

bench-watch: $(STAMP)  ## calls and seconds of a watch over 5,000 open clocks and 40 changes
	$(BIN)/python -m benchmarks.watch

bench-writes: $(STAMP)  ## calls and throughput of 100,000 changed records in each CRM
	$(BIN)/python -m benchmarks.writes

bench-board: $(STAMP)  ## size and opening time of the scoreboard of 200,000 people; needs chromium to open it
	$(BIN)/python -m benchmarks.board

interop: $(STAMP)  ## both stand-ins and our SOQL against clients that others wrote; needs Node.js 20
	cd tests/interop && npm install --no-package-lock --no-audit --no-fund --silent
	$(BIN)/python tests/interop/run.py

sweep: $(STAMP)  ## kill -9 at every point of a night, each fault at every request; takes hours, not in CI
	$(BIN)/python -m benchmarks.kills
	$(BIN)/python -m benchmarks.sweep

soak: $(STAMP)  ## `tandem serve` for ten real minutes on a short schedule: memory and runs; not in CI
	$(BIN)/python -m benchmarks.soak

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
