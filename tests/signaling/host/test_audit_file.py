"""The file of the audit log."""

import logging
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from signaling.host import audit_file
from signaling.host.audit_file import AuditFile
from signaling.setup_error import SetupError
from tests.waiting import until


def test_each_line_is_appended(tmp_path: Path) -> None:
    """Lines from before stay, and nobody else can read the file."""
    path = tmp_path / "audit.log"
    path.write_text("before\n")
    path.chmod(0o644)
    file = AuditFile(path)
    file.write("one")
    file.write("two")
    file.close()
    assert path.read_text() == "before\none\ntwo\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_new_file_has_mode_0600(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its first moment, not only later."""
    monkeypatch.delattr(os, "chmod")
    AuditFile(tmp_path / "audit.log").close()
    assert stat.S_IMODE((tmp_path / "audit.log").stat().st_mode) == 0o600


def test_a_file_that_was_moved_is_opened_again(tmp_path: Path) -> None:
    """As logrotate does it: what comes later is in a new file, nothing is lost."""
    path, moved = tmp_path / "audit.log", tmp_path / "audit.log.1"
    file = AuditFile(path)
    file.write("one")
    until(lambda: path.read_text() == "one\n")
    path.rename(moved)
    file.write("two")
    file.close()
    assert (moved.read_text(), path.read_text()) == ("one\n", "two\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_disk_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is raised, and nothing stops."""
    file = AuditFile(Path("/dev/full"))
    for _ in range(5):
        file.write("line")
    file.close()
    said = [r.getMessage() for r in caplog.records if "No space left" in r.getMessage()]
    assert len([text for text in said if "cannot be written" in text]) == 1


def test_a_slow_disk_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What does not fit is dropped, which is said once."""
    monkeypatch.setattr(audit_file, "MAX_WAITING", 3)
    goes_on = threading.Event()
    emit: Callable[[logging.Handler, logging.LogRecord], None] = audit_file._File.emit

    def slowly(self: logging.Handler, record: logging.LogRecord) -> None:
        goes_on.wait(20)
        emit(self, record)

    monkeypatch.setattr(audit_file._File, "emit", slowly)
    file = AuditFile(tmp_path / "audit.log")
    for number in range(10):
        file.write(str(number))
    goes_on.set()
    file.close()
    assert 3 <= len((tmp_path / "audit.log").read_text().splitlines()) <= 4
    assert len([r for r in caplog.records if "too slow" in r.getMessage()]) == 1


def test_a_file_that_cannot_be_opened_is_one_sentence(tmp_path: Path) -> None:
    """It names the key of the configuration."""
    with pytest.raises(SetupError, match=r"log\.audit"):
        AuditFile(tmp_path / "nowhere" / "audit.log")
