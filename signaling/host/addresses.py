"""The addresses by which a phone can reach this host, best first.

Owns the ranking of the host's own addresses.
"""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address

import ifaddr

# Interfaces that never lead to a phone nearby, whatever the routes say.
_TUNNELS = ("tun", "tap", "utun", "wg", "tailscale", "zt", "ppp", "ipsec", "wwan")
_TUNNEL_WORDS = ("tunnel", "tap-windows", "wireguard", "tailscale", "zerotier")

# Interfaces between this host and its own guests. A bridge can still be the way to the network
# (Hyper-V bridges the network card); it then has the default route.
_INNER = (
    *("docker", "podman", "br-", "veth", "virbr", "lxc", "lxdbr", "cni", "flannel", "cali"),
    *("vmnet", "vmenet", "vboxnet", "vnet", "bridge", "vethernet"),
)
_INNER_WORDS = ("virtualbox", "vmware", "hyper-v")


def lan_addresses() -> list[str]:
    """Return the IPv4 addresses by which a phone could reach this host, best first.

    The list is empty without a network, and never holds the loopback address.
    """
    found = [
        (adapter.nice_name, ip.ip)
        for adapter in ifaddr.get_adapters()
        for ip in adapter.ips
        if isinstance(ip.ip, str)  # IPv6 addresses are tuples.
    ]
    return rank(found, _default_route_address())


def rank(found: Iterable[tuple[str, str]], default: str | None) -> list[str]:
    """Sort addresses by how likely it is that a phone on the same network can reach them.

    Parameters
    ----------
    found: pairs of an interface's name (on Windows, its description) and an IPv4 address.
    default: the source address of the default route, or None if there is no such route.

    The address of the default route comes first, unless it belongs to a tunnel: a VPN takes the
    default route, but no phone is behind it. Physical interfaces follow, then virtual ones, then
    tunnels. Loopback is left out, and so are link-local addresses (169.254/16, RFC 3927) unless
    there are no others. Addresses of equal rank keep their order.
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
    """Ask the kernel which address it would send from. Connecting UDP sends no packet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # TEST-NET-1 (RFC 5737): never on the Internet.
        except OSError:
            return None  # There is no network, or the network has no gateway.
        address: str = probe.getsockname()[0]
        return address
