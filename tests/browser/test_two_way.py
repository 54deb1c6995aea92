"""A connection in which both sides publish: one of them offers, and nothing crosses."""

from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page

from signaling.config import Limits
from signaling.server import SignalingServer
from tests.browser.pages import Pages

# Two ends in one page: `one` offers, `two` answers. What they send each other passes `route`, which
# a test may replace; `sent` keeps it. What arrives is shown in elements, by its place.
ENDS = """async () => {
    const [{ OfferingPeer }, { AnsweringPeer }, { ReliableChannel }] = await Promise.all(
        ["offering-peer", "answering-peer", "reliable"].map((name) => import(
            `/pages/lib/media/${name}.js`)));
    window.sent = [];
    window.route = (message, deliver) => deliver();
    window.make = (name, other, Peer) => {
        const end = { name, shown: {}, said: [], ready: 0, errors: [] };
        end.channel = new ReliableChannel({
            said: (text) => end.said.push(text),
            ready: () => { end.ready++; },
        });
        end.peer = new Peer({
            id: other,
            twoWay: true,
            iceServers: [],
            limits: { maxBitrate: 300_000, maxFramerate: 15 },
            reliable: end.channel,
            send: (message) => {
                sent.push({ name, ...message });
                route(message, () => window[other].peer.receive(message));
            },
            track: ({ track, receiver }, place) => show(end, place, track, receiver),
            change: (_state, error) => error && end.errors.push(error.message),
        });
        return end;
    };
    const show = (end, place, track, receiver) => {
        const element = document.createElement(track.kind);
        const shown = { element, receiver, frames: 0 };
        Object.assign(element, { autoplay: true, muted: track.kind === "video" });
        element.srcObject = new MediaStream([track]);
        document.body.append(element);
        const painted = () => {
            shown.frames++;
            element.requestVideoFrameCallback(painted);
        };
        element.requestVideoFrameCallback?.(painted);
        end.shown[place] = shown;
    };
    window.offering = (name, other) => make(name, other, OfferingPeer);
    window.one = offering("one", "two");
    window.two = make("two", "one", AnsweringPeer);
}"""
# Pictures of one colour, which flicker so that there is something to send, and a tone.
SOURCES = """
    window.picture = (hue) => {
        const canvas = document.createElement("canvas");
        Object.assign(canvas, { width: 320, height: 240 });
        const context = canvas.getContext("2d");
        let light = false;
        const timer = setInterval(() => {
            light = !light;
            context.fillStyle = `hsl(${hue} 100% ${light ? 50 : 40}%)`;
            context.fillRect(0, 0, 320, 240);
        }, 50);
        const [track] = canvas.captureStream(20).getVideoTracks();
        track.addEventListener("ended", () => clearInterval(timer));
        return track;
    };
    window.tone = () => {
        window.audio ??= new AudioContext();
        const tone = new OscillatorNode(audio);
        const out = new MediaStreamAudioDestinationNode(audio);
        tone.connect(out);
        tone.start();
        return out.stream.getAudioTracks()[0];
    };
    const glass = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    window.hue = (end, place) => {
        const { element } = end.shown[place] ?? {};
        if (!element?.videoWidth) {
            return null;
        }
        glass.drawImage(element, 0, 0, 8, 8);
        const [red, green, blue] = glass.getImageData(4, 4, 1, 1).data;
        const most = Math.max(red, green, blue);
        return most < 60 ? null : { [blue]: 240, [green]: 120, [red]: 0 }[most];
    };
    window.energy = async (end, place) => {
        const stats = [...(await end.shown[place].receiver.getStats()).values()];
        return stats.find(({ type }) => type === "inbound-rtp")?.totalAudioEnergy ?? 0;
    };
"""
CONNECTED = """() => [one, two].every(
    ({ peer }) => peer.connection?.connectionState === "connected"
        && peer.connection.signalingState === "stable")"""
RED, GREEN, BLUE = 0, 120, 240


@pytest_asyncio.fixture
async def page(server: SignalingServer, pages: Pages) -> Page:
    """An empty page of the server with both ends, which are not connected yet."""
    opened = await pages.laptop("about:blank", script=SOURCES)
    address = f"http://127.0.0.1:{server.local_port}/empty"
    body = "<!doctype html><link rel='icon' href='data:,' />"
    await opened.route(address, lambda route: route.fulfill(body=body, content_type="text/html"))
    await opened.goto(address)
    # Browsers let a page sound once a person has touched it.
    await opened.mouse.click(5, 5)
    await opened.evaluate(ENDS)
    return opened


