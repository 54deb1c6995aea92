"""A VP8 encoder that may use more bits than aiortc's own.

Owns the one place that reaches into aiortc. Imports nothing of the project.
"""

from aiortc import RTCRtpTransceiver
from aiortc.codecs.vpx import Vp8Encoder

START_BITRATE = 1_000_000
LEAST_BITRATE = 250_000


class LimitedVp8Encoder(Vp8Encoder):
    """VP8 up to a bit rate of one's choice.

    aiortc's encoder starts at 500 kbit/s and stops at 1500 kbit/s, constants of the module
    aiortc.codecs.vpx; changing those would change every connection of the process.

    Parameters
    ----------
    most: the limit, in bit/s.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self.target_bitrate = min(START_BITRATE, most * 9 // 10)

    @property
    def target_bitrate(self) -> int:
        """What to aim at, in bit/s; the receiver's estimate (REMB) sets it."""
        return self._target

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self._target = min(self._most, max(bitrate, LEAST_BITRATE))
        # aiortc's encode() sizes its rate control buffer by its own, private, copy.
        self._Vp8Encoder__target_bitrate = self._target


def send_vp8(transceiver: RTCRtpTransceiver, most: int) -> None:
    """Have a video transceiver send VP8, which every browser reads (RFC 7742 5).

    Parameters
    ----------
    most: the highest bit rate, in bit/s.
    """
    codecs = transceiver.sender.getCapabilities("video").codecs
    wanted = [codec for codec in codecs if codec.name.upper() in ("VP8", "RTX")]
    transceiver.setCodecPreferences(wanted)
    # aiortc makes its encoder where this attribute is None, and has no other way to choose one.
    transceiver.sender._RTCRtpSender__encoder = LimitedVp8Encoder(most)  # type: ignore[attr-defined]
