"""turn.coturn: the files that it writes, and a real turnserver that runs from them."""

import contextlib
import os
import re
import socket
import stat
import time
from collections.abc import AsyncIterator
from ipaddress import (
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
    summarize_address_range,
)
from pathlib import Path
from typing import Any

import pytest
import yaml
from aioice import stun
from aioice.turn import UDP_TRANSPORT

from tests.turn.coturn_server import (
    RunningCoturn,
    client,
    credentials_for,
    deliver,
    needs_turnserver,
    permit,
    refusal,
    relayed,
    running_coturn,
)
from turn import coturn
from turn.credentials import ephemeral

# IANA's special-purpose registries (RFC 6890), without `::`, which coturn itself refuses.
SPECIAL = [
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
    *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4"),
    *("::1/128", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23"),
    *("2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10"),
]


def options(files: coturn.CoturnFiles) -> list[tuple[str, str]]:
    """The options of turnserver.conf in their order; "" for an option without a value."""
    lines = files.turnserver_conf.read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return [(name, value) for name, _, value in pairs]


def values(files: coturn.CoturnFiles, name: str) -> list[str]:
    """The values of one option."""
    return [value for option, value in options(files) if option == name]


def compose(files: coturn.CoturnFiles) -> Any:
    """The one service of compose.yaml."""
    return yaml.safe_load(files.compose_yaml.read_text())["services"]["coturn"]


# The files


def test_secret_is_fresh(tmp_path: Path) -> None:
    """Each set of files has its own 256-bit secret, and both files hold the same one."""
    first, second = (coturn.write(tmp_path / name, ["192.0.2.7"]) for name in ("a", "b"))
    assert re.fullmatch(r"[0-9a-f]{64}", first.secret_file.read_text())
    assert values(first, "static-auth-secret") == [first.secret_file.read_text()]
    assert first.secret_file.read_text() != second.secret_file.read_text()


def test_secret_stands_nowhere_else(tmp_path: Path) -> None:
    """Neither compose.yaml nor the lines for config.yaml nor a repr hold the secret."""
    files = coturn.write(tmp_path, ["192.0.2.7"])
    shown = files.compose_yaml.read_text() + repr(files) + "".join(files.config_lines())
    assert files.secret_file.read_text() not in shown


def test_modes(tmp_path: Path) -> None:
    """Only their owner can read the two files with the secret, and nothing else is left behind."""
    files = coturn.write(tmp_path, ["192.0.2.7"])
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) & 0o077 for p in tmp_path.iterdir()}
    assert set(modes) == {"turnserver.conf", "compose.yaml", "secret"}
    assert modes["turnserver.conf"] == modes["secret"] == 0
    assert files.secret_file.stat().st_uid == os.getuid()


def test_container_runs_as_the_owner(tmp_path: Path) -> None:
    """The container runs as the owner of turnserver.conf, who is not root unless asked for."""
    files = coturn.write(tmp_path, ["192.0.2.7"])
    owner = files.turnserver_conf.stat()
    assert compose(files)["user"] == f"{owner.st_uid}:{owner.st_gid}"
    assert owner.st_uid == (os.getuid() or 65534)
    asked = coturn.write(tmp_path / "asked", ["192.0.2.7"], uid=os.getuid(), gid=os.getgid())
    assert compose(asked)["user"] == f"{os.getuid()}:{os.getgid()}"