@pytest_asyncio.fixture
async def ends(page: Page) -> Page:
    """Both ends, connected; the first sends red and the second green."""
    await page.evaluate(
        f"""() => {{
            one.peer.setTrack("video", picture({RED}));
            two.peer.setTrack("video", picture({GREEN}));
            one.peer.start();
        }}"""
    )
    await connected(page)
    return page


async def connected(page: Page) -> None:
    """Wait until both ends are, with nothing left to negotiate."""
    await page.wait_for_function(CONNECTED)


async def sees(page: Page, end: str, place: str, hue: int) -> None:
    """Wait until an end shows a moving picture of this colour."""
    await page.wait_for_function(f"(wanted) => hue({end}, '{place}') === wanted", arg=hue)
    frames = await page.evaluate(f"{end}.shown.{place}.frames")
    await page.wait_for_function(
        f"(frames) => {end}.shown.{place}.frames >= frames + 3", arg=frames
    )


async def stands_still(page: Page, end: str, place: str) -> None:
    """Wait until no frame has come for a while, which is twenty times the time between two."""
    await page.evaluate(
        f"""() => new Promise((resolve) => {{
            let [last, since] = [-1, 0];
            const timer = setInterval(() => {{
                const {{ frames }} = {end}.shown.{place};
                if (frames !== last) {{
                    [last, since] = [frames, performance.now()];
                }} else if (performance.now() - since > 1000) {{
                    clearInterval(timer);
                    resolve();
                }}
            }}, 50);
        }})"""
    )


async def hears(page: Page, end: str, place: str) -> None:
    """Wait until an end hears a tone."""
    await page.evaluate(
        f"""async () => {{
            const before = await energy({end}, "{place}");
            while ((await energy({end}, "{place}")) <= before) {{
                await new Promise((resolve) => setTimeout(resolve, 50));
            }}
        }}"""
    )


async def messages(page: Page, kind: str) -> list[str]:
    """Who sent a message of this kind, in order."""
    names: list[str] = await page.evaluate(
        "(kind) => sent.filter(({ type }) => type === kind).map(({ name }) => name)", kind
    )
    return names


async def errors(page: Page) -> Any:
    """What either end was told of steps that failed."""
    return await page.evaluate("[...one.errors, ...two.errors]")


async def test_both_see_and_hear_each_other(ends: Page) -> None:
    """Pictures and sound go both ways after one offer and one answer."""
    await ends.evaluate("() => { one.peer.setTrack('audio', tone()); }")
    await ends.evaluate("() => { two.peer.setTrack('audio', tone()); }")
    await sees(ends, "two", "video", RED)
    await sees(ends, "one", "video", GREEN)
    await hears(ends, "two", "audio")
    await hears(ends, "one", "audio")
    assert await messages(ends, "offer") == ["one"]
    assert await messages(ends, "answer") == ["two"]
    assert await errors(ends) == []


async def test_an_offer_with_every_place_fits_into_a_message(ends: Page) -> None:
    """The server takes descriptions of that size."""
    sizes = await ends.evaluate("sent.map(({ sdp = '' }) => sdp.length)")
    assert max(sizes) < Limits().sdp_bytes


@pytest.mark.parametrize(("sender", "receiver"), [("one", "two"), ("two", "one")])
async def test_a_track_is_replaced_and_removed(ends: Page, sender: str, receiver: str) -> None:
    """On either side, without negotiation, and it can be put in again."""
    await sees(ends, receiver, "video", RED if sender == "one" else GREEN)
    await ends.evaluate(f"{sender}.peer.setTrack('video', picture({BLUE}))")
    await sees(ends, receiver, "video", BLUE)
    await ends.evaluate(f"{sender}.peer.setTrack('video', null)")
    await stands_still(ends, receiver, "video")
    await ends.evaluate(f"{sender}.peer.setTrack('video', picture({RED}))")
    await sees(ends, receiver, "video", RED)
    assert await messages(ends, "offer") == ["one"]
    assert await errors(ends) == []


