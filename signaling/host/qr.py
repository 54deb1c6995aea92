"""QR codes, as an SVG document for pages and as text for a terminal.

Owns how a code is drawn; the library `qrcode` computes its modules.
"""

import qrcode
from qrcode.constants import ERROR_CORRECT_L, ERROR_CORRECT_M

QUIET_ZONE = 4
"""White modules on each side (ISO/IEC 18004, 9.1); scanners miss codes that have fewer."""

_DENSE = 10
"""The largest version (57x57 modules) with error correction level M. Larger codes use level L: on
a clean screen, fewer modules help a camera more than better error correction does."""

# Colours 16 and 231 are always black and white; a theme can redefine the first 16 colours.
_BLACK_ON_WHITE = "\x1b[38;5;16;48;5;231m"
_RESET = "\x1b[0m"


def svg(text: str) -> str:
    """Return the QR code of `text` as an SVG document, black on white, one unit to a module.

    It has a viewBox and no size, so it fills the space that the page gives it.
    Raises ValueError when `text` does not fit into a QR code.
    """
    rows = modules(text)
    size = len(rows)
    runs = "".join(
        f"M{start} {y}.5h{length}"
        for y, row in enumerate(rows)
        for start, length in _dark_runs(row)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size} {size}"'
        ' shape-rendering="crispEdges">'
        f'<rect width="{size}" height="{size}" fill="#fff"/>'
        f'<path stroke="#000" d="{runs}"/></svg>'
    )


def terminal(text: str, *, colour: bool) -> str:
    """Return the QR code of `text` as lines of half blocks, two modules to a character.

    Parameters
    ----------
    text: the text to encode.
    colour: True draws black on white in every terminal theme (ANSI, 256 colours). False uses no
        escape sequences: the blocks are the light modules, which suits a dark terminal.

    Raises ValueError when `text` does not fit into a QR code.
    """
    rows = modules(text)
    if len(rows) % 2:
        rows.append([False] * len(rows))
    # The index is the upper module plus twice the lower one. A dark module is True.
    blocks = " ▀▄█" if colour else "█▄▀ "
    start, end = (_BLACK_ON_WHITE, _RESET) if colour else ("", "")
    return "\n".join(
        start + "".join(blocks[up + 2 * down] for up, down in zip(*pair, strict=True)) + end
        for pair in zip(rows[::2], rows[1::2], strict=True)
    )


def modules(text: str) -> list[list[bool]]:
    """Return the rows of the QR code, quiet zone included. True is a dark module.

    Raises ValueError when `text` does not fit into a QR code.
    """
    version, rows = _encode(text, ERROR_CORRECT_M)
    return rows if version <= _DENSE else _encode(text, ERROR_CORRECT_L)[1]


def _encode(text: str, correction: int) -> tuple[int, list[list[bool]]]:
    code = qrcode.QRCode(error_correction=correction, border=QUIET_ZONE)
    code.add_data(text)
    code.make(fit=True)
    return code.version, [[bool(module) for module in row] for row in code.get_matrix()]


def _dark_runs(row: list[bool]) -> list[tuple[int, int]]:
    """Return (start, length) of each run of dark modules in `row`."""
    edges = [
        x
        for x, (left, here) in enumerate(zip([False, *row], [*row, False], strict=True))
        if left != here
    ]
    return [(start, end - start) for start, end in zip(edges[::2], edges[1::2], strict=True)]
