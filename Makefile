# Two commands: `make figures` draws every figure, `make test` runs every test.
# Both first create the environment in .venv where it is missing or out of date.

PYTHON      ?= python3
VENV        ?= .venv
PROFILE     ?= quick
JOBS        ?= 2
SEED        ?= 0
TORCH_INDEX ?=

SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help env figures explorer test docs readme clean

BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
LOG   := $(VENV)/pip.log
TORCH := $(shell sed -n 's/^torch==//p' constraints.txt)
PIP   := $(BIN)/python -m pip install --progress-bar off -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))

# pip's many lines become one dot for each package; the whole text is kept in $(LOG)
DOTS = 2>&1 | tee -a $(LOG) | { while IFS= read -r line; do case $$line in \
	Collecting*|Processing*) printf . ;; Installing*) printf ' unpacking' ;; esac; done; echo; }
FAILED = { tail -n 8 $(LOG); echo 'The installation failed; pip says why above, and all it said is in $(LOG).'; \
	echo 'Once that is mended (network? disk space?), the same command goes on.'; exit 1; } >&2

help:
	@echo 'make figures   draw every figure into figures/quick/ (PROFILE=smoke|quick; paper: into figures/; JOBS=2, SEED=0)'
	@echo 'make explorer  open the explorers in a browser, served by Voilà'
	@echo 'make test      run every test'
	@echo 'make docs      build the documentation into _docs/, from the notebooks as they are'
	@echo 'make env       only create the environment       (PYTHON=python3, TORCH_INDEX=URL of more torch builds)'
	@echo 'make readme    write README.md from nbs/index.ipynb'
	@echo 'make clean     remove the environment, every cache and figures/quick; the figures of the repository stay'

env: $(STAMP)

$(STAMP): settings.ini setup.py constraints.txt Makefile
	@command -v $(PYTHON) >/dev/null || { echo 'There is no "$(PYTHON)" here. On Debian and Ubuntu: apt install python3 python3-venv.'; \
		echo 'Or name another one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11'; exit 1; } >&2
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
		echo "The pinned versions need Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) --version 2>&1)."; \
		echo 'Name one of these: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11, or use environment.yml.'; exit 1; } >&2
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo '$(PYTHON) cannot create environments. On Debian and Ubuntu: apt install python3-venv'; exit 1; } >&2
	@echo "[1/3] $(VENV), with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) && : > $(LOG)
	@echo '[2/3] torch $(TORCH)'
	@if ! { command -v nvidia-smi && nvidia-smi -L; } >/dev/null 2>&1 && $(PIP) 'torch==$(TORCH)+cpu' $(DOTS); then \
		echo 'No NVIDIA GPU: took the CPU build.'; \
	else \
		echo 'Taking the plain build. Where that is the one with CUDA it is about 3 GB; on a machine without a GPU,'; \
		echo 'stop with Ctrl-C and name a source of CPU builds to avoid that: make $(MAKECMDGOALS) TORCH_INDEX=URL'; \
		$(PIP) 'torch==$(TORCH)' $(DOTS) || $(FAILED); \
	fi
	@echo '[3/3] symnb and the versions in constraints.txt (some minutes)'
	@$(PIP) -e '.[companion,files,dev]' $(DOTS) || $(FAILED)
	@touch $@

figures: $(STAMP)
	@$(BIN)/symnb figures --profile $(PROFILE) --jobs $(JOBS) --seed $(SEED)

explorer: $(STAMP)
	@$(BIN)/python -m voila nbs/guides/explorer.ipynb

# All stages run, also behind one that fails; the last lines say which
test: $(STAMP)
	@$(BIN)/python tests/run_stages.py $(JOBS)

docs: $(STAMP)
	@$(BIN)/python -c 'from symnb.companion.docs import build_docs; print(*build_docs(), "_docs/index.html", sep="\n")'

readme: $(STAMP)
	@$(BIN)/python -c 'from symnb.companion.readme import write_readme; write_readme()'

clean:
	rm -rf $(VENV) .cache .pytest_cache build _proc *.egg-info figures/.run figures/quick figures/notebooks figures/index.html
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
