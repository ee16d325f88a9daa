# Each target first creates .venv. For Windows, docs/install.md has the same steps as plain commands.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-rest test-full check language docs pictures reference texts metrics bench bench-growth bench-yield chaos fuzz mutation lock clean

demo: .venv/ready
	$(BIN)/recours demo

# The tests of a file run in one process, because many share a server, a browser or a simulated carrier.
PYTEST := $(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder

# Some environments disable Python's bytecode cache. The tests start hundreds of processes, and each would compile
# every module that it imports.
unexport PYTHONDONTWRITEBYTECODE

# `make test` runs a third of the examples of property tests, `make test-full` all of them.
EXAMPLES := FEWER_EXAMPLES=1
test-full: EXAMPLES :=

test: .venv/ready-dev
	$(BIN)/python -m compileall -q recours
	$(EXAMPLES) $(PYTEST) -m "not full" $(if $(CI),--durations=50)

# The tests that `make test` leaves out: those marked `full`, each with a reason.
test-rest: .venv/ready-dev
	$(PYTEST) -m full

test-full: test test-rest

check: .venv/ready-dev language
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --no-warn-unreachable --cache-dir .mypy_cache/windows recours
	$(BIN)/lint-imports
	$(BIN)/python -m docs.reference_pages --check
	$(BIN)/hadolint deploy/Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec deploy/compose.yaml deploy/compose.fleet.yaml
	$(BIN)/kubernetes-validate --strict --quiet deploy/kubernetes/*.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-issue-forms .github/ISSUE_TEMPLATE/*.yml
	$(BIN)/check-jsonschema --builtin-schema vendor.readthedocs .readthedocs.yaml
	$(BIN)/zizmor --quiet --offline .github/workflows

# American spelling, and phrases that the texts do not use: tests/words.txt and tests/phrases.txt are the lists.
language: .venv/ready-dev
	$(BIN)/codespell
	$(BIN)/python -m tests.phrases

# Build the manual as a website: docs/_build/html/index.html. Any warning, such as a broken link, is an error.
docs: .venv/ready-dev
	$(BIN)/sphinx-build --quiet --fail-on-warning --keep-going --builder html docs docs/_build/html

# Retake the manual's screenshots of the dashboard and the terminal, with claims like those of `make demo`. Needs Chromium.
pictures: .venv/ready-dev
	$(BIN)/python -m docs.pictures

# Update what is generated from the code: docs/reference, and each carrier's rows in .env.example and docs/carriers.md.
# Run it after changing a --help text, a setting, a message or docs/meanings.toml. A merge conflict in docs/reference:
# run it again.
reference: .venv/ready-dev
	$(BIN)/python -m tests.reference
	$(BIN)/python -m docs.reference_pages

# Update the catalog in recours/locale from the texts in the code. Then write the French translations there.
texts: .venv/ready-dev
	$(BIN)/python -m tests.translations

# Measure size and layout. BASE=<commit> adds that commit for comparison.
metrics: .venv/ready-dev
	$(BIN)/python -m tests.metrics $(if $(BASE),--base $(BASE))

# Measure the speed of runs. BASE=<commit> alternates with runs of that commit.
bench: .venv/ready-dev
	$(BIN)/python -m tests.benchmarks.$(if $(BASE),compare $(BASE),bench)

# Measure how the cost grows. RECOURS_LONG=1 adds the largest sizes, which need gigabytes of disk.
bench-growth: .venv/ready-dev
	$(BIN)/python -m tests.benchmarks.growth

# Measure the share of available PODs that arrive before their deadlines. Takes half an hour at most.
bench-yield: .venv/ready-dev
	$(BIN)/python -m tests.benchmarks.bench_yield --write

# The long form of the chaos tests; test-full includes a short form.
chaos: .venv/ready-dev
	RECOURS_LONG=1 $(BIN)/python -m pytest -n 2 tests/chaos

fuzz: .venv/ready-dev
	RECOURS_FUZZ_EXAMPLES=20000 $(BIN)/python -m pytest -n auto tests/fuzz

mutation: .venv/ready-dev
	$(BIN)/python tests/mutation.py

# The project is installed without its dependencies, because requirements.txt has pinned them.
.venv/ready: requirements.txt pyproject.toml
	[ -x $(BIN)/python ] || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

.venv/ready-dev: .venv/ready tests/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.txt
	touch $@

# Update the pinned versions, with hashes, for all platforms. Pins keep their extras: if another package requires an
# extra, pip ignores a pin without it, and the installation fails after the next release of that package.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-strip-extras --custom-compile-command "make lock"

# Build the packages in dist/ with their SBOM and checksums, and use the wheel in each Python on this machine. Nothing is
# published: a tag does that, see .github/workflows/release.yml.
release: .venv/ready .github/release-requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .github/release-requirements.txt
	rm -rf dist
	$(BIN)/python -m build --no-isolation --outdir dist .
	$(BIN)/twine check --strict dist/*
	$(BIN)/check-wheel-contents dist/*.whl
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
		--output-file dist/recours.cdx.json requirements.txt
	cd dist && sha256sum * > SHA256SUMS
	$(BIN)/python -m tests.release dist/*.whl

lock: .venv/ready
	$(BIN)/python -m pip install --quiet uv
	echo 'hatchling>=1.27,<2' | $(LOCK) --upgrade pyproject.toml - --output-file requirements.txt
	$(LOCK) --upgrade pyproject.toml --extra dev --extra docs --extra postgres --extra dashboard --extra fleet --extra timestamps \
		--constraint requirements.txt --output-file tests/requirements.txt
	echo 'hatchling>=1.27,<2' | $(LOCK) --upgrade pyproject.toml - --extra accounts --extra dashboard --extra fleet \
		--extra postgres --extra timestamps --constraint tests/requirements.txt --output-file deploy/requirements.txt
	$(LOCK) --upgrade pyproject.toml --extra release --constraint tests/requirements.txt \
		--output-file .github/release-requirements.txt

clean:
	rm -rf .venv data/demo mutants docs/_build
