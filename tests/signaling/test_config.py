"""The configuration: defaults, types, and errors that name the key."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from signaling import config
from signaling.setup_error import SetupError

CONFIG_FILE = Path(__file__).parents[2] / "config.yaml"


def test_the_shipped_file_holds_every_key_at_its_default() -> None:
    """config.yaml describes what the server does without it."""
    shipped = config.load(CONFIG_FILE)
    assert shipped == config.Config()


def test_the_shipped_file_leaves_out_no_key() -> None:
    """Every key is in config.yaml."""

    def keys(record: object) -> set[str]:
        found = set()
        for field in dataclasses.fields(record):  # type: ignore[arg-type]
            value = getattr(record, field.name)
            found.add(field.name)
            if dataclasses.is_dataclass(value):
                found |= {f"{field.name}.{key}" for key in keys(value)}
        return found

    def written(values: dict[str, object]) -> set[str]:
        found = set()
        for name, value in values.items():
            found.add(name)
            if isinstance(value, dict):
                found |= {f"{name}.{key}" for key in written(value)}
        return found

    in_file = written(yaml.safe_load(CONFIG_FILE.read_text()))
    assert keys(config.Config()) <= in_file


def test_what_a_file_leaves_out_keeps_its_default(tmp_path: Path) -> None:
    """A file only needs the keys that differ."""
    file = tmp_path / "c.yaml"
    file.write_text("server: {port: 9443}\n")
    read = config.load(file)
    assert read.server.port == 9443
    assert read.server.local_port == 8080


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    """A file may be empty or hold only comments."""
    file = tmp_path / "c.yaml"
    file.write_text("# nothing\n")
    assert config.load(file) == config.Config()


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    """A secret next to the configuration is found from any working directory."""
    file = tmp_path / "c.yaml"
    file.write_text(
        "turn: {mode: coturn, coturn: {urls: ['turn:192.0.2.1'], secret_file: secret}}\n"
    )
    assert config.load(file).turn.coturn.secret_file == str(tmp_path / "secret")


def test_an_unknown_key_is_named_by_its_path_with_the_most_similar_one() -> None:
    """After a typing mistake, the sentence names the key that was meant."""
    with pytest.raises(SetupError, match=r"no key server\.prot\. Did you mean server\.port\?"):
        config.from_values({"server": {"prot": 1}})


def test_if_no_key_is_similar_all_are_named() -> None:
    """The sentence then lists every key of that section."""
    with pytest.raises(SetupError, match=r"no key zzz\. The keys here are: server, access"):
        config.from_values({"zzz": 1})


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"server": {"port": "x"}}, "server.port must be a whole number, not 'x'"),
        ({"server": {"port": True}}, "server.port must be a whole number, not True"),
        ({"server": {"port": 70000}}, "server.port must be a port"),
        ({"server": {"host": 3}}, "server.host must be text"),
        ({"server": []}, "server must consist of keys and values"),
        ([], "The configuration must consist of keys"),
        ({"access": "all"}, "access must be one of key, open, not 'all'"),
        ({"rooms": {"max_rooms": 0}}, "rooms.max_rooms must be more than 0"),
        ({"limits": {"sdp_bytes": -1}}, "limits.sdp_bytes must be more than 0"),
        ({"turn": {"mode": "coturn"}}, "turn.coturn.urls"),
        (
            {"turn": {"mode": "coturn", "coturn": {"urls": ["turn:a"]}}},
            "exactly one of turn.coturn.secret and turn.coturn.secret_file",
        ),
        ({"turn": {"coturn": {"urls": "turn:a"}}}, "turn.coturn.urls must be a list"),
        ({"turn": {"coturn": {"urls": [1]}}}, r"turn.coturn.urls\[0\] must be text"),
        ({"turn": {"credential_seconds": 1}}, "credential_seconds must be at least 60"),
        ({"server": {"tls": "files"}}, "server.certificate and server.private_key"),
        ({"video": {"default": "best"}}, "must be one of the presets: low, medium, high, hd"),
        ({"video": {"presets": {"x": {"label": "X"}}}}, "video.presets.x is incomplete: set width"),
        ({"video": {"presets": []}}, "video.presets must consist of keys"),
    ],
)
def test_a_wrong_value_is_named_by_its_path(values: object, sentence: str) -> None:
    """The sentence names the key and says what its value must be."""
    with pytest.raises(SetupError, match=sentence):
        config.from_values(values)


def test_off_needs_no_quotes() -> None:
    """`tls: off` works, although YAML reads it as false."""
    assert config.from_values({"server": {"tls": False}}).server.tls == "off"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """The error for a missing file is one sentence with its path."""
    with pytest.raises(SetupError, match=r"Cannot read .*none\.yaml: No such file"):
        config.load(tmp_path / "none.yaml")


def test_what_is_not_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    """The error for a syntax mistake names its line."""
    file = tmp_path / "c.yaml"
    file.write_text("server:\n  port: [1\n")
    with pytest.raises(SetupError, match=r"c\.yaml, line 3: this is not YAML"):
        config.load(file)


def test_an_error_in_a_file_names_the_file(tmp_path: Path) -> None:
    """The sentence begins with the path of the file."""
    file = tmp_path / "c.yaml"
    file.write_text("acess: open\n")
    with pytest.raises(SetupError, match=r"c\.yaml: There is no key acess\. Did you mean access\?"):
        config.load(file)


def test_secrets_do_not_show_in_a_printed_configuration() -> None:
    """If a configuration ends up in a log, that shows no TURN secret."""
    coturn = {"urls": ["turn:a"], "secret": "hush-hush"}
    read = config.from_values({"turn": {"mode": "coturn", "coturn": coturn}})
    assert read.turn.coturn.secret == "hush-hush"
    assert "hush-hush" not in repr(read)
