"""Where things are: flags first, then `REMIT_…` variables, then defaults."""

import ipaddress
import logging
import math
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from remit.app.terminal.failure import CommandFailure, Exit
from remit.facts.limits import DEFAULT, Limits
from remit.facts.text import escaped

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 7070
LEDGER: Final = "ledger.sqlite3"
ISSUER: Final = "issuer"
BUNDLES: Final = "bundles"
SERVERS: Final = "servers"
"""Where the working folders of stdio servers are."""
OUTBOX: Final = "outbox.db"
OUTBOX_ENDS: Final = ".outbox"
"""What the copy of the outbox beside a backup ends in."""
INCIDENTS: Final = "incidents.db"
ADMIN: Final = "admin"
"""The id of the admin token among the stored credentials."""
KEYS: Final = "keys"
"""The folder, in the data folder, of the keys that the service made for itself."""
_DECLARES: Final = frozenset({".yaml", ".yml", ".cedar"})
_IN_THE_OPEN: Final = "REMIT_IN_THE_OPEN"
_SHOWN_MAX: Final = 80
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_PLACE: Final = re.compile(r"(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]+)?")
"""A host and a port as clients write them: ASCII, without a name or a secret of somebody."""
_HEADER_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""RFC 9110 section 5.6.2, a token."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one service.

    `data`: folder of the ledger, keys and caches. `workspace`: folder of resources, policies
    and `remit.lock`. `port` 0 picks a free one. `allowed_hosts`: values of the Host header that
    are answered beside the listening address. `public_url`: where people's browsers and
    authorization servers reach the service, where that is not the listening address;
    `authorization_servers`: issuers to name to clients (RFC 9728). `forward`: where telemetry is passed on to, and the
    headers that go with it. `resume`: run what was in force, and not the workspace folder as it is.
    `accept_loss`: go on from what is left of a ledger that has lost its end, or from nothing.
    """

    data: Path
    workspace: Path
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    allowed_hosts: tuple[str, ...] = ()
    limits: Limits = DEFAULT
    public_url: str | None = None
    authorization_servers: tuple[str, ...] = ()
    log_level: int = logging.INFO
    forward: tuple[str, Mapping[str, str]] | None = None
    accept_loss: bool = False
    resume: bool = False

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self.data / "logs"

    @property
    def ledger(self) -> Path:
        """The ledger's SQLite file."""
        return self.data / LEDGER


def variable(name: str, default: str) -> str:
    """The environment variable `name`; `default` when it is unset or empty."""
    return os.environ.get(name) or default


def data_folder(option: Path | None) -> Path:
    """`option`, else `REMIT_DATA`, else the platform's data folder for `remit`."""
    if option is not None:
        return option.absolute()
    from_environment = os.environ.get("REMIT_DATA")
    if from_environment:
        return Path(from_environment).absolute()
    from platformdirs import user_data_path

    return user_data_path("remit")


def is_named(option: Path | None) -> bool:
    """Whether somebody says which data folder it is: as `option`, or by `REMIT_DATA`."""
    return option is not None or bool(os.environ.get("REMIT_DATA"))


def is_of(address: str) -> bool:
    """Whether `address` is that of the service that `REMIT_URL` names: by any name of this machine."""
    one, other = urlsplit(address), urlsplit(service_url())
    alike = _is_this_machine(one.hostname or "") and _is_this_machine(other.hostname or "")
    return (alike or one.hostname == other.hostname) and (one.scheme, one.port) == (other.scheme, other.port)


def workspace_folder(option: Path | None) -> Path:
    """`option`, else `REMIT_WORKSPACE`, else the current folder.

    Raises `CommandFailure` where a workspace is below it instead.
    Resources are read below a folder, the lock is not: of such a folder everything would look as if no tool was there.
    """
    from remit.control.lock import FILE

    folder = (option or Path(variable("REMIT_WORKSPACE", "."))).absolute()
    declares = (folder / FILE).exists() or any(path.suffix in _DECLARES for path in _files(folder))
    inner = None if declares else _workspace_below(folder)
    if inner is not None:
        raise CommandFailure(
            f"{folder} is no workspace",
            why=f"it declares nothing itself, and {inner}/ below it is one",
            next=f"the same with --workspace {inner}, or from there",
            exit=Exit.INVALID,
        )
    return folder


def _workspace_below(folder: Path) -> str | None:
    """The first folder in `folder` that is a workspace: `remit init` made it, or tools were accepted there."""
    from remit.adapters.workspace.template import SCHEMA
    from remit.control.lock import FILE

    marks = (path for name in (FILE, SCHEMA) for path in folder.glob(f"*/{name}"))
    return min((path.relative_to(folder).parts[0] for path in marks), default=None)


def no_workspace(folder: Path) -> CommandFailure:
    """Why nothing can be done with `folder`, which declares nothing."""
    return CommandFailure(
        f"there is no workspace in {folder}",
        why="it holds no resource and no policy",
        next=f"remit init {folder}, or name another with --workspace",
        exit=Exit.INVALID,
    )


