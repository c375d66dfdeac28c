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
_DIGITS_MAX: Final = 32
_PRIVATE_NAMES: Final = ("localhost", "local", "internal", "home.arpa")


def is_global(address: str) -> bool:
    """Whether anybody's machine could be there; what an address of version 6 embeds of version 4 counts too."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.sixtofour is not None:
            # Relays of 6to4 are gone from the Internet (RFC 7526); Pythons differ on what they call such an address.
            return False
        inside = parsed.ipv4_mapped
        if inside is None and parsed in _NAT64:
            inside = ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
        if inside is None and parsed not in _UNICAST:
            return False
        parsed = inside or parsed
    return parsed.is_global and not parsed.is_multicast


def is_inside(host: str) -> bool:
    """Whether `host` is written out as one of this machine or a private network, or has a name reserved for those."""
    name = host.rstrip(".").lower()
    try:
        parsed = ipaddress.ip_address(name)
    except ValueError:
        return name in _PRIVATE_NAMES or name.endswith(tuple(f".{one}" for one in _PRIVATE_NAMES))
    return any(parsed in network for network in _PRIVATE)


def written_out(host: str) -> str:
    """`host` in four numbers, where it is an address of version 4 in any form that is followed as one.

    `127.1`, `0x7f.1`, `0177.0.0.1` and `2130706433` all lead to 127.0.0.1 (WHATWG URL, section 3.5).
    """
    numbers = [_number(part) for part in host.removesuffix(".").split(".")]
    whole = [number for number in numbers if number is not None]
    if not 0 < len(whole) == len(numbers) <= 4 or any(number > 255 for number in whole[:-1]):
        return host
    rest = 256 ** (5 - len(whole))
    if whole[-1] >= rest:
        return host
    return str(ipaddress.IPv4Address(sum(number << (24 - 8 * at) for at, number in enumerate(whole[:-1])) + whole[-1]))


def _number(part: str) -> int | None:
    """`part` of an address as it is read: hexadecimal behind `0x`, octal behind `0`; None where it is no number."""
    digits, base = (part[2:] or "0", 16) if part[:2].lower() == "0x" else (part, 8 if part[:1] == "0" else 10)
    if not part or not digits.isascii() or not digits.isalnum() or len(digits) > _DIGITS_MAX:
        return None
    try:
        return int(digits, base)
    except ValueError:
        return None


def in_url(address: str) -> str:
    """`address` as the host of a URL."""
    return f"[{address}]" if ":" in address else address
