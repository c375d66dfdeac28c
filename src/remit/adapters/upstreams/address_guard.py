"""Where a public name may lead: not to this machine, nor into the network around it.

Laws: an address written out is meant; so is a name that no public resolver answers (`localhost`, one
label, a special-use domain of RFC 6761, 6762, 8375 and 9476); any other name has to lead to global
addresses only, unless its server says `private: true`. Checked where a connection is made, on the
very addresses that it is made to.
"""

import socket
from typing import Final

from aiohttp import TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from remit.facts.address import is_global

_SPECIAL: Final = frozenset({"localhost", "local", "internal", "test", "invalid", "onion", "alt"})


class PrivateAddressError(OSError):
    """A public name that leads to an address that is none."""


class GuardedResolver(AbstractResolver):
    """Resolves as `inner` does, and refuses what breaks the laws above."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner
        self.let: set[str] = set()
        """Public names of servers that may be private."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of `host`, all of them or none. Raises `PrivateAddressError`."""
        addresses = await self._inner.resolve(host, port, family)
        if is_public_name(host) and host.lower() not in self.let:
            for address in addresses:
                if not is_global(address["host"]):
                    raise PrivateAddressError(f"its public name leads to {address['host']}")
        return addresses

    async def close(self) -> None:
        """Close `inner`."""
        await self._inner.close()


class Connector(TCPConnector):
    """A connector that resolves by its `guard`; `guarded` makes it."""

    guard: GuardedResolver


def guarded(*, per_host_max: int, keepalive_s: float, inner: AbstractResolver | None = None) -> Connector:
    """Connections of all HTTP upstreams: those of one host cannot use up those of another."""
    guard = GuardedResolver(inner or ThreadedResolver())
    connector = Connector(
        limit=0, limit_per_host=per_host_max, keepalive_timeout=keepalive_s, ttl_dns_cache=60, resolver=guard
    )
    connector.guard = guard
    return connector


def is_public_name(host: str) -> bool:
    """Whether a public resolver could be meant."""
    labels = host.rstrip(".").lower().split(".")
    return len(labels) > 1 and labels[-1] not in _SPECIAL and labels[-2:] != ["home", "arpa"]
