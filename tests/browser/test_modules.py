"""The modules of the pages that are pure, each asked in a real browser by the page's own import."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page

from signaling.server import SignalingServer
from tests.browser.pages import Pages


class Module:
    """Calls functions of the pages' modules."""

    def __init__(self, page: Page) -> None:
        self._page = page

    async def call(self, module: str, expression: str, *arguments: Any) -> Any:
        """Evaluate an expression of `m` (the module) and `a` (the arguments)."""
        script = (
            f"async (a) => {{ const m = await import('/js/{module}.js'); return {expression}; }}"
        )
        return await self._page.evaluate(script, list(arguments))


@pytest_asyncio.fixture
async def module(server: SignalingServer, pages: Pages) -> AsyncIterator[Module]:
    """The modules, in a page of the server."""
    yield Module(await pages.receiver(server))


REPORT: dict[str, dict[str, Any]] = {
    "v": {
        "id": "v",
        "type": "inbound-rtp",
        "kind": "video",
        "timestamp": 2000,
        "codecId": "c",
        "transportId": "t",
        "frameWidth": 1280,
        "frameHeight": 720,
        "framesPerSecond": 30,
        "framesDecoded": 60,
        "bytesReceived": 300_000,
        "packetsReceived": 198,
        "packetsLost": 2,
        "jitter": 0.004,
        "framesDropped": 1,
    },
    "c": {"id": "c", "type": "codec", "mimeType": "video/VP8"},
    "t": {"id": "t", "type": "transport", "selectedCandidatePairId": "p"},
    "p": {
        "id": "p",
        "type": "candidate-pair",
        "state": "succeeded",
        "localCandidateId": "l",
        "remoteCandidateId": "r",
        "currentRoundTripTime": 0.012,
    },
    "l": {"id": "l", "type": "local-candidate", "candidateType": "host", "protocol": "udp"},
    "r": {"id": "r", "type": "remote-candidate", "candidateType": "prflx", "protocol": "udp"},
}
BEFORE = {
    "v": {
        **REPORT["v"],
        "timestamp": 1000,
        "bytesReceived": 100_000,
        "framesDecoded": 31,
        "packetsReceived": 100,
        "packetsLost": 0,
    }
}
READ = """m.formatFigures(m.readFigures(
    new Map(Object.entries(a[0])), a[1] && new Map(Object.entries(a[1]))
))"""


def changed(entry: str, **values: Any) -> dict[str, dict[str, Any]]:
    """The report with other values in one entry; None takes a value away."""
    merged = {k: v for k, v in {**REPORT[entry], **values}.items() if v is not None}
    return {**REPORT, entry: merged}


async def test_figures_are_computed_from_two_reports(module: Module) -> None:
    """Rates come from the difference, the rest from the newer report."""
    assert await module.call("stats", READ, REPORT, BEFORE) == {
        "resolution": "1280 × 720",
        "framerate": "30 fps",
        "bitrate": "1.6 Mbit/s",
        "loss": "2.0 %",
        "latency": "12 ms",
        "jitter": "4 ms",
        "codec": "VP8",
        "path": "direct, UDP",
        "dropped": "1",
    }


async def test_a_figure_that_the_browser_lacks_is_a_dash(module: Module) -> None:
    """An empty report is all dashes; nothing is made up."""
    figures = await module.call("stats", READ, {}, None)
    assert set(figures.values()) == {"–"}
    assert len(figures) == 9


async def test_without_an_earlier_report_there_is_no_rate(module: Module) -> None:
    """Bitrate and loss need two reports."""
    figures = await module.call("stats", READ, REPORT, None)
    assert (figures["bitrate"], figures["loss"]) == ("–", "–")
    assert figures["resolution"] == "1280 × 720"


async def test_a_counter_that_went_back_gives_no_figure(module: Module) -> None:
    """A new stream starts its counters anew; that is no negative bitrate."""
    figures = await module.call("stats", READ, changed("v", bytesReceived=1), BEFORE)
    assert figures["bitrate"] == "–"


async def test_the_frame_rate_is_counted_where_the_browser_does_not_say(module: Module) -> None:
    """Without framesPerSecond it is the decoded frames between the reports."""
    figures = await module.call("stats", READ, changed("v", framesPerSecond=None), BEFORE)
    assert figures["framerate"] == "29 fps"


