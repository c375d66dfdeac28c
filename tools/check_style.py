"""The house rules that no linter knows; `python -m tools.check_style` prints what breaks one and exits 1.

A rule is a function from a parsed file to its findings: size of files and functions, names of invariants, what `facts`
may import, built-in I/O in the core. Six more look at the whole: each invariant is cited, each name is used, a class
has its name to itself, texts name modules that there are, locks are without addresses, and tests wait for no process
without end.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tools.lock import addresses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

ROOT: Final = Path(__file__).resolve().parent.parent
FILE_LINES_MAX: Final = 350
FUNCTION_LINES_MAX: Final = 70
ARCHITECTURE: Final = Path("docs/ARCHITECTURE.md")
LISTED: Final = re.compile(r"^\| `([a-z-]+)` \|", re.MULTILINE)
INVARIANTS: Final = frozenset(
    LISTED.findall((ROOT / ARCHITECTURE).read_text(encoding="utf-8").partition("\n## Invariants\n")[2])
)
"""Those of docs/ARCHITECTURE.md, each cited where it is kept and where it is checked after the fact."""
INVARIANT: Final = re.compile(r"\bINVARIANT\b(?:\(([^)]*)\))?")
REFERENCE: Final = re.compile(r"`((?:remit\.)?[a-z_]+(?:\.[A-Za-z_]+)+)`")
CORE: Final = frozenset(
    {"facts", "policy", "discover", "control", "protect", "escalate", "trace", "pdp", "assure"},
)
FACTS_MAY_IMPORT: Final = sys.stdlib_module_names | {"remit", "rfc8785"}
BUILTIN_IO: Final = frozenset({"open", "input", "breakpoint", "exec", "eval"})
GENERATED: Final = "src/remit/policy/compiled/function.py"
"""The one file of the core that runs text as code, and by `exec` alone: code generated from policies (ADR 6)."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file under `src/remit`: its path from the root folder, its ring, its text and syntax tree."""

    path: Path
    ring: str
    text: str
    tree: ast.Module


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule at a line, in one sentence."""

    path: Path
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def read(path: Path) -> Source:
    """Parse the file at `path` (absolute); raises SyntaxError."""
    text = path.read_text(encoding="utf-8")
    inside = path.relative_to(ROOT / "src" / "remit").parts
    return Source(path.relative_to(ROOT), inside[0] if len(inside) > 1 else "", text, ast.parse(text))


def file_size(source: Source) -> Iterator[Finding]:
    """A file beyond FILE_LINES_MAX lines is two ideas."""
    lines = source.text.count("\n")
    if lines > FILE_LINES_MAX:
        yield Finding(source.path, 1, f"{lines} lines, more than {FILE_LINES_MAX}: it is two ideas")


def function_size(source: Source) -> Iterator[Finding]:
    """A function, docstring included, has at most FUNCTION_LINES_MAX lines."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES_MAX:
                yield Finding(source.path, node.lineno, f"{node.name}: {lines} lines, more than {FUNCTION_LINES_MAX}")


def invariant_names(source: Source) -> Iterator[Finding]:
    """An invariant is cited by one of the listed names, as `INVARIANT(name)`, in comments and docstrings alike."""
    for number, line in enumerate(source.text.splitlines(), start=1):
        for match in INVARIANT.finditer(line):
            if match.group(1) not in INVARIANTS:
                yield Finding(source.path, number, f"no invariant {match.group(1) or 'without a name'}")


