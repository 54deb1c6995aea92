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
            f"async (a) => {{ const m = await import('/pages/{module}.js'); return {expression}; }}"
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
    assert await module.call("lib/stats/stats", READ, REPORT, BEFORE) == {
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
    figures = await module.call("lib/stats/stats", READ, {}, None)
    assert set(figures.values()) == {"–"}
    assert len(figures) == 9


DETAILS = """m.formatDetails(m.readDetails(
    new Map(Object.entries(a[0])), a[1] && new Map(Object.entries(a[1])), a[2]
))"""


async def test_the_details_are_those_of_the_last_seconds(module: Module) -> None:
    """Times are means between two reports; the sender's own words stand beside them."""
    report = changed(
        "v",
        freezeCount=2,
        totalFreezesDuration=1.25,
        totalDecodeTime=1.1,
        jitterBufferDelay=3.0,
        jitterBufferEmittedCount=60,
        nackCount=4,
        pliCount=1,
    )
    before = {
        "v": {
            **report["v"],
            "framesDecoded": 40,
            "totalDecodeTime": 1.0,
            "jitterBufferDelay": 2.0,
            "jitterBufferEmittedCount": 40,
        }
    }
    told = {
        "limitation": "cpu",
        "encodeTime": 12.4,
        "candidate": "srflx",
        "protocol": "udp",
    }
    assert await module.call("lib/stats/details", DETAILS, report, before, told) == {
        "freezes": "2, 1.3 s",
        "decode": "5.0 ms",
        "buffer": "50 ms",
        "repeats": "4 / 1",
        "limitation": "processor",
        "encode": "12 ms",
        "local": "host, UDP",
        "remote": "srflx, UDP",
    }


async def test_a_detail_that_nobody_gives_is_a_dash(module: Module) -> None:
    """Neither the browser nor the sender says anything: all dashes."""
    details = await module.call("lib/stats/details", DETAILS, {}, None, None)
    assert set(details.values()) == {"–"}
    assert len(details) == 8


async def test_the_clock_is_that_of_the_fastest_round_trip(module: Module) -> None:
    """Whatever the network adds, the true offset is within the error of the estimate."""
    # A clock 500 ms ahead; each sample: sent at, way there, time to answer, way back.
    ways = [(0, 40, 1, 5), (100, 3, 0, 4), (200, 10, 2, 90)]
    found = await module.call(
        "lib/stats/latency",
        """(() => {
            const clock = new m.RemoteClock();
            for (const [at, there, answer, back] of a[0]) {
                const received = at + there + 500;
                clock.add(m.clockSample(
                    at, received, received + answer, at + there + answer + back));
            }
            return [clock.align(300), clock.align(100_300)];
        })()""",
        ways,
    )
    now, later = found
    assert abs(now["offset"] - 500) <= now["error"]
    assert 3.5 <= now["error"] < 3.6
    # Quartz drifts: what was measured long ago is worth less.
    assert 13 < later["error"] < 14


MATCH = """m.matchCaptures(a[0], a[1], a[2])"""


def frames_of(captures: list[float], way: float, start: float) -> list[dict[str, float]]:
    """What a receiver sees of frames captured then: RTP times that begin anywhere."""
    return [{"rtp": at - start, "received": at + way} for at in captures]


async def test_frames_are_found_among_the_capture_times(module: Module) -> None:
    """Uneven steps between frames tell which is which, also where frames were left out."""
    steps = [33, 34, 33, 50, 17, 33, 66, 34, 33, 33, 40, 27, 33, 33, 67, 33, 50, 16, 33, 34]
    captures = [1000.0 + sum(steps[:count]) for count in range(len(steps))]
    kept = [at for place, at in enumerate(captures) if place % 4]
    fit = await module.call("lib/stats/latency", MATCH, frames_of(kept, 80, 777), captures, 0)
    assert abs(fit["shift"] - 777) < 1
    assert fit["doubt"] < 3


async def test_even_steps_leave_a_doubt_of_one_frame(module: Module) -> None:
    """A perfectly even camera: the shortest way that the network allows, and a wider error."""
    captures = [1000.0 + 40 * count for count in range(60)]
    fit = await module.call("lib/stats/latency", MATCH, frames_of(captures, 30, 777), captures, 5)
    assert abs(fit["shift"] - 777) < 1
    assert fit["doubt"] == 40


async def test_frames_of_another_camera_do_not_fit(module: Module) -> None:
    """Capture times that are not of these frames give no latency at all."""
    captures = [1000.0 + 100 * count for count in range(30)]
    other = [1000.0 + 83 * count + count * count % 37 for count in range(30)]
    assert (
        await module.call("lib/stats/latency", MATCH, frames_of(other, 30, 777), captures, 0)
        is None
    )


async def test_rtp_times_go_on_past_their_end(module: Module) -> None:
    """After the greatest timestamp comes zero, and frames may come out of order."""
    times = await module.call(
        "lib/stats/latency",
        "(() => { const t = new m.RtpTime(); return a[0].map((at) => t.of(at)); })()",
        [2**32 - 90, 0, 90, 45],
    )
    assert times == [0, 1, 2, 1.5]


@pytest.mark.parametrize("text", ["", "null", "[]", "5", '{"type": "clock"}', '{"type": "x"}'])
async def test_what_is_no_message_is_passed_over(module: Module, text: str) -> None:
    """Of the data channel too, only what is understood is taken."""
    assert await module.call("lib/stats/latency", "m.readMessage(a[0])", text) is None


async def test_a_report_is_bounded(module: Module) -> None:
    """Whatever a peer reports: so many numbers, so many letters, no other kinds."""
    report = await module.call(
        "lib/stats/latency",
        "m.readMessage(JSON.stringify(a[0]))",
        {
            "type": "report",
            "captures": ["x", *range(5000, 0, -1)],
            "limitation": "y" * 500,
            "encodeTime": "fast",
        },
    )
    assert report["captures"] == list(range(1, 91))
    assert len(report["limitation"]) == 32
    assert report["encodeTime"] is None


async def test_the_history_keeps_two_minutes(module: Module) -> None:
    """The oldest goes when the 121st comes."""
    values = await module.call(
        "lib/stats/history",
        """(() => {
            const h = new m.History();
            for (let n = 0; n < 200; n++) h.add({ n });
            return h.values("n");
        })()""",
    )
    assert values == list(range(80, 200))


async def test_csv_is_as_a_spreadsheet_reads_it(module: Module) -> None:
    """Nothing is an empty cell; quotes are doubled; a text is never a formula."""
    rows = [{"a": 1, "b": None}, {"a": 2.5, "b": 'x,"y"', "c": "=1+1"}]
    text = await module.call("lib/stats/history", "m.toCsv(a[0])", rows)
    assert text == 'a,b,c\r\n1,,\r\n2.5,"x,""y""",\'=1+1\r\n'


async def test_a_line_has_gaps_where_values_lack(module: Module) -> None:
    """The newest value stands at the right, the greatest at the top, what lacks is left out."""
    drawn = await module.call("lib/stats/sparkline", "m.lines(a[0], a[1])", [0, 10, None, 5, 5], 10)
    assert drawn == ["5,18.50 6,1.50", "8,10.00 9,10.00"]
    assert await module.call("lib/stats/sparkline", "m.lines(a[0], a[1])", [], 10) == []


async def test_without_an_earlier_report_there_is_no_rate(module: Module) -> None:
    """Bitrate and loss need two reports."""
    figures = await module.call("lib/stats/stats", READ, REPORT, None)
    assert (figures["bitrate"], figures["loss"]) == ("–", "–")
    assert figures["resolution"] == "1280 × 720"


async def test_a_counter_that_went_back_gives_no_figure(module: Module) -> None:
    """A new stream starts its counters anew; that is no negative bitrate."""
    figures = await module.call("lib/stats/stats", READ, changed("v", bytesReceived=1), BEFORE)
    assert figures["bitrate"] == "–"


async def test_the_frame_rate_is_counted_where_the_browser_does_not_say(module: Module) -> None:
    """Without framesPerSecond it is the decoded frames between the reports."""
    figures = await module.call("lib/stats/stats", READ, changed("v", framesPerSecond=None), BEFORE)
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
    assert (await module.call("lib/stats/stats", READ, report, BEFORE))["path"] == path


async def test_firefox_marks_the_pair_itself(module: Module) -> None:
    """Without a transport the pair with `selected` counts; without its round trip, the mean."""
    report = changed("p", currentRoundTripTime=None, selected=True)
    report["p"] |= {"totalRoundTripTime": 0.05, "responsesReceived": 5}
    del report["t"]
    figures = await module.call("lib/stats/stats", READ, report, BEFORE)
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
    hinted = await module.call("lib/media/video", "m.withStartBitrate(a[0], a[1])", ANSWER, 1000)
    added = set(hinted.split("\r\n")) - set(ANSWER.split("\r\n"))
    assert added == {
        "a=fmtp:96 x-google-start-bitrate=1000",
        "a=fmtp:98 profile-level-id=42e01f;x-google-start-bitrate=1000",
    }


async def test_the_most_that_may_be_sent_stands_behind_the_address_of_the_video(
    module: Module,
) -> None:
    """RFC 8866, 5: a section's bandwidth follows its connection data; another one is replaced."""
    lines = ["v=0", "m=audio 9 X 111", "c=IN IP4 0.0.0.0", "m=video 9 X 96", "c=IN IP4 0.0.0.0"]
    answer = "\r\n".join([*lines, "a=x", ""])
    once = await module.call("lib/media/video", "m.withMostBitrate(a[0], 2000)", answer)
    assert once == answer.replace("a=x", "b=AS:2000\r\na=x")
    # The browser keeps the limit of the section that it read last.
    both = await module.call("lib/media/video", "m.withMostBitrate(a[0], 2000)", answer + answer)
    assert both == once + once
    assert await module.call("lib/media/video", "m.withMostBitrate(a[0], 1)", once) == once.replace(
        "2000", "1"
    )


async def test_the_session_is_known_by_its_id(module: Module) -> None:
    """Two descriptions of one connection have the same id; garbage has none."""
    assert await module.call("lib/media/peer", "m.origin(a[0]).session", ANSWER) == "42"
    assert await module.call("lib/media/peer", "m.origin(a[0]).session", "nothing") == ""


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
        "lib/page/settings", "JSON.parse(JSON.stringify(m.readFragment(a[0])))", fragment
    )
    assert {name: value for name, value in found.items() if value} == read


async def test_a_size_of_one_s_own_gets_a_bitrate_between_the_presets(module: Module) -> None:
    """More pixels a second never get fewer bits, and a preset's own size gets the preset's."""
    sizes = [(640, 480, 15), (640, 480, 30), (1280, 720, 24), (1280, 720, 30), (1920, 1080, 30)]
    rates = [
        await module.call(
            "lib/page/settings",
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
        await module.call("receiver/grid", "m.columnsFor(a[0], a[1], a[2], a[3])", *case)
        for case in ((1, 1440, 900, 16 / 9), (2, 2400, 700, 16 / 9), (4, 1440, 900, 16 / 9))
    ]
    assert columns == [1, 2, 2]


async def test_a_malformed_state_is_harmless(module: Module) -> None:
    """Of what a peer says, only fields of the right kind are taken."""
    read = await module.call(
        "receiver/camera-state",
        "JSON.parse(JSON.stringify(m.readCameraState(a[0])))",
        {"status": "live", "camera": 5, "presets": "x", "width": "wide"},
    )
    assert read["status"] == "live"
    assert "wide" not in str(read)
