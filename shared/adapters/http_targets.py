"""Which addresses an HTTP action may reach: everything but link-local and metadata services.

A host is resolved once and then called by address, so that a name cannot mean something else
at the second look-up.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

from shared.errors import ActionFailedError, EffectUnavailableError

_METADATA_NAMES = frozenset({"metadata", "metadata.google.internal", "metadata.goog"})
_METADATA_ADDRESSES = frozenset({ip_address("fd00:ec2::254"), ip_address("100.100.100.200")})
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address


async def addresses_of(host: str, port: int) -> list[str]:
    """Addresses of a host, in the order to try them.

    Raises ActionFailedError where one of them is out of bounds, EffectUnavailableError where the
    name cannot be resolved.
    """
    if host.rstrip(".").lower() in _METADATA_NAMES:
        raise _forbidden(host)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise EffectUnavailableError(f"{host}: the name cannot be resolved") from error
    addresses = [str(entry[4][0]) for entry in found]
    if any(is_forbidden(address) for address in addresses):
        raise _forbidden(host)
    return list(dict.fromkeys(addresses))


def is_forbidden(address: str) -> bool:
    """Whether an address belongs to the machine's surroundings rather than to a service."""
    ip = _unwrapped(ip_address(address.partition("%")[0]))
    return ip.is_link_local or ip.is_multicast or ip in _METADATA_ADDRESSES


def _unwrapped(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside an IPv6 one, where it is only written differently."""
    if isinstance(ip, IPv6Address):
        if ip in _NAT64:
            return IPv4Address(int(ip) & 0xFFFFFFFF)
        return ip.ipv4_mapped or ip.sixtofour or ip
    return ip


def _forbidden(host: str) -> ActionFailedError:
    return ActionFailedError(f"{host} is a link-local or metadata address, which may not be called")
