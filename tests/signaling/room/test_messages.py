"""The wire protocol: every message to text and back, every bad one refused with its code."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signaling.room import messages
from signaling.room.messages import (
    Answer,
    Control,
    DocumentVersion,
    End,
    Error,
    IceCandidate,
    Invite,
    Offer,
    PeerConnected,
    PeerDisconnected,
    PeerInfo,
    Register,
    Registered,
    RoleChange,
    Say,
    SetDocument,
    State,
    Time,
    TurnConfig,
)
from signaling.room.refusal import Code, Refusal

CANDIDATE = {"candidate": "candidate:1 1 udp 1 192.0.2.1 9 typ host", "sdpMid": "0"}


def parse(text: str | bytes) -> messages.ClientMessage:
    return messages.parse(text, max_message=65536, max_sdp=32768, max_candidate=4096)


def refusal(text: str | bytes) -> Refusal:
    with pytest.raises(Refusal) as caught:
        parse(text)
    return caught.value


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        ({"type": "register", "role": "sender"}, Register("sender")),
        (
            {"type": "register", "role": "receiver", "room": "r", "key": "k", "name": "n"},
            Register("receiver", "r", "k", "n"),
        ),
        (
            {"type": "register", "role": "sender", "resume": "t" * 256},
            Register("sender", resume="t" * 256),
        ),
        ({"type": "offer", "sdp": "v=0"}, Offer("v=0")),
        ({"type": "offer", "sdp": "v=0", "to": "p"}, Offer("v=0", to="p")),
        ({"type": "answer", "sdp": "v=0"}, Answer("v=0")),
        (
            {"type": "ice-candidate", "candidate": {**CANDIDATE, "sdpMLineIndex": 0}},
            IceCandidate({**CANDIDATE, "sdpMLineIndex": 0}),
        ),
        ({"type": "ice-candidate", "candidate": None}, IceCandidate(None)),
        ({"type": "control", "settings": {"preset": "hd"}}, Control({"preset": "hd"})),
        ({"type": "state", "state": {"status": "live"}}, State({"status": "live"})),
        (
            {"type": "register", "role": "guest", "roomType": "meeting", "heard": 7},
            Register("guest", room_type="meeting", heard=7),
        ),
        ({"type": "register", "role": "guest", "heard": 0}, Register("guest", heard=0)),
        ({"type": "say", "kind": "chat", "body": "hello"}, Say("chat", "hello")),
        ({"type": "say", "kind": "chat", "body": "", "to": "p"}, Say("chat", "", to="p")),
        ({"type": "set", "name": "board", "base": 0, "value": [1]}, SetDocument("board", 0, [1])),
        ({"type": "set", "name": "board", "base": 3, "value": None}, SetDocument("board", 3, None)),
        (
            {
                "type": "document",
                "name": "board",
                "version": 3,
                "value": {"a": 1},
                "by": "p",
                "at": 1.5,
                "seal": "s",
            },
            DocumentVersion("board", 3, {"a": 1}, "p", 1.5, "s"),
        ),
        ({"type": "document", "name": "b", "version": 0, "value": 1}, DocumentVersion("b", 0, 1)),
        ({"type": "role", "to": "p", "role": "host"}, RoleChange("host", to="p")),
        ({"type": "role", "to": "p", "role": None}, RoleChange(None, to="p")),
        ({"type": "time", "sent": 12.5}, Time(12.5)),
        ({"type": "end"}, End()),
    ],
)
def test_a_client_message_is_read_word_for_word(
    wire: dict[str, Any], message: messages.ClientMessage
) -> None:
    """Each message of the table is read, with its optional fields and without."""
    assert parse(json.dumps(wire)) == message


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (
            Registered("sender", ({"urls": ["stun:a"]},), "p", "r"),
            {
                "type": "registered",
                "role": "sender",
                "turnConfig": {"iceServers": [{"urls": ["stun:a"]}]},
                "id": "p",
                "room": "r",
                "peers": [],
            },
        ),
        (
            Registered("receiver", (), "p", "r", (PeerInfo("q", "sender"),), Invite("u")),
            {
                "type": "registered",
                "role": "receiver",
                "turnConfig": {"iceServers": []},
                "id": "p",
                "room": "r",
                "peers": [{"id": "q", "role": "sender"}],
                "invite": {"url": "u"},
            },
        ),
        (
            Registered("receiver", (), "p", "r", invites={"viewer": Invite("v")}),
            {
                "type": "registered",
                "role": "receiver",
                "turnConfig": {"iceServers": []},
                "id": "p",
                "room": "r",
                "peers": [],
                "invites": {"viewer": {"url": "v"}},
            },
        ),
        (
            Registered(
                "receiver",
                (),
                "p",
                "r",
                (PeerInfo("q", "sender", away=True),),
                resume="token",
                resumed=True,
            ),
            {
                "type": "registered",
                "role": "receiver",
                "turnConfig": {"iceServers": []},
                "id": "p",
                "room": "r",
                "peers": [{"id": "q", "role": "sender", "away": True}],
                "resume": "token",
                "resumed": True,
            },
        ),
        (PeerConnected("sender", "p"), {"type": "peer-connected", "peer": "sender", "id": "p"}),
        (
            PeerDisconnected("sender", "p", "lost"),
            {"type": "peer-disconnected", "peer": "sender", "id": "p", "reason": "lost"},
        ),
        (Offer("v=0", from_="p"), {"type": "offer", "sdp": "v=0", "from": "p"}),
        (
            IceCandidate(None, from_="p"),
            {"type": "ice-candidate", "candidate": None, "from": "p"},
        ),
        (
            TurnConfig(({"urls": "turn:a"},)),
            {"type": "turn-config", "turnConfig": {"iceServers": [{"urls": "turn:a"}]}},
        ),
        (Error("No.", "bad-key"), {"type": "error", "message": "No.", "code": "bad-key"}),
        (
            Registered(
                "guest", (), "p", "r", (PeerInfo("q", "host", offers=True),), limits={"resume": 45}
            ),
            {
                "type": "registered",
                "role": "guest",
                "turnConfig": {"iceServers": []},
                "id": "p",
                "room": "r",
                "peers": [{"id": "q", "role": "host", "offers": True}],
                "limits": {"resume": 45},
            },
        ),
        (
            PeerConnected("sender", "p", offers=True),
            {"type": "peer-connected", "peer": "sender", "id": "p", "offers": True},
        ),
        (
            Say("chat", "hello", from_="p", name="P", at=1.5, n=7),
            {
                "type": "say",
                "kind": "chat",
                "body": "hello",
                "from": "p",
                "name": "P",
                "at": 1.5,
                "n": 7,
            },
        ),
        (
            Say("chat", "", from_="p", at=1.5, n=7, private=True),
            {
                "type": "say",
                "kind": "chat",
                "body": "",
                "from": "p",
                "at": 1.5,
                "n": 7,
                "private": True,
            },
        ),
        (
            DocumentVersion("board", 3, None, "p", 1.5, "s"),
            {
                "type": "document",
                "name": "board",
                "version": 3,
                "value": None,
                "by": "p",
                "at": 1.5,
                "seal": "s",
            },
        ),
        (
            DocumentVersion("board", 0, {}),
            {"type": "document", "name": "board", "version": 0, "value": {}, "at": 0},
        ),
        (
            Time(12.5, 1.5, "b"),
            {"type": "time", "sent": 12.5, "time": 1.5, "boot": "b"},
        ),
    ],
)
def test_a_server_message_is_written_word_for_word(
    message: messages.ServerMessage, wire: dict[str, Any]
) -> None:
    """Each message of the table is written with its fields, and nothing for what it lacks."""
    assert json.loads(messages.encode(message)) == wire


@pytest.mark.parametrize(
    "message",
    [
        Registered("sender", ({"urls": ["stun:a"]},), "p", "r"),
        Registered("sender", (), "p", "r", resume="token", resumed=True),
        Registered("sender", (), "p", "r", (PeerInfo("q", "receiver", "Laptop", away=True),)),
        PeerConnected("sender", "p", "Phone"),
        PeerDisconnected("sender", "p", "lost"),
        Offer("v=0", from_="p"),
        Answer("v=0", from_="p"),
        IceCandidate({**CANDIDATE, "sdpMLineIndex": 0, "usernameFragment": "u"}, from_="p"),
        IceCandidate(None, from_="p"),
        Control({"preset": "hd"}, from_="p"),
        State({"status": "live"}, from_="p"),
        TurnConfig(({"urls": "turn:a"},)),
        Error("No.", "bad-key"),
        Registered("guest", (), "p", "r", (PeerInfo("q", "host", offers=True),), limits={"x": 1.5}),
        PeerConnected("sender", "p", offers=True),
        Say("chat", "hello", from_="p", name="P", at=1.5, n=7, private=True),
        DocumentVersion("board", 3, {"a": [None]}, "p", 1.5, "s"),
        DocumentVersion("board", 3, None),
        RoleChange("host", id="p", by="q"),
        RoleChange(None, id="p"),
        Time(12.5, 1.5, "b"),
    ],
)
def test_a_peer_in_python_reads_what_the_server_writes(message: messages.ServerMessage) -> None:
    """What `encode` writes, `parse_from_server` reads back."""
    assert messages.parse_from_server(messages.encode(message)) == message


@pytest.mark.parametrize("number", [math.inf, -math.inf, math.nan])
def test_what_is_not_json_is_not_written(number: float) -> None:
    """A number that JSON has no word for is its writer's mistake, and goes to nobody."""
    with pytest.raises(ValueError, match="JSON"):
        messages.encode(State({"x": number}))