@pytest.mark.parametrize("name", ["turnserver.conf", "compose.yaml", "secret"])
def test_overwrites_nothing(tmp_path: Path, name: str) -> None:
    """If one of the files exists, it is kept and none is added; the error names it and the next
    step.
    """
    (tmp_path / name).write_text("mine")
    with pytest.raises(coturn.CoturnExists, match=re.escape(str(tmp_path / name))) as caught:
        coturn.write(tmp_path, ["192.0.2.7"])
    assert "another directory" in str(caught.value)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_config_lines(tmp_path: Path) -> None:
    """Three lines of YAML name the mode, the URLs and the absolute path of the secret."""
    directory = tmp_path / 'a "quoted" dir, #1: ü'
    files = coturn.write(directory, ["192.0.2.7"])
    lines = files.config_lines()
    assert lines[:2] == ["turn:", "  mode: coturn"]
    assert len(lines) == 3
    assert yaml.safe_load("\n".join(lines)) == {
        "turn": {
            "mode": "coturn",
            "coturn": {
                "urls": ["turn:192.0.2.7:3478?transport=udp", "turn:192.0.2.7:3478?transport=tcp"],
                "secret_file": str(directory / "secret"),
            },
        }
    }


def test_relative_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The path of the secret is absolute, however the directory was given."""
    monkeypatch.chdir(tmp_path)
    assert coturn.write(Path("here"), ["192.0.2.7"]).secret_file == tmp_path / "here" / "secret"


def test_several_addresses(tmp_path: Path) -> None:
    """coturn listens on each address and relays on the first IPv4 address, the only one it
    allows.
    """
    given = ["fd00::2", "192.0.2.7", "10.1.1.1", "192.0.2.7"]
    files = coturn.write(tmp_path, given, port=5000)
    assert values(files, "listening-ip") == ["fd00::2", "192.0.2.7", "10.1.1.1"]
    assert values(files, "relay-ip") == values(files, "allowed-peer-ip") == ["192.0.2.7"]
    assert files.urls == (
        "turn:[fd00::2]:5000?transport=udp",
        "turn:192.0.2.7:5000?transport=udp",
        "turn:10.1.1.1:5000?transport=udp",
        "turn:[fd00::2]:5000?transport=tcp",
        "turn:192.0.2.7:5000?transport=tcp",
        "turn:10.1.1.1:5000?transport=tcp",
    )


def test_loopback_peers_only_on_loopback(tmp_path: Path) -> None:
    """Loopback peers are allowed only if the relay itself is on loopback."""
    beside = coturn.write(tmp_path / "beside", ["192.0.2.7", "127.0.0.1"])
    alone = coturn.write(tmp_path / "alone", ["127.0.0.1"])
    assert not values(beside, "allow-loopback-peers")
    assert values(alone, "allow-loopback-peers") == [""]


@pytest.mark.parametrize(
    "addresses",
    [[], ["fd00::2"], ["0.0.0.0"], ["::"], ["224.0.0.1"], ["example.org"], ["192.0.2.0/24"]],
)
def test_addresses_of_no_use(tmp_path: Path, addresses: list[str]) -> None:
    """Names, networks, wildcards, multicast and lists without IPv4 are refused, and nothing is
    written.
    """
    with pytest.raises(coturn.CoturnError):
        coturn.write(tmp_path / "new", addresses)
    assert not (tmp_path / "new").exists()


def test_an_address_cannot_add_options(tmp_path: Path) -> None:
    """Text after an address does not get into the configuration."""
    with pytest.raises(coturn.CoturnError):
        coturn.write(tmp_path, ["192.0.2.7\nno-auth"])


@pytest.mark.parametrize("ports", [(0, 1, 2), (3478, 9, 8), (3478, 3000, 4000), (3478, 1, 65536)])
def test_ports_of_no_use(tmp_path: Path, ports: tuple[int, int, int]) -> None:
    """Ports that are out of range, in the wrong order or used twice are refused."""
    port, low, high = ports
    with pytest.raises(coturn.CoturnError):
        coturn.write(tmp_path, ["192.0.2.7"], port=port, min_port=low, max_port=high)


def test_hardening(tmp_path: Path) -> None:
    """The options that restrict a relay are set, and no option undoes them."""
    files = coturn.write(tmp_path, ["192.0.2.7"])
    names = [name for name, _ in options(files)]
    assert names[0] == "log-file"
    assert {
        *("use-auth-secret", "fingerprint", "stale-nonce", "no-tcp-relay", "no-multicast-peers"),
        *("no-cli", "no-tls", "no-dtls", "user-quota", "total-quota", "max-bps"),
    } <= set(names)
    assert not {"no-auth", "server-relay", "web-admin", "verbose", "user", "mobility"} & set(names)
    assert values(files, "log-file") == ["stdout"]
    (low,), (high,) = values(files, "min-port"), values(files, "max-port")
    assert values(files, "total-quota") == [str(int(high) - int(low) + 1)]
    assert 100 <= int(high) - int(low) + 1 <= 200


def test_denied_ranges(tmp_path: Path) -> None:
    """The denied ranges are the special-purpose networks, each written as one range and not as
    CIDR.
    """
    networks: list[IPv4Network | IPv6Network] = []
    for value in values(coturn.write(tmp_path, ["192.0.2.7"]), "denied-peer-ip"):
        low, _, high = value.partition("-")
        first, last = ip_address(low), ip_address(high or low)
        assert type(first) is type(last)
        networks += summarize_address_range(first, last)
    assert networks == [ip_network(text) for text in SPECIAL]
    # To coturn, a range that starts at `::` starts before every IPv4 address.
    assert IPv6Address("::") not in [network.network_address for network in networks]


def test_compose(tmp_path: Path) -> None:
    """The container has a pinned image, the host's network, a read-only root and no privileges."""
    service = compose(coturn.write(tmp_path, ["192.0.2.7"]))
    image, _, version = service["image"].partition(":")
    assert image == "coturn/coturn"
    assert tuple(int(part) for part in version.split(".")) >= (4, 13, 1)
    assert service["network_mode"] == "host"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["cap_add"] == ["NET_BIND_SERVICE"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    (mount,) = service["volumes"]
    assert mount["source"] == "./turnserver.conf"
    assert mount["read_only"] is True
    assert service["entrypoint"] == ["turnserver", "-c", mount["target"]]


DIGEST = "sha256:" + "5a" * 32


def test_an_image_with_a_digest(tmp_path: Path) -> None:
    """With a digest, the container runs exactly that image; the tag says which release it is."""
    service = compose(coturn.write(tmp_path, ["192.0.2.7"], digest=DIGEST))
    assert service["image"] == f"{coturn.IMAGE}@{DIGEST}"


@pytest.mark.parametrize("digest", ["", "latest", DIGEST[:-1], DIGEST.upper(), f"{DIGEST}\nx: y"])
def test_no_digest(tmp_path: Path, digest: str) -> None:
    """What is no digest is refused, and nothing is written."""
    with pytest.raises(coturn.CoturnError, match="digest"):
        coturn.write(tmp_path / "new", ["192.0.2.7"], digest=digest)
    assert not (tmp_path / "new").exists()


def test_document(tmp_path: Path) -> None:
    """docs/turn.md names the ports, limits and image that are written."""
    files = coturn.write(tmp_path, ["192.0.2.7"])
    text = (Path(__file__).parents[2] / "docs" / "turn.md").read_text()
    (low,), (high,), (port,) = (
        values(files, name) for name in ("min-port", "max-port", "listening-port")
    )
    assert f"| {low} to {high} | UDP |" in text
    assert f"| {port} | UDP and TCP |" in text
    assert f"docker buildx imagetools inspect {coturn.IMAGE} " in text
    (user,), (total,), (rate,) = (
        values(files, name) for name in ("user-quota", "total-quota", "max-bps")
    )
    assert f"{user} allocations for each peer, {total} in all" in text
    assert f"{int(rate) * 8 // 1_000_000} Mbit/s for each allocation" in text


# A real turnserver


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningCoturn]:
    async with running_coturn(tmp_path_factory.mktemp("coturn")) as running:
        yield running


