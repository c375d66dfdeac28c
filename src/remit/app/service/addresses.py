"""By which addresses the service is reached, and under which one it signs."""

import re
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from remit.adapters.private import write_private
from remit.app.settings import ISSUER, Settings
from remit.app.terminal.failure import CommandFailure, Exit

_SCHEMES: Final = {80: "http", 443: "https"}
"""Whose default port it is: clients leave it out of Host and Origin (RFC 9110, section 7.2; RFC 6454, section 6.2)."""
_ISSUER: Final = re.compile(r"https?://[!-~]{1,300}")


def reached_as(settings: Settings, port: int, resource: str) -> tuple[frozenset[str], frozenset[str]]:
    """The values of Host and of Origin that are answered by a service that listens at `port`, known as `resource`."""
    names = {settings.host.lower(), "127.0.0.1", "localhost", "[::1]"}
    names = {f"[{name}]" if ":" in name and not name.startswith("[") else name for name in names}
    hosts = {f"{name}:{port}" for name in names} | {host.lower() for host in settings.allowed_hosts}
    origins = {f"http://{host}" for host in hosts} | {resource}
    if settings.public_url is not None:
        public = urlsplit(settings.public_url)
        hosts.add(public.netloc)
        if public.port is None:
            hosts.update(
                f"{public.netloc}:{default_port}"
                for default_port, scheme in _SCHEMES.items()
                if scheme == public.scheme
            )
    if port in _SCHEMES:
        hosts |= names
        origins |= {f"{_SCHEMES[port]}://{name}" for name in names}
    return frozenset(hosts), frozenset(origins)


def issuer_of(data: Path, resource: str) -> str:
    """Who signs here, and for whom: fixed at the first start, so that tokens outlive a change of port.

    Raises `CommandFailure` where it is not the address of anything, `OSError` where it cannot be kept.
    """
    file = data / ISSUER
    if not file.exists():
        if _ISSUER.fullmatch(resource) is None:
            raise CommandFailure(
                f"nobody can sign as {resource}",
                why="what tokens name as their issuer is an address in ASCII",
                next="name one: remit up --public-url https://remit.example.com",
                exit=Exit.USAGE,
            )
        write_private(file, resource.encode("ascii"))
    issuer = file.read_text("ascii", errors="replace").strip()
    if _ISSUER.fullmatch(issuer) is None:
        raise CommandFailure(
            f"{file} does not say who signs tokens",
            why="it is empty, or holds no http or https address; a start that was cut short may have left it so",
            next=f"write the address into it under which tokens were signed; if there are none yet: rm {file}",
            exit=Exit.INVALID,
        )
    return issuer
