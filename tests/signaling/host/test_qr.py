"""QR codes, read back from the drawing."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
import qrcode

from signaling.host import qr

LINK = "https://192.168.100.100:8443/sender#kitchen-7.abcdefghijklmnopqrstuv"
SVG = "{http://www.w3.org/2000/svg}"
ANSI = re.compile(r"\x1b\[[0-9;]*m")

Matrix = list[list[bool]]


def document(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(qr.svg(text))  # noqa: S314  it was made here


def from_svg(text: str) -> Matrix:
    """Read the modules from an SVG document."""
    root = document(text)
    size = int(root.attrib["viewBox"].split()[2])
    matrix = [[False] * size for _ in range(size)]
    path = root.find(f"{SVG}path")
    assert path is not None
    runs = re.findall(r"M(\d+) (\d+)\.5h(\d+)", path.attrib["d"])
    assert "".join(f"M{x} {y}.5h{length}" for x, y, length in runs) == path.attrib["d"]
    for x, y, length in runs:
        for column in range(int(x), int(x) + int(length)):
            matrix[int(y)][column] = True
    return matrix


def from_blocks(drawn: str, upper: str, lower: str) -> Matrix:
    """Read half blocks. `upper` lists those with a dark upper half, `lower` those with a dark
    lower half.
    """
    matrix = []
    for line in drawn.splitlines():
        matrix.append([character in upper for character in line])
        matrix.append([character in lower for character in line])
    return matrix


def from_colour(text: str) -> Matrix:
    return from_blocks(ANSI.sub("", qr.terminal(text, colour=True)), upper="▀█", lower="▄█")


def from_plain(text: str) -> Matrix:
    return from_blocks(qr.terminal(text, colour=False), upper="▄ ", lower="▀ ")


@pytest.mark.parametrize("read", [from_svg, from_colour, from_plain])
def test_drawn_as_the_library_says(read: Callable[[str], Matrix]) -> None:
    """Both drawings show the modules of the code, with 4 white modules on every side."""
    code = qrcode.QRCode(error_correction=qrcode.ERROR_CORRECT_M, border=4)
    code.add_data(LINK)
    code.make(fit=True)
    wanted = [[bool(module) for module in row] for row in code.get_matrix()]
    drawn = read(LINK)
    assert drawn[: len(wanted)] == wanted
    assert not any(map(any, drawn[len(wanted) :]))
    for edge in (*wanted[:4], *wanted[-4:]):
        assert not any(edge)


@pytest.mark.parametrize("read", [from_svg, from_colour, from_plain])
def test_scans(read: Callable[[str], Matrix], tmp_path: Path) -> None:
    """A scanner reads the text from the drawing."""
    if shutil.which("zbarimg") is None:
        pytest.skip("the scanner zbarimg is not installed (Debian's zbar-tools)")
    assert scan(read(LINK), tmp_path) == LINK


def scan(matrix: Matrix, folder: Path) -> str:
    pixels = [
        " ".join(str(int(module)) for module in row for _ in range(4))
        for row in matrix
        for _ in range(4)
    ]
    picture = folder / "code.pbm"
    picture.write_text(f"P1\n{len(matrix[0]) * 4} {len(pixels)}\n" + "\n".join(pixels))
    command = ["zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", str(picture)]
    found = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return found.stdout.rstrip("\n")


def test_svg_scales() -> None:
    """The SVG has a viewBox and no size of its own, and is black on white."""
    root = document(LINK)
    assert root.tag == f"{SVG}svg"
    assert {"width", "height"}.isdisjoint(root.attrib)
    ground, dark = root
    assert ground.attrib["fill"] == "#fff"
    assert dark.attrib["stroke"] == "#000"
    assert root.attrib["viewBox"] == f"0 0 {ground.attrib['width']} {ground.attrib['height']}"


def test_svg_is_small() -> None:
    """The SVG of a link is smaller than 5 kB, because it is sent in a message."""
    assert len(qr.svg(LINK)) < 5000


def test_svg_holds_no_text() -> None:
    """The encoded text is not in the document, so nobody can put markup into it."""
    assert "script" not in qr.svg("<script>alert(1)</script>")


def test_colours_do_not_run_over() -> None:
    """With colours, each line sets fixed black on white, and ends with a reset."""
    for line in qr.terminal(LINK, colour=True).splitlines():
        assert line.startswith("\x1b[38;5;16;48;5;231m")
        assert line.endswith("\x1b[0m")


def test_plain_has_no_escapes() -> None:
    """Without colours, there are only half blocks, and all lines have the same width."""
    drawn = qr.terminal(LINK, colour=False)
    assert set(drawn) <= set("█▄▀ \n")
    assert len({len(line) for line in drawn.splitlines()}) == 1


@pytest.mark.parametrize(("length", "modules"), [(213, 57), (214, 53), (271, 57), (272, 61)])
def test_error_correction_gives_way(length: int, modules: int) -> None:
    """Error correction is M up to version 10 (57 modules), and L for longer texts."""
    assert len(qr.modules("x" * length)) == modules + 8


def test_too_long() -> None:
    """A text that does not fit into a QR code raises ValueError."""
    with pytest.raises(ValueError, match="version"):
        qr.svg("x" * 3000)
