"""Checks whether a phone has an address to open, and may use its camera there."""

from urllib.parse import urlsplit

import ifaddr

from signaling.config import Config
from signaling.doctor.findings import Finding, broken, note, ok
from signaling.doctor.visit import is_loopback, is_origin
from signaling.host import addresses
from signaling.link_maker import ANY_ADDRESS

_JOIN_WIFI = "Connect this computer to the phone's Wi-Fi."


def lan_address(settings: Config) -> Finding:
    """Whether this computer has an address at which a phone could reach it."""
    check, host = "LAN address", settings.server.host
    if settings.server.public_url:
        return ok(check, f"not needed: phones open {settings.server.public_url}")
    if host not in ANY_ADDRESS:
        if is_loopback(host):
            return broken(
                check,
                f"server.host is {host}, which other devices cannot reach.",
                "Set server.host to 0.0.0.0, or set server.public_url to the address that phones "
                "open.",
            )
        return ok(check, f"{host} (from server.host)")
    found = addresses.lan_addresses()
    if not found:
        return broken(check, "no network found.", _JOIN_WIFI)
    names = {ip.ip: adapter.nice_name for adapter in ifaddr.get_adapters() for ip in adapter.ips}
    shown = ", ".join(f"{address} ({names.get(address, '?')})" for address in found)
    if all(_is_virtual(names.get(address, ""), address) for address in found):
        text = f"{shown}: only virtual networks, which a phone usually cannot reach."
        return note(check, text, _JOIN_WIFI)
    return ok(check, shown)


def phone_link(origin: str, settings: Config) -> Finding:
    """Whether a phone's browser allows the camera at an origin (W3C Secure Contexts)."""
    check = "phone's link"
    if not is_origin(origin):
        return broken(
            check,
            f"server.public_url is {origin}, which browsers cannot open.",
            "Use an address like https://camera.example.org or https://192.168.1.20:8443.",
        )
    if origin.startswith("https:") or is_loopback(urlsplit(origin).hostname or ""):
        return ok(check, f"{origin}: browsers allow the camera there")
    text = f"{origin} is not HTTPS, so a phone's browser does not allow the camera there."
    if settings.server.public_url:
        return broken(check, text, "Set server.public_url to an https address.")
    return broken(
        check,
        text,
        "Set server.tls to local-ca. If a proxy provides HTTPS, set server.public_url to the "
        "address that phones open.",
    )


def leads_elsewhere(origin: str) -> bool:
    """Whether an origin can be opened and is not just this computer's loopback address."""
    return is_origin(origin) and not is_loopback(urlsplit(origin).hostname or "")


def _is_virtual(name: str, address: str) -> bool:
    # The ranking knows: it places a virtual interface after a physical one.
    return addresses.rank([(name, address), ("eth", "203.0.113.1")], None)[0] != address
