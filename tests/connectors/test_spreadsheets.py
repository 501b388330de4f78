import pandas as pd
import pytest

from connectors.spreadsheets import csv_text, write_csv


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(A1)", "+cmd|x", "-x", "\tx"])
def test_what_a_spreadsheet_would_run_gets_an_apostrophe(cell):
    assert csv_text(["a"], [{"a": cell}]).splitlines()[1].strip('"').startswith("'")


@pytest.mark.parametrize("cell", ["-0.3333", "+5", -5])
def test_negative_numbers_stay_numbers(cell):
    assert csv_text(["a"], [{"a": cell}]) == f"a\n{cell}\n"


def test_a_table_s_texts_are_only_shown_and_its_numbers_stay(tmp_path):
    kept = pd.DataFrame(
        {"reason": ["=1+1", "+1", "-1", "@x", "No budget", None], "count": [-1] * 6}
    )
    write_csv(kept.astype({"reason": "str"}), tmp_path / "kept.csv")
    written = pd.read_csv(tmp_path / "kept.csv")
    assert written["reason"].tolist()[:5] == ["'=1+1", "'+1", "'-1", "'@x", "No budget"]
    assert written["reason"].isna().tolist() == [False] * 5 + [True]
    assert written["count"].tolist() == [-1] * 6


def test_without_a_row_there_is_a_header(tmp_path):
    write_csv(pd.DataFrame({"a": [], "b": []}), tmp_path / "none.csv")
    assert (tmp_path / "none.csv").read_text(encoding="utf-8") == csv_text(["a", "b"], [])
