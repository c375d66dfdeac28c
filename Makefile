# Everything here needs Python >= 3.11, make and a way to PyPI; tools/setup_env.py makes the rest.
# Recipes call no other program: not mkdir, not rm, not git.
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help run test check bench bench-cedar bench-dataflow bench-agentdojo bench-halt conformance proof sim soak lock clean

# It doubles the time of every import, and pytest would rewrite each module of its plugins at every start.
unexport PYTHONDONTWRITEBYTECODE

IN := .venv/bin/
# One worker a core; a file's tests stay together, since they share what they start. JOBS=0 runs all in one process.
JOBS ?= auto
PYTEST := $(IN)python -m pytest -n $(JOBS) --dist loadfile

# Distributions build Python with all its optimisations; one built by hand is often a quarter slower.
SYSTEM_PYTHON ?= /usr/bin/python3

# The first Python >= 3.11, that of .venv before others: only then is a second set-up free. The system's counts where it
# can make a .venv, which some distributions leave to a package of its own.
define python
for p in .venv/bin/python $(PYTHON) $(SYSTEM_PYTHON) python3 python python3.15 python3.14 python3.13 python3.12 python3.11; do \
  case "$$p" in "$(SYSTEM_PYTHON)") module=ensurepip ;; *) module=sys ;; esac; \
  if "$$p" -IS -c "import $$module, sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; then exec "$$p" $(1); fi; \
done; \
echo "remit needs Python 3.11 or newer, and found none on PATH." >&2; \
echo "  next: install one, or name it: make $@ PYTHON=/path/to/python3" >&2; \
exit 1
endef

run: ## set up, run the demo, leave the service up (REMIT_DEMO_EXIT=1: end with the demo); ARGS="--port 7170"
	@$(call python,tools/setup_env.py run)
	@exec $(IN)remit demo $(if $(REMIT_DEMO_EXIT),--exit) $(ARGS)

test: ## set up, run all tests; ARGS="-k word" chooses, JOBS=0 in one process, REMIT_ALL=1 makes a skip fail
	@$(call python,tools/setup_env.py dev)
	@exec $(PYTEST) $(ARGS)

check: ## format, lint, types, rings, house style, coverage of the core
	@$(call python,tools/setup_env.py dev)
	@exec $(IN)python -m tools.check $(ARGS)

bench: ## measure; ARGS="append gateway" chooses, ARGS=--list lists
	@$(call python,tools/setup_env.py dev)
	@exec $(IN)python -m bench $(ARGS)

bench-cedar: ## generated code and cedarpy over Cedar's test cases in CORPUS=DIR
	@$(call python,tools/setup_env.py dev)
	@exec $(IN)python -m bench.cedar $(if $(CORPUS),--corpus $(CORPUS)) $(ARGS)

bench-dataflow: ## the scorer's table for recorded sessions; ARGS="--ablate --redacted", REMIT_SHARED=DIR
	@$(call python,tools/setup_env.py dev)
	@exec $(IN)python -m bench.flows $(ARGS)

bench-halt: ## 200 halts under load, from the command to the last effect; ARGS=--long
	@$(call python,tools/setup_env.py dev)
	@exec $(IN)python -m bench.halt $(ARGS)

bench-agentdojo: ## AgentDojo's ground truths, rebuilt from its package in an environment of its own
	@$(call python,tools/setup_env.py dev)
	@exec $(IN)python -m bench.dojo $(ARGS)

conformance: ## the pinned MCP suites, directly and through Remit; ARGS="-o json", ARGS="--only WORD"
	@$(call python,tools/setup_env.py dev)
	@exec $(IN)python -m proof.conformance $(ARGS)

proof: ## short proof of PART=n (QUICK=1: its quick lines); without PART, the quick lines of finished parts
	@$(call python,tools/setup_env.py dev)
	@exec $(IN)python -m proof $(if $(PART),--part $(PART)) $(if $(QUICK),--quick) $(ARGS)

sim: ## play one seed of the simulator and tell its story: SEED=n; ARGS="--mutant WORDS" plants a fault
	@$(call python,tools/setup_env.py dev)
	@exec $(IN)python -m tests.sim $(SEED) $(ARGS)

soak: ## long proof of PART=n
	@$(call python,tools/setup_env.py dev)
	@exec $(IN)python -m proof --long $(if $(PART),--part $(PART)) $(ARGS)

lock: ## write requirements/*.txt again; ARGS=--upgrade takes newer versions
	@$(call python,tools/setup_env.py dev)
	@exec $(IN)python -m tools.lock $(ARGS)

clean: ## remove .venv, build and caches
	@$(call python,tools/clean.py)

help: ## this list
	@$(call python,tools/make_help.py)
