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
from remit.protect.result_obligations import WithheldError, covered_argument

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


Settled: TypeAlias = Unchanged | Shaped | Unresolved | Unmet
_Change: TypeAlias = Callable[[str], str]


class _UnmetError(Exception):
    pass


class _Look:
    """What was found of hosts, and which are still to be looked up."""

    def __init__(self, found: Mapping[str, str]) -> None:
        self.found = found
        self.missing: dict[str, None] = {}


def settle(
    owed: Sequence[Obligation], given: Mapping[str, Json], known: Sequence[str], found: Mapping[str, str]
) -> Settled:
    """What `owed` makes of the arguments `given`; `known` are those that the tool has, `found` addresses by host."""
    made = dict(given)
    look = _Look(found)
    try:
        for one in owed:
            if not on_result(one):
                _settle(one, made, known, look)
    except (_UnmetError, WithheldError) as error:
        return Unmet(str(error))
    if look.missing:
        return Unresolved(tuple(look.missing))
    return Unchanged() if made == given else Shaped(made)


def _settle(one: Obligation, made: dict[str, Json], known: Sequence[str], look: _Look) -> None:
    name = one.argument
    assert name is not None, "what is about results is left out"  # noqa: S101
    if name not in known:
        raise _UnmetError(f"it is permitted only where {name!r} is limited, and it has no such argument")
    if isinstance(one, Cap):
        made[name] = _capped(one, made.get(name))
        return
    if isinstance(one, Confine | Urls) and not one.may_lack and made.get(name, ()) in ([], ()):
        raise _UnmetError(f"the argument {name!r} is limited and left out, so that its server would choose: give it")
    if name not in made:
        return
    match one:
        case Cover():
            if _chars(made[name]) > SCANNED_CHARS_MAX:
                raise _UnmetError(f"the argument {name!r} is too long to be looked at ({SCANNED_CHARS_MAX} characters)")
            made[name] = covered_argument(one, name, made[name])
        case Truncate(_, chars_max):
            made[name] = _cut(made[name], chars_max)
        case Confine(_, folder):
            made[name] = _values(name, made[name], lambda text: _confined(name, text, folder))
        case Urls(_, hosts):
            made[name] = _values(name, made[name], lambda text: _pinned(name, text, hosts, look))
        case _:
            assert_never(one)


def _capped(one: Cap, value: Json) -> Json:
    if value is None:
        return one.most
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _UnmetError(f"the argument {one.argument!r} is capped, and is no number")
    return min(value, one.most)


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


def _pinned(name: str, url: str, hosts: Sequence[Host], look: _Look) -> str:
    """`url` with the address of its host in place of the name, where that can be: http.

    A certificate names the host of https, which is what pins that: it stays, and its address has to be as good.
    """
    read = _URL.fullmatch(url) if len(url) <= _URL_CHARS_MAX else None
    if read is None:
        raise _UnmetError(f"the argument {name!r} holds what is no plain http or https URL")
    scheme, host, said, rest = read[1].lower(), read[2].lower(), read[3], read[4] or ""
    port = _PORTS[scheme] if said is None else int(said)
    named = [host, *(name for name, at in look.found.items() if at and in_url(at) == host)]
    leads = next(((one, to) for to in named for one in hosts if _leads(one, to, port, scheme)), None)
    if leads is None:
        raise _UnmetError(f"the argument {name!r} leads to a host that is not on the list")
    allowed, pinned = leads
    address = look.found.get(pinned)
    if address is None:
        look.missing[pinned] = None
        return url
    if not address:
        raise _UnmetError(f"the argument {name!r} leads to a host whose address nobody knows")
    if not allowed.private and not is_global(address):
        raise _UnmetError(f"the argument {name!r} leads to an address that is not public")
    if scheme == "https":
        return url
    where = in_url(address) if said is None else f"{in_url(address)}:{port}"
    return f"http://{where}{rest}"


def _leads(one: Host, host: str, port: int, scheme: str) -> bool:
    named = host.endswith(f".{one.name}") if one.below else host == one.name
    return named and port == (_PORTS[scheme] if one.port is None else one.port)
