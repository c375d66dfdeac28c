"""A workspace in a folder. Reading gives everything there is; edits touch one thing."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from remit.adapters.workspace import files
from remit.control import lock_text
from remit.control.lock import EMPTY, FILE, Lock
from remit.control.problems import SourceLocation, WorkspaceProblem, did_you_mean
from remit.control.resources import AgentSpec, Resource, ResourceKind, WorkspaceSource
from remit.facts.agent import Mode
from remit.facts.catalog import PolicySource
from remit.facts.tool import Sink
from remit.ports.workspace import DeletedResource, WorkspaceRefused

if TYPE_CHECKING:
    from remit.adapters.workspace.documents import Document


class Folder:
    """The workspace at `path`: `*.yaml`, `*.yml`, `*.cedar` at any depth, and `remit.lock`.

    Hidden files and folders (a leading dot) are left out.
    """

    __slots__ = ("path",)

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> WorkspaceSource:
        """Everything there is; what cannot be read is among its problems. Never raises."""
        if not self.path.is_dir():
            return WorkspaceSource(problems=(self._no_folder(),))
        problems: list[WorkspaceProblem] = []
        resources: list[Resource] = []
        policies: list[PolicySource] = []
        cases: list[tuple[str, str]] = []
        bytes_left = files.TOTAL_BYTES_MAX
        for file in files.workspace_files(self.path, problems):
            try:
                text = files.read(self.path, file)
            except files.Unreadable as error:
                problems.append(error.problem)
                continue
            bytes_left -= len(text.text)
            if bytes_left < 0:
                what = f"the workspace holds more than {files.TOTAL_BYTES_MAX} bytes"
                problems.append(WorkspaceProblem("workspace/size", SourceLocation(file), what))
                break
            if Path(file).suffix.lower() == files.CEDAR:
                policies.append(PolicySource(file, text.text))
            else:
                resources += [resource for resource, _ in _resources(text.text, file, problems) if resource]
            if file.endswith(files.CASES):
                cases.append((file, text.text))
        lock = self._lock(problems)
        return WorkspaceSource(tuple(resources), tuple(policies), lock, tuple(problems), tuple(cases))

    def fingerprint(self) -> str | None:
        """SHA-256 (hex) over the name and bytes of every file that `load` reads.

        None where one cannot be read: then only `load` knows what is wrong.
        """
        problems: list[WorkspaceProblem] = []
        names = files.workspace_files(self.path, problems)
        if (self.path / FILE).exists():
            names.append(FILE)
        digest = hashlib.sha256()
        try:
            for name in names:
                data = files.read(self.path, name, files.LOCK_BYTES_MAX).text.encode()
                digest.update(f"{len(name)} {name} {len(data)} ".encode() + data)
        except files.Unreadable:
            return None
        return None if problems else digest.hexdigest()

    def copy(self, into: Path) -> None:
        """Copy every file that `load` reads below `into`, as it is now. Raises `files.Unreadable`."""
        problems = [] if self.path.is_dir() else [self._no_folder()]
        names = files.workspace_files(self.path, problems)
        if problems:
            raise files.Unreadable(problems[0])
        for name in (*names, *([FILE] if (self.path / FILE).exists() else [])):
            target = into / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(files.read_bytes(self.path, name, files.LOCK_BYTES_MAX))

    def write_lock(self, lock: Lock, *, base: Lock) -> bool:
        """See `ports.workspace.Workspace.write_lock`."""
        problems: list[WorkspaceProblem] = []
        stored = self._lock(problems)
        if problems:
            raise WorkspaceRefused(problems[0])
        if lock_text.serialise(stored) != lock_text.serialise(base):
            raise WorkspaceRefused(
                WorkspaceProblem(
                    "lock/moved",
                    SourceLocation(FILE),
                    f"{FILE} has changed since it was read",
                    "the change was made from another state",
                    next="remit tools review, then accept again",
                )
            )
        text = lock_text.serialise(lock)
        if text == lock_text.serialise(stored):
            return False
        here = self.path / FILE
        self._replace(files.inside(self.path, FILE) if here.exists() else here, FILE, text.encode())
        return True

    def add_agent(self, agent: Resource) -> None:
        """See `ports.workspace.Workspace.add_agent`."""
        from remit.adapters.workspace.agents import agent_yaml

        assert isinstance(agent.spec, AgentSpec), "it is an agent's"  # noqa: S101
        file, path = agent.where.file, self.path / agent.where.file
        existing = next(
            (
                declared_agent
                for _, _, declared_agent in self._declarations(ResourceKind.AGENT)
                if declared_agent.name == agent.name
            ),
            None,
        )
        taken = existing.where if existing else SourceLocation(file) if path.exists() or path.is_symlink() else None
        if taken is not None:
            what = f"{taken.file} exists already" if existing is None else f"{taken} declares an agent {agent.name}"
            next_ = "remit diff, then: remit apply"
            raise WorkspaceRefused(WorkspaceProblem("agent/exists", taken, what, "nothing is overwritten", next=next_))
        try:
            path.parent.mkdir(exist_ok=True)
            files.inside(self.path, path.parent.relative_to(self.path).as_posix())
        except OSError as error:
            raise _unwritten(file, error) from error
        except files.Unreadable as error:
            raise WorkspaceRefused(error.problem) from error
        self._replace(path, file, agent_yaml(agent, agent.spec).encode())

    def enforce(self, name: str) -> bool:
        """See `ports.workspace.Workspace.enforce`."""
        from remit.adapters.workspace.agents import with_enforce_mode

        for text, document, agent in self._declarations(ResourceKind.AGENT):
            if agent.name != name:
                continue
            if isinstance(agent.spec, AgentSpec) and agent.spec.mode is Mode.ENFORCE:
                return False
            changed = with_enforce_mode(text.text, document)
            if changed is None:
                what = "the mode cannot be changed without changing something else"
                next_ = "set mode: enforce in an editor, then run: remit apply"
                raise WorkspaceRefused(WorkspaceProblem("agent/entangled", agent.at("spec.mode"), what, next=next_))
            self._write(text, changed)
            return True
        raise WorkspaceRefused(
            WorkspaceProblem(
                "agent/gone",
                SourceLocation("."),
                f"no file of the workspace declares the agent {name}",
                next="remit diff",
            )
        )

    def declare_sink(self, name: str, sink: Sink, because: str) -> str:
        """Add `sink` to the Server `name`, and `because` beside it; the file that was changed.

        Raises `WorkspaceRefused` where no Server has that name, or more than that would change.
        """
        from remit.adapters.workspace.servers import with_sink

        for text, document, server in self._declarations(ResourceKind.SERVER):
            if server.name == name:
                changed = with_sink(text.text, document, sink, because)
                if changed is None:
                    what = f"the sink of the Server {name} cannot be added without changing something else"
                    next_ = f"add sink: {sink} to its spec in an editor, then run: remit diff"
                    raise WorkspaceRefused(WorkspaceProblem("server/entangled", server.at("spec"), what, next=next_))
                self._write(text, changed)
                return text.file
        what = f"no file of the workspace declares the Server {name}"
        raise WorkspaceRefused(WorkspaceProblem("server/gone", SourceLocation("."), what, next="remit diff"))

    def _declarations(self, kind: ResourceKind) -> "Iterator[tuple[files.Text, Document, Resource]]":
        """Every resource of `kind` with its text and document. Raises `WorkspaceRefused`, as `delete` does."""
        for file in files.workspace_files(self.path, []):
            if Path(file).suffix.lower() not in files.YAML:
                continue
            try:
                text = files.read(self.path, file)
            except files.Unreadable as error:
                raise WorkspaceRefused(error.problem) from error
            problems: list[WorkspaceProblem] = []
            for resource, document in _resources(text.text, file, problems):
                if resource is not None and resource.kind is kind:
                    yield text, document, resource
            if problems:
                raise WorkspaceRefused(problems[0])

    def delete(self, kind: ResourceKind, name: str) -> DeletedResource:
        """See `ports.workspace.Workspace.delete`."""
        names: list[str] = []
        for text, document, resource in self._declarations(kind):
            names.append(resource.name)
            if resource.name == name:
                self._cut(text, document)
                return DeletedResource(kind, name, resource.where)
        hint = did_you_mean(name, names)
        what = f"no {kind} is called {name[:128]!r}"
        next_ = f"remit get {kind.value.lower()}s"
        raise WorkspaceRefused(WorkspaceProblem("delete/unknown", SourceLocation("."), what, hint=hint, next=next_))

    def _cut(self, text: files.Text, document: "Document") -> None:
        from remit.adapters.workspace.documents import documents

        remaining = text.text[: document.start] + text.text[document.end :]
        before = [parsed.value for parsed in documents(text.text)]
        before.remove(document.value)
        if [parsed.value for parsed in documents(remaining)] != before:
            raise WorkspaceRefused(
                WorkspaceProblem(
                    "delete/entangled",
                    SourceLocation(text.file, document.line),
                    "the document cannot be taken out without changing another",
                    "an edit keeps every other byte of the file",
                    next="remove it in an editor, then run: remit apply",
                )
            )
        self._write(text, remaining)

    def _write(self, old: files.Text, text: str) -> None:
        """Replace the text of a file that was read."""
        data = (b"\xef\xbb\xbf" if old.bom else b"") + text.encode()
        self._replace(files.inside(self.path, old.file), old.file, data)

    def _replace(self, path: Path, file: str, data: bytes) -> None:
        try:
            files.replace(path, data)
        except OSError as error:
            raise _unwritten(file, error) from error

    def _lock(self, problems: list[WorkspaceProblem]) -> Lock:
        path = self.path / FILE
        if not path.exists() and not path.is_symlink():
            return EMPTY
        try:
            text = files.read(self.path, FILE, files.LOCK_BYTES_MAX)
        except files.Unreadable as error:
            problems.append(error.problem)
            return EMPTY
        lock, lock_problems = lock_text.parse(text.text)
        problems.extend(lock_problems)
        return lock

    def _no_folder(self) -> WorkspaceProblem:
        there = self.path.exists()
        what = f"the workspace {self.path} is not a folder" if there else (f"there is no workspace at {self.path}")
        next_ = f"make one: remit init {self.path}; or name another with --workspace"
        return WorkspaceProblem("workspace/missing", SourceLocation("."), what, next=next_)


def _unwritten(file: str, error: OSError) -> WorkspaceRefused:
    why = (error.strerror or "unknown error").lower()
    next_ = "check the folder's permissions and free space, then try again"
    what = "the file cannot be written; it is as it was"
    return WorkspaceRefused(WorkspaceProblem("file/write", SourceLocation(file), what, why, next=next_))


def _resources(text: str, file: str, problems: list[WorkspaceProblem]) -> list[tuple[Resource | None, "Document"]]:
    """The resources of one YAML file; None where a document is not one, with its problems."""
    from remit.adapters.workspace import shapes
    from remit.adapters.workspace.documents import YamlRefused, documents

    try:
        parsed = documents(text)
    except YamlRefused as error:
        where = SourceLocation(file, error.line)
        problems.append(WorkspaceProblem("yaml/syntax", where, error.what, error.why, error.hint))
        return []
    resources: list[tuple[Resource | None, Document]] = []
    for document in parsed:
        if file.endswith(files.CASES) and isinstance(document.value, list):
            # What policies are tested with, not what they are.
            continue
        resource, resource_problems = shapes.resource(document, file)
        problems.extend(resource_problems)
        resources.append((resource, document))
    return resources
