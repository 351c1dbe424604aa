# SPDX-License-Identifier: Apache-2.0
# Two commands on a fresh machine: `make demo` and `make test`. Both set up .venv first.
# README.md has the plain pip lines behind them, for Windows too.

# pyenv and the like put commands on the path that only complain, so each is tried before it is believed.
PYTHON ?= $(shell for p in python3.11 python3.13 python3; do $$p -c '' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
EXTRAS ?= blender,demo,test
PYTEST_ARGS ?=

version := $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
CONSTRAINTS ?= $(if $(wildcard constraints-$(version).txt),constraints-$(version).txt,constraints.txt)
bin := $(VENV)/bin
ready := $(VENV)/.installed-$(version)

.PHONY: demo test check lint setup clean

demo: setup
	$(bin)/smirk demo -o out/demo

test: lint check

check: setup
	$(bin)/python -m pytest $(PYTEST_ARGS)

lint: setup
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/pyright --pythonpath $(bin)/python

setup: $(ready)

$(ready): pyproject.toml $(CONSTRAINTS)
	test -x $(bin)/python || $(PYTHON) -m venv $(VENV)
	$(bin)/python -m pip install -q -c $(CONSTRAINTS) -e '.[$(EXTRAS)]'
	touch $@

clean:
	rm -rf .venv .venv313 out build dist *.egg-info
