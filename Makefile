# `make demo` and `make test` are all that a newcomer needs; both set up what they use.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup demo test lint bench soak flash deploy calibrate pictures screenshots clean

help: ## what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.venv/runtime: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

.venv/dev: .venv/runtime
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

.typings: .venv/dev
	$(BIN)/pip install --quiet --disable-pip-version-check --upgrade --target .typings \
		micropython-esp32-stubs==1.29.0.post1
	@touch $@

setup: .venv/dev ## a virtual environment with everything for development

demo: .venv/runtime ## a square on this machine: boxes that hear it, their station, and its pages
	$(BIN)/noisewarden demo

test: .venv/dev ## all tests (wants the Debian packages that .ci/run names)
	$(BIN)/pytest -m 'timed and not soak'
	$(BIN)/pytest -m 'not timed and not soak' -n 3 --dist loadfile --no-loadscope-reorder

lint: .venv/dev .typings ## style, types, and every firmware file compiled for every board
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/pyright --project firmware
	$(BIN)/python -m noisewarden.compile

bench: .venv/dev ## prints every figure that the README claims
	$(BIN)/python tests/benchmarks

soak: .venv/dev ## half an hour in real time: no sample lost, memory flat
	$(BIN)/pytest -m soak -s tests/system

flash: .venv/runtime ## MicroPython onto a board on USB: make flash BOARD=esp32-devkitc [PORT=/dev/ttyUSB0]
	$(BIN)/noisewarden flash --board $(BOARD) $(if $(PORT),--port $(PORT))

deploy: .venv/runtime ## the firmware onto a board on USB: make deploy BOARD=esp32-devkitc PORT=/dev/ttyUSB0
	$(BIN)/noisewarden deploy --board $(BOARD) --port $(PORT)

calibrate: .venv/runtime ## a box beside a reference meter: make calibrate PORT=/dev/ttyUSB0 ARGS='--xl2 /dev/ttyACM0 …'
	$(BIN)/noisewarden calibrate --port $(PORT) $(ARGS)

screenshots: .venv/dev ## the screenshots of the station, made anew (wants Chromium)
	$(BIN)/python docs/screenshots.py

pictures: .venv/dev ## the pictures of the README, made anew by the firmware
	$(BIN)/python docs/pictures.py

clean: ## removes what make made
	rm -rf .venv .typings build dist
