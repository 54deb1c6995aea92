"""The core knows no use of a room: neither its folder nor that of the transports names one."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FILES = sorted(
    path for folder in ("room", "transport") for path in (ROOT / "signaling" / folder).glob("*.py")
)

USES = {
    *("camera", "sender", "receiver", "viewer", "phone", "laptop", "zoom", "torch"),
    *("meeting", "guest", "listener", "attendee", "moderator", "muted", "chat"),
    *("party", "movie", "film", "video", "playback", "playlist"),
    *("browser", "tab", "keyboard", "mouse"),
}
"""Words of the uses, each a whole word in names, strings and comments, in the plural too. Left out
are "host", which is a part of an address (RFC 3986, 3.2.2), and words that a core needs for itself:
"page", "role", "offer", "waiting"."""

NAMES = {
    *("camera", "meeting", "party", "browser"),
    *("sender", "receiver", "viewer", "host", "guest", "listener", "waiting"),
}
"""Names of the uses' rooms and roles: none of them is a string in the code, nor a page's path."""


def words(text: str) -> set[str]:
    """The words of a text in lower case, names such as `max_senders` and `MaxSenders` apart."""
    found = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", text)
    return {word.lower() for word in found}


def plural(word: str) -> str:
    return word[:-1] + "ies" if word.endswith("y") else word + "s"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("max_senders", {"max", "senders"}),
        ("# the Sender's", {"the", "sender", "s"}),
        ("HTTPServer SENDER", {"http", "server", "sender"}),
        ("/viewer#ROOM", {"viewer", "room"}),
    ],
)
def test_names_are_taken_apart_into_words(text: str, found: set[str]) -> None:
    """Whole words are compared, whatever they are written together with."""
    assert words(text) == found


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_core_names_no_use(path: Path) -> None:
    """No word of a use stands in a name, a string or a comment."""
    uses = USES | {plural(word) for word in USES}
    found = {
        f"{number}: {line.strip()}"
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if words(line) & uses
    }
    assert found == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_core_holds_no_name_of_a_room_or_role(path: Path) -> None:
    """Neither the code nor what it says has one as a text of its own."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = {
        node.value.strip("/")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert texts & NAMES == set()


def test_the_core_is_looked_at() -> None:
    """The search finds the modules that it is about."""
    assert {"rooms.py", "room_type.py", "hub.py"} <= {path.name for path in FILES}
