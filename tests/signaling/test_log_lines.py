"""Log lines that repeat are counted instead of written."""

import io
import logging
from collections.abc import Callable

import pytest

from signaling import log_lines
from signaling.log_lines import SHOWN, CountingHandler


class Log:
    """A handler with its output, and a clock to turn."""

    def __init__(self) -> None:
        self.now = 100.0
        self._out = io.StringIO()
        self.handler = CountingHandler(self._out, lambda: self.now)

    def say(self, text: str, *values: object, level: int = logging.INFO) -> None:
        record = logging.LogRecord("web", level, "file.py", 1, text, values, None)
        self.handler.handle(record)

    @property
    def lines(self) -> list[str]:
        return self._out.getvalue().splitlines()


@pytest.fixture
def timers(monkeypatch: pytest.MonkeyPatch) -> list[Callable[[], None]]:
    """What would be called at the end of a window."""
    waiting: list[Callable[[], None]] = []

    class Timer:
        def __init__(self, seconds: float, function: Callable[[], None]) -> None:
            assert 0 < seconds <= log_lines.WINDOW_SECONDS
            waiting.append(function)

        def start(self) -> None:
            pass

    monkeypatch.setattr("threading.Timer", Timer)
    return waiting


@pytest.fixture
def log(timers: list[Callable[[], None]]) -> Log:
    """A handler; its counts are only written when a test says so."""
    return Log()


def test_lines_of_one_kind_are_counted(log: Log) -> None:
    """The first few are written, and one line says how many more there were, with the last."""
    for number in range(2000):
        log.say("refused %s: unknown name", number)
    assert log.lines == [f"refused {number}: unknown name" for number in range(SHOWN)]
    log.handler.flush_counts()
    assert log.lines[SHOWN:] == [f"refused 1999: unknown name ({2000 - SHOWN} more like this)"]
    assert log.handler.held_back == 2000 - SHOWN


def test_other_lines_are_written_meanwhile(log: Log) -> None:
    """A flood of one kind hides no other, and no other level of the same text."""
    for number in range(50):
        log.say("refused %s", number)
    log.say("the certificate was renewed")
    log.say("refused %s", 0, level=logging.ERROR)
    assert log.lines[SHOWN:] == ["the certificate was renewed", "refused 0"]


def test_a_new_window_begins_after_some_seconds(log: Log) -> None:
    """What repeats slowly is always written."""
    for number in range(3 * SHOWN):
        log.say("refused %s", number)
        log.now += log_lines.WINDOW_SECONDS / SHOWN + 0.1
    assert len(log.lines) == 3 * SHOWN


def test_texts_without_end_are_one_kind(log: Log) -> None:
    """Lines whose text is always another are counted too, in bounded memory."""
    for number in range(5000):
        log.say(f"text {number}")
    assert len(log.lines) == log_lines.MAX_KINDS + SHOWN


def test_what_was_counted_is_said_without_another_line(
    log: Log, timers: list[Callable[[], None]]
) -> None:
    """When the flood is over and nothing else is logged, the count is written by itself, once."""
    for _ in range(SHOWN + 3):
        log.say("refused")
    (end,) = timers
    end()
    end()
    assert log.lines[SHOWN:] == ["refused (3 more like this)"]


def test_the_end_of_the_process_says_what_was_counted(log: Log) -> None:
    """Nothing that was held back is lost."""
    for _ in range(SHOWN + 1):
        log.say("refused")
    log.handler.close()
    assert log.lines[-1] == "refused (1 more like this)"
