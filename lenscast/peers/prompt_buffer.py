"""Gives each picture to the decoder as soon as its last packet is there.

aiortc waits for the first packet of the next picture, so each one is late by the time between two:
33 ms at 30 frames/s. The packets say themselves which of them is a picture's last one. This reaches
into private parts of aiortc; its tests notice when those change.
"""

from aiortc.jitterbuffer import JitterBuffer, JitterFrame

CAPACITY = 512
"""As many packets as aiortc's own buffer of video holds."""


class PromptBuffer(JitterBuffer):
    """A jitter buffer of video in which the marker bit ends a picture (RFC 7741 4.1 for VP8,
    RFC 6184 5.1 for H.264). Of a sender that sets none, the next picture does."""

    def __init__(self) -> None:
        super().__init__(CAPACITY, is_video=True)

    def _remove_frame(self, _sequence_number: int) -> JitterFrame | None:
        """Called by `add`: take the oldest picture out, if it is complete."""
        data: list[bytes] = []
        timestamp = 0
        count = 0
        while count < self.capacity:
            packet = self._packets[((self._origin or 0) + count) % self.capacity]
            if packet is None:
                return None
            next_one = count > 0 and packet.timestamp != timestamp
            if not next_one:
                timestamp = packet.timestamp
                data.append(packet._data)  # type: ignore[attr-defined]
                count += 1
            if next_one or packet.marker:
                self.remove(count)
                if any(data):
                    return JitterFrame(b"".join(data), timestamp)
                # Padding, which may follow a picture's last packet: no decoder takes it.
                data, count = [], 0
        return None
