# The commands of the README. CMake does the work: see CMakePresets.json and docs/develop.md.
PREFIX ?= /usr/local

.PHONY: help build test test-old demo clean install check

help:
	@echo "make demo      a local cluster, load, and a policy that follows it"
	@echo "make test      every test; make test STAGES='unit faults' only some, tools/test --list tells which"
	@echo "make test-old  the definition and the operator on older versions of Kubernetes"
	@echo "make check     the house rules: layers, sizes, formatting, clang-tidy"
	@echo "make build     build/release/trimtab"
	@echo "make install   into PREFIX ($(PREFIX)), below DESTDIR"
	@echo "make clean     removes build/ (what was made for the cluster stays in the cache)"

build:
	e2e/deps/packages.sh build
	cmake --preset release
	cmake --build --preset release

test:
	e2e/deps/packages.sh
	tools/test $(STAGES)

# Not part of test: it builds two more API servers first.
test-old:
	e2e/deps/packages.sh
	e2e/stages/old.sh

check:
	e2e/deps/packages.sh build check
	tools/check

demo:
	e2e/demo/demo.sh

install: build
	cmake --install build/release --prefix "$(PREFIX)"

clean:
	rm -rf build