def missing_workspace(folder: Path) -> CommandFailure:
    """Why nothing can be done with `folder`, which is not there; with the folder beside it of nearly that name."""
    from remit.control.problems import did_you_mean

    near = did_you_mean(folder.name, [path.name for path in _files(folder.parent) if path.is_dir()])
    return CommandFailure(
        f"there is no workspace at {folder}",
        why=f"there is no such folder{near and f' ({near})'}",
        next=f"name it with --workspace, or make it: remit init {folder}",
        exit=Exit.INVALID,
    )


def _files(folder: Path) -> Iterable[Path]:
    return folder.iterdir() if folder.is_dir() else ()


def service_url() -> str:
    """`REMIT_URL`, else the default listening address."""
    return variable("REMIT_URL", f"http://{DEFAULT_HOST}:{DEFAULT_PORT}").rstrip("/")


def closed_way(url: SplitResult, following: str) -> None:
    """Nothing where a token may go to `url`: this machine, https, or anywhere that `REMIT_IN_THE_OPEN` trusts.

    Raises `CommandFailure` with `following` as the next command.
    """
    host = url.hostname or ""
    if url.scheme == "http" and not _is_this_machine(host) and variable(_IN_THE_OPEN, "0") != "1":
        raise CommandFailure(
            f"the token would travel in the open to {escaped(host, chars_max=_SHOWN_MAX)}",
            why="plain http is for this machine; another is reached by https",
            next=following,
            exit=Exit.USAGE,
        )


def _is_this_machine(host: str) -> bool:
    """Whether `host` is loopback by what it says; a name may lead anywhere, but for the one that is reserved."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def limits_of(options: Sequence[str]) -> Limits:
    """The default limits but for `options`, each `NAME=NUMBER`; else those of `REMIT_LIMITS`, parted by commas."""
    from remit.control.problems import did_you_mean

    entries = options or [part for part in os.environ.get("REMIT_LIMITS", "").split(",") if part.strip()]
    limits = DEFAULT
    for entry in entries:
        name, _, value = (part.strip() for part in entry.partition("="))
        if name not in (names := [field.name for field in fields(Limits)]):
            near = did_you_mean(name, names)
            raise _unusable(entry, f"no limit is called {name!r}{near and f' ({near})'}")
        is_whole = isinstance(getattr(DEFAULT, name), int)
        try:
            number: int | float = int(value) if is_whole else float(value)
        except ValueError as error:
            raise _unusable(entry, f"{value!r} is no {'whole number' if is_whole else 'number'}") from error
        if not (math.isfinite(number) and number > 0):
            raise _unusable(entry, "a limit is above zero, and there is none without")
        limits = replace(limits, **{name: number})
    return limits


def _unusable(entry: str, why: str) -> CommandFailure:
    following = "docs/reference/limits.md lists them; for example --limit requests_per_s_max=50"
    return CommandFailure(f"the limit {entry!r} cannot be used", why=why, next=following, exit=Exit.USAGE)


def public_address(option: str | None) -> str | None:
    """`option`, else `REMIT_PUBLIC_URL`: scheme, host and port alone, without a default port.

    Raises `CommandFailure`.
    """
    address = option or variable("REMIT_PUBLIC_URL", "")
    if not address:
        return None
    try:
        parts = urlsplit(address.rstrip("/"))
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    place = parts.netloc.lower()
    bare = parts.scheme in _DEFAULT_PORTS and port != 0 and _PLACE.fullmatch(place) is not None
    if not bare or parts.path or parts.query or parts.fragment:
        raise CommandFailure(
            f"not a public address: {address}",
            why="it is http or https with a host, as browsers send it, and nothing after it",
            next="write it like https://remit.example.com; a name in other letters by its A-labels, https://xn--…",
            exit=Exit.USAGE,
        )
    return f"{parts.scheme}://{place.removesuffix(f':{_DEFAULT_PORTS[parts.scheme]}')}"


def forward_to() -> tuple[str, Mapping[str, str]] | None:
    """`REMIT_OTLP_FORWARD`, and `REMIT_OTLP_FORWARD_HEADERS` as `name=value` parted by commas.

    Raises `CommandFailure`.
    """
    url = variable("REMIT_OTLP_FORWARD", "")
    if not url:
        return None
    if not url.startswith(("http://", "https://")):
        raise CommandFailure(
            f"telemetry cannot be passed on to {url}",
            why="it is no http or https address",
            next="set REMIT_OTLP_FORWARD, for example http://collector:4318/v1/traces",
            exit=Exit.USAGE,
        )
    pairs = [part.partition("=") for part in variable("REMIT_OTLP_FORWARD_HEADERS", "").split(",") if part.strip()]
    headers = {name.strip(): value.strip() for name, _, value in pairs}
    for number, (name, value) in enumerate(headers.items(), start=1):
        if not _HEADER_NAME.fullmatch(name) or not value.isprintable():
            # It may be a secret: it is told by its place.
            raise CommandFailure(
                f"header {number} of REMIT_OTLP_FORWARD_HEADERS cannot be sent",
                why="a header is a name of letters, digits and hyphens, and a value without line breaks",
                next="set REMIT_OTLP_FORWARD_HEADERS, for example x-key=…,x-tenant=…",
                exit=Exit.USAGE,
            )
    return url, headers


def named_issuers() -> tuple[str, ...]:
    """The authorization servers of `REMIT_AUTHORIZATION_SERVERS`, parted by spaces."""
    return tuple(variable("REMIT_AUTHORIZATION_SERVERS", "").split())
