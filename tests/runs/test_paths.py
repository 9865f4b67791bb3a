"""Files that are written stay where they belong: links, devices, and several writers of one file."""

import json
import subprocess
import sys
import threading

import pytest

from kancli.config.compose import compose
from kancli.errors import ConfigError
from kancli.runs.files import write_below, write_named, write_whole
from kancli.runs.folder import RunFolder


@pytest.fixture
def precious(tmp_path):
    """A file outside of the folders that are written to."""
    path = tmp_path / "elsewhere" / "precious"
    path.parent.mkdir()
    path.write_bytes(b"precious")
    return path


def test_a_prepared_temporary_name_is_not_followed(tmp_path, precious):
    (tmp_path / ".run.json.part").symlink_to(precious)
    (tmp_path / "run.json").symlink_to(precious)
    write_whole(tmp_path / "run.json", b"new")
    assert precious.read_bytes() == b"precious"
    assert not (tmp_path / "run.json").is_symlink()
    assert (tmp_path / "run.json").read_bytes() == b"new"


def test_a_linked_subfolder_is_refused(tmp_path, precious):
    (tmp_path / "figures").symlink_to(precious.parent)
    with pytest.raises(ConfigError, match="figures: is a symbolic link"):
        write_below(tmp_path, "figures/network.png", b"new")
    with pytest.raises(ConfigError, match="figures: is a symbolic link"):
        RunFolder(tmp_path, {}).write("figures/network.png", b"new")
    assert list(precious.parent.iterdir()) == [precious]


def test_a_named_link_or_device_is_written_through(tmp_path, precious):
    (tmp_path / "link").symlink_to(precious)
    write_named(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert precious.read_bytes() == b"new"
    (tmp_path / "null").symlink_to("/dev/null")
    write_named(tmp_path / "null", b"new")
    assert (tmp_path / "null").is_symlink()
    (tmp_path / "dangling").symlink_to(tmp_path / "made")
    write_named(tmp_path / "dangling", b"new")
    assert (tmp_path / "made").read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dangling", "elsewhere", "link", "made", "null"]


@pytest.mark.slow
def test_standard_output_can_be_named_as_a_file(tmp_path):
    code = (
        "from pathlib import Path; from kancli.runs.files import write_named; write_named(Path('/dev/stdout'), b'new')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"new"), done.stderr


def test_two_writers_of_one_file_both_succeed(tmp_path):
    target, errors = tmp_path / "report.html", []
    contents = [bytes([letter]) * 100_000 for letter in b"ab"]

    def write(content):
        try:
            for _ in range(200):
                write_whole(target, content)
                assert target.read_bytes() in contents
        except BaseException as error:
            errors.append(error)

    writers = [threading.Thread(target=write, args=[content]) for content in contents]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert errors == []
    assert list(tmp_path.iterdir()) == [target]


def test_of_two_runs_that_overwrite_one_at_once_one_is_answered(tmp_path, presets):
    config = compose(["figures=none"], presets).config
    head = {"config": config, "seed": 0}
    path = tmp_path / "run"
    for _ in range(20):
        folder = RunFolder.create(path, {}, head, overwrite=True)
        folder.close("complete")
        created, refused = [], []
        barrier = threading.Barrier(2)

        def create(created=created, refused=refused, barrier=barrier):
            barrier.wait()
            try:
                created.append(RunFolder.create(path, {}, head, overwrite=True))
            except ConfigError as error:
                refused.append(str(error))

        threads = [threading.Thread(target=create) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(created) == len(refused) == 1
        assert "its run is not finished" in refused[0]
        created[0].close("complete")
        assert json.loads((path / "run.json").read_text())["status"] == "complete"
        assert list(tmp_path.iterdir()) == [path]