@pytest.mark.parametrize(
    ("report", "path"),
    [
        (changed("l", candidateType="relay", relayProtocol="udp"), "relay, UDP"),
        (changed("l", candidateType="relay", relayProtocol="tcp"), "relay, TCP"),
        (changed("l", candidateType="relay", relayProtocol="tls"), "relay, TLS"),
        (changed("r", candidateType="relay"), "relay, UDP"),
        (changed("l", protocol="tcp"), "direct, TCP"),
    ],
)
async def test_the_path_is_relay_where_either_side_is(
    module: Module, report: dict[str, Any], path: str
) -> None:
    """One relayed candidate makes the path a relay; the protocol is that of the relay's own leg."""
    assert (await module.call("stats", READ, report, BEFORE))["path"] == path


async def test_firefox_marks_the_pair_itself(module: Module) -> None:
    """Without a transport the pair with `selected` counts; without its round trip, the mean."""
    report = changed("p", currentRoundTripTime=None, selected=True)
    report["p"] |= {"totalRoundTripTime": 0.05, "responsesReceived": 5}
    del report["t"]
    figures = await module.call("stats", READ, report, BEFORE)
    assert (figures["path"], figures["latency"]) == ("direct, UDP", "10 ms")


ANSWER = """v=0\r
o=- 42 2 IN IP4 127.0.0.1\r
m=audio 9 UDP/TLS/RTP/SAVPF 111\r
a=rtpmap:111 opus/48000/2\r
a=fmtp:111 minptime=10\r
m=video 9 UDP/TLS/RTP/SAVPF 96 97 98\r
a=rtpmap:96 VP8/90000\r
a=rtpmap:97 rtx/90000\r
a=fmtp:97 apt=96\r
a=rtpmap:98 H264/90000\r
a=fmtp:98 profile-level-id=42e01f\r
"""


async def test_the_start_bitrate_stands_on_every_video_codec(module: Module) -> None:
    """VP8 gets an fmtp line, H.264's is added to, audio and retransmission stay as they are."""
    hinted = await module.call("sdp", "m.withStartBitrate(a[0], a[1])", ANSWER, 1000)
    added = set(hinted.split("\r\n")) - set(ANSWER.split("\r\n"))
    assert added == {
        "a=fmtp:96 x-google-start-bitrate=1000",
        "a=fmtp:98 profile-level-id=42e01f;x-google-start-bitrate=1000",
    }


async def test_the_session_is_known_by_its_id(module: Module) -> None:
    """Two descriptions of one connection have the same id; garbage has none."""
    assert await module.call("sdp", "m.sessionId(a[0])", ANSWER) == "42"
    assert await module.call("sdp", "m.sessionId(a[0])", "nothing") == ""


@pytest.mark.parametrize(
    ("fragment", "read"),
    [
        ("#abc.KEY", {"room": "abc", "key": "KEY"}),
        ("#abc", {"room": "abc"}),
        ("", {}),
        ("#", {}),
    ],
)
async def test_a_link_s_fragment_is_room_and_key(
    module: Module, fragment: str, read: dict[str, str]
) -> None:
    """What is not there is left out, so that `register` has nothing but its fields."""
    found = await module.call(
        "protocol", "JSON.parse(JSON.stringify(m.readFragment(a[0])))", fragment
    )
    assert {name: value for name, value in found.items() if value} == read


async def test_a_size_of_one_s_own_gets_a_bitrate_between_the_presets(module: Module) -> None:
    """More pixels a second never get fewer bits, and a preset's own size gets the preset's."""
    sizes = [(640, 480, 15), (640, 480, 30), (1280, 720, 24), (1280, 720, 30), (1920, 1080, 30)]
    rates = [
        await module.call(
            "presets",
            "m.bitrateFor(a[0], m.readPresets())",
            {"width": width, "height": height, "frameRate": rate},
        )
        for width, height, rate in sizes
    ]
    assert rates == sorted(rates)
    assert rates[0] == 300_000
    assert rates[-1] == 4_000_000


async def test_the_grid_uses_the_space(module: Module) -> None:
    """Two pictures on a wide page stand side by side once that makes them larger."""
    columns = [
        await module.call("receiver-grid", "m.columnsFor(a[0], a[1], a[2], a[3])", *case)
        for case in ((1, 1440, 900, 16 / 9), (2, 2400, 700, 16 / 9), (4, 1440, 900, 16 / 9))
    ]
    assert columns == [1, 2, 2]


async def test_a_malformed_state_is_harmless(module: Module) -> None:
    """Of what a peer says, only fields of the right kind are taken."""
    read = await module.call(
        "receiver-state",
        "JSON.parse(JSON.stringify(m.readCameraState(a[0])))",
        {"status": "live", "camera": 5, "presets": "x", "width": "wide"},
    )
    assert read["status"] == "live"
    assert "wide" not in str(read)
