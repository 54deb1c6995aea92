"""Installs PeerJS, which this project is compared with."""

import shutil
import subprocess

from bench.shared.processes import ROOT, StartError

PEERJS = ROOT / "bench" / "peerjs"
_INSTALL_SECONDS = 120


def install_peerjs() -> None:
    """Install PeerJS from npm, unless that has been done.

    Raises
    ------
    StartError: npm is missing, or fails.
    """
    installed = PEERJS / "node_modules" / ".package-lock.json"
    lock = PEERJS / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= lock.stat().st_mtime:
        return
    if shutil.which("npm") is None:
        raise StartError("npm is not on the PATH: apt install npm")
    command = ["npm", "ci", "--silent", "--no-fund", "--no-audit"]
    try:
        done = subprocess.run(
            command, cwd=PEERJS, capture_output=True, text=True, timeout=_INSTALL_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise StartError("npm did not install PeerJS in time.") from None
    if done.returncode != 0:
        raise StartError(f"npm could not install PeerJS: {done.stderr.strip()}")
