"""The repository holds what its own rules say: rings, targets, CI, licence."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from pathlib import Path
from typing import Any, Final

from tools.check_style import FILE_LINES_MAX, FUNCTION_LINES_MAX

ROOT: Final = Path(__file__).resolve().parents[2]
PYPROJECT: Final[dict[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONTRACTS: Final[list[dict[str, Any]]] = PYPROJECT["tool"]["importlinter"]["contracts"]
RINGS: Final = (
    {"app"},
    {"api", "pep", "work"},
    {"adapters"},
    {"ports"},
    {"assure"},
    {"pdp"},
    {"discover", "control", "protect", "escalate", "trace"},
    {"policy"},
    {"facts"},
)
PURE: Final = {"facts", "policy", "discover", "control", "protect", "escalate", "trace", "pdp", "assure"}


def contract(name: str) -> dict[str, Any]:
    """Return the import-linter contract of that id."""
    (found,) = [each for each in CONTRACTS if each["id"] == name]
    return found


def text(path: str) -> str:
    """Return a file of the repository."""
    return (ROOT / path).read_text(encoding="utf-8")


def test_every_package_is_in_its_ring() -> None:
    rings = contract("rings")
    packages = {path.parent.name for path in (ROOT / "src" / "remit").glob("*/__init__.py")}
    assert [set(layer.split(" | ")) for layer in rings["layers"]] == list(RINGS)
    assert packages == set[str]().union(*RINGS)
    assert rings["exhaustive"] is True
    assert not [each["id"] for each in CONTRACTS if "ignore_imports" in each]


def test_the_core_is_kept_from_io_and_clocks() -> None:
    core = contract("core")
    assert {source.removeprefix("remit.") for source in core["source_modules"]} == PURE
    assert {"asyncio", "socket", "sqlite3", "time", "random", "uuid", "os", "logging", "pydantic"} <= set(
        core["forbidden_modules"]
    )
    assert contract("adapters")["allowed_importers"] == ["remit.app"]


def test_types_are_strict_and_warnings_are_errors() -> None:
    types = PYPROJECT["tool"]["basedpyright"]
    assert types["typeCheckingMode"] == "strict"
    assert {"src", "tests"} <= set(types["include"])
    assert not [key for key in types if key.startswith("report")]
    assert PYPROJECT["tool"]["pytest"]["filterwarnings"][0] == "error"


def test_each_make_target_has_a_help_text() -> None:
    makefile = text("Makefile")
    (phony,) = re.findall(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    helped = re.findall(r"^([a-z-]+):.* ## \S", makefile, re.MULTILINE)
    assert sorted(phony.split()) == sorted(helped)
    assert {"run", "test", "check", "bench", "proof", "soak"} <= set(helped)


def test_ci_runs_the_command_of_the_readme_then_check_and_proof() -> None:
    ci = text(".ci/run")
    assert "export REMIT_ALL=1" in ci
    assert re.findall(r"^for target in (.+); do$", ci, re.MULTILINE) == ["test check proof"]
    assert 'make "$target"' in ci
    assert "make test" in text("README.md")


def test_licence_security_and_changelog_are_there() -> None:
    assert "Apache License\n                           Version 2.0" in text("LICENSE")
    assert PYPROJECT["project"]["license"] == "Apache-2.0"
    assert text("SECURITY.md").startswith("# Security")
    assert text("CHANGELOG.md").startswith("# Changelog")


def test_set_up_needs_the_standard_library_alone() -> None:
    for file in ("setup_env", "make_help", "clean"):
        for node in ast.walk(ast.parse(text(f"tools/{file}.py"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names


def test_recipes_call_python_and_nothing_else() -> None:
    recipes = re.findall(r"^\t@(.+)$", text("Makefile"), re.MULTILINE)
    assert recipes
    for recipe in recipes:
        assert re.match(r"\$\(call python,|exec \$\((?:IN|PYTEST)\)", recipe), recipe


def test_readme_tells_what_a_newcomer_needs() -> None:
    readme = text("README.md")
    headings = re.findall(r"^## (.+)$", readme, re.MULTILINE)
    assert {"Two commands", "Two minutes", "What it does not protect against"} <= set(headings)
    assert "make run" in readme
    assert "──▶" in readme.split("## ")[0], "one picture of the way of one action, before the first heading"


def test_readme_tours_with_what_the_demo_prints() -> None:
    acts, place = text("src/remit/app/demo/acts.py"), text("src/remit/app/service/child_process.py")
    exports = re.findall(r"^export (REMIT_[A-Z_]+)=(\S+)", text("README.md"), re.MULTILINE)
    assert exports
    assert [name for name, _ in exports] == re.findall(r"\bexport (REMIT_[A-Z_]+)=", acts)
    assert dict(exports)["REMIT_TOKEN_FILE"].endswith("/tokens/admin.token")
    assert '/ "tokens" / f"{name}.token"' in place
    assert "later release" not in text("README.md")


def test_readme_names_no_missing_file() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", text("README.md"))
    assert not [link for link in links if not (ROOT / link).exists()]


def test_commands_and_limits_that_contributors_are_told_are_those_that_there_are() -> None:
    told = text("CONTRIBUTING.md")
    targets = re.findall(r"(?:`|^)make ([a-z-]+)", told, re.MULTILINE)
    modules = re.findall(r"python -m ([a-z_.]+)", told)
    assert (len(set(targets)) > 8, len(modules) > 0) == (True, True)
    assert set(targets) <= set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    assert [one for one in modules if not list(ROOT.glob(f"{one.replace('.', '/')}*"))] == []
    assert f"at most {FILE_LINES_MAX} lines, functions {FUNCTION_LINES_MAX}:" in told


def test_modules_that_the_architecture_and_its_decisions_name_are_there() -> None:
    rings = "|".join(sorted(set[str]().union(*RINGS)))
    named = re.compile(rf"`((?:{rings})(?:/[a-z_]+)+)")
    pages = (ROOT / "docs" / "ARCHITECTURE.md", *sorted((ROOT / "docs" / "adr").glob("*.md")))
    found = [(page.name, path) for page in pages for path in named.findall(page.read_text("utf-8"))]
    assert len(found) > 50
    source = ROOT / "src" / "remit"
    assert [one for one in found if not (source / one[1]).is_dir() and not (source / f"{one[1]}.py").is_file()] == []


def test_modules_that_the_page_of_a_package_names_are_there() -> None:
    found, rings = list[str](), set[str]().union(*RINGS)
    for page in sorted((ROOT / "src" / "remit").rglob("__init__.py")):
        text = ast.get_docstring(ast.parse(page.read_text("utf-8"))) or ""
        named = set(re.findall(r"`([a-z_]+)`", text))
        inside = rings | {path.stem for path in page.parent.iterdir()} | {page.parent.name}
        found += [f"{page.parent.name}: {name}" for name in sorted(named - inside)]
    assert found == []


def test_the_application_shows_a_few_names() -> None:
    app = ROOT / "src" / "remit" / "app"
    # A checkout that was updated may keep a folder that holds byte-code alone.
    names = {path.relative_to(app).parts[0].removesuffix(".py") for path in app.rglob("*.py")} - {"__init__"}
    assert len(names) <= 16, "what one thing of the application is for stands in a package of its own"