@pytest.mark.parametrize("peers", [{}, ["q"], [{"id": "q"}], [{"id": 1, "role": "sender"}]])
def test_a_list_of_peers_that_is_none_is_refused(peers: Any) -> None:
    """A peer in Python takes what is not the protocol as an error of the server."""
    registered = json.loads(messages.encode(Registered("sender", (), "p", "r")))
    with pytest.raises(Refusal):
        messages.parse_from_server(json.dumps({**registered, "peers": peers}))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", Code.BAD_JSON),
        ("{", Code.BAD_JSON),
        ("[]", Code.BAD_JSON),
        ("null", Code.BAD_JSON),
        ('{"type": "offer", "sdp": NaN}', Code.BAD_JSON),
        ('{"type": "state", "state": {"x": 1e999}}', Code.BAD_JSON),
        ('{"type": "state", "state": {"x": [-1e999]}}', Code.BAD_JSON),
        (b"\xff\xfe{}", Code.BAD_JSON),
        ("[" * 50000, Code.BAD_JSON),
        ("{}", Code.MISSING_FIELD),
        ('{"type": 1}', Code.BAD_FIELD),
        ('{"type": "shout"}', Code.UNKNOWN_TYPE),
        ('{"type": "registered"}', Code.UNKNOWN_TYPE),
        ('{"type": "register"}', Code.MISSING_FIELD),
        ('{"type": "register", "role": 1}', Code.BAD_FIELD),
        ('{"type": "register", "role": "sender", "key": []}', Code.BAD_FIELD),
        (json.dumps({"type": "register", "role": "sender", "name": "n" * 65}), Code.BAD_FIELD),
        ('{"type": "offer"}', Code.MISSING_FIELD),
        ('{"type": "offer", "sdp": null}', Code.BAD_FIELD),
        ('{"type": "offer", "sdp": "", "to": 5}', Code.BAD_FIELD),
        (json.dumps({"type": "offer", "sdp": "x" * 32769}), Code.SDP_TOO_LARGE),
        (json.dumps({"type": "control", "settings": {"x": "y" * 65536}}), Code.MESSAGE_TOO_LARGE),
        (
            json.dumps({"type": "ice-candidate", "candidate": {"candidate": "x" * 4097}}),
            Code.CANDIDATE_TOO_LARGE,
        ),
        (
            json.dumps({"type": "ice-candidate", "candidate": {"candidate": "\xe9" * 2049}}),
            Code.CANDIDATE_TOO_LARGE,
        ),
        ('{"type": "ice-candidate", "candidate": {"candidate": 1}}', Code.BAD_FIELD),
        ('{"type": "ice-candidate"}', Code.MISSING_FIELD),
        ('{"type": "ice-candidate", "candidate": "x"}', Code.BAD_FIELD),
        ('{"type": "ice-candidate", "candidate": {}}', Code.MISSING_FIELD),
        (
            '{"type": "ice-candidate", "candidate": {"candidate": "", "sdpMLineIndex": -1}}',
            Code.BAD_FIELD,
        ),
        (
            '{"type": "ice-candidate", "candidate": {"candidate": "", "sdpMLineIndex": true}}',
            Code.BAD_FIELD,
        ),
        ('{"type": "state"}', Code.MISSING_FIELD),
        ('{"type": "control", "settings": 1}', Code.BAD_FIELD),
        ('{"type": "register", "role": "r", "heard": -1}', Code.BAD_FIELD),
        ('{"type": "register", "role": "r", "heard": 1.5}', Code.BAD_FIELD),
        ('{"type": "register", "role": "r", "heard": true}', Code.BAD_FIELD),
        ('{"type": "register", "role": "r", "roomType": 1}', Code.BAD_FIELD),
        (json.dumps({"type": "register", "role": "r", "roomType": "x" * 129}), Code.BAD_FIELD),
        ('{"type": "say", "kind": "chat"}', Code.MISSING_FIELD),
        ('{"type": "say", "body": "x"}', Code.MISSING_FIELD),
        ('{"type": "say", "kind": "chat", "body": 1}', Code.BAD_FIELD),
        ('{"type": "say", "kind": "chat", "body": "x", "to": 1}', Code.BAD_FIELD),
        ('{"type": "set", "name": "b", "base": 0}', Code.MISSING_FIELD),
        ('{"type": "set", "name": "b", "value": 1}', Code.MISSING_FIELD),
        ('{"type": "set", "base": 0, "value": 1}', Code.MISSING_FIELD),
        ('{"type": "set", "name": "b", "base": -1, "value": 1}', Code.BAD_FIELD),
        ('{"type": "set", "name": "b", "base": null, "value": 1}', Code.BAD_FIELD),
        ('{"type": "set", "name": [], "base": 0, "value": 1}', Code.BAD_FIELD),
        ('{"type": "document", "name": "b", "version": 1}', Code.MISSING_FIELD),
        ('{"type": "document", "name": "b", "version": 1e0, "value": 1}', Code.BAD_FIELD),
        ('{"type": "document", "name": "b", "version": 1, "value": 1, "at": "x"}', Code.BAD_FIELD),
        ('{"type": "document", "name": "b", "version": 1, "value": 1, "seal": 1}', Code.BAD_FIELD),
        ('{"type": "role", "to": "p"}', Code.MISSING_FIELD),
        ('{"type": "role", "to": 1, "role": "host"}', Code.BAD_FIELD),
        (json.dumps({"type": "role", "to": "p", "role": "x" * 129}), Code.BAD_FIELD),
        ('{"type": "time"}', Code.MISSING_FIELD),
        ('{"type": "time", "sent": "now"}', Code.BAD_FIELD),
        ('{"type": "time", "sent": 1e300}', Code.BAD_FIELD),
    ],
)
def test_a_bad_message_is_refused_with_its_code(text: str | bytes, code: Code) -> None:
    """Each kind of bad message has its own code, and a sentence that ends in a full stop."""
    refused = refusal(text)
    assert refused.code == code
    assert refused.sentence.endswith(".")