def facts_imports(source: Source) -> Iterator[Finding]:
    """`facts` imports the standard library and rfc8785; an allow-list, which import-linter has not."""
    if source.ring != "facts":
        return
    for node in ast.walk(source.tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        for name in names:
            if name.split(".")[0] not in FACTS_MAY_IMPORT:
                yield Finding(source.path, getattr(node, "lineno", 1), f"facts may not import {name}")


def builtin_io(source: Source) -> Iterator[Finding]:
    """The core calls no built-in that does I/O or runs text as code."""
    if source.ring not in CORE:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BUILTIN_IO:
            if node.func.id == "exec" and source.path.as_posix() == GENERATED:
                continue
            yield Finding(source.path, node.lineno, f"{node.func.id}() in the core")


RULES: Final[Sequence[Callable[[Source], Iterator[Finding]]]] = (
    file_size,
    function_size,
    invariant_names,
    facts_imports,
    builtin_io,
)


def uncited(kept: Iterable[str], checked: Iterable[str]) -> Iterator[Finding]:
    """Each invariant is cited in the texts `kept`, of what is shipped, and in `checked`, of tests and proofs."""
    for texts, where in ((kept, "src"), (checked, "tests or proof")):
        cited = {name for text in texts for name in INVARIANT.findall(text)}
        for name in sorted(INVARIANTS - cited):
            yield Finding(ARCHITECTURE, 1, f"the invariant {name} is cited nowhere in {where}")


def unused(defining: Sequence[Source], others: Iterable[str] = ()) -> Iterator[Finding]:
    """A top-level name of `defining` is used in its file, or imported there or by `others`: tests alone keep nothing.

    It is used as well where some attribute is called so, and where a decorator hands it to a router or a command line.
    So with a method of a class without bases: what has bases may be called by them.
    """
    trees = [*(source.tree for source in defining), *(ast.parse(text) for text in others)]
    imported = {pair for tree in trees for pair in _imported(tree)}
    attributes = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for source in defining:
        own = {one.id for one in ast.walk(source.tree) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}
        module = ".".join(source.path.with_suffix("").parts[1:]).removesuffix(".__init__")
        for name, line in _defined(source.tree):
            if not (name in own | attributes or (module, name) in imported or name.startswith("__")):
                yield Finding(source.path, line, f"{name} is used by nothing but tests")
        for name, line in _methods(source.tree):
            if name not in attributes:
                yield Finding(source.path, line, f"{name} is called by nothing but tests")


def _defined(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in tree.body:
        match node:
            case ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                if not any(_hands_over(decorator) for decorator in node.decorator_list):
                    yield name, node.lineno
            case ast.Assign(targets=targets):
                yield from ((target.id, node.lineno) for target in targets if isinstance(target, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield name, node.lineno
            case _:
                pass


def _methods(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.bases:
            for one in node.body:
                if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and not one.name.startswith("__"):
                    yield one.name, one.lineno


def _hands_over(decorator: ast.expr) -> bool:
    match decorator:
        case ast.Call(func=ast.Attribute(value=ast.Name(id=name) | ast.Attribute(attr=name))):
            return name in {"router", "app"}
        case _:
            return False


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def shared_names(sources: Iterable[Source]) -> Iterator[Finding]:
    """One word, one meaning: no public class name is that of more than one module."""
    places: dict[str, list[tuple[Path, int]]] = {}
    for source in sources:
        for node in source.tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append((source.path, node.lineno))
    for name, ((path, line), *others) in sorted(places.items()):
        if others:
            yield Finding(path, line, f"{name} is also {', '.join(f'{other}:{at}' for other, at in others)}")


def stale_references(sources: Iterable[Source]) -> Iterator[Finding]:
    """A text that names something by its ring, as in `pdp.decide.judge`, names what there is."""
    sources = list(sources)
    names = {
        ".".join(source.path.relative_to("src/remit").with_suffix("").parts).removesuffix(".__init__"): {
            name for name, _ in _defined(source.tree)
        }
        for source in sources
    }
    rings = {module.partition(".")[0] for module in names if "." in module}
    for source in sources:
        for number, line in enumerate(source.text.splitlines(), 1):
            for reference in REFERENCE.findall(line):
                path = reference.removeprefix("remit.")
                parts = path.split(".")
                modules = (names.get(".".join(parts[:size]), set[str]()) for size in range(1, len(parts)))
                is_there = path in names or any(
                    part in defined for part, defined in zip(parts[1:], modules, strict=True)
                )
                if parts[0] in rings and not is_there:
                    yield Finding(source.path, number, f"`{reference}` is no module, nor a name in one")


def endless_waits(path: Path, text: str) -> Iterator[Finding]:
    """No `with Popen(…)`: at its end it waits for the process, which a test that failed in between no longer ends."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.With):
            continue
        for item in node.items:
            match item.context_expr:
                case ast.Call(func=ast.Name(id="Popen") | ast.Attribute(attr="Popen")):
                    yield Finding(path, node.lineno, "`with Popen` may wait without end: use `with child(Popen(…))`")
                case _:
                    pass


def lock_findings() -> Iterator[Finding]:
    """No lock names an address: it holds wherever the packages come from."""
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        for line in addresses(path.read_text(encoding="utf-8")):
            yield Finding(path.relative_to(ROOT), 1, f"an address or option in a lock: {line}")


def findings() -> Iterator[Finding]:
    """Return every broken rule of the tree."""
    sources: list[Source] = []
    for path in sorted((ROOT / "src" / "remit").rglob("*.py")):
        try:
            sources.append(read(path))
        except SyntaxError as error:
            yield Finding(path.relative_to(ROOT), error.lineno or 1, f"does not parse: {error.msg}")
    for source in sources:
        for rule in RULES:
            yield from rule(source)
    yield from uncited((source.text for source in sources), _texts("tests", "proof"))
    yield from unused(sources, _texts("proof", "bench"))
    yield from shared_names(sources)
    yield from stale_references(sources)
    for path in _files("tests", "proof", "bench"):
        yield from endless_waits(path.relative_to(ROOT), path.read_text(encoding="utf-8"))
    yield from lock_findings()


def _texts(*folders: str) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in _files(*folders)]


def _files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def main() -> int:
    """Print the findings, one a line; 0 when there are none, 1 otherwise."""
    found = list(findings())
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
