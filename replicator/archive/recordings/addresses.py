"""Decides to which hosts and addresses a download may connect. Pure.

A link to a recording comes from outside, so it may point anywhere: to this machine, to the operator's network, to a
cloud's metadata service. Only addresses of the public internet are allowed, over https on port 443. What else is
allowed the operator names in REPLICATOR_ARCHIVE_ALLOW_HOSTS.

The list of special networks is IANA's, written out here, because Python's own (`is_global`) differs between versions and
takes NAT64 and 6to4 forms of a metadata address for public ones.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

HTTPS_PORT = 443

_INNER = tuple(map(ipaddress.ip_network, (
    "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15", "::1/128", "fc00::/7",
)))  # fmt: skip
"""Loopback and private networks. A named host may have such an address."""
_NEVER_BY_NAME = tuple(map(ipaddress.ip_network, (
    "0.0.0.0/8", "169.254.0.0/16", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.51.100.0/24", "203.0.113.0/24",
    "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32",
)))  # fmt: skip
"""Link-local (with the clouds' metadata services), multicast, reserved, documentation, and Azure's own service."""
_PUBLIC_V6 = ipaddress.IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "3fff::/20", "2620:4f:8000::/48")))
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_LAST_32_BITS = tuple(map(ipaddress.IPv6Network, ("::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "::/96")))
"""Forms of an IPv4 address in the last 32 bits: mapped, translated, NAT64, compatible."""
_ISATAP = {0x00005EFE, 0x02005EFE}


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the operator allows beside the public internet."""

    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    def has_name(self, host: str) -> bool:
        return host.rstrip(".").lower() in self.names

    def has_address(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def parse_allowed(words: Iterable[str]) -> Allowed:
    """Read names, addresses and networks (`10.1.0.0/16`). Raises ValueError for a word that is none of them."""
    names, networks = set(), []
    for word in words:
        text = word.strip().strip("[]").rstrip(".").lower()
        try:
            networks.append(ipaddress.ip_network(text, strict=False))
        except ValueError:
            if not text or any(sign in text for sign in "/:@?# *"):
                raise ValueError(
                    "expected host names, addresses or networks with commas between them, without scheme, port or path"
                ) from None
            names.add(text)
    return Allowed(frozenset(names), tuple(networks))


def is_allowed(host: str, address_text: str, allowed: Allowed) -> bool:
    """Say whether a connection to `host` may go to this address, which its name resolved to.

    A named host may have a private or loopback address. A link-local one, where metadata services are, has to be named
    itself: else whoever rules the name would lead the download there.
    """
    address = parsed(address_text)
    if address is None:
        return False
    forms = {address, *embedded(address)}
    if all(allowed.has_address(form) for form in forms) or allowed.has_address(address):
        return True
    if allowed.has_name(host):
        return all(is_public(form) or any(form in network for network in _INNER) for form in forms)
    return all(is_public(form) for form in forms)


def parsed(text: str) -> Address | None:
    """Return an address, or None for a text that is none, or that names a network interface (`fe80::1%eth0`)."""
    try:
        return ipaddress.ip_address(text) if "%" not in text else None
    except ValueError:
        return None


def embedded(address: Address) -> Iterator[Address]:
    """Yield the IPv4 addresses that an IPv6 address stands for: mapped, translated, NAT64, 6to4, Teredo, ISATAP."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    number = int(address)
    if any(address in network for network in _LAST_32_BITS) and number > 1:
        yield ipaddress.IPv4Address(number & 0xFFFFFFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:
        yield ipaddress.IPv4Address(number & 0xFFFFFFFF)


def is_public(address: Address) -> bool:
    """Say whether an address is one of the public internet. An IPv6 form of an IPv4 address counts by its own form
    only: the caller looks at `embedded` too.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in (*_INNER, *_NEVER_BY_NAME) if network.version == 4)  # noqa: PLR2004
    if address in _NAT64 or address.ipv4_mapped is not None:
        return True
    return address in _PUBLIC_V6 and not any(address in network for network in _SPECIAL_V6)


__all__ = ["HTTPS_PORT", "Address", "Allowed", "embedded", "is_allowed", "is_public", "parse_allowed", "parsed"]
