"""Host names to addresses that may be connected to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Mapping

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Seconds for which an answer is used. The connection goes to the address checked, whatever DNS says later.
_TTL_S = 300.0
_MAX_CACHED = 10_000
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
#: All of IPv6 that is handed out to hosts (RFC 4291, 2.4); the rest is local, multicast, a translation or not yet used.
_UNICAST = ipaddress.ip_network("2000::/3")
#: Special by the registries of IANA, which the library of a Python release may not know yet in full, and one
#: address that is public by its number and answers to machines in Azure with their keys.
_SPECIAL = [
    ipaddress.ip_network(network)
    for network in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32", "2001:db8::/32", "3fff::/20")
]


class PrivateAddressError(Exception):
    """A host has an address that is not on the public internet."""


class UnknownHostError(Exception):
    """A host name has no address."""


def is_public(address: Address) -> bool:
    """Whether an address is a single host on the public internet, also through a tunnel or a translator."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        inner = [address.sixtofour, *(address.teredo or ())]
        if address not in _UNICAST or any(i is not None and not is_public(i) for i in inner):
            return False
    if any(address in network for network in _SPECIAL):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved


class Resolver:
    """Resolves host names, refuses private addresses.

    `connect_to` maps a host name to `ip:port`, to which every connection for that host goes unchecked.
    """

    def __init__(self, connect_to: Mapping[str, str], private_addresses: bool) -> None:
        self._connect_to = {host: _socket_address(target) for host, target in connect_to.items()}
        self._private_addresses = private_addresses
        self._cache: dict[str, tuple[float, list[str]]] = {}

    async def resolve(self, host: str, port: int) -> list[tuple[str, int]]:
        """Addresses and port to connect to for a URL's host and port.

        Raises PrivateAddressError where any address of the host is private, UnknownHostError where it
        has none.
        """
        if host in self._connect_to:
            return [self._connect_to[host]]
        addresses = await self._addresses(host.strip("[]"))
        if not self._private_addresses:
            for address in addresses:
                if not is_public(ipaddress.ip_address(address.partition("%")[0])):
                    raise PrivateAddressError(f"{host} is {address}")
        return [(address, port) for address in addresses]

    async def _addresses(self, host: str) -> list[str]:
        expires, addresses = self._cache.get(host, (0.0, []))
        if time.monotonic() < expires:
            return addresses
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise UnknownHostError(f"{host}: {error}") from None
        addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
        if len(self._cache) >= _MAX_CACHED:
            self._cache.clear()
        self._cache[host] = (time.monotonic() + _TTL_S, addresses)
        return addresses


def _socket_address(target: str) -> tuple[str, int]:
    address, _, port = target.rpartition(":")
    return str(ipaddress.ip_address(address.strip("[]"))), int(port)
