"""Processes that take turns, and the command that starts them."""

import collections

import pytest

from benchmarks import __main__ as command
from benchmarks import harness


def test_contenders_take_turns_and_the_warm_up_is_not_counted():
    calls = []
    runs = {name: lambda name=name: calls.append(name) or len(calls) for name in "ABC"}
    results = harness.take_turns(runs, rounds=2, warm_up=1)
    assert "".join(calls) == "ABCABCABC"
    assert results == {"A": [4, 7], "B": [5, 8], "C": [6, 9]}


def test_a_remote_keeps_its_object_times_it_and_reports_errors():
    starters = {"one": lambda: harness.Remote(collections.Counter, "aab")}
    with harness.started(starters) as remotes:
        remote = remotes["one"]
        remote.call("update", "b")
        seconds, result = remote.timed("most_common")
        assert seconds >= 0
        assert dict(result) == {"a": 2, "b": 2}
        with pytest.raises(RuntimeError, match=r"A contender failed:(.|\n)*AttributeError"):
            remote.call("does_not_exist")
        with pytest.raises(RuntimeError, match="ended without an answer"):
            remote.call("update", "b")


def test_an_unknown_line_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["epoch"])
    assert "'epoch' is not one of" in capsys.readouterr().err