@pytest.mark.parametrize("resume", [1, "", "t" * 257, None, [], {}])
def test_what_is_no_resume_token_is_passed_over(resume: Any) -> None:
    """A token alone never makes the server refuse a registration."""
    wire = {"type": "register", "role": "sender", "resume": resume}
    assert parse(json.dumps(wire)) == Register("sender", resume="" if resume == "" else None)


def test_a_candidate_at_its_limit_is_read() -> None:
    """The limit is on bytes, and is itself allowed."""
    wire = {"type": "ice-candidate", "candidate": {"candidate": "x" * 4096}}
    assert isinstance(parse(json.dumps(wire)), IceCandidate)


def test_unknown_fields_are_passed_over() -> None:
    """Both sides can grow: what a message does not have is no error."""
    assert parse('{"type": "offer", "sdp": "v=0", "later": 1}') == Offer("v=0")


def test_a_client_cannot_say_who_it_is() -> None:
    """`from` is the server's to say: a client's own is dropped."""
    assert parse('{"type": "offer", "sdp": "v=0", "from": "other"}') == Offer("v=0")


@pytest.mark.parametrize(
    ("wire", "message"),
    [
        (
            {"type": "say", "kind": "k", "body": "x", "from": "q", "name": 1, "n": "x", "at": []},
            Say("k", "x"),
        ),
        ({"type": "say", "kind": "k", "body": "x", "private": True}, Say("k", "x")),
        (
            {"type": "role", "role": "host", "to": "p", "id": "q", "by": "r"},
            RoleChange("host", to="p"),
        ),
        ({"type": "time", "sent": 1, "time": 2, "boot": "x"}, Time(1)),
        ({"type": "end", "why": 1}, End()),
    ],
)
def test_a_client_cannot_say_what_the_server_says(
    wire: dict[str, Any], message: messages.ClientMessage
) -> None:
    """Author, number, time and the like are the server's: a client's own are dropped unread."""
    assert parse(json.dumps(wire)) == message


