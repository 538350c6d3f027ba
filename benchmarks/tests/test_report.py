"""Tables and figures are made from what was kept."""

from benchmarks import __main__ as command
from benchmarks import records, report
from benchmarks.lines import growth


def test_tables_are_made_from_saved_results(tmp_path, make_record):
    report.save("epochs", make_record(), tmp_path)
    loaded, content = report.load("epochs", tmp_path)
    assert loaded == make_record()
    report.save("growth", make_record("units=16"), tmp_path)
    text = report.make_tables(["epochs", "absent", "growth"], tmp_path)
    assert f"Measured (epochs, growth): {content['date']}" in text
    assert "| epochs | be fast | 3 times | met |" in text
    assert "| epochs | more | no | **missed** |" in text
    row = "| a case | 1 s | 2 s, 2 threads | 3.00 (2.00 to 5.00) | 0.1, 0.105 |"
    assert text.count(row) == 1
    assert text.count("| red before blue | -2.000 (-2.000 to -2.000): the opposite |") == 1
    assert "![units](images/growth_units.png)" in text


def test_scores_are_a_table_for_each_measure(make_record):
    assert report.score_tables(make_record().scores) == [
        "| accuracy | ours | PCA |",
        "| --- | --- | --- |",
        "| a set | 0.600 ± 0.141 | 0.550 |",
        "| another | 1.000 | n/a |",
        "",
        "| seconds | ours | PCA |",
        "| --- | --- | --- |",
        "| a set | 0.7 | < 0.01 |",
    ]


def test_orders_are_a_row_for_each_claim(make_record):
    assert report.order_table(make_record().orders) == [
        "| order | small | large |",
        "| --- | --- | --- |",
        "| left before right | +2.000 (-0.484 to +4.484): open | +0.000 (-2.484 to +2.484): open |",
        "| red before blue | -2.000 (-2.000 to -2.000): the opposite "
        "| +5.000 (+2.516 to +7.484): holds |",
    ]
    assert report.order_table([]) == []


def test_packages_that_are_not_there_are_not_named():
    content = report.surroundings()
    content["versions"] = {"numpy": "2.4", "torch": None}
    assert report.describe(content).endswith("; numpy 2.4.")


def test_a_file_keeps_what_is_around_its_tables(tmp_path, make_record):
    readme = tmp_path / "README.md"
    readme.write_text(
        f"Above.\n{report.BEGIN}\nOutdated.\n{report.END}\nBelow.\n", encoding="utf-8"
    )
    report.save("epochs", make_record(), tmp_path)
    for _ in range(2):
        report.write_tables(["epochs"], readme, tmp_path)
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("Above.\n")
    assert text.endswith("Below.\n")
    assert text.count("be fast") == 1
    assert "Outdated" not in text


def test_the_readme_shows_the_kept_results():
    text = report.README.read_text(encoding="utf-8")
    assert report.make_tables(command.SHOWN) in text


def test_a_figure_for_each_axis(tmp_path):
    cases = [f"{axis}={value}" for axis, (_, values) in growth.AXES.items() for value in values[:2]]
    timings = [
        records.Timing(case, {"ours": [1.0], "Keras": [3.0], "PyTorch": [2.0]}) for case in cases
    ]
    paths = growth.draw(records.Record(timings), tmp_path)
    assert len(paths) == len(growth.AXES)
    assert all(path.stat().st_size > 1000 for path in paths)
