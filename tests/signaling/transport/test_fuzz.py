"""Fuzzes the HTTP transport of a running server: GET /events, POST /send and POST /bye."""

import asyncio
import contextlib
import gc
import json
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from signaling import config
from signaling.server import SignalingServer
from tests.running_server import running_server
from tests.signaling.transport.raw import SECONDS, Raw, ask, raw, request

# Generous: tests here send many messages and leave many peers, and test no limits.
SETTINGS = config.from_values(
    {
        "access": "open",
        "turn": {"mode": "none"},
        "rooms": {"max_senders": 1000, "max_receivers": 1000},
        "limits": {
            "messages_per_second": 1e6,
            "message_burst": 1000000,
            "connections_per_second": 1e6,
            "resume_seconds": 0.01,
        },
    }
)
# Not shrunk: the values are small, and an example that fails by a timeout would fail for minutes.
MODERATE = settings(max_examples=100, deadline=None, phases=(Phase.reuse, Phase.generate))
OPEN_STREAM = b"GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
REGISTER = json.dumps({"type": "register", "role": "sender"}).encode()


@dataclass
class Fuzzed:
    """A server under test, and every session that it has opened."""

    server: SignalingServer
    sessions: list[str] = field(default_factory=list)

    async def post(self, path: str, *headers: str, body: bytes = b"") -> int:
        """POST on a new connection, and return the status."""
        length = [] if body else ["Content-Length: 0"]
        message = request(path, *headers, *length, method="POST", body=body)
        return (await ask(self.server.local_port, message))[0]

    @contextlib.asynccontextmanager
    async def stream(self) -> AsyncIterator[tuple[Raw, str]]:
        """An open stream and its session; the stream is cut at the end."""
        async with raw(self.server.local_port) as connection:
            connection.send(OPEN_STREAM)
            await connection.read_until(b"event: open\n")
            data = (await connection.read_until(b"\n\n")).removeprefix(b"data: ")
            session = json.loads(data)["session"]
            self.sessions.append(session)
            yield connection, session


@contextlib.asynccontextmanager
async def fuzzed(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Fuzzed]:
    """A server that must log no error, and must keep no connection, peer, session or task of its
    clients."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr("signaling.server.TICK_SECONDS", 0.05)
    monkeypatch.setattr("signaling.transport.events._GOODBYE_SECONDS", 0)
    async with running_server(SETTINGS, folder) as server:
        tasks = len(asyncio.all_tasks())
        under_test = Fuzzed(server)
        yield under_test
        await until(lambda: connected(server) == 0)
        await until(lambda: len(server._streams) == 0)
        await until(lambda: server.health()["peers"] == server.health()["rooms"] == 0)
        await until(lambda: len(asyncio.all_tasks()) == tasks)
        for session in under_test.sessions:
            assert await under_test.post("/bye", body=session.encode()) == 404
    gc.collect()  # A task that has failed unseen says so when it is collected.
    mistakes = [r for r in caplog.records if r.exc_info or r.levelno >= logging.ERROR]
    assert mistakes == []


def connected(server: SignalingServer) -> int:
    """How many clients the metrics say are connected now."""
    lines = server.metrics.text().decode().splitlines()
    counts = [line.rpartition(" ")[2] for line in lines if line.startswith("lenscast_connections{")]
    return sum(int(float(count)) for count in counts)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that happens soon."""
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


Example = Callable[..., Coroutine[Any, Any, None]]


async def run_examples(once: Example, **strategies: st.SearchStrategy[Any]) -> None:
    """Let hypothesis, which cannot await, try `once` with many values in this event loop."""
    loop = asyncio.get_running_loop()

    @MODERATE
    @given(**strategies)
    def examples(**values: Any) -> None:
        asyncio.run_coroutine_threadsafe(once(**values), loop).result(3 * SECONDS)

    await asyncio.to_thread(examples)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=12,
)
TYPES = ["register", "offer", "answer", "ice-candidate", "control", "state", "error", "x"]
FIELDS = ["role", "room", "key", "name", "resume", "sdp", "candidate", "to", "settings", "state"]
MESSAGE = st.builds(
    lambda kind, more: {**more, "type": kind},
    st.sampled_from(TYPES) | JSON,
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=5),
)
BODY = st.binary(max_size=200) | (JSON | MESSAGE).map(lambda value: json.dumps(value).encode())
# Anything that a header's line can hold.
LINE = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=60)
HEADERS = [
    *("Lenscast-Session", "Lenscast-Close", "Content-Type", "Accept-Encoding"),
    *("Content-Length", "Transfer-Encoding", "Expect", "Origin"),
]
RIGHT = "right"
SESSION = (
    st.just(RIGHT)
    | st.just(None)
    | st.binary(min_size=16, max_size=16).map(lambda bits: bits.hex())
    | LINE
)


