# Each target makes .venv itself. On Windows see docs/install.md: the same in plain commands.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-rest test-full check language docs pictures reference texts metrics bench bench-growth bench-yield chaos fuzz mutation lock clean

demo: .venv/ready
	$(BIN)/recours demo

# Every behaviour once. A file's tests stay together: many share a server, a browser or a simulated carrier.
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# Some environments keep Python from writing what it compiled: then each of the hundreds of processes that the tests
# start would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

# Of the examples of property tests it takes a third; `test-full` takes all.
EXAMPLES := FEWER_EXAMPLES=1
test-full: EXAMPLES :=

test: .venv/ready-dev
	$(BIN)/python -m compileall -q recours
	$(EXAMPLES) $(PYTEST) -m "not full" $(if $(CI),--durations=50)

# What `make test` leaves out: tests marked `full`, each with its reason.
test-rest: .venv/ready-dev
	$(PYTEST) -m full

test-full: test test-rest

check: .venv/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m docs.reference_pages --check
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml deploy/compose.fleet.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/ci.yml
	$(BIN)/zizmor --quiet --offline .github/workflows

# American spelling, and phrases that the texts do not use: tests/words.txt and tests/phrases.txt are the lists.
language: .venv/ready-dev
	$(BIN)/codespell
	$(BIN)/python -m tests.phrases

# The manual as a website: docs/_build/html/index.html. A warning, such as a link that leads nowhere, fails it.
docs: .venv/ready-dev
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --builder html docs docs/_build/html

# The manual's pictures of the page and of the terminal, of claims as `make demo` has them; in the system's Chromium.
pictures: .venv/ready-dev
	$(BIN)/python -m docs.pictures

# Update what is generated from the code: docs/reference, and each carrier's rows in .env.example and docs/carriers.md.
# Run it after changing a --help text, a setting, a message or docs/meanings.toml. A merge conflict in docs/reference:
# run it again.
reference: .venv/ready-dev
	$(BIN)/python -m tests.reference
	$(BIN)/python -m docs.reference_pages

# Brings the sentences that the code marks for translation into recours/locale; their French is then written there.
texts: .venv/ready-dev
	$(BIN)/python -m tests.translations

# Size and layout; BASE=<commit>: of that commit too; TIME=1: and the seconds of its tests.
metrics: .venv/ready-dev
	$(BIN)/python -m tests.metrics $(if $(BASE),--base $(BASE)) $(if $(TIME),--time)

# How fast it is; BASE=<commit>: against that commit, in turns.
bench: .venv/ready-dev
	$(BIN)/python -m tests.benchmarks.$(if $(BASE),compare $(BASE),bench)

# How the cost grows; RECOURS_LONG=1: up to the largest sizes, which take gigabytes of disk.
bench-growth: .venv/ready-dev
	$(BIN)/python -m tests.benchmarks.growth

# How many proofs are obtained before their deadlines, of those that can be had; half an hour at most.
bench-yield: .venv/ready-dev
	$(BIN)/python -m tests.benchmarks.bench_yield --write

# The long form; a short one is part of test-full.
chaos: .venv/ready-dev
	RECOURS_LONG=1 $(BIN)/python -m pytest -n 2 tests/chaos

fuzz: .venv/ready-dev
	RECOURS_FUZZ_EXAMPLES=20000 $(BIN)/python -m pytest -n auto tests/fuzz

mutation: .venv/ready-dev
	$(BIN)/python tests/mutation.py

# The project itself goes in without its dependencies: those are the pinned ones of requirements.txt.
.venv/ready: requirements.txt pyproject.toml
	[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

.venv/ready-dev: .venv/ready tests/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.txt
	touch $@

# To raise versions: resolves anew, for all platforms, with hashes. The extras are kept: a pin without the one
# that another package asks for is no pin to pip, and fails the installation on the day of that package's next release.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-strip-extras --custom-compile-command "make lock"

lock: .venv/ready
	$(BIN)/python -m pip install --quiet uv
	echo 'hatchling>=1.27,<2' | $(LOCK) --upgrade pyproject.toml - --output-file requirements.txt
	$(LOCK) --upgrade pyproject.toml --extra dev --extra docs --extra postgres --extra dashboard --extra fleet --extra timestamps \
		--constraint requirements.txt --output-file tests/requirements.txt

clean:
	rm -rf .venv data/demo mutants docs/_build
