# The front door for people who work on Tenon. `make help` lists what there is; CMake (presets) does the building.
.DEFAULT_GOAL := help
.PHONY: help setup setup-peers build demo test test-full check-quick lint docs format bench wheel
PY := .venv/bin/python
export PYTHONPATH := $(CURDIR)/python:$(CURDIR)/build/python$(if $(PYTHONPATH),:$(PYTHONPATH))

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1mmake %-12s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## install what is missing: Debian packages and .venv (idempotent)
	@tools/dev/setup.sh

setup-peers: ## setup, and the runtimes to compare with (openvino, jax, iree, llama.cpp)
	@tools/dev/setup.sh --peers

build: setup ## compile everything into build/
	@tools/dev/ninja.sh

demo: build ## draw a line of text and read it back with two compiled OCR models
	@$(PY) examples/demo.py

test: build ## all tests: lit, GoogleTest, pytest, lint, docs; ends with "N passed, N failed"
	@$(PY) tools/dev/run_tests.py

test-full: build ## the same with the long versions of the suites
	@TENON_TEST_FULL=1 $(PY) tools/dev/run_tests.py

check-quick: ## tests touched by the working tree's changes (lit and unit), under two minutes
	@tools/dev/ninja.sh
	@$(PY) tools/dev/run_tests.py --quick

lint: ## file sizes, formatting, pass and constraint tests, dependency edges
	@$(PY) tools/dev/lint.py

format: ## clang-format over the tree
	@git ls-files '*.h' '*.c' '*.cpp' | xargs clang-format-22 -i

docs: ## make docs/generated from the .td files and the importer's registry
	@$(PY) tools/dev/gen_docs.py

bench: build ## the suite `cpu` against onnxruntime, OpenVINO, JAX and IREE, one thread and two (an hour); SUITE=unseen THREADS=1 AGAINST=jax
	@tools/dev/setup.sh --peers
	@$(PY) tools/dev/suite_models.py
	@for threads in $(or $(THREADS),1 2); do \
	  $(PY) -m tenon bench --suite build/models/suites/$(or $(SUITE),cpu).json \
	    --against $(or $(AGAINST),onnxruntime,openvino,jax,iree) --threads $$threads --plot build/bench-$(or $(SUITE),cpu)-$$threads.svg; done

wheel: setup ## build a wheel into dist/ (reuses build/ when there is one)
	@$(PY) -m pip wheel -q --no-deps -w dist .
