"""`remit policy lint`: what `remit apply` would say of a workspace, without a service and without changing anything."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from remit.adapters.workspace.folder import Folder
from remit.app.settings import no_workspace
from remit.control.assemble import Assembled, assemble
from remit.control.problems import ProblemSeverity, WorkspaceProblem
from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from remit.policy.problem import PolicyProblem


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One sentence about a place in the workspace; `line` is from 1, 0 where it is the whole file."""

    severity: ProblemSeverity
    file: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class LintResult:
    """What is wrong with a workspace, by file and line, and how many policies were looked at."""

    findings: tuple[LintFinding, ...]
    policies: int

    @property
    def refused(self) -> bool:
        """Whether `remit apply` would change nothing."""
        return any(one.severity is ProblemSeverity.ERROR for one in self.findings)


def lint_workspace(workspace: Path) -> LintResult:
    """What is wrong with `workspace`, and what is odd about it. Raises `CommandFailure` where there is none."""
    source = Folder(workspace).load()
    if not (source.resources or source.policies or source.problems):
        raise no_workspace(workspace)
    assembly = assemble(source)
    if not isinstance(assembly, Assembled):
        # Policies are checked against a catalog, which does not come of this.
        return LintResult(_sort(_of_resource(problem) for problem in assembly.problems), 0)
    compiled = compile_bundle(assembly.catalog, shadow_every=0)
    errors = () if isinstance(compiled.result, Bundle) else compiled.result
    findings = [_of_resource(problem) for problem in assembly.warnings]
    findings += [_policy(problem, ProblemSeverity.ERROR) for problem in errors]
    findings += [_policy(problem, ProblemSeverity.WARNING) for problem in compiled.warnings]
    return LintResult(_sort(findings), len(compiled.result.policies) if isinstance(compiled.result, Bundle) else 0)


def _sort(findings: Iterable[LintFinding]) -> tuple[LintFinding, ...]:
    return tuple(sorted(findings, key=lambda finding: (finding.file, finding.line, finding.severity, finding.text)))


def _of_resource(problem: WorkspaceProblem) -> LintFinding:
    hint = f" ({problem.hint})" if problem.hint else ""
    text = "; ".join(part for part in (f"{problem.what}{hint}", problem.why) if part)
    return LintFinding(problem.severity, problem.where.file, problem.where.line, " ".join(text.split()))


def _policy(problem: PolicyProblem, severity: ProblemSeverity) -> LintFinding:
    text = str(problem).removeprefix(f"{problem.where}: ")
    return LintFinding(severity, problem.file, max(problem.line, 0), text)
