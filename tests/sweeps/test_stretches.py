"""A table that is written in stretches of rows is the one that is written whole."""

import csv
import io
import json
import math

import pytest
from pyarrow import parquet

from kancli.figures.options import FigureOptions
from kancli.runs.json_files import pretty
from kancli.stats.verdicts import Verdict
from kancli.sweeps import results
from kancli.sweeps.parquet import write_parquet
from kancli.sweeps.row import Row
from kancli.sweeps.summary import summarise

FILES = ("sweep.csv", "summary.json", "sweep.parquet")


def row(number):
    """Failed, incomplete and complete jobs; values whose type the first stretch does not show."""
    keys = {"init": ("a", "b", "1")[number % 3], "grid": str(number // 3), "seed": str(number)}
    keys |= {"noise_scale": "0.5" if number > 7 else "1"}
    if number % 5 == 2:
        return Row(number, f"runs/{number}", "failed", "=cause, with a comma", f"kan-run {number}", keys, [], {}, None)
    value = math.sin(number)
    verdicts = [Verdict("rough", value, 1.0, "warn" if number % 2 else "pass", "layer 0")]
    verdicts += [Verdict("late", number, 1, "fail", "")] if number > 8 else []
    statistics = {"rough": value, "count": number if number < 6 else number / 2, "none": None, "only": 7}
    statistics |= {"late": number} if number > 8 else {}
    state = "complete", None, f"kan-run {number}"
    return Row(number, str(number), *state, keys, verdicts, statistics, 0.5 * number)


def written(folder, n_rows):
    folder.mkdir()
    rows = [row(number) for number in range(n_rows)]
    results.write(rows, {".": {"typed": ["a"], "dropped": 0}}, folder, FigureOptions())
    return {name: (folder / name).read_bytes() for name in FILES}


@pytest.mark.parametrize("stretch", [1, 3, 12, 13])
def test_stretches_join_to_the_whole_table(tmp_path, monkeypatch, stretch):
    monkeypatch.setattr(results, "_encode_figures", lambda *args: {})
    whole = written(tmp_path / "whole", 13)
    monkeypatch.setattr(results, "STRETCH", stretch)
    parts = written(tmp_path / "parts", 13)
    assert parts["sweep.csv"] == whole["sweep.csv"]
    assert parts["summary.json"] == whole["summary.json"]
    one, other = (parquet.read_table(io.BytesIO(files["sweep.parquet"])) for files in (whole, parts))
    assert other.schema == one.schema
    assert other.to_pydict() == one.to_pydict()
    assert parquet.ParquetFile(io.BytesIO(parts["sweep.parquet"])).num_row_groups == -(-13 // stretch)


def test_the_files_hold_the_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "_encode_figures", lambda *args: {})
    monkeypatch.setattr(results, "STRETCH", 4)
    files = written(tmp_path / "table", 13)
    lines = list(csv.DictReader(io.StringIO(files["sweep.csv"].decode())))
    table = parquet.read_table(io.BytesIO(files["sweep.parquet"]))
    assert [line["job"] for line in lines] == list(map(str, range(13)))
    types = {
        "init": "string",
        "grid": "int64",
        "noise_scale": "double",
        "count": "double",
        "none": "null",
        "only": "int64",
    }
    assert {name: str(table.schema.field(name).type) for name in types} == types
    assert table.column("init").to_pylist()[:4] == ["a", "b", "1", "a"]
    assert table.column("grid").to_pylist() == [number // 3 for number in range(13)]
    assert (lines[2]["status"], lines[2]["cause"], lines[2]["rough"]) == ("failed", "'=cause, with a comma", "")
    assert (lines[5]["count"], lines[6]["count"]) == ("5", "3.0")
    assert lines[9]["late_verdict"] == "fail"
    summary = json.loads(files["summary.json"])
    assert summary["status"] == {"complete": 10, "failed": 3}
    assert [failure["job"] for failure in summary["failures"]] == [2, 7, 12]
    contents = summarise([row(number) for number in range(13)], {".": {"typed": ["a"], "dropped": 0}})
    plain = {name: list(value) if name in ("cells", "failures") else value for name, value in contents.items()}
    assert files["summary.json"].decode() == pretty(plain) + "\n"


def test_an_empty_summary_has_empty_lists(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "_encode_figures", lambda *args: {})
    assert json.loads(written(tmp_path / "table", 0)["summary.json"])["cells"] == []
    assert b'"failures": []' in (tmp_path / "table/summary.json").read_bytes()


def test_a_type_that_no_stretch_shows_alone():
    stretches = [{"a": ["1", None], "c": [None, None]}, {"a": ["2.5"], "c": ["x"]}]
    file = io.BytesIO()
    write_parquet(file, stretches)
    table = parquet.read_table(io.BytesIO(file.getvalue()))
    assert table.column("a").to_pylist() == [1.0, None, 2.5]
    assert table.column("c").to_pylist() == [None, None, "x"]
