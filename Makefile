# Everything a user or a developer runs. `make help` lists it.

SWIFT ?= swift
BUILD_FLAGS ?=
DEMO_FOLDER ?= demo
DEMO_SUBJECTS ?= 12
METHODS_FOLDER ?= methods
METHODS ?=
QSMFLOW = .build/release/qsmflow

.DEFAULT_GOAL := help
.PHONY: help packages build demo methods test emulated lint format bench peers acceptance standards clean

help: ## List these targets.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

packages: ## Install missing system packages (Debian, Ubuntu; with sudo when not root).
	@scripts/system-packages.sh

build: packages ## Build the optimised program, .build/release/qsmflow.
	$(SWIFT) build -c release --product qsmflow $(BUILD_FLAGS)

demo: build ## Write a phantom cohort, run the standard workflow on it, compare with the truth.
	scripts/demo.sh $(QSMFLOW) $(DEMO_FOLDER) $(DEMO_SUBJECTS)

methods: build ## Train and judge the four methods on small phantom cohorts (METHODS=qnet: one of them).
	scripts/methods.sh $(QSMFLOW) $(METHODS_FOLDER) $(METHODS)

test: packages ## Build and run all tests (debug; the compute half is optimised all the same).
	$(SWIFT) build --build-tests $(BUILD_FLAGS)
	SWIFT=$(SWIFT) scripts/test.sh $(BUILD_FLAGS)

emulated: ## Run the compute half's tests on emulated older processors (QEMU).
	@scripts/system-packages.sh qemu-user
	$(SWIFT) build --build-tests $(BUILD_FLAGS)
	scripts/test-emulated.sh

lint: ## Check the formatting of every Swift file.
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests

format: ## Format every Swift file in place.
	$(SWIFT) format --in-place --recursive --parallel Package.swift Sources Tests

bench: packages ## Run our own benchmarks (JSON lines in Benchmarks/results).
	$(SWIFT) build -c release --product qsmflow-benchmarks $(BUILD_FLAGS)
	mkdir -p Benchmarks/results
	.build/release/qsmflow-benchmarks | tee Benchmarks/results/ours.jsonl

peers: ## Run the peers side by side in a Python environment (JSON in Benchmarks/results).
	Benchmarks/peers/run.sh

acceptance: packages ## Run the four methods on semi-synthetic cohorts, against what is expected of them (hours).
	Benchmarks/acceptance/run.sh

standards: packages ## Check our BIDS datasets and our HTTP interface with the field's validators.
	Benchmarks/peers/standards.sh

clean: ## Remove build products, the demo and the methods.
	rm -rf .build $(DEMO_FOLDER) $(METHODS_FOLDER)
