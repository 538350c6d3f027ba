"""How objectives and decoders are compared."""

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import variants

MEASURES = {
    "reconstruct": {variants.REBUILT, variants.REBUILT_IN_FIT, variants.ACCURACY},
    "predict": {variants.PREDICTED, variants.ACCURACY},
}
MEASURES["composite"] = MEASURES["reconstruct"] | MEASURES["predict"]


@pytest.mark.parametrize(
    ("network", "variant"),
    [("network of the paper", "composite, conditional"), ("defaults", "reconstruct, forwards")],
)
def test_a_variant_is_tried(network, variant):
    values = variants.trial(network, variant, 0, variants.QUICK)
    assert values.keys() == MEASURES[variant.split(",")[0]]
    assert 0 <= values[variants.ACCURACY] <= 1
    assert all(np.isfinite(value) and value > 0 for value in values.values())


def test_few_labels_are_enough_for_codes_that_tell_the_class():
    digits = np.tile(np.arange(10), 30)
    codes = np.eye(10)[digits]
    assert variants.few_label_accuracy(codes, digits, 200, 0) == 1
    noise = np.random.default_rng(0).normal(size=(300, 3))
    assert variants.few_label_accuracy(noise, digits, 200, 0) < 0.3


def pretend(network, variant, seed, size):
    """A trial in which the paper is right, but for composites, which predict worse."""
    objective, _, how = variant.partition(", ")
    error = {"": 0.5, "conditional": 0.3, "forwards": 0.7}[how] + 0.01 * seed
    values = dict.fromkeys(MEASURES[objective], error)
    if objective == "composite":
        values[variants.PREDICTED] = error + 0.1
    return values | {variants.ACCURACY: 0.9 if objective == "composite" else 0.8}


@pytest.mark.parametrize(("options", "whole"), [([], True), (["--quick"], False)])
def test_variants_are_measured_and_the_whole_measurement_is_kept(
    monkeypatch, capsys, kept, options, whole
):
    monkeypatch.setattr(variants, "trial", pretend)
    variants.main(options)
    shown = capsys.readouterr().out
    row = "| prediction error: composite before predict | -0.100 (-0.100 to -0.100): the opposite |"
    assert row in shown
    assert shown.count(": holds") == 2 * (len(variants.ORDERS) - 2)
    assert list(kept) == ["variants", "README.md"] * whole
    if whole:
        record = kept["variants"]
        assert kept["README.md"] == command.SHOWN
        assert len(record.scores) == len(variants.VARIANTS) * len(variants.NETWORKS)
        assert {len(order.gains) for order in record.orders} == {variants.FULL.n_seeds}
