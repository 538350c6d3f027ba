"""Stores that a benchmark writes have the same rows, and its verdicts are those of its numbers."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from benchmarks.lines import stores


@pytest.mark.parametrize("kind", stores.KINDS)
def test_each_kind_has_the_rows_that_were_written(kind, tmp_path):
    for package in {"h5py": ["h5py"], "memmap": []}.get(kind, ["zarr", "dask", "xarray"]):
        pytest.importorskip(package)
    part = np.random.default_rng(0).normal(size=(5, 3, 2)).astype("f4")
    opened, written = stores.KINDS[kind]
    stores.write(written, tmp_path, 12, part)
    assert_array_equal(np.asarray(opened(tmp_path)[:]), np.concatenate([part, part, part[:2]]))


@pytest.mark.parametrize(
    ("seconds", "memory", "is_met"), [(25, 40, True), (80, 40, False), (25, 200, False)]
)
def test_an_epoch_should_grow_as_the_data_and_its_memory_not(seconds, memory, is_met):
    def found(seconds, memory):
        return {part: {"seconds": seconds, "MB": memory} for part in stores.PARTS}

    numbers = {f"{kind}, 80 MB": found(1.0, 40.0) for kind in stores.KINDS}
    numbers |= {f"{kind}, 2000 MB": found(float(seconds), float(memory)) for kind in stores.KINDS}
    verdicts = stores.verdicts(numbers, *stores.SIZES)
    assert len(verdicts) == len(stores.KINDS)
    assert {verdict.met for verdict in verdicts} == {is_met}
    assert f"({1.0:.1f} and {seconds:.1f} s); {memory} MB" in verdicts[0].measured
