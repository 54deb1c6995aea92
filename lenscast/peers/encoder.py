"""A VP8 encoder that may use more bits than aiortc's own.

It reaches into private parts of aiortc; its tests notice when those change.
"""

from aiortc import RTCRtpTransceiver
from aiortc.codecs.vpx import Vp8Encoder

START_BITRATE = 1_000_000
LEAST_BITRATE = 250_000


class LimitedVp8Encoder(Vp8Encoder):
    """VP8 up to a bit rate that the caller chooses.

    aiortc's encoder starts at 500 kbit/s and goes no higher than 1500 kbit/s. These are constants
    of the module aiortc.codecs.vpx; changing them would change every connection of the process.

    Parameters
    ----------
    most: the highest bit rate, in bit/s.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most
        self.target_bitrate = min(START_BITRATE, most * 9 // 10)

    @property
    def target_bitrate(self) -> int:
        """The bit rate to aim for, in bit/s; the receiver's estimate (REMB) sets it."""
        return self._target

    @target_bitrate.setter
    def target_bitrate(self, bitrate: int) -> None:
        self._target = min(self._most, max(bitrate, LEAST_BITRATE))
        # aiortc's encode() takes the size of its rate control buffer from its own private copy.
        self._Vp8Encoder__target_bitrate = self._target


def send_vp8(transceiver: RTCRtpTransceiver, most: int) -> None:
    """Make a video transceiver send VP8, which every browser can decode (RFC 7742 5).

    Parameters
    ----------
    transceiver: one for video, before its offer or answer is made.
    most: the highest bit rate, in bit/s.
    """
    codecs = transceiver.sender.getCapabilities("video").codecs
    wanted = [codec for codec in codecs if codec.name.upper() in ("VP8", "RTX")]
    transceiver.setCodecPreferences(wanted)
    # aiortc makes an encoder only while this attribute is None, and offers no other way to set one.
    transceiver.sender._RTCRtpSender__encoder = LimitedVp8Encoder(most)  # type: ignore[attr-defined]