@needs_turnserver
@pytest.mark.parametrize("transports", [("udp", "udp"), ("tcp", "udp"), ("tcp", "tcp")])
async def test_relay_to_relay(server: RunningCoturn, transports: tuple[str, str]) -> None:
    """Two peers with valid credentials exchange data, each through its own allocation."""
    async with (
        relayed(server, "a", transports[0]) as alpha,
        relayed(server, "b", transports[1]) as beta,
    ):
        for relay in (alpha, beta):
            assert relay.address[0] == server.address
            assert server.min_port <= relay.address[1] <= server.max_port
        # A relay passes data only from peers that its client has sent to (RFC 8656 9).
        await beta.client.send_data(b"opens the way back", alpha.address)
        await deliver(b"from a", alpha, beta)
        await deliver(b"from b", beta, alpha)
        await deliver(b"x" * 1400, alpha, beta)


@needs_turnserver
async def test_wrong_password(server: RunningCoturn) -> None:
    """A password made with another secret gets 401."""
    forged = ephemeral("not the secret", "mallory", time.time(), 600)
    async with client(server, forged.username, forged.password) as mallory:
        assert await refusal(mallory.connect()) == 401


@needs_turnserver
async def test_password_of_another_peer(server: RunningCoturn) -> None:
    """A password is valid for its own user name only."""
    good = credentials_for(server, "ann")
    async with client(server, good.username.replace("ann", "bob"), good.password) as bob:
        assert await refusal(bob.connect()) == 401


