"""What the checks find, one line each, for a person or for a program."""

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The result of a check. Only `BROKEN` makes the command fail."""

    OK = "ok"
    BROKEN = "broken"
    NOTE = "note"


_WORDS = {Verdict.OK: "ok", Verdict.BROKEN: "NOT OK", Verdict.NOTE: "note"}
_COLOURS = {Verdict.OK: 32, Verdict.BROKEN: 31, Verdict.NOTE: 33}  # ECMA-48 8.3.117


@dataclass(frozen=True)
class Finding:
    """One line: what was checked, what was found and, if it is wrong, how to fix it."""

    verdict: Verdict
    check: str
    text: str
    remedy: str = ""

    def sentence(self) -> str:
        """What was found and how to fix it."""
        return f"{self.text} {self.remedy}".rstrip()


def ok(check: str, text: str) -> Finding:
    """This works."""
    return Finding(Verdict.OK, check, text)


def broken(check: str, text: str, remedy: str) -> Finding:
    """Something necessary does not work."""
    return Finding(Verdict.BROKEN, check, text, remedy)


def note(check: str, text: str, remedy: str = "") -> Finding:
    """Something to know; it may be no problem."""
    return Finding(Verdict.NOTE, check, text, remedy)


def lines(findings: Sequence[Finding], *, colour: bool) -> list[str]:
    """The findings for a person to read, in columns.

    Parameters
    ----------
    colour: whether to colour the verdicts, for a terminal.
    """
    width = max((len(finding.check) for finding in findings), default=0)
    printed = []
    for finding in findings:
        word = f"{_WORDS[finding.verdict]:<6}"
        if colour:
            word = f"\x1b[{_COLOURS[finding.verdict]}m{word}\x1b[0m"
        printed.append(f"{word}  {finding.check:<{width}}  {finding.sentence()}")
    return printed


def as_json(findings: Sequence[Finding]) -> str:
    """The findings as one line of JSON: objects with verdict, check, text and remedy."""
    return json.dumps([dataclasses.asdict(finding) for finding in findings])


def exit_code(findings: Sequence[Finding]) -> int:
    """1 if something is broken, else 0."""
    return int(any(finding.verdict is Verdict.BROKEN for finding in findings))
