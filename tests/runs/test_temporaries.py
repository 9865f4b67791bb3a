"""Temporary files: none is left by a writer that lives, and those of killed writers go with the next one."""

import fcntl
import os

import pytest

from kancli.runs import temporaries
from kancli.runs.files import write_whole
from kancli.runs.temporaries import remove_abandoned, replacement

ABANDONED = ".a.csv.0123456789abcdef.part"


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_what_a_killed_writer_left_goes_with_the_next_writer_of_the_file(tmp_path):
    others = [".a.csv.0123.part", ".a.csv.part", ".b.csv.0123456789abcdef.part", "a.csv.0123456789abcdef.part"]
    for name in (ABANDONED, *others):
        (tmp_path / name).write_text("half")
    write_whole(tmp_path / "a.csv", b"whole")
    assert names(tmp_path) == sorted(["a.csv", *others])
    assert (tmp_path / "a.csv").read_bytes() == b"whole"


def test_a_writer_at_work_is_not_disturbed(tmp_path):
    target = tmp_path / "a.csv"
    with replacement(target) as file:
        file.write(b"mine")
        write_whole(target, b"another's")
        (temporary,) = tmp_path.glob(".*")
    assert not temporary.exists()
    assert target.read_bytes() == b"mine"
    assert names(tmp_path) == ["a.csv"]


def test_a_temporary_file_removed_before_its_lock_is_made_again(tmp_path, monkeypatch):
    lock, created = fcntl.flock, []

    def remove_and_lock(file, operation):
        if not created:
            created.extend(tmp_path.iterdir())
            remove_abandoned(tmp_path / "a.csv")
        return lock(file, operation)

    monkeypatch.setattr(temporaries.fcntl, "flock", remove_and_lock)
    write_whole(tmp_path / "a.csv", b"whole")
    assert len(created) == 1
    assert names(tmp_path) == ["a.csv"]
    assert (tmp_path / "a.csv").read_bytes() == b"whole"


def test_an_exception_leaves_the_old_file(tmp_path):
    (tmp_path / "a.csv").write_text("old")
    with pytest.raises(TypeError), replacement(tmp_path / "a.csv") as file:
        file.write("no bytes")  # pyright: ignore[reportArgumentType]
    assert (names(tmp_path), (tmp_path / "a.csv").read_text()) == (["a.csv"], "old")


@pytest.mark.parametrize("kind", ["pipe", "folder", "link"])
def test_what_is_no_temporary_file_is_left_alone(tmp_path, kind):
    path = tmp_path / ABANDONED
    if kind == "pipe":
        os.mkfifo(path)  # would hang a reader
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "precious")
        (tmp_path / "precious").write_text("mine")
    before = names(tmp_path)
    write_whole(tmp_path / "a.csv", b"whole")
    expected = before if kind != "pipe" else [name for name in before if name != ABANDONED]
    assert names(tmp_path) == sorted(["a.csv", *expected])
