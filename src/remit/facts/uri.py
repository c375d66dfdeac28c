"""Addresses of resources: taken only as everybody reads them.

Servers take an address apart by rules of their own: `file:///public/../key` is `file:///key` to whoever normalises it
(RFC 3986, section 6.2.2; the URL standard of WHATWG), as SDKs of the protocol do before a server sees it, and
something under `public` to a policy that compares texts. What would be written otherwise after that is refused.
"""

import ipaddress
import re
from typing import Final
from urllib.parse import unquote

from remit.facts.text import identifier_problem

_DECODED_MAX: Final = 4
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(.*)", re.DOTALL)
_NEEDLESS: Final = re.compile(r"%(?:2[DdEe]|3[0-9]|[46][1-9A-Fa-f]|[57][0-9Aa]|5[Ff]|7[Ee])")
"""Percent signs for letters, digits and `-._~`, which stand for themselves (RFC 3986, section 2.3)."""
_PORTS: Final = {"http": "80", "ws": "80", "https": "443", "wss": "443", "ftp": "21", "file": ""}
"""The schemes of which WHATWG rewrites the host, and the port that goes without saying."""
_HOST: Final = re.compile(r"[a-z0-9._-]+|\[[0-9a-f:.]+\]")
_NUMBER: Final = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\.?")


def uri_problem(uri: str) -> str | None:
    """Why `uri` can be read in more than one way, or None."""
    odd = identifier_problem(uri)
    if odd is not None:
        return odd
    if "\\" in uri:
        return "it holds a backslash"
    if _NEEDLESS.search(uri) is not None:
        return "it writes a letter, a digit or one of -._~ with a percent sign"
    if _dotted(uri):
        return "it holds a segment . or .."
    scheme, rest = found.groups() if (found := _SCHEME.fullmatch(uri)) else ("", uri)
    if scheme != scheme.lower():
        return "its scheme is not in small letters"
    if not rest.startswith("//"):
        return f"{scheme}: is not followed by //" if scheme in _PORTS else None
    authority = re.split(r"[/?#]", rest[2:], maxsplit=1)[0]
    web = scheme in _PORTS and _web_problem(scheme, authority, rest[2 + len(authority) :])
    return _place_problem(authority) or web or None


def _dotted(uri: str) -> bool:
    """Whether somebody who reads it further finds a dot segment."""
    for _ in range(_DECODED_MAX):
        if not {".", ".."}.isdisjoint(re.split(r"[/\\?#:]", uri)):
            return True
        plain = unquote(uri)
        if plain == uri:
            return False
        uri = plain
    # Nobody writes so many percent signs who means something else.
    return True


def _place_problem(authority: str) -> str | None:
    user, at, place = authority.rpartition("@")
    if at and (not user or user.endswith(":")):
        return "it has an @ without a name or a word before it"
    return "it has a colon without a port behind it" if place.endswith(":") else None


def _web_problem(scheme: str, authority: str, path: str) -> str | None:
    host, colon, port = authority.rpartition(":") if re.search(r":[0-9]+$", authority) else (authority, "", "")
    if scheme == "file":
        if path.startswith("//") or authority == "localhost" or colon:
            return "it names a file of this machine otherwise than by file:///"
        return None if not authority else _host_problem(authority)
    if colon and (port == _PORTS[scheme] or port.startswith("0")):
        return "its port goes without saying"
    return _host_problem(host)


def _host_problem(host: str) -> str | None:
    if not _HOST.fullmatch(host):
        return "its host is not written in small letters, digits and dots alone"
    try:
        if host.startswith("["):
            plain = f"[{ipaddress.IPv6Address(host[1:-1])}]"
        elif _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
            plain = str(ipaddress.IPv4Address(host))
        else:
            return None
    except ValueError:
        return "its host is no address as it is usually written"
    return None if plain == host else "its host is no address as it is usually written"
