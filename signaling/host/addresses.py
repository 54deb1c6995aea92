"""The addresses by which a phone can reach this host, best first.

Owns the ranking of the host's own addresses. Imports nothing of the project.
"""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address

import ifaddr

# Interfaces that lead to no phone in the same room, whatever the routes say.
_TUNNELS = ("tun", "tap", "utun", "wg", "tailscale", "zt", "ppp", "ipsec", "wwan")
_TUNNEL_WORDS = ("tunnel", "tap-windows", "wireguard", "tailscale", "zerotier")

# Interfaces between this host and its own guests. A bridge may still be the way out (Hyper-V
# bridges the network card): the default route then says so.
_INNER = (
    *("docker", "podman", "br-", "veth", "virbr", "lxc", "lxdbr", "cni", "flannel", "cali"),
    *("vmnet", "vmenet", "vboxnet", "vnet", "bridge", "vethernet"),
)
_INNER_WORDS = ("virtualbox", "vmware", "hyper-v")


def lan_addresses() -> list[str]:
    """Return this host's IPv4 addresses by which a phone could reach it, best first.

    Empty without a network. The loopback address is never among them.
    """
    found = [
        (adapter.nice_name, ip.ip)
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
        if isinstance(ip.ip, str)  # IPv6 addresses come as tuples
    ]
    return rank(found, _default_route_address())


def rank(found: Iterable[tuple[str, str]], default: str | None) -> list[str]:
    """Sort addresses by how likely a phone in the same network reaches them.

    Parameters
    ----------
    found: pairs of an interface's name (on Windows its description) and an IPv4 address.
    default: the address from which the default route sends, or None when there is none.

    The address of the default route comes first, unless it belongs to a tunnel (a VPN takes the
    default route but carries no phone); then physical interfaces, then virtual ones, then tunnels.
    Loopback is left out; link-local addresses (169.254/16, RFC 3927) too, unless there is nothing
    else. Among equals the order stays.
    """
    usable = [(name, address) for name, address in found if _is_unicast(address)]
    routable = [(name, address) for name, address in usable if not _is_link_local(address)]
    ordered = sorted(routable or usable, key=lambda pair: _distance(pair[0], pair[1], default))
    return list(dict.fromkeys(address for _, address in ordered))


def _distance(interface: str, address: str, default: str | None) -> int:
    name = interface.lower()
    if name.startswith(_TUNNELS) or any(word in name for word in _TUNNEL_WORDS):
        return 3
    if address == default:
        return 0
    if name.startswith(_INNER) or any(word in name for word in _INNER_WORDS):
        return 2
    return 1


def _is_unicast(address: str) -> bool:
    parsed = IPv4Address(address)
    return not (parsed.is_loopback or parsed.is_unspecified or parsed.is_multicast)


def _is_link_local(address: str) -> bool:
    return IPv4Address(address).is_link_local


def _default_route_address() -> str | None:
    """Ask the kernel from which address it would send. Connecting a UDP socket sends no packet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1, RFC 5737: never on the Internet
        except OSError:
            return None  # no route: this host is on no network, or on one without a gateway
        address: str = probe.getsockname()[0]
        return address
