"""What a command line starts: the server behind `npx`, `uvx`, `docker run` and the like, and the options by name.

A package's version is no part of its name: the same server in two versions is one server.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from remit.discover.discretion import HIDDEN, address, folder, looks_secret

ARGUMENTS_MAX: Final = 400
"""Arguments that are looked at."""

_PACKAGE: Final = re.compile(r"(?:@[A-Za-z0-9~._-]+/)?[A-Za-z0-9~._-]+")
_IMAGE: Final = re.compile(r"((?:[\w.-]+(?::\d+)?/)?[\w./-]+)(?:[:@].*)?", re.DOTALL)
_MODULE: Final = re.compile(r"[A-Za-z_][\w.]*")
_OPTION: Final = re.compile(r"--?[A-Za-z][A-Za-z0-9-]{0,40}")
_PYTHON: Final = re.compile(r"python(?:\d(?:\.\d+)?)?|pypy3?")
_SCRIPT: Final = frozenset({"node", "deno", "bun", "tsx", "ts-node", "ruby", "java", "dotnet"})
_VERBS: Final[Mapping[tuple[str, ...], str]] = MappingProxyType(
    {
        ("npx",): "npm",
        ("bunx",): "npm",
        ("pnpx",): "npm",
        ("npm", "exec"): "npm",
        ("npm", "x"): "npm",
        ("pnpm", "dlx"): "npm",
        ("yarn", "dlx"): "npm",
        ("bun", "x"): "npm",
        ("uvx",): "pypi",
        ("uv", "tool", "run"): "pypi",
        ("pipx", "run"): "pypi",
        ("docker", "run"): "oci",
        ("podman", "run"): "oci",
        ("uv", "run"): "script",
        ("poetry", "run"): "script",
        ("deno", "run"): "script",
        ("bun", "run"): "script",
    }
)
_VALUED: Final = frozenset(
    {"-p", "--package", "--prefix", "--registry", "--with", "--python", "--index-url", "--directory", "--project"}
    | {"--from", "--index", "--env-file", "--extra", "-e", "--env", "-v", "--volume", "--mount", "--name", "--publish"}
    | {"--network", "--net", "-w", "--workdir", "--entrypoint", "-u", "--user", "--label", "--platform", "--add-host"}
)
"""Options of these programs that take the word after them."""
_NAMING: Final = frozenset({"-p", "--package", "--from"})
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
_SETTING: Final = frozenset({"-e", "--env"})
_PROXIES: Final = frozenset({"npm:mcp-remote", "npm:mcp-proxy", "npm:supergateway", "pypi:mcp-proxy"})
"""Packages behind which the server is the address that they are given."""


@dataclass(frozen=True, slots=True)
class Launch:
    """What is started: `server` as in `npm:@scope/name`, `pypi:name`, `oci:image`, an address or a program's name.

    `everywhere` says whether that name means the same on every machine. `options` and `variables` are names, `folders`
    what it was given of the file system.
    """

    server: str
    everywhere: bool
    options: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


def launch_of(command: str, arguments: Sequence[str]) -> Launch:
    """What `command` starts with `arguments`."""
    words, variables = _unwrap([command, *arguments[:ARGUMENTS_MAX]])
    name = program(words[0])
    kind, rest = _kind(name, words[1:])
    index, before = _options(rest)
    variables += [variable for option, value in before if option in _SETTING and (variable := _variable(value))]
    package = next((value for option, value in before if option in _NAMING), "") if kind != "oci" else ""
    after = rest[index + 1 :]
    if package:
        server, after = f"{kind}:{_package(package)}", rest[index:]
    elif kind == "module":
        server = f"python:{rest[index]}"
    elif kind and index < len(rest):
        server = _server_name(kind, rest[index])
    else:
        server, after = name, rest
    if server in _PROXIES:
        server = next(filter(None, map(address, after)), server)
    if "://" not in server and looks_secret(server):
        server = HIDDEN
    folders = dict.fromkeys(path for word in after if (path := folder(word)))
    return Launch(server, ":" in server, _option_names(after), tuple(variables), tuple(folders))


def _variable(setting: str) -> str:
    """The name that `NAME=value` sets; of a word alone only what hardly is a value: the option may be another's."""
    name, equals, _ = setting.partition("=")
    return name if equals or _VARIABLE.fullmatch(name) else ""


def program(word: str) -> str:
    """The name of the program that `word` calls."""
    name = re.split(r"[\\/]", word.strip().rstrip("\\/"))[-1]
    return re.sub(r"(?i)\.(?:exe|cmd|bat)$", "", name) or HIDDEN


def _unwrap(words: list[str]) -> tuple[list[str], list[str]]:
    """Without `cmd /c` and `env NAME=value` in front, and those names."""
    variables: list[str] = []
    while len(words) > 1:
        name = program(words[0])
        if name == "cmd" and words[1].lower() == "/c":
            words = words[2:] or words[:1]
        elif name == "env" and ("=" in words[1] or words[1].startswith("-")):
            variables += [words[1].partition("=")[0]] if "=" in words[1] else []
            words = [words[0], *words[2:]]
        elif name == "env":
            words = words[1:]
        else:
            break
    return words, variables


def _kind(name: str, rest: list[str]) -> tuple[str, list[str]]:
    """How `name` starts things: `npm`, `pypi`, `oci`, `script`, `module`, or empty; and what follows its verbs."""
    if _PYTHON.fullmatch(name):
        if "-m" in rest and _MODULE.fullmatch("".join(rest[rest.index("-m") + 1 :][:1])):
            return "module", rest[rest.index("-m") + 1 :]
        return "script", rest
    for verbs, kind in _VERBS.items():
        plain = [word for word in rest if not word.startswith("-")][: len(verbs) - 1]
        if (name, *plain) == verbs:
            return kind, rest[rest.index(plain[-1]) + 1 :] if plain else rest
    return ("script" if name in _SCRIPT else ""), rest


def _options(words: Sequence[str]) -> tuple[int, list[tuple[str, str]]]:
    """Where the first word stands that is no option nor an option's value, and the options before it."""
    options: list[tuple[str, str]] = []
    index = 0
    while index < len(words) and words[index].startswith("-"):
        option, equals, value = words[index].partition("=")
        if not equals and option in _VALUED:
            index += 1
            value = "".join(words[index : index + 1])
        options.append((option, value))
        index += 1
    return index, options


def _server_name(kind: str, word: str) -> str:
    if kind == "oci":
        match = _IMAGE.fullmatch(word)
        return f"oci:{match[1] if match else HIDDEN}"
    return program(word) if kind == "script" else f"{kind}:{_package(word)}"


def _package(word: str) -> str:
    """The name in `@scope/name@1.2`, `name[extra]==1.2` or an address of a repository."""
    if "://" in word:
        return address(re.sub(r"^(?:git|hg)\+", "", word)) or HIDDEN
    match = _PACKAGE.match(word)
    return match[0].rstrip(".") if match else HIDDEN


def _option_names(words: Sequence[str]) -> tuple[str, ...]:
    names = (word.partition("=")[0] for word in words)
    return tuple(dict.fromkeys(name for name in names if _OPTION.fullmatch(name) and not looks_secret(name)))
