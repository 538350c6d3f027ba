"""A small sample of each trial of ``make test-hard``."""

import pytest

from hard import checkpoints, files, forging, lives, models, oracle, readers


@pytest.fixture(scope="module")
def originals():
    return files.valid(
        {name: models.to_bytes(model) for name, model in models.without_training().items()}
    )


def test_what_is_not_forged_is_as_it_was(originals, tmp_path):
    for data, model in originals.values():
        assert forging.Draft.of(data).to_bytes() == data
        assert files.judge(tmp_path / "file", data, model) == []
        assert oracle.complaints(model) == []