@pytest.mark.parametrize(("sender", "receiver"), [("one", "two"), ("two", "one")])
async def test_a_screen_is_shown_beside_the_camera(ends: Page, sender: str, receiver: str) -> None:
    """Either side may add it, with its sound, and take it away; the camera goes on."""
    camera = RED if sender == "one" else GREEN
    await ends.evaluate(
        f"""() => {{
            {sender}.peer.setTrack("screen", picture({BLUE}));
            {sender}.peer.setTrack("screenAudio", tone());
        }}"""
    )
    await sees(ends, receiver, "screen", BLUE)
    await hears(ends, receiver, "screenAudio")
    await ends.evaluate(f"{sender}.peer.setTrack('screen', null)")
    await stands_still(ends, receiver, "screen")
    await sees(ends, receiver, "video", camera)
    assert await messages(ends, "offer") == ["one"]


@pytest.mark.parametrize(
    "work", ["one.peer.setCodec('vp9')", "one.peer.restart()", "one.peer.probe()"]
)
async def test_nothing_crosses(ends: Page, work: str) -> None:
    """The answering side adds a screen while the other one negotiates: all of it arrives."""
    offers = await messages(ends, "offer")
    await ends.evaluate(f"() => {{ two.peer.setTrack('screen', picture({BLUE})); {work}; }}")
    await sees(ends, "one", "screen", BLUE)
    await connected(ends)
    await sees(ends, "one", "video", GREEN)
    await sees(ends, "two", "video", RED)
    assert set(await messages(ends, "offer")) == {"one"}
    assert len(await messages(ends, "offer")) == len(offers) + ("probe" not in work)
    assert len(await messages(ends, "answer")) == len(await messages(ends, "offer"))
    assert await errors(ends) == []


async def test_both_set_their_tracks_while_the_first_offer_is_out(page: Page) -> None:
    """Whatever is put in before, during and after the negotiation is sent."""
    await page.evaluate(
        f"""() => {{
            one.peer.start();
            one.peer.setTrack("video", picture({RED}));
            two.peer.setTrack("screen", picture({BLUE}));
            route = (message, deliver) => {{
                if (message.type === "answer") {{
                    one.peer.setTrack("screen", picture({GREEN}));
                    two.peer.setTrack("video", picture({GREEN}));
                }}
                deliver();
            }};
        }}"""
    )
    await sees(page, "two", "video", RED)
    await sees(page, "one", "screen", BLUE)
    await sees(page, "two", "screen", GREEN)
    await sees(page, "one", "video", GREEN)
    assert await errors(page) == []


FRAGMENTS = """() => [one, two].map(({ peer }) =>
    /^a=ice-ufrag:(.*)$/m.exec(peer.connection.localDescription.sdp)[1].trim())"""


async def test_it_goes_on_after_an_ice_restart(ends: Page) -> None:
    """Tracks can be replaced, added and removed as before."""
    before = await ends.evaluate(FRAGMENTS)
    await ends.evaluate("one.peer.restart()")
    await ends.wait_for_function(
        f"(before) => ({FRAGMENTS})().every((now, n) => now !== before[n])", arg=before
    )
    await connected(ends)
    await ends.evaluate(
        f"""() => {{
            one.peer.setTrack("video", picture({BLUE}));
            two.peer.setTrack("video", picture({BLUE}));
            two.peer.setTrack("screen", picture({RED}));
        }}"""
    )
    await sees(ends, "two", "video", BLUE)
    await sees(ends, "one", "video", BLUE)
    await sees(ends, "one", "screen", RED)
    assert await errors(ends) == []


LOSE = """(kind) => {
    window.lost = [];
    route = (message, deliver) => {
        if (message.type === kind) {
            lost.push(deliver);
        } else {
            deliver();
        }
    };
}"""
FIND = "() => { route = (message, deliver) => deliver(); }"


@pytest.mark.parametrize("kind", ["offer", "answer"])
async def test_what_gets_lost_is_sent_once_more(page: Page, kind: str) -> None:
    """A lost offer or answer is made good by repeating the offer, and both sides send."""
    await page.evaluate(
        f"""() => {{
            one.peer.setTrack("video", picture({RED}));
            two.peer.setTrack("video", picture({GREEN}));
        }}"""
    )
    await page.evaluate(LOSE, kind)
    await page.evaluate("one.peer.start()")
    await page.wait_for_function("() => lost.length > 0")
    await page.evaluate(FIND)
    await page.evaluate("one.peer.repeat()")
    await sees(page, "two", "video", RED)
    await sees(page, "one", "video", GREEN)
    assert await errors(page) == []


