"""What enforcement must do with a permitted action, as `@obligation` spells it.

Laws
* What does not parse is no obligation: it is refused at apply, and denies at run time.
* Of several, all hold: each only takes away, so that their order decides nothing that could be seen.
The grammar is `docs/reference/obligations.md`.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

from remit.facts.finding import Find
from remit.facts.results import Step, steps
from remit.facts.text import control_problem

CHARS_MAX: Final = 512
NUMBER_MAX: Final = 2**53 - 1
HOSTS_MAX: Final = 32
_IF_GIVEN: Final = "-if-given"
_NUMBER: Final = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,4})?")
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_ADDRESS: Final = re.compile(r"[0-9]{1,3}(\.[0-9]{1,3}){3}")
PORT_MAX: Final = 65_535


_FINDS: Final = frozenset(one.value for one in Find)


@dataclass(frozen=True, slots=True)
class Cover:
    """`redact` and, where `masks`, `mask`: what `find` finds, or what is at `path` in the result, is covered.

    In the argument `argument`, or in the result. Of what is masked the last four characters stay.
    """

    masks: bool
    find: Find | None = None
    path: tuple[Step, ...] = ()
    argument: str | None = None


@dataclass(frozen=True, slots=True)
class Cap:
    """`cap`: the number `argument` is at most `maximum`; it is set to that where it is left out."""

    argument: str
    maximum: int | float


@dataclass(frozen=True, slots=True)
class Truncate:
    """`truncate`: no text of `argument`, or of the result, is longer than `chars_max`."""

    argument: str | None
    chars_max: int


@dataclass(frozen=True, slots=True)
class Confine:
    """`confine`: each path in `argument` lies in `folder`, which is absolute and has no dots.

    Only where it `may_lack` may the argument be left out: what a server takes in its place, nobody confines.
    """

    argument: str
    folder: str
    may_lack: bool = False


@dataclass(frozen=True, slots=True)
class Host:
    """A host that URLs may lead to: `name`, or what is `below` it; at `port`, or at that of its scheme.

    `private` ones may have an address that is not public.
    """

    name: str
    below: bool = False
    port: int | None = None
    private: bool = False


@dataclass(frozen=True, slots=True)
class Urls:
    """`urls`: each URL in `argument` leads to one of `hosts`, whose address is looked up once and pinned.

    It may be left out as that of `Confine` may.
    """

    argument: str
    hosts: tuple[Host, ...]
    may_lack: bool = False


Obligation: TypeAlias = Cover | Cap | Truncate | Confine | Urls


class NoObligationError(ValueError):
    """What is wrong with the text."""


@lru_cache(maxsize=1_024)
def parsed(text: str) -> Obligation:
    """The obligation that `text` says. Raises `NoObligationError`."""
    if len(text) > CHARS_MAX:
        raise NoObligationError(f"it is longer than {CHARS_MAX} characters")
    kind, _, rest = text.partition(":")
    match kind:
        case "redact" | "mask":
            return _cover(rest, masks=kind == "mask")
        case "cap":
            argument, number = _last(rest, "cap:ARGUMENT:NUMBER")
            return Cap(argument, _number(number))
        case "truncate":
            argument, _, chars = rest.rpartition(":")
            return Truncate(_argument(argument) if argument or ":" in rest else None, _count(chars))
        case "confine" | "confine-if-given":
            argument, _, folder = rest.partition(":")
            return Confine(_argument(argument), _folder(folder), kind.endswith(_IF_GIVEN))
        case "urls" | "urls-if-given":
            argument, _, hosts = rest.partition(":")
            return Urls(_argument(argument), _hosts(hosts), kind.endswith(_IF_GIVEN))
        case _:
            known = "redact:…, mask:…, cap:…, truncate:…, confine:…, confine-if-given:…, urls:… and urls-if-given:…"
            raise NoObligationError(f"obligations are {known}")


def problem(text: str) -> str | None:
    """Why `text` is no obligation, or None."""
    try:
        parsed(text)
    except NoObligationError as error:
        return str(error)
    return None


def on_result(obligation: Obligation) -> bool:
    """Whether it changes what comes back."""
    return isinstance(obligation, Cover | Truncate) and obligation.argument is None


def _cover(rest: str, *, masks: bool) -> Cover:
    if rest.startswith("$"):
        path = steps(rest)
        if not path:
            raise NoObligationError("the path is none that a result has, such as $.name or $[*].name")
        return Cover(masks, path=path)
    find, colon, argument = rest.partition(":")
    if find not in _FINDS:
        raise NoObligationError(f"what is covered is a path that starts with $, or one of {', '.join(Find)}")
    return Cover(masks, Find(find), argument=_argument(argument) if colon else None)


def _last(rest: str, form: str) -> tuple[str, str]:
    argument, colon, value = rest.rpartition(":")
    if not colon:
        raise NoObligationError(f"it is {form}")
    return _argument(argument), value


def _argument(name: str) -> str:
    if not name:
        raise NoObligationError("it names no argument")
    if (why := control_problem(name)) is not None:
        raise NoObligationError(f"the name of its argument {why}")
    return name


def _number(text: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        raise NoObligationError("a cap ends in a number with at most four decimal places")
    number = float(text) if "." in text else int(text)
    if abs(number) > NUMBER_MAX:
        raise NoObligationError(f"a cap lies between -{NUMBER_MAX} and {NUMBER_MAX}")
    return number


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise NoObligationError("truncate ends in a number of characters")
    return int(text)


def _folder(folder: str) -> str:
    parts = folder.split("/")
    if not folder.startswith("/") or any(part in {"", ".", ".."} for part in parts[1:] if folder != "/"):
        raise NoObligationError(
            "confine ends in a folder from the root, such as /srv/notes, without dots or a last slash"
        )
    if (why := control_problem(folder)) is not None:
        raise NoObligationError(f"its folder {why}")
    return folder


def _hosts(text: str) -> tuple[Host, ...]:
    names = text.split(",")
    if len(names) > HOSTS_MAX:
        raise NoObligationError(f"urls names at most {HOSTS_MAX} hosts")
    return tuple(_host(one) for one in names)


def _host(spelling: str) -> Host:
    text = spelling.removesuffix("+private")
    below = text.startswith("*.")
    name, colon, port = text.removeprefix("*.").partition(":")
    labels = name.split(".")
    if not all(_LABEL.fullmatch(label) for label in labels) or (labels[-1].isdigit() and not _ADDRESS.fullmatch(name)):
        raise NoObligationError(
            f"{spelling[:64]!r} is no host in small letters, such as example.org or *.example.org:8443"
        )
    if below and len(labels) == 1:
        raise NoObligationError(f"{spelling[:64]!r} would be all there is below {name!r}")
    if colon and (not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) <= PORT_MAX):
        raise NoObligationError(f"{spelling[:64]!r} has no port after the colon")
    return Host(name, below, int(port) if colon else None, spelling.endswith("+private"))
