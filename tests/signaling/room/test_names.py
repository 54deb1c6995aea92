"""Names: what is cleaned away, what stays, and how long one may be."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.config import Config
from signaling.room import messages, names
from signaling.room.messages import PeerConnected, PeerInfo, Register, Registered, Say
from signaling.room.refusal import Code, Refusal
from tests.running_server import running_server
from tests.signaling.transport.client import client

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"


def given_name(text: str) -> str | None:
    """The name with which a client is registered that gives this one, as JSON may hold it."""
    register = messages.encode(Register("sender", name=text))
    read = messages.parse(register, max_message=1 << 20, max_sdp=1, max_candidate=1)
    assert isinstance(read, Register)
    return read.name


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("Ann\u202eeeL", "AnneeL", id="right-to-left override"),
        pytest.param("\u2066Ann\u2069\u200f", "Ann", id="isolates and marks"),
        pytest.param("Ann\x1b[31m", "Ann[31m", id="escape"),
        pytest.param("A\x00n\x7fn\x9b", "Ann", id="NUL, delete and C1"),
        pytest.param("Ann\ud83d", "Ann", id="lone surrogate"),
        pytest.param("\udc00\ud800Ann", "Ann", id="surrogates in the wrong order"),
        pytest.param("A\u200bn\ufeffn\u00ad", "Ann", id="nothing to be seen"),
        pytest.param(" Ann\r\n\tLee\u2028Roy\x85 ", "Ann Lee Roy", id="lines and blanks"),
        pytest.param("\u202e\x00", None, id="nothing left"),
        pytest.param("\u200d\u3164 \ufe0f", None, id="left, and not to be seen"),
        pytest.param("Ann\u2800\u2800Lee\u2800", "Ann Lee", id="empty Braille"),
        pytest.param("\u2800 \U0001d159", None, id="symbols that are empty"),
        pytest.param("\u3164An\u034fn\u115f", "Ann", id="fillers"),
        pytest.param("Ann\u200d", "Ann", id="a joiner at the end"),
        pytest.param("A\u200dn\u200cn", "Ann", id="joiners between letters that do not join"),
        pytest.param("Ann\ufe0f\U000e0101", "Ann", id="another way to draw what has none"),
        pytest.param("❤\ufe0f\ufe0f\U000e0100\U000e0101", "❤\ufe0f", id="hidden bytes"),
        pytest.param("Ann\U000e0041\U000e0042", "Ann", id="hidden words"),
        pytest.param("🏴\U000e0041" * 2, "🏴🏴", id="the flag of nothing"),
        pytest.param("a" + ("\u0301" * 8 + "\U000e0041") * 70, "a" + "\u0301" * 8, id="and tags"),
        pytest.param("Zoe" + "\u0308" * 600 + "!", "Zoe" + "\u0308" * 8 + "!", id="marks on marks"),
    ],
)
def test_what_misleads_is_cleaned_away(text: str, kept: str | None) -> None:
    """Controls, bidi and other unseen characters and lone surrogates; an empty name is none."""
    assert given_name(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        *("Zoë", "李明", "עדי", "می\u200cنو", "क्षमा", "শ্রী", "র\u200d্যাব", "ශ්\u200dරී", "བསྒྲུབས"),
        *(
            FAMILY,
            ENGLAND,
            "葛\U000e0100城",
            "❤\ufe0f",
            "❤\ufe0f\u200d🔥",
            "🧑🏽\u200d🚀",
            "1\ufe0f\u20e3",
        ),
    ],
)
def test_names_of_any_script_stay_as_they_are(text: str) -> None:
    """Joiners, tags and variation selectors belong to letters and emoji."""
    assert given_name(text) == text


@pytest.mark.parametrize("character", ["x", "é", "e\u0301", FAMILY, ENGLAND, "क्षि"])
def test_a_name_is_as_long_as_a_person_counts(character: str) -> None:
    """64 characters fit, of however many code points; one more does not."""
    assert given_name(character * 64) == character * 64
    with pytest.raises(Refusal, match="at most 64 characters") as caught:
        given_name(character * 65)
    assert caught.value.code == Code.BAD_FIELD


def test_more_code_points_than_ten_for_each_character_are_too_long() -> None:
    """However few characters a person counts."""
    character = "e" + "\u0301" * 8
    assert given_name(character * 64) == character * 64
    with pytest.raises(Refusal):
        given_name(f"{character}\u0301 " * 64 + character * 8)


@given(st.text(st.characters(exclude_categories=()), max_size=60))
def test_what_is_clean_stays_clean(text: str) -> None:
    """No category that misleads is left, and cleaning again changes nothing."""
    cleaned = names.clean(text)
    assert names.clean(cleaned) == cleaned
    assert not {unicodedata.category(c) for c in cleaned} & {"Cc", "Cs", "Zl", "Zp"}
    assert not {unicodedata.bidirectional(c) for c in cleaned} & {
        *("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
    }


def test_a_peer_in_python_reads_every_name_that_the_server_tells() -> None:
    """A name that a client may give comes through, wherever it stands."""
    name = FAMILY * 64
    told = (
        Registered("sender", (), peers=(PeerInfo("p", "receiver", name),)),
        PeerConnected("sender", "p", name),
        Say("chat", "x", from_="p", name=name, at=1, n=1),
    )
    for message in told:
        assert messages.parse_from_server(messages.encode(message)) == message


async def test_others_are_told_the_clean_name(tmp_path: Path) -> None:
    """Those who are there, and those who come later."""
    async with (
        running_server(Config(access="open"), tmp_path) as server,
        client(server.receiver_link) as first,
        client(server.receiver_link) as second,
    ):
        await first.register("receiver", name="A\u202e\x1bnn\x00\ud800")
        listed = await second.register("sender", name="\u2067B\x07ob\udfff")
        assert listed["peers"][0]["name"] == "Ann"
        assert (await first.receive_type("peer-connected"))["name"] == "Bob"
        assert (await second.receive_type("peer-connected"))["name"] == "Ann"
