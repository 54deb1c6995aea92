"""The VP8 encoder of a sender in Python."""

import pytest
from aiortc import RTCPeerConnection
from aiortc.codecs.vpx import MAX_BITRATE, Vp8Encoder

from lenscast.peers.encoder import LimitedVp8Encoder, send_vp8
from lenscast.peers.picture import TIME_BASE
from tests.lenscast.numbered_picture import Pattern


@pytest.mark.parametrize(
    ("most", "start"), [(4_000_000, 1_000_000), (1_000_000, 900_000), (100_000, 90_000)]
)
def test_it_starts_at_a_megabit_or_below_its_limit(most: int, start: int) -> None:
    """The first picture is sharp, and a slow link is not flooded."""
    assert LimitedVp8Encoder(most).target_bitrate == max(start, min(most, 250_000))


@pytest.mark.parametrize(("asked", "got"), [(9e6, 4e6), (3e6, 3e6), (10, 250_000)])
def test_a_receivers_estimate_moves_it_within_its_limits(asked: float, got: float) -> None:
    """It follows the estimate above aiortc's 1.5 Mbit/s, up to its own limit."""
    encoder = LimitedVp8Encoder(4_000_000)
    encoder.target_bitrate = int(asked)
    assert encoder.target_bitrate == got
    assert MAX_BITRATE < 3e6, "aiortc has raised its limit: this module may not be needed"


def test_the_codec_gets_the_bit_rate() -> None:
    """What libvpx is opened with is the target, in its rate and in its buffer."""
    encoder = LimitedVp8Encoder(4_000_000)
    encoder.target_bitrate = 3_000_000
    frame = Pattern(320, 240).draw(1)
    frame.pts, frame.time_base = 0, TIME_BASE
    payloads, _ = encoder.encode(frame)
    assert payloads
    assert encoder.codec is not None
    assert encoder.codec.bit_rate == 3_000_000
    # What aiortc gives libvpx as the size of its buffer, so that it holds one second.
    assert vars(encoder)["_Vp8Encoder__target_bitrate"] == 3_000_000


async def test_aiortc_keeps_the_encoder_and_offers_vp8_alone() -> None:
    """aiortc has the attribute that is set here, and the offer names no other codec."""
    connection = RTCPeerConnection()
    try:
        transceiver = connection.addTransceiver("video", direction="sendonly")
        assert hasattr(transceiver.sender, "_RTCRtpSender__encoder")
        send_vp8(transceiver, 4_000_000)
        offer = (await connection.createOffer()).sdp
        assert "VP8/90000" in offer
        assert "rtx/90000" in offer
        assert "H264" not in offer
    finally:
        await connection.close()


def test_aiortcs_encoder_has_what_is_replaced() -> None:
    """The private name that the rate control buffer is sized by is still there."""
    assert hasattr(Vp8Encoder(), "_Vp8Encoder__target_bitrate")