@pytest.mark.parametrize("kind", ["register", "set", "end"])
def test_a_server_does_not_say_what_a_client_says(kind: str) -> None:
    """A peer in Python takes it as an error of the server."""
    with pytest.raises(Refusal) as caught:
        messages.parse_from_server(json.dumps({"type": kind, "role": "x"}))
    assert caught.value.code == Code.UNKNOWN_TYPE


@pytest.mark.parametrize("body", ["\ud800", "\u2028", "\x00", "é😀", '"\\'])
def test_words_come_through_as_they_were_said(body: str) -> None:
    """Whatever characters they hold, lone surrogates included."""
    said = parse(json.dumps({"type": "say", "kind": "k", "body": body}))
    assert isinstance(said, Say)
    assert json.loads(messages.encode(said))["body"] == body


def test_secrets_do_not_show_in_a_printed_message() -> None:
    """A message that ends up in a log holds no key, no SDP, no candidate and no credential."""
    messages = [
        Register("sender", "r", "HUSH", resume="HUSH"),
        Offer("HUSH"),
        Answer("HUSH"),
        IceCandidate({"candidate": "HUSH"}),
        Registered("sender", ({"credential": "HUSH"},), "p", "r", (), Invite("HUSH")),
        Registered("sender", (), "p", "r", resume="HUSH"),
        TurnConfig(({"credential": "HUSH"},)),
    ]
    assert "HUSH" not in repr(messages)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
