"""The networks of the matrix: a phone, a laptop and the server, and what is between them.

Each scenario is a function that builds one in a `Network`; its docstring is its name in tables.
Addresses are private or for documentation (RFC 1918, 5737, 6598).
"""

from collections.abc import Callable
from dataclasses import dataclass

from tests.network.hosts import Host, Network

PORT = 8443
"""The page's port, the default one."""


@dataclass(frozen=True)
class Devices:
    """The hosts that the three programs run on."""

    phone: Host
    laptop: Host
    server: Host


Scenario = Callable[[Network], Devices]


def same_subnet(network: Network) -> Devices:
    """the same subnet"""
    return _wifi(network)


def client_isolation(network: Network) -> Devices:
    """one Wi-Fi that isolates its clients"""
    return _wifi(network, isolated=True)


def two_subnets(network: Network) -> Devices:
    """two subnets, no multicast between them"""
    devices, router = _routed(network)
    router.add_rules("no-multicast", "ip daddr 224.0.0.0/4 drop")
    return devices


def behind_nat(network: Network) -> Devices:
    """each behind a NAT of its own"""
    return _behind_nat(network, symmetric=False)


def behind_symmetric_nat(network: Network) -> Devices:
    """each behind a symmetric NAT of its own"""
    return _behind_nat(network, symmetric=True)


def no_udp(network: Network) -> Devices:
    """UDP blocked entirely"""
    devices, router = _routed(network)
    router.add_rules("no-udp", "meta l4proto udp drop")
    return devices


def page_port(network: Network) -> Devices:
    """only the page's port open, TCP and UDP"""
    return _firewalled(network, f"meta l4proto {{ tcp, udp }} th dport {PORT}")


def page_port_tcp(network: Network) -> Devices:
    """only the page's port open, TCP alone"""
    return _firewalled(network, f"tcp dport {PORT}")


SCENARIOS: tuple[Scenario, ...] = (
    same_subnet,
    two_subnets,
    client_isolation,
    behind_nat,
    behind_symmetric_nat,
    no_udp,
    page_port,
    page_port_tcp,
)


def _devices(network: Network) -> Devices:
    return Devices(network.host("phone"), network.host("laptop"), network.host("server"))


def _wifi(network: Network, *, isolated: bool = False) -> Devices:
    devices = _devices(network)
    wifi = network.switch("wifi", "192.168.1.1/24")
    network.plug(devices.phone, wifi, "192.168.1.2/24", isolated=isolated)
    network.plug(devices.laptop, wifi, "192.168.1.3/24", isolated=isolated)
    network.plug(devices.server, wifi, "192.168.1.4/24")
    return devices


def _routed(network: Network) -> tuple[Devices, Host]:
    """Three subnets and a router, on which a scenario adds its filters."""
    devices = _devices(network)
    router = network.host("router", forwards=True)
    network.link(devices.phone, router, "10.0.1.2/24", "10.0.1.1")
    network.link(devices.laptop, router, "10.0.2.2/24", "10.0.2.1")
    network.link(devices.server, router, "10.0.3.2/24", "10.0.3.1")
    return devices, router


def _firewalled(network: Network, allowed: str) -> Devices:
    devices, router = _routed(network)
    to_server = f"ip daddr {devices.server.address} {allowed} accept"
    router.add_rules("firewall", "ct state established accept", to_server, "drop")
    return devices


def _behind_nat(network: Network, *, symmetric: bool) -> Devices:
    devices = _devices(network)
    internet = network.host("internet", forwards=True)
    network.link(devices.server, internet, "203.0.113.2/24", "203.0.113.1")
    for number, device in enumerate((devices.phone, devices.laptop), 1):
        home = network.host(f"{device.name}-home", forwards=True)
        network.link(home, internet, f"100.64.{number}.2/24", f"100.64.{number}.1")
        network.link(device, home, f"192.168.{number}.2/24", f"192.168.{number}.1")
        home.masquerade(internet.name, symmetric=symmetric)
    return devices