@needs_turnserver
async def test_expired(server: RunningCoturn) -> None:
    """Expired credentials get 401."""
    old = ephemeral(server.secret, "late", time.time() - 3600, 600)
    async with client(server, old.username, old.password) as late:
        assert await refusal(late.connect()) == 401


@needs_turnserver
async def test_no_credentials(server: RunningCoturn) -> None:
    """Nobody can relay without credentials."""
    async with client(server, "", "") as nobody:
        request = stun.Message(stun.Method.ALLOCATE, stun.Class.REQUEST)
        request.attributes["REQUESTED-TRANSPORT"] = UDP_TRANSPORT
        assert await refusal(nobody.request(request)) == 401


@needs_turnserver
async def test_no_tcp_relay(server: RunningCoturn) -> None:
    """A request for an allocation that opens TCP connections (RFC 6062) gets 442."""
    good = credentials_for(server, "tcp-relay")
    async with client(server, good.username, good.password) as peer:
        request = stun.Message(stun.Method.ALLOCATE, stun.Class.REQUEST)
        request.attributes["REQUESTED-TRANSPORT"] = 0x06000000
        assert await refusal(peer.request_with_retry(request)) == 442


@needs_turnserver
async def test_denied_peers(server: RunningCoturn) -> None:
    """The first, middle and last address of every special-purpose IPv4 network get 403,
    multicast too.
    """
    good = credentials_for(server, "prober")
    own = ip_address(server.address)
    networks = [ip_network(text) for text in SPECIAL if ":" not in text]
    async with client(server, good.username, good.password) as prober:
        await prober.connect()
        for network in [*networks, ip_network("224.0.0.0/4")]:
            middle = network[network.num_addresses // 2]
            for peer in {network[0], middle, network[-1]} - {own}:
                assert await refusal(permit(prober, str(peer))) == 403, peer


@needs_turnserver
async def test_denied_loopback(server: RunningCoturn) -> None:
    """Only the relay's own address is allowed, on loopback too."""
    good = credentials_for(server, "loop")
    async with client(server, good.username, good.password) as peer:
        await peer.connect()
        await permit(peer, server.address)
        assert await refusal(permit(peer, "127.0.0.2")) == 403
        assert await refusal(permit(peer, "0.0.0.0")) == 403


@needs_turnserver
async def test_ipv6_peers(server: RunningCoturn) -> None:
    """No IPv6 peer is accepted, and no IPv4 address written as IPv6 (CVE-2026-27624)."""
    good = credentials_for(server, "six")
    async with client(server, good.username, good.password) as peer:
        await peer.connect()
        for address in ("::1", "::", "fd00::1", "2606:4700::1", "::ffff:10.0.0.1", "2002:a00:1::"):
            assert await refusal(permit(peer, address)) == 443, address


@needs_turnserver
async def test_public_peers(server: RunningCoturn) -> None:
    """Peers on the internet are allowed, even right next to the denied ranges."""
    good = credentials_for(server, "public")
    async with client(server, good.username, good.password) as peer:
        await peer.connect()
        for address in ("1.0.0.1", "8.8.8.8", "9.255.255.255", "172.32.0.1", "223.255.255.254"):
            await permit(peer, address)


@needs_turnserver
async def test_quota_is_for_each_peer(server: RunningCoturn) -> None:
    """A peer can use up only its own allocations (486), whatever user names it uses."""
    async with contextlib.AsyncExitStack() as stack:
        for i in range(coturn.USER_QUOTA):
            good = credentials_for(server, "greedy", 600 + i)
            peer = await stack.enter_async_context(client(server, good.username, good.password))
            await peer.connect()
        good = credentials_for(server, "greedy", 9999)
        async with client(server, good.username, good.password) as one_more:
            assert await refusal(one_more.connect()) == 486
        good = credentials_for(server, "modest")
        async with client(server, good.username, good.password) as other:
            await other.connect()


def eth_address() -> str:
    """The address that this host would send from to another network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.250", 9))  # Sends nothing.
        except OSError:
            pytest.skip("this host is on no network")
        address: str = probe.getsockname()[0]
        return address


@needs_turnserver
async def test_on_a_network_address(tmp_path: Path) -> None:
    """On a network address, coturn relays there and not to loopback, whichever address a client
    uses.
    """
    address = eth_address()
    async with running_coturn(tmp_path, address, "127.0.0.1") as server:
        good = credentials_for(server, "lan")
        async with client(server, good.username, good.password) as lan:
            assert (await lan.connect())[0] == address
            await permit(lan, address)
            assert await refusal(permit(lan, "127.0.0.1")) == 403
        async with relayed(server, "local", host="127.0.0.1") as local:
            assert local.address[0] == address


def open_files(pid: int) -> set[str]:
    """The files that a process has open, if the system can tell."""
    descriptors = Path(f"/proc/{pid}/fd")
    names = {os.readlink(link) for link in descriptors.iterdir()} if descriptors.exists() else set()
    return {name for name in names if name.startswith("/")}


def traces(pid: int) -> list[Path]:
    """The files that a turnserver leaves in the system's directories by default."""
    places = [Path(place) for place in ("/var/log", "/var/run", "/var/tmp", "/tmp")]
    names = (f"turn_{pid}_*", "turnserver.pid")
    return [path for place in places for name in names for path in place.glob(name)]


@needs_turnserver
async def test_leaves_nothing_behind(tmp_path: Path) -> None:
    """coturn opens no file but its own output, and leaves the directory as it was written."""
    async with running_coturn(tmp_path) as server, relayed(server, "a"):
        assert open_files(server.pid) <= {"/dev/null", str(server.log_file)}
    written = {path.name for path in server.files.turnserver_conf.parent.iterdir()}
    assert written == {"turnserver.conf", "compose.yaml", "secret"}
    assert traces(server.pid) == []


@needs_turnserver
async def test_log(tmp_path: Path) -> None:
    """The log warns only about loopback, and holds neither the secret nor a password."""
    async with running_coturn(tmp_path) as server:
        async with relayed(server, "a"):
            pass
        forged = ephemeral("not the secret", "mallory", time.time(), 600)
        async with client(server, forged.username, forged.password) as mallory:
            assert await refusal(mallory.connect()) == 401
        hidden = [server.secret, forged.password, credentials_for(server, "a").password]
    log = server.log()
    assert "Default realm: lenscast" in log
    assert not [text for text in hidden if text in log]
    assert "Bad configuration" not in log
    warnings = [line for line in log.splitlines() if re.search("WARNING|ERROR|cannot", line)]
    assert [w for w in warnings if "allow_loopback_peers" not in w and "mallory" not in w] == []
