"""Obligations on arguments: what of a call has to be otherwise before it may go on.

Laws
* Pure. Where a host has to be looked up, it says so (`Unresolved`); the enforcement point looks it up and comes again
  with what it found, which stands in the action from then on (`facts.action.Shaping`): no name is looked up twice.
* What it makes is judged again as any action is. Made from what was made it changes nothing more.
* What cannot be done is said (`Unmet`), and denies.
"""

import posixpath
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never
from urllib.parse import unquote

from remit.facts.address import in_url, is_global
from remit.facts.canonical import Json
from remit.facts.obligation import Cap, Confine, Cover, Host, Obligation, Truncate, Urls, on_result
from remit.protect.detect.detectors import LEAST_CHARS, SCANNED_CHARS_MAX, texts
from remit.protect.result_obligations import WithheldError, cover_argument

_URL: Final = re.compile(
    r"(https?)://(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,253})(?::([0-9]{1,5}))?([/?#][!-\[\]-~]*)?", re.IGNORECASE
)
"""A URL that every parser reads alike: no user, no blank, no backslash, nothing beyond ASCII."""
_PORTS: Final = {"http": 80, "https": 443}
_URL_CHARS_MAX: Final = 8_192
_PATH_CHARS_MAX: Final = 4_096
VALUES_MAX: Final = 1_000
"""How many URLs or paths one argument may hold."""


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The arguments are as they have to be."""


@dataclass(frozen=True, slots=True)
class Shaped:
    """They have to be `input`."""

    input: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Unresolved:
    """The addresses of `hosts` have to be known."""

    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unmet:
    """It cannot be done; `why` is a sentence for people, with no value of the arguments in it."""

    why: str


ArgumentOutcome: TypeAlias = Unchanged | Shaped | Unresolved | Unmet
_Change: TypeAlias = Callable[[str], str]


class _UnmetError(Exception):
    pass


class _Resolution:
    """What was found of hosts, and which are still to be looked up."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self.addresses = addresses
        self.missing: dict[str, None] = {}


def apply_to_arguments(
    obligations: Sequence[Obligation], arguments: Mapping[str, Json], names: Sequence[str], addresses: Mapping[str, str]
) -> ArgumentOutcome:
    """What `obligations` make of `arguments`; `names` are those that the tool has, `addresses` those known, by host."""
    changed = dict(arguments)
    resolution = _Resolution(addresses)
    try:
        for obligation in obligations:
            if not on_result(obligation):
                _apply(obligation, changed, names, resolution)
    except (_UnmetError, WithheldError) as error:
        return Unmet(str(error))
    if resolution.missing:
        return Unresolved(tuple(resolution.missing))
    return Unchanged() if changed == arguments else Shaped(changed)


def _apply(obligation: Obligation, arguments: dict[str, Json], names: Sequence[str], resolution: _Resolution) -> None:
    name = obligation.argument
    assert name is not None, "what is about results is left out"  # noqa: S101
    if name not in names:
        raise _UnmetError(f"it is permitted only where {name!r} is limited, and it has no such argument")
    if isinstance(obligation, Cap):
        arguments[name] = _capped(obligation, arguments.get(name))
        return
    if isinstance(obligation, Confine | Urls) and not obligation.may_lack and arguments.get(name, ()) in ([], ()):
        raise _UnmetError(f"the argument {name!r} is limited and left out, so that its server would choose: give it")
    if name not in arguments:
        return
    match obligation:
        case Cover():
            if _chars(arguments[name]) > SCANNED_CHARS_MAX:
                raise _UnmetError(f"the argument {name!r} is too long to be looked at ({SCANNED_CHARS_MAX} characters)")
            arguments[name] = cover_argument(obligation, name, arguments[name])
        case Truncate(_, chars_max):
            arguments[name] = _cut(arguments[name], chars_max)
        case Confine(_, folder):
            arguments[name] = _values(name, arguments[name], lambda text: _confined(name, text, folder))
        case Urls(_, hosts):
            arguments[name] = _values(name, arguments[name], lambda text: _pinned(name, text, hosts, resolution))
        case _:
            assert_never(obligation)


