# make run   sets up, brings real documents, and makes every stage of the demo (RECIPE=..., RUN=... for another)
# make test  sets up, and runs the checks and the tests
# make bench-extract   measures extraction against its peers (ARGS="--only code,truth --tools ours" for a part)
# make bench-filter    measures what the filter keeps and drops, and its speed, beside datatrove (ARGS="--only speed")
# make bench-dedup     measures what dedup finds, its speed beside peers, and its growth (ARGS="--only growth --sizes 1e7")
# make bench-tokenize  measures tokens/s beside encoder, writer and peers, and what packing wastes (ARGS="--only packing")
# make bench-synth     measures gates on pairs with known faults, the client beside peers, the share of a prefix cache
# make bench-crawl     measures what the crawler keeps to and what it costs (ARGS="--only cpu,frontier --urls 1e7")
# make crawl extract dedup ...   stages by name; each brings those that it needs (AGAINST="runs/may ...": new to these)
# make example        trains a tiny model on the shards of the demo, on a CPU, and shows the loss fall
# make run AGAIN=1     visits the sites of a run again, and makes what follows from what has changed

PYTHON ?= python3
RECIPE ?= manifests/recipes/demo.yaml
RUN ?= runs/$(basename $(notdir $(RECIPE)))
STAGES := crawl extract classify dedup filter synth tokenize export
BIN := .venv/bin
# A submitted run starts in a directory of the cluster's: a local path must not depend on where one stands.
RUN_URL = $(if $(findstring ://,$(RUN)),$(RUN),$(abspath $(RUN)))
CLUSTER_PYTHON ?= python3
EARLIER = $(if $(AGAINST),--against $(AGAINST))
VISIT = $(if $(AGAIN),--again)
LOCK = $(BIN)/uv pip compile pyproject.toml --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --quiet

.PHONY: help setup run report test check lock submit clean accept-main-job accept-extract bench-extract \
	accept-filter bench-filter accept-dedup bench-dedup accept-tokenize bench-tokenize accept-crawl bench-crawl accept-synth bench-synth example $(STAGES)
.DEFAULT_GOAL := help

help:
	@sed -n 's/^# \(make .*\)/\1/p' $(MAKEFILE_LIST)
	@echo "stages: $(STAGES)"

setup: .venv/.ready

# Only a new lock file makes a new environment; ours is installed again when pyproject.toml changes.
.venv/.locked: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
		|| { test "$$(id -u)" = 0 && apt-get -qq update && apt-get -qq install -y python3-venv; } \
		|| { echo "Python's venv is missing: apt install python3-venv"; exit 1; }
	@echo "setting up .venv"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	@touch $@

.venv/.ready: .venv/.locked pyproject.toml
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@echo "compiling"
	@$(BIN)/python -m pipelines.compile
	@touch $@

run: setup
	@$(BIN)/syscorpus run --recipe $(RECIPE) --run $(RUN) $(EARLIER) $(VISIT)

$(STAGES): setup
	@$(BIN)/syscorpus $@ --recipe $(RECIPE) --run $(RUN) $(if $(filter crawl extract classify,$@),,$(EARLIER)) \
		$(if $(filter crawl,$@),$(VISIT))

extract: crawl
classify: extract
dedup: classify
filter: dedup
synth: filter
tokenize: filter synth
export: tokenize

report: setup
	@$(BIN)/syscorpus report --run $(RUN)

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The readers of other projects, for the tests of the exporters only.
.venv/.readers: tests/readers.lock tests/torch-cpu.lock | .venv/.ready
	@echo "setting up the readers"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r tests/torch-cpu.lock 2>/dev/null || true
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r tests/readers.lock
	@$(BIN)/python -c 'import torch' 2>/dev/null || echo "torch is a build for GPUs without their libraries, so its" \
		"tests are skipped; with the wheel of torch 2.13.0+cpu in DIR: rm $@; PIP_FIND_LINKS=DIR make test"
	@touch $@

# llama.cpp's own server, for the tests of teachers; they are skipped where there is no wheel of it.
.venv/.llama: tests/llama.lock | .venv/.ready
	@echo "setting up llama.cpp"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r tests/llama.lock \
		|| echo "llama.cpp cannot be had: the tests with a real teacher are skipped"
	@touch $@

# Azure's storage emulator, for the tests of uploads; they are skipped where npm is missing, or cannot bring it.
build/azurite/.ready: tests/azurite/package-lock.json
	@mkdir -p $(@D)
	@cp tests/azurite/package.json tests/azurite/package-lock.json $(@D)
	@command -v npm >/dev/null || echo "npm is missing: apt install npm, or the tests of uploads to Azure are skipped"
	@! command -v npm >/dev/null || { echo "setting up Azurite"; \
		npm ci --prefix $(@D) --ignore-scripts --no-audit --no-fund --loglevel=error && touch $@; } \
		|| echo "npm could not bring Azurite: the tests of uploads to Azure are skipped"

# Three at once on two cores: many tests wait for processes and servers.
test: check .venv/.readers .venv/.llama build/azurite/.ready
	$(BIN)/pytest -m "not slow" -n 3

# The peers are installed for their benchmark only.
.venv/.bench: .venv/.ready benchmarks/requirements.lock benchmarks/no-deps.lock
	@echo "setting up the peers"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r benchmarks/requirements.lock \
		-r benchmarks/no-deps.lock
	@touch $@

bench-extract: .venv/.bench
	@$(BIN)/python -m benchmarks.extract $(ARGS)

accept-extract: .venv/.bench
	@$(BIN)/python -m benchmarks.extract --check $(ARGS)

bench-filter: setup
	@$(BIN)/python -m benchmarks.filter $(ARGS)

accept-filter: setup
	@$(BIN)/python -m benchmarks.filter --check $(ARGS)

bench-dedup: .venv/.bench
	@$(BIN)/python -m benchmarks.dedup $(ARGS)

# Needs 25 GB of disk for ten million documents.
accept-dedup: .venv/.bench
	@$(BIN)/python -m benchmarks.dedup --sizes 1e4,1e5,1e6,1e7 --check $(ARGS)

bench-tokenize: .venv/.readers
	@$(BIN)/python -m benchmarks.tokenize $(ARGS)

# The tests hold the lines that are no figures: bytes back, counts, real readers, kills, buckets, takedowns.
accept-tokenize: .venv/.readers build/azurite/.ready
	@$(BIN)/pytest -q tests/test_tokenizer.py tests/test_tokenize_stage.py tests/test_export_formats.py \
		tests/test_export_mixture.py tests/test_mixture.py tests/test_reader.py tests/test_upload.py tests/test_takedown_run.py
	@$(BIN)/python -m benchmarks.tokenize --check $(ARGS)

bench-crawl: setup
	@$(BIN)/python -m benchmarks.crawl $(ARGS)

# Needs 3 GB of disk for ten million URLs.
accept-crawl: setup
	@$(BIN)/pytest -q -m slow tests/test_bulk_readers_run.py
	@$(BIN)/python -m benchmarks.crawl --urls 1e7 --check $(ARGS)

# The tests hold the lines that are no figures.
accept-synth: .venv/.llama .venv/.bench
	@$(BIN)/pytest -q -m "not slow" $(addprefix tests/test_,$(addsuffix .py,synth teacher_client batch_teacher engines llama_teacher \
		gates kinds kql plan command_form retrieval_item mask pieces prompts label copy_teacher response_store response_journal \
		benchmark_synth))
	@$(BIN)/python -m benchmarks.synth --check $(ARGS)

bench-synth: .venv/.llama .venv/.bench
	@$(BIN)/python -m benchmarks.synth $(ARGS)

accept-main-job: setup
	@$(BIN)/pytest -q -m slow tests/test_cluster.py
	$(BIN)/python -m benchmarks.accept_main_job

# Some hundred steps of a tiny model on the shards of a run, on a CPU.
example: run .venv/.readers
	@$(BIN)/python -m examples.train_tiny --data $(RUN)/dataset $(ARGS)

submit: setup
	@test -n "$(RAY_ADDRESS)" || { echo "say where the cluster is: make submit RAY_ADDRESS=http://HEAD:8265 RUN=s3://..."; exit 1; }
	$(BIN)/ray job submit --address $(RAY_ADDRESS) --working-dir . -- \
		env SYSCORPUS_SCRATCH=$(abspath build) $(CLUSTER_PYTHON) -m pipelines.cli run --recipe $(RECIPE) --run $(RUN_URL) $(EARLIER)

# Only whoever changes pyproject.toml needs this; it writes no address of a registry.
lock: setup
	$(LOCK) --extra dev --output-file requirements.lock
	$(LOCK) --extra dev --extra bench --constraint requirements.lock --output-file benchmarks/requirements.lock

# What teachers answered was paid for: it stays.
clean:
	rm -rf .venv build
	@test ! -d runs || find runs -mindepth 1 -maxdepth 1 ! -name responses -exec rm -rf {} +