async def test_a_late_answer_is_not_taken_for_the_next_offer(ends: Page) -> None:
    """An answer that was on its way while ICE was restarted does not undo the restart."""
    await ends.evaluate(LOSE, "answer")
    await ends.evaluate("one.peer.setCodec('vp9')")
    await ends.wait_for_function("() => lost.length === 1")
    # The offer that is repeated is answered a second time; the second answer comes too late.
    await ends.evaluate("one.peer.repeat()")
    await ends.wait_for_function("() => lost.length === 2")
    await ends.evaluate("lost[0]()")
    await connected(ends)
    await ends.evaluate("one.peer.restart()")
    await ends.wait_for_function("() => lost.length === 3")
    await ends.evaluate("() => { lost[1](); lost[2](); }")
    await connected(ends)
    mine = await ends.evaluate(
        "one.peer.connection.remoteDescription.sdp.match(/^a=ice-ufrag:(.*)$/m)[1].trim()"
    )
    assert mine == (await ends.evaluate(FRAGMENTS))[1]
    await sees(ends, "two", "video", RED)
    assert await errors(ends) == []


async def test_a_restart_that_is_asked_for_during_a_negotiation_follows_it(ends: Page) -> None:
    """The offer that is out may be lost: it is sent again, and ICE is restarted afterwards."""
    before = await ends.evaluate(FRAGMENTS)
    await ends.evaluate(LOSE, "answer")
    await ends.evaluate("one.peer.setCodec('vp9')")
    await ends.wait_for_function("() => lost.length === 1")
    await ends.evaluate(FIND)
    await ends.evaluate("one.peer.restart()")
    await ends.wait_for_function(
        f"(before) => ({FRAGMENTS})().every((now, n) => now !== before[n])", arg=before
    )
    await connected(ends)
    await sees(ends, "one", "video", GREEN)
    assert await errors(ends) == []


async def test_a_connection_is_replaced(ends: Page) -> None:
    """Where the offering side makes a new one, the other follows, and sends what it sent."""
    await ends.evaluate(f"two.peer.setTrack('screen', picture({BLUE}))")
    await sees(ends, "one", "screen", BLUE)
    await ends.evaluate(LOSE, "answer")
    await ends.evaluate("one.peer.restart()")
    await ends.wait_for_function("() => lost.length === 1")
    await ends.evaluate(
        f"""() => {{
            one.peer.close();
            one = offering("one", "two");
            one.peer.setTrack("video", picture({BLUE}));
            one.peer.start();
        }}"""
    )
    await ends.wait_for_function("() => lost.length === 2")
    # An answer to the connection before comes first.
    await ends.evaluate("() => { lost[0](); lost[1](); }")
    await ends.evaluate(FIND)
    await connected(ends)
    await sees(ends, "two", "video", BLUE)
    await sees(ends, "one", "video", GREEN)
    await sees(ends, "one", "screen", BLUE)
    await ends.wait_for_function("() => one.ready > 0 && two.ready > 1")
    assert await errors(ends) == []


# Says messages as fast as they are taken; `refused` counts how often one was not, `most` is the
# greatest number of bytes that ever waited.
TALK = """(count) => {
    const send = RTCDataChannel.prototype.send;
    window.most = 0;
    window.promise = [];
    RTCDataChannel.prototype.send = function (text) {
        send.call(this, text);
        most = Math.max(most, this.bufferedAmount);
        promise = [this.id, this.ordered, this.maxRetransmits, this.maxPacketLifeTime];
    };
    window.refused = 0;
    for (const end of [one, two]) {
        let [next, seen] = [0, end.ready];
        const timer = setInterval(() => {
            if (seen > end.ready) {
                return;
            }
            while (next < count && end.channel.say(`${next} ${"x".repeat(4000)}`)) {
                next++;
            }
            if (next === count) {
                clearInterval(timer);
            } else {
                refused++;
                // Not before it says that there is room.
                seen = end.ready + 1;
            }
        });
    }
}"""
HEARD = """(count) => [one, two].every(({ said }) => said.length >= count)"""
IN_ORDER = """(count) => [one, two].every(({ said }) => said.length === count
    && said.every((text, n) => text.startsWith(`${n} `) && text.length > 4000))"""
