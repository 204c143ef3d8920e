# `make demo` and `make test` set everything up on a fresh machine and then do the work.
# Needed beforehand: Python 3.11 or newer, Rust 1.91 or newer (cargo), a C compiler for linking.

UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := $(UV) run --frozen

.PHONY: demo test bench check setup clean
.DEFAULT_GOAL := demo

demo: setup
	$(RUN) ringtrue demo

test: setup
	$(RUN) pytest -n auto --dist loadfile $(PYTEST_ARGS)

bench: setup
	$(RUN) python -m lab.bench

check: setup
	$(RUN) ruff format --check .
	$(RUN) ruff check .
	$(RUN) mypy
	$(RUN) lint-imports
	MYPYPATH=mls-rs-python/python $(RUN) stubtest mls_rs._mls_rs
	cd mls-rs-python && cargo fmt --check
	cd mls-rs-python && cargo clippy --release --all-targets --locked -- -D warnings

setup: $(UV) rust
	@$(UV) sync --frozen

.uv/bin/uv:
	@echo "uv is missing: installing it into .uv/"
	@python3 -m venv .uv && .uv/bin/pip install --quiet uv || { \
	  echo "Ringtrue needs uv, and it could not be installed into .uv/ with 'python3 -m venv'." >&2; \
	  echo "Install it by hand (your package manager, or 'pip install uv') and run this again." >&2; exit 1; }

.PHONY: rust
rust:
	@command -v cargo >/dev/null || { \
	  echo "Ringtrue compiles its MLS engine, and there is no Rust toolchain here: 'cargo' was not found." >&2; \
	  echo "Install Rust 1.91 or newer (https://rustup.rs, or your package manager) and run this again." >&2; exit 1; }

clean:
	rm -rf .venv .uv .mypy_cache .pytest_cache .ruff_cache .hypothesis mls-rs-python/target
