"""What a coturn lets its clients reach on its own host, and the firewall rule against it."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.network.hosts import Host, Network
from turn import coturn
from turn.coturn import CoturnFiles

TURN_MD = Path(__file__).parent.parent.parent / "docs" / "turn.md"
PORT = 5060
SECONDS = 30.0

needs_turnserver = pytest.mark.skipif(
    shutil.which("turnserver") is None, reason="coturn's turnserver is not on the PATH"
)


@contextmanager
def running(host: Host, files: CoturnFiles, log: Path) -> Iterator[None]:
    """Run coturn on a host until the end of the block."""
    command = host.command("turnserver", "-c", str(files.turnserver_conf))
    with log.open("w") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        try:
            until = time.monotonic() + SECONDS
            while "Relay ports initialization done" not in log.read_text():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < until, log.read_text()
                time.sleep(0.05)
            yield
        finally:
            process.terminate()


def doctor(host: Host, folder: Path) -> dict[str, str]:
    """Run `lenscast doctor` on a host: the text of each check that found something to say."""
    command = [sys.executable, "-m", "lenscast", "doctor", "--json"]
    done = subprocess.run(
        host.command(*command, "--config", str(folder / "config.yaml")),
        capture_output=True,
        text=True,
        timeout=2 * SECONDS,
        env={**os.environ, "XDG_STATE_HOME": str(folder)},
    )
    findings = json.loads(done.stdout)
    assert not [one for one in findings if one["verdict"] == "broken"], findings
    return {one["check"]: one["text"] for one in findings if one["verdict"] == "note"}


@needs_turnserver
def test_the_doctor_tells_what_a_coturn_reaches_on_its_host(tmp_path: Path) -> None:
    """Run on coturn's host, the doctor names a program that clients reach through it; with the
    firewall rule of docs/turn.md they reach none, and relay all the same.
    """
    with Network() as network:
        host = network.host("server")
        network.link(host, network.host("nowhere"), "192.168.1.2/24", "192.168.1.1")
        files = coturn.write(tmp_path / "coturn", [host.address])
        config = "\n".join(files.config_lines())
        (tmp_path / "config.yaml").write_text(f"server: {{port: 0, local_port: 0}}\n{config}\n")
        with running(host, files, tmp_path / "log"):
            assert "coturn's host" not in doctor(host, tmp_path)
            with host.socket(socket.SOCK_DGRAM) as program:
                program.bind(("0.0.0.0", PORT))
                program.setblocking(False)
                said = doctor(host, tmp_path)["coturn's host"]
                assert f"(port {PORT})" in said
                assert host.address in said
                (rule,) = re.findall(r"```nft\n(.*?)```", TURN_MD.read_text(), re.DOTALL)
                host.run("nft", "-f", "-", text=rule.replace("192.0.2.7", host.address))
                assert "coturn's host" not in doctor(host, tmp_path)
                assert "TURN over UDP" not in doctor(host, tmp_path)
