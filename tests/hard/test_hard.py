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


def test_each_way_forges(originals):
    changed, unchanged = set(), 0
    for number in range(600):
        name, ways, data = files.forged(originals, number, 0)
        if data == originals[name][0]:
            unchanged += 1
        elif len(ways) == 1:
            changed |= {*ways}
    assert changed == {*forging.WAYS}
    assert unchanged < 120


def test_a_forged_file_is_refused_or_a_model_that_a_fit_makes(originals, tmp_path):
    counts = files.run(originals, 150, 0, tmp_path)
    assert not counts


def test_a_forged_checkpoint_is_refused_or_of_a_fit(tmp_path):
    counts = checkpoints.run(15, 0, tmp_path, fits=["plain"])
    assert not counts


@pytest.mark.parametrize("name", lives.LIVES)
def test_an_interrupt_leaves_the_old_model_or_the_new_one(name):
    # Where this skips the test: hypothesis takes a rule that is skipped for one that failed.
    from sklearn_lstmae.network import _tensorflow  # noqa: F401

    lives.run(name, 3, seed=0)


@pytest.mark.parametrize("name", readers.CASES)
def test_a_reader_during_a_refit_gets_the_old_answer_or_the_new_one(name):
    readers.run(name, 60)