types = st.sampled_from(
    [
        *("register", "offer", "answer", "ice-candidate", "control", "state", "error", "x"),
        *("say", "set", "document", "role", "time", "end"),
    ]
)
names = st.sampled_from(
    [
        *("role", "room", "key", "resume", "sdp", "to", "candidate", "settings", "state"),
        *("roomType", "heard", "kind", "body", "name", "base", "value", "version", "sent"),
    ]
)


@given(st.text() | st.binary() | json_values.map(json.dumps))
def test_garbage_is_refused_and_nothing_else(text: str | bytes) -> None:
    """No text makes the parser fail in any other way than by refusing it."""
    refusal(text)


@given(types, st.dictionaries(names, json_values, max_size=6))
def test_a_message_of_any_shape_is_read_or_refused(kind: str, fields: dict[str, Any]) -> None:
    """Whatever its fields hold, a message is read or refused, and what is read can be written."""
    try:
        message = parse(json.dumps({"type": kind, **fields}))
    except Refusal:
        return
    assert json.loads(messages.encode(message))["type"] == kind


@pytest.mark.parametrize("role", ["[]", "{}", "0", "false", "1", "[1]"])
def test_a_role_is_text_or_null(role: str) -> None:
    """Anything else is refused before anybody looks it up."""
    text = '{"type": "role", "to": "p", "role": %s}' % role  # noqa: UP031
    assert refusal(text).code == Code.BAD_FIELD


@pytest.mark.parametrize(
    ("message", "wire"),
    [
        (
            RoleChange("host", id="p", by="q"),
            {"type": "role", "role": "host", "id": "p", "by": "q"},
        ),
        (RoleChange(None, id="p"), {"type": "role", "role": None, "id": "p"}),
    ],
)
def test_a_change_of_role_is_written_word_for_word(
    message: RoleChange, wire: dict[str, Any]
) -> None:
    """Whose role it was, what it is now, and who changed it."""
    assert json.loads(messages.encode(message)) == wire


@pytest.mark.parametrize("opens", ["[", '{"a":'])
@pytest.mark.parametrize("deep", [70, 500, 900, 960])
def test_a_message_is_not_nested_deeper_than_the_limit(opens: str, deep: int) -> None:
    """What could be read but not written, or not be walked through, is not read."""
    value = opens * deep + "1" + ("]" if opens == "[" else "}") * deep
    text = '{"type": "document", "name": "b", "version": 1, "value": %s}' % value  # noqa: UP031
    assert refusal(text).code == Code.BAD_JSON


def test_a_message_may_hold_many_lists_that_are_not_nested_deep() -> None:
    """It is depth that is limited, not how many there are; brackets in text do not count."""
    value = {"list": [[1]] * 500, "text": "[" * 500, "deep": json.loads("[" * 60 + "]" * 60)}
    assert parse(json.dumps({"type": "state", "state": value})) == State(value)
