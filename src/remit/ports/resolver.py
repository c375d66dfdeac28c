"""The addresses of hosts, as an obligation of URLs has them looked up."""

from typing import Final, Protocol


class Resolver(Protocol):
    """Who is asked for addresses."""

    async def address(self, host: str) -> str:
        """The first address of `host`, one of version 4 before others; empty where there is none. Never raises.

        An address has itself. A host that has a public address and one that is not has the latter.
        """
        ...


class Nobody:
    """Knows no address."""

    async def address(self, host: str) -> str:
        """Nothing."""
        del host
        return ""


NOBODY: Final = Nobody()
