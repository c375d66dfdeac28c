"""`remit policy test`: a workspace's cases tried on it, what they touch, and which changes escape them.

Cases stand beside policies in files that end in `.cases.yaml`, or in files that are named.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from remit.adapters.workspace import files
from remit.adapters.workspace.documents import YamlRefused, documents
from remit.app.assurance.replay import bundle_of
from remit.app.terminal.failure import CommandFailure, Exit
from remit.assure.cases import Case, MalformedCases, cases
from remit.assure.coverage import CaseCoverage, Gap, gaps, shares, with_coverage
from remit.assure.mutants import MutantResult, fates
from remit.assure.trials import failures
from remit.control.resources import WorkspaceSource
from remit.policy.bundle import Bundle

_HOW: Final = "docs/how-to/test-policies.md shows the form of a case"


@dataclass(frozen=True, slots=True)
class LocatedCase:
    """A case and where it stands: `file`, as people are told it, and the line of its name, from 1."""

    case: Case
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class JudgedCase:
    """What came of a case: `mismatches` says what is not as expected."""

    located: LocatedCase
    mismatches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CaseRun:
    """What a workspace's cases came to. `fates` are those of the mutants, None where none was asked for."""

    bundle: Bundle
    outcomes: tuple[JudgedCase, ...]
    coverage: CaseCoverage
    fates: tuple[MutantResult, ...] | None
    invalid: int

    @property
    def failed(self) -> tuple[JudgedCase, ...]:
        """The cases that do not hold."""
        return tuple(one for one in self.outcomes if one.mismatches)

    @property
    def survived(self) -> tuple[MutantResult, ...]:
        """The mutants that no case notices."""
        return tuple(fate for fate in self.fates or () if fate.killer is None)

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What no case touched."""
        return tuple(gaps(self.bundle, self.coverage))

    @property
    def shares(self) -> dict[str, tuple[int, int]]:
        """Of policies, conditions and tools, how many were touched, and how many there are."""
        return dict(shares(self.bundle, self.coverage))


def cases_of(workspace: Path, case_files: Sequence[Path] = ()) -> list[LocatedCase]:
    """The cases of `workspace`, or those of the files `case_files`. Raises `CommandFailure`."""
    return [case for file, text in _texts(workspace, case_files) for case in _cases(file, text)]


def cases_in(source: WorkspaceSource) -> list[LocatedCase]:
    """The cases of a workspace that was read. Raises `CommandFailure`."""
    return [case for file, text in source.cases for case in _cases(file, text)]


def try_cases(workspace: Path, case_files: Sequence[Path], user: str | None, *, mutate: bool = False) -> CaseRun:
    """Try the cases of the files `case_files`, or all of `workspace` where none is. Raises `CommandFailure`."""
    bundle = bundle_of(workspace)
    located = cases_of(workspace, case_files)
    _check_users(bundle, located, user)
    coverage = CaseCoverage()
    watched = with_coverage(bundle, coverage)
    outcomes = tuple(JudgedCase(case, failures(watched, case.case, user)) for case in located)
    results: list[MutantResult | None] | None = None
    if mutate:
        results = list(fates(bundle, [case.located.case for case in outcomes if not case.mismatches], user))
    valid = None if results is None else tuple(fate for fate in results if fate is not None)
    return CaseRun(bundle, outcomes, coverage, valid, 0 if results is None else results.count(None))


def _texts(workspace: Path, case_files: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """The files of cases, by the name that people are told, with their text."""
    if case_files:
        for path in case_files:
            yield from _texts_at(path)
        return
    if not workspace.is_dir():
        next_ = f"remit init {workspace}; or name another with --workspace"
        raise CommandFailure(f"there is no workspace at {workspace}", next=next_, exit=Exit.NOT_FOUND)
    for file in files.workspace_files(workspace, []):
        if file.endswith(files.CASES):
            try:
                yield file, files.read(workspace, file).text
            except files.Unreadable as error:
                raise CommandFailure(f"{file} cannot be read", why=str(error), next=_HOW, exit=Exit.INVALID) from error


def _texts_at(path: Path) -> Iterator[tuple[str, str]]:
    paths = [path] if not path.is_dir() else sorted(entry for end in files.CASES for entry in path.rglob(f"*{end}"))
    for entry in paths:
        try:
            text = files.read(entry.parent, entry.name).text
        except files.Unreadable as error:
            next_ = "name a file of cases: --cases FILE"
            raise CommandFailure(
                f"{entry} cannot be read", why=error.problem.why, next=next_, exit=Exit.NOT_FOUND
            ) from error
        yield str(entry), text


def _cases(file: str, text: str) -> Iterator[LocatedCase]:
    try:
        parsed = documents(text)
    except YamlRefused as error:
        what, next_ = f"{file}:{error.line}: {error.what}", error.hint or _HOW
        raise CommandFailure(what, why=error.why, next=next_, exit=Exit.INVALID) from error
    for document in parsed:
        if not isinstance(document.value, list):
            continue
        for number, value in enumerate(document.value):
            line = document.lines.get(f"{number}.name", document.lines.get(str(number), document.line))
            try:
                (case,) = cases([value])
            except MalformedCases as error:
                raise CommandFailure(
                    f"{file}:{line} holds no case", why=str(error), next=_HOW, exit=Exit.INVALID
                ) from error
            yield LocatedCase(case, file, line)


def _check_users(bundle: Bundle, located: Sequence[LocatedCase], user: str | None) -> None:
    """Raise `CommandFailure` for a case for a user whom the workspace does not know: it would test nothing."""
    for case in located:
        case_user = user if case.case.user is None else case.case.user
        if case_user is not None and case_user not in bundle.catalog.users:
            what = f"{case.file}:{case.line} is for {case_user[:64]}, and there is no such user"
            raise CommandFailure(
                what, why=f"there are {', '.join(sorted(bundle.catalog.users)) or 'none'}", exit=Exit.INVALID
            )
