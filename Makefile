# make demo   everything at once on this machine: database, simulated source, sync, reports
# make test   the tests, on the embedded PostgreSQL; CI runs this and then `make campaigns`
# make campaigns  what takes longest: 10,000 simulated histories, known bugs planted one by one, hundreds of kills, and what
#             depends on the server on Debian's PostgreSQL, 16 and 17, where they are to be had (it says what it did not run)
# make quick  the fast tests, one case of each
# make unit   those of them that need no database, no network and no process, with all their cases
# make planted  the planted bugs alone, as a table: the tests must go red for each
# make histories  the simulated histories alone, as many as HISTORIES says (10,000 unless told; about thirteen to a CPU second)
# make lint   style and types
# make docs   write the generated pages anew: settings, roles, dictionary, dashboards
# make dashboards  write the dashboards anew, and build/superset.zip, which Superset imports
# make bench  the measurements of docs/measurements.md (takes some minutes)
# make lock   write requirements.lock anew from pyproject.toml

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

# Python keeps what it compiled, also where the environment says otherwise: each of the test processes would compile all anew.
unexport PYTHONDONTWRITEBYTECODE

# Many tests wait for a time or for a process, so two of them share a processor; not those of the campaigns, which compute.
CORES := $(shell $(PYTHON) -c 'import os; print(os.cpu_count() or 1)')
PARALLEL ?= -n $(shell $(PYTHON) -c 'import os; print(2 * (os.cpu_count() or 1))') --dist worksteal

.PHONY: demo test campaigns quick unit planted histories lint bench lock docs dashboards clean

demo: $(READY)
	@$(BIN)/replicator demo

test: $(READY) lint
	$(BIN)/python -m pytest $(PARALLEL) -m "not campaign"

campaigns: $(READY)
	HISTORIES=$(HISTORIES) $(BIN)/python -m pytest -n $(CORES) --dist worksteal -m campaign $$(grep -rl "pytest.mark.campaign" tests --include=test_*.py)
	$(BIN)/python -m tests.fix_servers -n $(CORES) --dist worksteal

quick: $(READY)
	$(BIN)/python -m pytest $(PARALLEL) --one-case --hypothesis-profile quick -m "not slow"

unit: $(READY)
	$(BIN)/python -m pytest -n $(CORES) --hypothesis-profile quick -m "pure and not slow" $$(grep -rl "pytest.mark.pure" tests --include=test_*.py)

planted: $(READY)
	$(BIN)/python -m tests.test_planted

HISTORIES ?= 10000

histories: $(READY)
	HISTORIES=$(HISTORIES) LIST_HISTORIES=$(HISTORIES) $(BIN)/python -m pytest -n $(CORES) --dist worksteal \
		tests/sync/engine/test_histories.py tests/sync/engine/test_list_histories.py -k many_histories

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m bench

docs: $(READY)
	$(BIN)/python -m replicator.settings_page > docs/settings.md
	$(BIN)/python -m replicator.service.metrics > docs/metrics.md
	$(BIN)/python -m replicator.store.pages
	$(BIN)/python -m tests.fix_module_map
	$(BIN)/python -m dashboards

dashboards: $(READY)
	$(BIN)/python -m dashboards
	$(BIN)/python -m dashboards --zip build/superset.zip

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; PYTHON=... names one" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

lock:
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --group dev --extra parquet --extra archive --extra s3 --extra xlsx \
		--no-emit-index-url --no-header pyproject.toml -o requirements.lock
	printf 'dbt-core>=1.11,<1.12\ndbt-postgres>=1.9,<2\n' | $(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
		--no-emit-index-url --no-header --no-annotate - -o .ci/dbt.lock

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