COUNT = 1000
MAX_BUFFERED = 1_048_576  # As in reliable.js.


async def test_what_is_said_arrives_in_order(ends: Page) -> None:
    """1,000 long messages each way, beside the pictures, over an ICE restart; few wait at once."""
    await sees(ends, "two", "video", RED)
    await ends.wait_for_function("() => one.ready === 1 && two.ready === 1")
    await ends.evaluate(TALK, COUNT)
    await ends.wait_for_function("() => one.said.length > 10")
    await ends.evaluate("one.peer.restart()")
    await ends.wait_for_function(HEARD, arg=COUNT)
    assert await ends.evaluate(IN_ORDER, COUNT)
    # Nothing is lost on the way from a page to itself: the channel itself says what it would do.
    assert await ends.evaluate("promise") == [1, True, None, None]
    assert await ends.evaluate("refused") > 0
    assert MAX_BUFFERED / 2 < await ends.evaluate("most") <= MAX_BUFFERED
    await sees(ends, "one", "video", GREEN)
    assert await messages(ends, "offer") == ["one", "one"]
    assert await errors(ends) == []


async def test_nothing_is_taken_that_cannot_be_sent(page: Page) -> None:
    """Before there is a connection, and where a message is too long, in bytes."""
    assert await page.evaluate("one.channel.say('too early')") is False
    await page.evaluate("one.peer.start()")
    await page.wait_for_function("() => one.ready === 1 && two.ready === 1")
    say = """(length) => {
        try {
            return one.channel.say("é".repeat(length));
        } catch (error) {
            return error.name;
        }
    }"""
    assert await page.evaluate(say, 32_768) is True
    assert await page.evaluate(say, 32_769) == "RangeError"
    await page.wait_for_function("() => two.said.length === 1")
    assert await page.evaluate("two.said[0].length") == 32_768


async def test_the_two_channels_do_not_mix(page: Page) -> None:
    """What is told for the moment is not what was said, and the other way round."""
    await page.evaluate(
        """() => {
            window.told = [];
            two.peer.options.message = (text) => told.push(text);
        }"""
    )
    await page.evaluate("one.peer.start()")
    await page.wait_for_function("() => one.ready === 1 && two.ready === 1")
    await page.evaluate("() => { one.channel.say('said'); one.peer.tell('told'); }")
    await page.wait_for_function("() => two.said.length === 1 && told.length === 1")
    assert await page.evaluate("[two.said, told]") == [["said"], ["told"]]


# Sends by a channel of `one` without asking whether it may, as no page of this project does.
FLOOD = """async (count) => {
    const send = RTCDataChannel.prototype.send;
    const channels = {};
    RTCDataChannel.prototype.send = function (text) {
        channels[this.id] = this;
        send.call(this, text);
    };
    window.told = [];
    two.peer.options.message = (text) => told.push(text);
    one.peer.tell("hello");
    one.channel.say("hello");
    channels[0].send("x".repeat(10_000));
    const round = async (channel, number) => {
        while (channel.bufferedAmount > 500_000) {
            await new Promise((resolve) => setTimeout(resolve));
        }
        channel.send(String(number));
    };
    for (let number = 0; number < count; number++) {
        await round(channels[0], number);
        if (channels[1].readyState === "open") {
            await round(channels[1], number);
        }
    }
    const closed = () => channels[1].readyState !== "open";
    while (!closed()) {
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}"""


async def test_who_floods_a_data_channel_is_not_heard(page: Page) -> None:
    """Of what holds for the moment some is dropped, and all that is too long; where nothing may be
    missing, the channel is closed. The connection goes on."""
    await page.evaluate("one.peer.start()")
    await page.wait_for_function("() => one.ready === 1 && two.ready === 1")
    begun = await page.evaluate("performance.now()")
    await page.evaluate(FLOOD, 10_000)
    seconds = (await page.evaluate("performance.now()") - begun) / 1000
    told, longest, said = await page.evaluate(
        "[told.length, Math.max(...told.map((text) => text.length)), two.said.length]"
    )
    assert 100 < told <= 201 + 100 * seconds
    assert longest <= 5
    assert said <= 2001 + 200 * seconds
    assert await page.evaluate("two.peer.connection.connectionState") == "connected"
