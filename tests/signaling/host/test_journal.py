"""The journal: lines that outlive the process, in a file of its user's alone."""

import logging
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from signaling.host.journal import Journal
from signaling.setup_error import SetupError


def test_lines_come_back_in_order(tmp_path: Path) -> None:
    """From another journal of the same file; one that is not there yet holds nothing."""
    path = tmp_path / "lines"
    assert Journal(path).lines() == []
    Journal(path).add("one")
    Journal(path).add("two")
    assert Journal(path).lines() == ["one", "two"]
    Journal(path).replace(["three"])
    Journal(path).add("four")
    assert Journal(path).lines() == ["three", "four"]


def test_only_its_user_can_read_it(tmp_path: Path) -> None:
    """Mode 0600, whatever the umask."""
    path = tmp_path / "lines"
    mask = os.umask(0)
    try:
        Journal(path).add("one")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        Journal(path).replace(["two"])
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(mask)


def test_a_line_outlives_a_process_that_is_killed(tmp_path: Path) -> None:
    """Right after `add` has returned, with SIGKILL."""
    path = tmp_path / "lines"
    code = (
        "import os, pathlib, signal, sys; from signaling.host.journal import Journal; "
        "Journal(pathlib.Path(sys.argv[1])).add('one'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert Journal(path).lines() == ["one"]


def test_bytes_that_are_no_text_spoil_no_other_line(tmp_path: Path) -> None:
    """A power cut may leave anything."""
    path = tmp_path / "lines"
    path.write_bytes(b"one\n\xff\x00\ntwo\nthr")
    lines = Journal(path).lines()
    assert (lines[0], lines[2:]) == ("one", ["two", "thr"])


def test_a_folder_that_is_gone_is_reported_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The server goes on; the log says what may follow, and says it again after a good time."""
    folder = tmp_path / "folder"
    journal = Journal(folder / "lines")
    for _ in range(3):
        journal.add("one")
        journal.replace(["one"])
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "may come back" in caplog.text
    folder.mkdir()
    journal.add("one")
    (folder / "lines").unlink()
    folder.rmdir()
    journal.add("one")
    assert len(caplog.records) == 2


def test_a_file_that_cannot_be_read_is_an_error_with_a_next_step(tmp_path: Path) -> None:
    """As for every file of the state folder."""
    (tmp_path / "lines").mkdir()
    with pytest.raises(SetupError, match=r"lines cannot be read: .+\. \w+"):
        Journal(tmp_path / "lines").lines()
