import os
import stat

import pytest

from connectors.statements import file_name, private_folder, write_private


def mode(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_are_born_for_their_owner_only_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        folder = private_folder(tmp_path / "deep" / "statements")
        file = write_private(folder / "a.csv", "x")
    finally:
        os.umask(before)
    assert (mode(folder), mode(file)) == (0o700, 0o600)


def test_a_folder_that_was_open_to_others_is_shut(tmp_path):
    folder = tmp_path / "statements"
    folder.mkdir(mode=0o755)
    assert mode(private_folder(folder)) == 0o700


def test_a_file_that_was_open_to_others_is_replaced_by_a_private_one(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("old", encoding="utf-8")
    file.chmod(0o644)
    write_private(file, "new")
    assert (file.read_text(encoding="utf-8"), mode(file)) == ("new", 0o600)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize("name", ["../x", "a/b", "", "é", "a" * 99, ".hidden"])
def test_a_participants_id_never_leads_out_of_the_folder(name):
    shown = file_name("person", name, "csv")
    assert shown.startswith("person-x")
    assert "/" not in shown
