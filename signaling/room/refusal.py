"""What a client is refused, each kind with a stable code and a sentence for a person."""

from enum import StrEnum


class Code(StrEnum):
    """The codes that the `error` message carries. docs/protocol.md lists them, held by a test."""

    BAD_JSON = "bad-json"
    UNKNOWN_TYPE = "unknown-type"
    MISSING_FIELD = "missing-field"
    BAD_FIELD = "bad-field"
    MESSAGE_TOO_LARGE = "message-too-large"
    SDP_TOO_LARGE = "sdp-too-large"
    CANDIDATE_TOO_LARGE = "candidate-too-large"
    TOO_MANY_CANDIDATES = "too-many-candidates"
    TOO_MANY_MESSAGES = "too-many-messages"
    TOO_MANY_BYTES = "too-many-bytes"
    TOO_MUCH_WAITING = "too-much-waiting"
    NOT_REGISTERED = "not-registered"
    ALREADY_REGISTERED = "already-registered"
    REGISTER_TIMEOUT = "register-timeout"
    BAD_KEY = "bad-key"
    TOO_MANY_ATTEMPTS = "too-many-attempts"
    TOO_MANY_CONNECTIONS = "too-many-connections"
    WRONG_ROLE = "wrong-role"
    UNKNOWN_TARGET = "unknown-target"
    AMBIGUOUS_TARGET = "ambiguous-target"
    ROOM_FULL = "room-full"
    SERVER_FULL = "server-full"
    SLOW_CLIENT = "slow-client"
    NO_ROOM = "no-room"
    LINK_ENDED = "link-ended"
    REMOVED = "removed"
    UNKNOWN_DOCUMENT = "unknown-document"
    STALE_VERSION = "stale-version"
    BAD_SEAL = "bad-seal"
    BAD_VALUE = "bad-value"


class Refusal(Exception):
    """A message or a connection is refused; the client is told the code and the sentence.

    Parameters
    ----------
    code: stable name of the kind of error, for programs.
    sentence: what went wrong and what to do, for a person. Never holds a secret.
    """

    def __init__(self, code: Code, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