def _capped(cap: Cap, value: Json) -> Json:
    if value is None:
        return cap.maximum
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _UnmetError(f"the argument {cap.argument!r} is capped, and is no number")
    return min(value, cap.maximum)


def _chars(value: Json) -> int:
    """As how many characters `value` counts, as in a result (`detect.detectors`)."""
    return sum(max(len(text), LEAST_CHARS) for text, _ in texts(value))


def _cut(value: Json, chars_max: int) -> Json:
    """`value` with every text in it cut, and what is no text as it is: a number has no shorter form."""
    if isinstance(value, str):
        return value[:chars_max]
    if isinstance(value, Mapping):
        return {name: _cut(item, chars_max) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_cut(item, chars_max) for item in value]
    return value


def _values(name: str, value: Json, change: _Change) -> Json:
    """A text, or a list of texts, each changed."""
    if isinstance(value, str):
        return change(value)
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise _UnmetError(f"the argument {name!r} is limited, and is neither a text nor a list of texts")
    if len(value) > VALUES_MAX:
        raise _UnmetError(f"the argument {name!r} holds more than {VALUES_MAX} values")
    return [change(str(item)) for item in value]


def _confined(name: str, path: str, folder: str) -> str:
    """`path`, taken from `folder` where it is relative, without dots; within `folder`."""
    odd = (
        len(path) > _PATH_CHARS_MAX or "\\" in path or "~" in path[:1] or not path.isprintable() or path != path.strip()
    )
    if odd or ":" in path.split("/", 1)[0] or unquote(path) != path:
        raise _UnmetError(f"the argument {name!r} holds a path that can be read in more than one way")
    whole = posixpath.normpath(posixpath.join(folder, path))
    # Two slashes at the beginning may mean something else to a system (POSIX 4.13).
    whole = "/" + whole.lstrip("/")
    if folder not in {"/", whole} and not whole.startswith(folder + "/"):
        raise _UnmetError(f"the argument {name!r} leads out of {folder}")
    return whole


def _pinned(name: str, url: str, hosts: Sequence[Host], resolution: _Resolution) -> str:
    """`url` with the address of its host in place of the name, where that can be: http.

    A certificate names the host of https, which is what pins that: it stays, and its address has to be as good.
    """
    match = _URL.fullmatch(url) if len(url) <= _URL_CHARS_MAX else None
    if match is None:
        raise _UnmetError(f"the argument {name!r} holds what is no plain http or https URL")
    scheme, host, port_text, rest = match[1].lower(), match[2].lower(), match[3], match[4] or ""
    port = _PORTS[scheme] if port_text is None else int(port_text)
    names = [host, *(name for name, address in resolution.addresses.items() if address and in_url(address) == host)]
    pairs = ((entry, target) for target in names for entry in hosts if _leads(entry, target, port, scheme))
    allowed_pair = next(pairs, None)
    if allowed_pair is None:
        raise _UnmetError(f"the argument {name!r} leads to a host that is not on the list")
    allowed, pinned = allowed_pair
    address = resolution.addresses.get(pinned)
    if address is None:
        resolution.missing[pinned] = None
        return url
    if not address:
        raise _UnmetError(f"the argument {name!r} leads to a host whose address nobody knows")
    if not allowed.private and not is_global(address):
        raise _UnmetError(f"the argument {name!r} leads to an address that is not public")
    if scheme == "https":
        return url
    where = in_url(address) if port_text is None else f"{in_url(address)}:{port}"
    return f"http://{where}{rest}"


def _leads(entry: Host, host: str, port: int, scheme: str) -> bool:
    is_host = host.endswith(f".{entry.name}") if entry.below else host == entry.name
    return is_host and port == (_PORTS[scheme] if entry.port is None else entry.port)
