"""The documents list what there is: messages, error codes, settings and commands."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

from signaling.room import messages
from signaling.room.refusal import Code
from signaling.room_types.camera import camera

ROOT = Path(__file__).parent.parent
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
README = (ROOT / "README.md").read_text()


def first_cells(section: str) -> list[str]:
    """What stands in backticks at the start of each row of the table under a heading."""
    body = PROTOCOL.split(f"## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \|", body, re.MULTILINE)


def test_the_protocol_document_lists_every_message() -> None:
    """The table of messages has a row for each type, and no other."""
    names = (getattr(kind, "type", None) for kind in vars(messages).values())
    assert set(first_cells("Messages")) == {name for name in names if isinstance(name, str)}


def test_the_protocol_document_lists_every_error_code() -> None:
    """The table of codes has a row for each code, and no other."""
    assert first_cells("Error codes") == [code.value for code in Code]


def test_the_protocol_document_says_what_each_role_may_send() -> None:
    """The table of roles is the one in the code."""
    for role in camera(senders=1, receivers=1, viewers=1).roles.values():
        (row,) = re.findall(rf"^\| {role.name} \| (.*) \|$", PROTOCOL, re.MULTILINE)
        assert set(re.findall(r"`([a-z-]+)`", row)) == role.sends


def test_the_configuration_document_lists_every_key() -> None:
    """docs/configuration.md has a row for each key of config.yaml, with its default."""
    text = (ROOT / "docs" / "configuration.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| `([^`]*)` \|", text, re.MULTILINE))
    values = yaml.safe_load((ROOT / "config.yaml").read_text())
    presets = values["video"].pop("presets")
    expected = {
        name: "null" if value is None else str(value) for name, value in leaves(values).items()
    }
    expected["video.presets"] = ", ".join(presets)
    assert rows == expected


def leaves(values: dict[str, object], path: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= leaves(value, f"{path}{name}.")
        else:
            found[path + name] = value
    return found


def test_the_readme_names_only_make_targets_that_exist() -> None:
    """Each `make x` of the README is a target of the Makefile."""
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"\bmake ([a-z]+)", README)) <= set(targets)


def test_the_readme_names_only_commands_and_options_that_exist() -> None:
    """Each `lenscast x` and each `--option` of the README is one of the command line."""
    command = [sys.executable, "-m", "lenscast"]
    top = subprocess.run([*command, "--help"], capture_output=True, text=True, check=True).stdout
    serve = subprocess.run(
        [*command, "serve", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for name in re.findall(r"`lenscast ([a-z]+)", README):
        assert re.search(rf"^    {name}\b", top, re.MULTILINE)
    for words in re.findall(r"`lenscast ([^`]+)`", README):
        for option in re.findall(r"--[a-z-]+", words):
            assert option in top + serve


def test_links_between_documents_lead_somewhere() -> None:
    """Every relative link in the README and the documents points to a file."""
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_security_document_names_tests_that_exist() -> None:
    """Each promise of docs/security.md names the files of tests that hold it."""
    text = (ROOT / "docs" / "security.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not row.startswith("| promise")]
    named = [re.findall(r"`((?:\w+/)*test_\w+\.py)`", row) for row in promises]
    assert all(named), "a promise without a test"
    missing = {name for names in named for name in names if not (ROOT / "tests" / name).exists()}
    assert missing == set()
