"""Internet addresses: whose machine may be there."""

import ipaddress
from typing import Final

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_UNICAST: Final = ipaddress.ip_network("2000::/3")
"""All that is given out of version 6. What lies beside it, such as `::10.0.0.1`, may lead back inside."""
_PRIVATE: Final = tuple(
    ipaddress.ip_network(one)
    for one in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)
"""Loopback, RFC 1918 and RFC 4193."""
_PRIVATE_NAMES: Final = ("localhost", "local", "internal", "home.arpa")


def is_global(address: str) -> bool:
    """Whether anybody's machine could be there; what an address of version 6 embeds of version 4 counts too."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        if found.sixtofour is not None:
            # Relays of 6to4 are gone from the Internet (RFC 7526); Pythons differ on what they call such an address.
            return False
        inside = found.ipv4_mapped
        if inside is None and found in _NAT64:
            inside = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inside is None and found not in _UNICAST:
            return False
        found = inside or found
    return found.is_global and not found.is_multicast


def is_inside(host: str) -> bool:
    """Whether `host` is written out as one of this machine or a private network, or has a name reserved for those."""
    name = host.rstrip(".").lower()
    try:
        found = ipaddress.ip_address(name)
    except ValueError:
        return name in _PRIVATE_NAMES or name.endswith(tuple(f".{one}" for one in _PRIVATE_NAMES))
    return any(found in network for network in _PRIVATE)


def in_url(address: str) -> str:
    """`address` as the host of a URL."""
    return f"[{address}]" if ":" in address else address
