"""Keeps what peers tell each other in confidence out of the logs of libraries that would write it.

At level debug aiortc logs whole session descriptions, keys included, and aioice every STUN message
and address. What goes wrong in there they log as tracebacks, whose last line quotes what was sent.
Somebody who debugs a program of theirs sets the level for all loggers, and would not know.
"""

import logging

LOGGERS = (
    "aioice.ice",
    "aioice.mdns",
    "aioice.turn",
    "aiortc.rtcdatachannel",
    "aiortc.rtcdtlstransport",
    "aiortc.rtcicetransport",
    "aiortc.rtcpeerconnection",
    "aiortc.rtcrtpreceiver",
    "aiortc.rtcrtpsender",
    "aiortc.rtcrtptransceiver",
    "aiortc.rtcsctptransport",
)
"""By name, because a filter does not hold for the loggers below one (Python's `logging`)."""


def keep_quiet() -> None:
    """Let aiortc and aioice log warnings only, without tracebacks. Twice does no harm."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_discreet)


def _discreet(record: logging.LogRecord) -> bool:
    if "\n" in record.getMessage():
        record.msg, record.args = "could not use what a peer sent", ()
    record.exc_info = record.exc_text = None
    return record.levelno >= logging.WARNING
