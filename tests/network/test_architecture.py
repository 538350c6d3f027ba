"""An Architecture is a value: equal descriptions are equal, and widths follow from it."""

import dataclasses
import json

import numpy as np
import pytest

from sklearn_lstmae.network.architecture import FREQUENCIES, TIME_WAVELENGTHS, Architecture


def test_equal_descriptions_are_one_key(make_architecture):
    assert {make_architecture(): 1}[make_architecture()] == 1
    assert make_architecture() != make_architecture(latent_dim=3)


def test_every_field_counts(make_architecture):
    architecture = make_architecture()
    others = {
        "n_features": 3,
        "patch_size": 2,
        "latent_dim": 3,
        "hidden_units": (3, 3),
        "bidirectional": True,
        "bottleneck": "hidden",
        "pooling": "last",
        "reverse_target": False,
        "decoder_start": "input",
        "time_encoding": False,
        "activation": "relu",
        "tells_missing": True,
        "decoders": ("reconstruct", "predict"),
        "conditional": True,
        "variational": True,
    }
    assert others.keys() == {field.name for field in dataclasses.fields(Architecture)}
    changed = {make_architecture(**{name: value}) for name, value in others.items()}
    assert len(changed | {architecture}) == len(others) + 1


def test_it_cannot_change(make_architecture):
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_architecture().latent_dim = 5


@pytest.mark.parametrize("units", [(), (3,), (4, 2)])
def test_from_dict_inverts_to_dict_through_json(units, make_architecture):
    architecture = make_architecture(
        hidden_units=units, bottleneck="hidden", decoders=("reconstruct", "predict")
    )
    description = json.loads(json.dumps(architecture.to_dict()))
    back = Architecture.from_dict(description)
    assert back == architecture
    assert hash(back) == hash(architecture)


@pytest.mark.parametrize(
    ("patch_size", "tells_missing", "more"), [(1, False, 0), (3, False, 3), (3, True, 6)]
)
def test_the_input_holds_a_frame_and_what_is_known_of_it(
    patch_size, tells_missing, more, make_architecture
):
    architecture = make_architecture(patch_size=patch_size, tells_missing=tells_missing)
    assert architecture.frame_width == 2 * patch_size
    assert architecture.input_width == architecture.frame_width + more


@pytest.mark.parametrize(
    ("bottleneck", "times"), [("dense", 1), ("hidden", 1), ("cell", 1), ("hidden_cell", 2)]
)
def test_a_code_of_two_states_is_twice_as_wide(bottleneck, times, make_architecture):
    architecture = make_architecture(bottleneck=bottleneck, latent_dim=5)
    assert architecture.code_width == times * 5


def test_frames_hold_all_steps_and_none_is_spare(make_architecture):
    architecture = make_architecture(patch_size=3)
    for n_steps in range(1, 10):
        n_frames = architecture.n_frames(n_steps)
        assert 3 * (n_frames - 1) < n_steps <= 3 * n_frames


@pytest.mark.parametrize("reverse", [False, True])
def test_only_a_reconstruction_is_in_reverse(reverse, make_architecture):
    architecture = make_architecture(reverse_target=reverse, decoders=("reconstruct", "predict"))
    assert architecture.reverses("reconstruct") == reverse
    assert not architecture.reverses("predict")


def test_the_widest_layer_may_be_the_bottleneck(make_architecture):
    assert make_architecture(hidden_units=(3, 5)).most_units == 5
    assert make_architecture(hidden_units=(), latent_dim=7).most_units == 7


def test_an_encoder_is_the_architecture_without_decoders(make_architecture):
    architecture = make_architecture(decoders=("reconstruct", "predict"))
    assert architecture.encoder == make_architecture(decoders=())
    assert architecture.encoder.encoder == architecture.encoder


def test_wavelengths_grow_and_frequencies_are_their_inverse():
    assert list(TIME_WAVELENGTHS) == sorted(set(TIME_WAVELENGTHS))
    np.testing.assert_allclose(FREQUENCIES * TIME_WAVELENGTHS, 2 * np.pi, rtol=1e-6)
    assert FREQUENCIES.dtype == np.float32
