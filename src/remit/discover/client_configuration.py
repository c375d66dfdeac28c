"""What the configuration of an MCP client says: its servers, models and what it lets them do, read by a table.

Clients differ in where things stand, not in what they say: a `Layout` names the places, and one reader takes them all.
A part of the wrong shape is a named fault, and everything else is read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from remit.discover import discretion
from remit.discover.launch import Launch, launch_of
from remit.discover.relays import Relays, nobody, relay_address
from remit.facts.canonical import Json

ENTRIES_MAX: Final = 500
"""Servers that are read of one file."""
TOOLS_MAX: Final = 200
ANY: Final = "*"
"""In a path: every member."""

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where a client's configuration says what; each a list of paths, in which `ANY` stands for every member."""

    servers: tuple[Path, ...] = ()
    models: tuple[Path, ...] = ()
    environments: tuple[Path, ...] = ()
    permissions: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class ConfiguredServer:
    """One server as a client's configuration declares it. Everything in it may be told.

    `relay` is the address to which it relays where it is Remit's own relay.
    `approved` are tools that run unasked, `tools` those that are named at all; `enabled` is the client's word.
    """

    name: str
    launch: Launch
    transport: str
    variables: str = ""
    headers: str = ""
    tools: tuple[str, ...] = ()
    approved: tuple[str, ...] = ()
    enabled: bool = True
    trusted: bool = False
    relay: str | None = None


@dataclass(frozen=True, slots=True)
class ConfigurationFault:
    """A part that could not be taken; `name` is what stands nearest to it in the file."""

    code: str
    name: str
    why: str


@dataclass(frozen=True, slots=True)
class ClientConfiguration:
    """All that one file says."""

    entries: tuple[ConfiguredServer, ...] = ()
    models: tuple[str, ...] = ()
    variables: str = ""
    permissions: tuple[str, ...] = ()
    faults: tuple[ConfigurationFault, ...] = ()


def read_configuration(value: Json, layout: Layout, relays: Relays = nobody) -> ClientConfiguration:
    """What `value` says by `layout`; `relays` knows Remit's own program."""
    if not isinstance(value, Mapping):
        return ClientConfiguration(faults=(ConfigurationFault("config/shape", "", "the file holds no object"),))
    entries: dict[tuple[str, str], ConfiguredServer] = {}
    faults: list[ConfigurationFault] = []
    for path in layout.servers:
        for servers in _at(value, path):
            for entry in _entries(servers, path[-1], relays):
                if isinstance(entry, ConfigurationFault):
                    faults.append(entry)
                elif len(entries) >= ENTRIES_MAX:
                    why = f"it declares more than {ENTRIES_MAX} servers: those after them are not read"
                    faults.append(ConfigurationFault("config/entries", path[-1], why))
                    break
                else:
                    entries[entry.name, entry.launch.server] = entry
    models = (text for path in layout.models for member in _at(value, path) for text in _texts(member))
    names = (
        name for path in layout.environments for member in _at(value, path) for name in discretion.names_of(member)
    )
    permits = (text for path in layout.permissions for member in _at(value, path) for text in _texts(member))
    return ClientConfiguration(
        tuple(entries.values()),
        tuple(dict.fromkeys(map(discretion.without_secret, models)))[:TOOLS_MAX],
        discretion.variables(names),
        tuple(dict.fromkeys(map(_permission, permits)))[:TOOLS_MAX],
        tuple(faults),
    )


def _at(value: Json, path: Path) -> Iterator[Json]:
    """Everything that stands at `path` below `value`."""
    if not path:
        yield value
    elif isinstance(value, Mapping):
        head, rest = path[0], path[1:]
        for member in value.values() if head == ANY else [value[head]] if head in value else []:
            yield from _at(member, rest)


def _entries(servers: Json, where: str, relays: Relays) -> Iterator[ConfiguredServer | ConfigurationFault]:
    if not isinstance(servers, Mapping):
        yield ConfigurationFault("config/shape", where, "what should list servers is no object")
        return
    for name, spec in servers.items():
        shown = discretion.without_secret(name)
        found = _entry(shown, spec, relays) if isinstance(spec, Mapping) else None
        why = "it declares neither a command nor an address"
        yield found or ConfigurationFault("config/shape", shown, why)


def _entry(name: str, spec: Mapping[str, Json], relays: Relays) -> ConfiguredServer | None:
    """The server that `spec` declares, or None where it declares none."""
    if isinstance(transport := spec.get("transport"), Mapping):
        # Cline's newer form.
        spec = {**spec, **transport}
    command, arguments, environment = spec.get("command"), spec.get("args"), spec.get("env")
    if isinstance(command, Mapping):
        # Zed's older form.
        arguments, environment, command = command.get("args"), command.get("env"), command.get("path")
    elif isinstance(command, list):
        command, arguments = next(iter(command), None), command[1:]
    url = next((text for key in ("url", "serverUrl", "httpUrl") if isinstance(text := spec.get(key), str)), None)
    words = [word for word in arguments if isinstance(word, str)] if isinstance(arguments, list) else []
    relay: str | None = None
    if isinstance(command, str) and command.strip():
        launch, transport = launch_of(command, words), "stdio"
        relay = relay_address(command, words, _variables(spec, environment), relays)
    elif url is not None:
        launch = Launch(discretion.address(url) or discretion.HIDDEN, everywhere=True)
        transport = "sse" if spec.get("type") == "sse" or url.rstrip("/").endswith("/sse") else "http"
    elif "settings" in spec and spec.get("source", "extension") == "extension":
        # Zed's extensions bring their own command.
        launch, transport = Launch(f"zed:{name}", everywhere=True), "stdio"
    else:
        return None
    bearer = spec.get("bearer_token_env_var")
    variables = [
        *_variables(spec, environment),
        *launch.variables,
        *_texts(bearer),
    ]
    header_names = [
        name for key in ("headers", "http_headers", "env_http_headers") for name in discretion.names_of(spec.get(key))
    ]
    approved = [*_tools(spec, "autoApprove"), *_tools(spec, "alwaysAllow")]
    return ConfiguredServer(
        name,
        launch,
        transport,
        discretion.variables(variables),
        discretion.headers(header_names),
        tuple(dict.fromkeys([*approved, *_tools(spec, "includeTools"), *_tools(spec, "enabled_tools")])),
        tuple(dict.fromkeys(approved)),
        enabled=spec.get("disabled") is not True and spec.get("enabled") is not False,
        trusted=spec.get("trust") is True,
        relay=relay,
    )


def _variables(spec: Mapping[str, Json], environment: Json) -> tuple[str, ...]:
    return (*discretion.names_of(environment), *discretion.names_of(spec.get("env_vars")))


def _tools(spec: Mapping[str, Json], key: str) -> list[str]:
    return [discretion.without_secret(text) for text in _texts(spec.get(key)) if text.strip()][:TOOLS_MAX]


def _texts(value: Json) -> Sequence[str]:
    if isinstance(value, str):
        return [value] if value else []
    return [text for text in value if isinstance(text, str)] if isinstance(value, list) else []


def _permission(rule: str) -> str:
    """A rule as `Bash` or `mcp__files__read`: what it is limited to may be anything, and is not told."""
    name, bracket, _ = rule.partition("(")
    return discretion.without_secret(name.strip()) + ("(…)" if bracket else "")