async def test_whatever_is_posted_is_taken_or_refused(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arbitrary bytes and JSON, before and after `register`, with the right session, a wrong one,
    one that is none, or no header: 204 with the right one alone, 404 with any other, 400 where
    HTTP itself does not take the header."""
    async with fuzzed(tmp_path, caplog, monkeypatch) as under_test:

        async def once(sent: list[tuple[str | None, bytes]], registered: bool) -> None:
            async with under_test.stream() as (connection, session):
                header = f"Lenscast-Session: {session}"
                if registered:
                    assert await under_test.post("/send", header, body=REGISTER) == 204
                    await connection.read_until(b'"registered"')
                for said, body in sent:
                    if said is None:
                        assert await under_test.post("/send", body=body) == 404
                    elif said == RIGHT:
                        status = await under_test.post("/send", header, body=body)
                        # A mistake before `register` ends the stream.
                        assert status == 204 or (status == 404 and not registered)
                    else:
                        other = f"Lenscast-Session: {said}"
                        assert await under_test.post("/send", other, body=body) in (400, 404)
                if registered:
                    assert await under_test.post("/send", header, body=b"{") == 204
                    await connection.read_until(b'"bad-json"')

        sent = st.lists(st.tuples(SESSION, BODY), min_size=1, max_size=5)
        await run_examples(once, sent=sent, registered=st.booleans())


async def test_whatever_says_goodbye_ends_its_own_stream_alone(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """POST /bye with any other body is answered with 404, and the stream stays; with the session
    the stream ends."""
    async with fuzzed(tmp_path, caplog, monkeypatch) as under_test:

        async def once(bodies: list[bytes], cut: int) -> None:
            async with under_test.stream() as (connection, session):
                for body in [*bodies, session[:cut].encode(), session.encode() + b"\n"]:
                    assert await under_test.post("/bye", body=body) == 404
                assert await under_test.post("/bye", body=session.encode()) == 204
                await connection.read_until(b'event: close\ndata: {"code": 1000')

        await run_examples(
            once, bodies=st.lists(BODY | LINE.map(str.encode), max_size=4), cut=st.integers(0, 21)
        )


async def test_no_request_makes_the_server_fail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any method, header and body at the three paths is answered with a status below 500."""
    async with fuzzed(tmp_path, caplog, monkeypatch) as under_test:

        async def once(method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> None:
            async with under_test.stream() as (_, session):
                lines = [f"{name}: {session if v == RIGHT else v}" for name, v in headers]
                message = request(path, *lines, method=method, body=body)
                async with raw(under_test.server.local_port) as connection:
                    connection.send(message)
                    connection.writer.write_eof()
                    answer = await connection.rest()
                assert answer == b"" or int(answer.split()[1]) < 500

        await run_examples(
            once,
            method=st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "QUERY"]),
            path=st.sampled_from(["/events", "/send", "/bye", "/send?x", "/events/", "/bye#x"]),
            headers=st.lists(
                st.tuples(
                    st.sampled_from(HEADERS),
                    st.sampled_from([RIGHT, "1", "chunked", "gzip", "100-continue", "-1"]) | LINE,
                ),
                max_size=4,
            ),
            body=BODY,
        )


async def test_a_stream_may_break_at_any_moment(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several streams that break during the request, after it or during the answer leave nothing
    behind."""
    async with fuzzed(tmp_path, caplog, monkeypatch) as under_test:

        async def break_off(sent: int, turns: int, read: int, politely: bool) -> None:
            async with raw(under_test.server.local_port) as connection:
                connection.send(OPEN_STREAM[:sent])
                for _ in range(turns):
                    await asyncio.sleep(0)
                if sent >= len(OPEN_STREAM):
                    await connection.read(read)
                if politely:
                    connection.writer.write_eof()

        async def once(ways: list[tuple[int, int, int, bool]]) -> None:
            await asyncio.gather(*(break_off(*way) for way in ways))

        sent = st.just(len(OPEN_STREAM)) | st.integers(0, len(OPEN_STREAM))
        way = st.tuples(sent, st.integers(0, 8), st.integers(0, 300), st.booleans())
        await run_examples(once, ways=st.lists(way, min_size=1, max_size=8))
