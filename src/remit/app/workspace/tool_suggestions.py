"""`remit tools suggest`: catalog entries proposed from what is accepted, or from a file that lists tools.

Without a running service. What is written is new files, and a `sink` where a Server has none; nothing else that stands
in a workspace is touched.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from pathlib import Path
from typing import Final, cast

from remit.adapters.workspace import files
from remit.adapters.workspace.documents import YamlRefused, documents
from remit.adapters.workspace.folder import Folder
from remit.app.settings import no_workspace
from remit.app.terminal.failure import CommandFailure, Exit
from remit.control.lock import EMPTY, FILE, LockRefused, accept_server, list_pin
from remit.control.lock_text import serialise
from remit.control.problems import WorkspaceProblem, did_you_mean
from remit.control.resources import ResourceKind, ServerSpec, WorkspaceSource
from remit.control.suggest import SuggestedSpec, propose
from remit.control.suggest_server import propose_sink
from remit.control.suggest_text import intended, text_of
from remit.facts import strictjson
from remit.facts.canonical import Json, canonical
from remit.facts.catalog import SERVER_NAME
from remit.facts.text import one_line
from remit.facts.tool import Definition, Sink
from remit.ports.workspace import WorkspaceRefused

LISTING_BYTES_MAX: Final = 16 * 1024 * 1024
_SCHEMAS: Final = ("inputSchema", "input_schema", "parameters")


@dataclass(frozen=True, slots=True)
class CatalogSuggestions:
    """`proposals` for what the workspace does not speak of yet; `spoken_of` are those of what it does."""

    proposals: tuple[SuggestedSpec, ...]
    spoken_of: tuple[SuggestedSpec, ...]


def suggest_for(workspace: Path, which: str | None) -> CatalogSuggestions:
    """For the Servers and accepted tools of `workspace`, or those SERVER or SERVER/TOOL `which`.

    Raises `CommandFailure`.
    """
    source = _source(workspace)
    server, _, tool = (which or "").partition("/")
    declared = {resource.name for resource in source.resources if resource.kind is ResourceKind.SERVER}
    every: list[SuggestedSpec] = []
    for name in sorted(declared | set(source.lock.servers)):
        if server in {"", name}:
            every += propose_for(source, name, [pinned.definition for pinned in source.lock.of(name).values()])
    proposals = [proposal for proposal in every if proposal.name == which] if tool else every
    if not proposals:
        what = (
            f"no accepted tool or Server is called {which}"
            if which
            else f"{workspace} has no Server and no accepted tool"
        )
        near = did_you_mean(which or "", [proposal.name for proposal in every] or (declared | set(source.lock.servers)))
        why = near or f"only what is declared, or stands in {FILE}, can be spoken of"
        raise CommandFailure(
            what, why=why, next="remit tools review, or: --from FILE --server NAME", exit=Exit.NOT_FOUND
        )
    return without_entry(source, proposals)


def propose_for(source: WorkspaceSource, server: str, tools: Sequence[Definition]) -> list[SuggestedSpec]:
    """For the Server `server`, where `source` declares it, and for its `tools`."""
    declared = [resource for resource in source.resources if resource.name == server]
    sinks = [
        propose_sink(server, resource.spec, tools, str(resource.at("spec")))
        for resource in declared
        if isinstance(resource.spec, ServerSpec)
    ]
    return [*sinks, *propose(server, tools)]


def without_entry(source: WorkspaceSource, proposals: Iterable[SuggestedSpec]) -> CatalogSuggestions:
    """`proposals` but for tools that have an entry in `source`, and Servers that declare their sink."""
    entered = {
        (resource.kind, resource.name)
        for resource in source.resources
        if not isinstance(resource.spec, ServerSpec) or resource.spec.sink is not None
    }
    all_proposals = tuple(proposals)
    return CatalogSuggestions(
        tuple(proposal for proposal in all_proposals if (proposal.kind, proposal.name) not in entered),
        tuple(proposal for proposal in all_proposals if (proposal.kind, proposal.name) in entered),
    )


def write(workspace: Path, proposals: Sequence[SuggestedSpec]) -> list[Path]:
    """One new file below `workspace` for the tools of each server, and the sink of each Server where it is declared.

    Raises `CommandFailure`, having written nothing, where no such file can be; having written all else, where a
    Server's document does not take its sink.
    """
    refused: list[WorkspaceProblem] = []
    texts: dict[str, list[SuggestedSpec]] = {}
    for proposal in proposals:
        if proposal.kind is ResourceKind.TOOL:
            texts.setdefault(_server_name(proposal.name.partition("/")[0]), []).append(proposal)
    written = write_new(
        workspace,
        {_new_file(workspace, server): proposed_text(proposals_of) for server, proposals_of in texts.items()},
    )
    for proposal in proposals:
        if proposal.kind is ResourceKind.SERVER:
            try:
                file = Folder(workspace).declare_sink(
                    proposal.name, Sink(str(proposal.spec["sink"])), proposal.because["sink"]
                )
            except WorkspaceRefused as error:
                refused.append(error.problem)
            else:
                written.append(workspace / file)
    if refused:
        why = "everything else that was proposed is written"
        raise CommandFailure(refused[0].what, why=why, next=refused[0].next, exit=Exit.INVALID)
    return list(dict.fromkeys(written))


def _new_file(workspace: Path, server: str) -> str:
    """Where the entries of `server` go: beside those that a person has written or read already, not into them."""
    names = chain([f"tools/{server}.yaml"], (f"tools/{server}.{number}.yaml" for number in count(2)))
    return next(name for name in names if not os.path.lexists(workspace / name))


def proposed_text(proposals: Sequence[SuggestedSpec]) -> str:
    """The YAML of `proposals`. Raises `CommandFailure` unless, read again, it holds just the Tools that are meant."""
    text = text_of(proposals)
    try:
        expected, read_again = [intended(item) for item in proposals], [item.value for item in documents(text)]
        if canonical(read_again) == canonical(expected):
            return text
        why = "read again, it would be something else"
    except (YamlRefused, ValueError, RecursionError) as error:
        why = one_line(str(error))
    server = proposals[0].name.partition("/")[0]
    next_ = f"write tools/{server}.yaml by hand; remit tools suggest -o json shows what is proposed"
    raise CommandFailure(
        f"the proposals for {server} cannot be written as YAML", why=why, next=next_, exit=Exit.INVALID
    )


def write_new(workspace: Path, texts: Mapping[str, str]) -> list[Path]:
    """Write `texts` by path below `workspace`. Raises `CommandFailure`, having written nothing, where a file exists."""
    refuse_existing(workspace, texts)
    written: list[Path] = []
    try:
        for name, text in texts.items():
            (workspace / name).parent.mkdir(parents=True, exist_ok=True)
            files.replace(workspace / name, text.encode())
            written.append(workspace / name)
    except OSError as error:
        for path in written:
            path.unlink(missing_ok=True)
        why = (error.strerror or "unknown error").lower()
        next_ = "name a folder that you may write"
        raise CommandFailure(
            f"nothing could be written to {workspace}", why=why, next=next_, exit=Exit.INVALID
        ) from error
    return written


def refuse_existing(workspace: Path, names: Iterable[str]) -> None:
    """Raises `CommandFailure` where one of the files `names` exists below `workspace`.

    Nothing is written outside of it: a folder between them that is a link is refused too.
    """
    for name in names:
        for folder in list((workspace / name).relative_to(workspace).parents)[:-1]:
            if (workspace / folder).is_symlink():
                why = "what stands behind a link is not under the workspace's protection"
                next_ = f"put a folder in the place of {folder}, then try again"
                raise CommandFailure(f"{workspace / folder} is a link", why=why, next=next_, exit=Exit.INVALID)
        if (workspace / name).exists() or (workspace / name).is_symlink():
            why = "nothing is overwritten"
            next_ = f"move {name} away, or take from the proposal what you want"
            raise CommandFailure(f"{workspace / name} exists already", why=why, next=next_, exit=Exit.INVALID)


def read_listing(file: Path) -> tuple[Definition, ...]:
    """The tools that `file` lists: a JSON list of tools, or an object with one as `tools`. Raises `CommandFailure`.

    A tool is an object with `name`, `description` and its input schema as `inputSchema` or `parameters`.
    """
    try:
        raw = file.read_bytes()
        value = strictjson.parse(raw, bytes_max=LISTING_BYTES_MAX)
    except OSError as error:
        why = (error.strerror or "unknown error").lower()
        raise CommandFailure(
            f"{file} cannot be read", why=why, next="name a file: --from FILE", exit=Exit.NOT_FOUND
        ) from error
    except strictjson.JsonRefused as error:
        raise _no_list(file, str(error)) from error
    tools = value.get("tools") if isinstance(value, Mapping) else value
    if not isinstance(tools, Sequence) or isinstance(tools, str):
        raise _no_list(file, "it holds no list")
    return tuple(_definition(file, number, tool) for number, tool in enumerate(tools, 1))


def _definition(file: Path, number: int, tool: Json) -> Definition:
    if not isinstance(tool, Mapping) or not isinstance(tool.get("name"), str):
        raise _no_list(file, f"tool {number} has no name")
    nothing: Json = {"type": "object", "properties": {}}
    schema = next((tool[name] for name in _SCHEMAS if name in tool), nothing)
    output, hints = tool.get("outputSchema"), tool.get("annotations", {})
    if not isinstance(schema, Mapping) or not isinstance(hints, Mapping):
        raise _no_list(file, f"the schema or the annotations of tool {number} are not an object")
    description = tool.get("description")
    return Definition(
        cast("str", tool["name"]),
        description if isinstance(description, str) else "",
        schema,
        output if isinstance(output, Mapping) else None,
        hints,
    )


def _no_list(file: Path, why: str) -> CommandFailure:
    next_ = 'write a JSON list of {"name", "description", "inputSchema"}'
    return CommandFailure(f"{file} is no list of tools", why=why, next=next_, exit=Exit.INVALID)


def make_workspace(workspace: Path, server: str, definitions: Sequence[Definition]) -> list[Path]:
    """A workspace to replay by: `definitions` accepted as those of `server`, proposed entries, and the pack `dataflow`.

    Its agent is `SERVER-assistant`. Nobody answers at its server's address: it is for replay. Raises `CommandFailure`.
    """
    _server_name(server)
    from remit.app.workspace.packs import pack_files

    try:
        lock = accept_server(EMPTY, server, definitions, list_pin(definitions))
    except (LockRefused, ValueError) as error:
        raise CommandFailure(f"the tools of {server} cannot be accepted", why=str(error), exit=Exit.INVALID) from error
    texts = {
        "workspace.yaml": _WORKSPACE.format(server=server),
        "policies/agents.cedar": _POLICY,
        f"tools/{server}.yaml": proposed_text(propose(server, definitions)),
        FILE: serialise(lock),
    }
    return write_new(workspace, {**texts, **pack_files("dataflow")})


def _server_name(server: str) -> str:
    if not SERVER_NAME.fullmatch(server):
        what = f"not a server's name: {one_line(server[:64])}"
        raise CommandFailure(what, next="--server NAME: 1-24 of a-z 0-9 -", exit=Exit.USAGE)
    return server


def has_workspace(folder: Path) -> bool:
    """Whether `folder` holds a workspace."""
    return folder.is_dir() and bool(files.workspace_files(folder, []))


def _source(workspace: Path) -> WorkspaceSource:
    source = Folder(workspace).load()
    if not (source.resources or source.policies or source.problems):
        raise no_workspace(workspace)
    if source.problems:
        first = source.problems[0]
        raise CommandFailure(first.what, why=first.why, next=first.next, exit=Exit.INVALID)
    return source


_WORKSPACE: Final = """\
# Who acts and who is asked, in a workspace that recorded sessions are replayed by.
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata:
  name: {server}-assistant
spec:
  owner: owner
  purpose: works for the user with the tools of {server}
  groups: [assistants]
  harness: trusted
---
apiVersion: remit.dev/v1alpha1
kind: Group
metadata:
  name: assistants
spec:
  description: agents that work for a person
---
apiVersion: remit.dev/v1alpha1
kind: User
metadata:
  name: owner
---
# Nobody answers there: this workspace is for replay.
apiVersion: remit.dev/v1alpha1
kind: Server
metadata:
  name: {server}
spec:
  url: http://127.0.0.1:9/mcp
---
apiVersion: remit.dev/v1alpha1
kind: Route
metadata:
  name: owner
spec:
  users: [owner]
"""
_POLICY: Final = """\
@id("assistants-may-work")
@reason("assistants may use every accepted tool, within the limits of the packs")
permit (
  principal in Remit::Group::"assistants",
  action in Remit::Action::"call_tool",
  resource
);
"""
