"""The wheel: installed in an empty environment elsewhere, it serves the pages."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.timeout(300)
def test_the_wheel_serves_the_pages_from_an_environment_of_its_own(tmp_path: Path) -> None:
    """Pages and all come out of the wheel; its top level is three packages and nothing else."""
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path)]
    subprocess.run([*build, str(ROOT)], check=True, capture_output=True, text=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert top == {"lenscast", "signaling", "turn"}

    home = tmp_path / "venv"
    venv.create(home)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(home)]
    subprocess.run([*pip, "install", "--quiet", "--no-compile", wheel], check=True)
    process = subprocess.Popen(
        [home / "bin" / "lenscast", "--json", "--no-open", "--port", "0", "--local-port", "0"],
        cwd=tmp_path,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        said = json.loads(process.stdout.readline())
        base = f"http://127.0.0.1:{said['local_port']}"
        for path, text in (
            ("/receiver", b"<title>"),
            ("/sender", b"<title>"),
            ("/trust", b"<title>"),
            ("/pages/lib/signaling/signaling.js", b"WebSocket"),
            ("/pages/lib/page/theme.css", b"{"),
        ):
            with urllib.request.urlopen(base + path, timeout=30) as answer:
                assert text in answer.read()
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
