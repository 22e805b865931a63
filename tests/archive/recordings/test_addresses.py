"""A download connects to public addresses only, and to what the operator has named."""

from __future__ import annotations

import ipaddress
import random

import pytest

from replicator.archive.recordings import addresses
from replicator.archive.recordings.addresses import Allowed, is_allowed, parse_allowed

pytestmark = pytest.mark.pure

REFUSED = [
    "127.0.0.1", "127.255.0.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "169.254.169.254",
    "0.0.0.1", "0.1.2.3", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16", "192.88.99.1",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "ff02::1", "fec0::1", "100::1", "2001:db8::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:10.0.0.1", "::ffff:0:169.254.169.254", "::169.254.169.254",
    "64:ff9b::169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "64:ff9b:1::10.0.0.1",
    "2002:a9fe:a9fe::", "2002:7f00:1::1", "2002:c0a8:101::1",
    "2001:0:a9fe:a9fe::1", "2001:0:4136:e378:8000:63bf:5601:5601", "2607:f8b0::5efe:a9fe:a9fe", "2607:f8b0::200:5efe:7f00:1",
    "5f00::1", "4000::1", "", "example.com", "1.2.3", "1.2.3.4.5",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "52.216.8.1", "172.15.0.1", "172.32.0.1", "100.128.0.1", "2607:f8b0:4005:80a::200e",
          "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]  # fmt: skip


@pytest.mark.parametrize("address", REFUSED)
def test_what_is_not_public_is_refused(address: str) -> None:
    """Private, loopback, link-local, metadata, multicast and reserved ones, in each form that IPv6 has for them."""
    assert not is_allowed("storage.example.com", address, Allowed())


@pytest.mark.parametrize("address", PUBLIC)
def test_what_is_public_is_allowed(address: str) -> None:
    """The public internet, also by NAT64, which networks without IPv4 need."""
    assert is_allowed("storage.example.com", address, Allowed())


def test_each_form_of_each_special_address_is_refused() -> None:
    """Of 3,000 private and link-local addresses, none passes in any of seven forms."""
    chance = random.Random(1)
    inner = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "192.168.0.0/16")]
    for _ in range(3000):
        network = chance.choice(inner)
        number = int(network.network_address) + chance.randrange(network.num_addresses)
        for form in (
            ipaddress.IPv4Address(number),
            *(ipaddress.IPv6Address(base | number) for base in (
                0xFFFF << 32, 0xFFFF << 48, 0x64FF9B << 96, 0x260700000000000000005EFE << 32,
            )),
            ipaddress.IPv6Address((0x2002 << 112) | (number << 80)),
            ipaddress.IPv6Address((0x20010000 << 96) | (number << 64) | 1),
        ):  # fmt: skip
            assert not is_allowed("storage.example.com", str(form), Allowed()), form


def test_a_named_host_may_be_inside() -> None:
    """Its private and loopback addresses are allowed; the metadata service's is not, whatever its name resolves to."""
    allowed = parse_allowed(["minio.internal", " MinIO2.internal. "])
    assert is_allowed("minio.internal", "10.1.2.3", allowed)
    assert is_allowed("MINIO.internal.", "127.0.0.1", allowed)
    assert is_allowed("minio2.internal", "fd00::1", allowed)
    assert not is_allowed("minio.internal", "169.254.169.254", allowed)
    assert not is_allowed("minio.internal", "::ffff:169.254.169.254", allowed)
    assert not is_allowed("minio.internal.evil.com", "10.1.2.3", allowed)


def test_a_named_address_is_allowed() -> None:
    """By itself or as a network, in brackets too, for every name that resolves to it."""
    allowed = parse_allowed(["10.1.0.0/16", "[::1]", "127.0.0.1"])
    assert is_allowed("anything", "10.1.2.3", allowed)
    assert is_allowed("::1", "::1", allowed)
    assert is_allowed("localhost", "127.0.0.1", allowed)
    assert not is_allowed("anything", "10.2.0.1", allowed)
    assert not is_allowed("anything", "::ffff:10.2.0.1", allowed)


@pytest.mark.parametrize("word", ["http://host", "host/path", "host:80", "user@host", "*", "a b", ""])
def test_what_is_no_host_is_refused_as_a_setting(word: str) -> None:
    """A scheme, a port, a path or a pattern is a mistake that must not go unseen."""
    with pytest.raises(ValueError, match="host names"):
        parse_allowed([word])


def test_ipv4_has_no_inner_form() -> None:
    """Only IPv6 addresses stand for others."""
    assert list(addresses.embedded(ipaddress.IPv4Address("8.8.8.8"))) == []
