"""Which clients may read the reports, and what they get."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from signaling.config import Config
from signaling.host import addresses
from signaling.metrics import CONTENT_TYPE
from signaling.server import SignalingServer
from tests.running_server import running_server
from tests.signaling.transport.raw import ask, request


def serving(**server: Any) -> Config:
    config = Config(access="open")
    return dataclasses.replace(config, server=dataclasses.replace(config.server, **server))


async def test_this_computer_reads_the_metrics(tmp_path: Path) -> None:
    """Programs on this computer get the current counts in Prometheus' format."""
    async with running_server(serving(), tmp_path) as server:
        code, headers, body = await ask(server.local_port, request("/metrics"))
    assert (code, headers["content-type"]) == (200, CONTENT_TYPE)
    assert headers["cache-control"] == "no-store"
    assert b"\nlenscast_rooms 0.0\n" in body


@pytest.mark.parametrize(
    "header",
    [
        "X-Forwarded-For: 127.0.0.1",
        "X-Forwarded-For: 203.0.113.9",
        "Forwarded: for=203.0.113.9",
        "X-Real-IP: 203.0.113.9",
        "Via: 1.1 proxy",
    ],
)
@pytest.mark.parametrize("trusted", [[], ["127.0.0.1"]])
async def test_what_a_proxy_passes_on_does_not_come_from_this_computer(
    tmp_path: Path, header: str, trusted: list[str]
) -> None:
    """A request that a proxy forwards does not count as local, even if the proxy runs here and
    is unknown.
    """
    async with running_server(serving(trusted_proxies=trusted), tmp_path) as server:
        code, _headers, body = await ask(server.local_port, request("/metrics", header))
    assert code == 403
    assert b"server.metrics" in body
    assert b"lenscast_" not in body


async def test_another_computer_does_not_read_them(tmp_path: Path) -> None:
    """A client from the network is refused."""
    own = next(iter(addresses.lan_addresses()), None)
    if own is None:
        pytest.skip("this computer is on no network")
    async with running_server(serving(tls="off"), tmp_path) as server:
        message = request("/metrics", host=own)
        assert (await ask(server.port, message, host=own))[0] == 403


async def test_everyone_reads_them_where_the_configuration_says_so(tmp_path: Path) -> None:
    """With `everyone`, forwarded requests get an answer as well."""
    async with running_server(serving(metrics="everyone"), tmp_path) as server:
        message = request("/metrics", "X-Forwarded-For: 203.0.113.9")
        assert (await ask(server.local_port, message))[0] == 200


async def test_nobody_reads_them_where_they_are_off(tmp_path: Path) -> None:
    """With `off`, nothing is at that path."""
    async with running_server(serving(metrics="off"), tmp_path) as server:
        assert (await ask(server.local_port, request("/metrics")))[0] == 404


async def test_metrics_are_not_on_the_plain_side_of_the_secure_port(tmp_path: Path) -> None:
    """Plain HTTP on the secure port only redirects to HTTPS."""
    async with running_server(serving(), tmp_path) as server:
        assert (await ask(server.port, request("/metrics")))[0] == 307


async def health(server: SignalingServer, *headers: str, host: str = "127.0.0.1") -> Any:
    """What /healthz says on the local port to who asks with these headers."""
    code, found, body = await ask(server.local_port, request("/healthz", *headers, host=host))
    assert code == 200
    assert found["cache-control"] == "no-store"
    return json.loads(body)


async def test_a_stranger_learns_only_that_the_server_is_well(tmp_path: Path) -> None:
    """Any name that points here, and any proxy, gets the status without versions and counts."""
    async with running_server(serving(hosts=["camera.example"]), tmp_path) as server:
        for answer in (
            await health(server, host="evil.example"),
            await health(server, "X-Forwarded-For: 203.0.113.9"),
            await health(server, "X-Forwarded-For: 127.0.0.1", host="camera.example"),
        ):
            assert answer == {"status": "ok"}
        assert {"version", "rooms", "turn"} <= set(await health(server))
        assert {"version", "rooms", "turn"} <= set(await health(server, host="camera.example"))


async def test_another_computer_learns_only_that_the_server_is_well(tmp_path: Path) -> None:
    """A client from the network gets the status alone."""
    own = next(iter(addresses.lan_addresses()), None)
    if own is None:
        pytest.skip("this computer is on no network")
    async with running_server(serving(tls="off"), tmp_path) as server:
        _code, _headers, body = await ask(server.port, request("/healthz", host=own), host=own)
        assert json.loads(body) == {"status": "ok"}


async def test_who_may_read_the_metrics_gets_the_whole_health_report(tmp_path: Path) -> None:
    """With `metrics: everyone` others get all of it, but under a name of this server only."""
    async with running_server(serving(metrics="everyone"), tmp_path) as server:
        forwarded = "X-Forwarded-For: 203.0.113.9"
        assert "version" in await health(server, forwarded)
        assert await health(server, forwarded, host="evil.example") == {"status": "ok"}
    async with running_server(serving(metrics="off"), tmp_path) as server:
        assert "version" in await health(server)
