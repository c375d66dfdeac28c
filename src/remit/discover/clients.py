"""The MCP clients and coding agents that a machine is searched for: where each keeps its configuration and how it runs.

Every entry follows a documented format: `docs/reference/discovery.md` names version and source of each, and a test
holds this table and that page together.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remit.discover.client_configuration import ANY, Layout


class FileFormat(StrEnum):
    """How a file is written."""

    JSON = "json"
    TOML = "toml"


class PathRoot(StrEnum):
    """What a path hangs on."""

    HOME = "home"
    PROJECT = "project"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class File:
    """One file: its path below `root`, and how it is read. `projects`: where it lists the client's folders."""

    root: PathRoot
    path: str
    layout: Layout
    form: FileFormat = FileFormat.JSON
    projects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ClientProgram:
    """One client. `programs` are the names of its processes, `packages` parts of the paths that a runtime is given."""

    name: str
    title: str
    files: tuple[File, ...]
    programs: frozenset[str] = frozenset()
    packages: tuple[str, ...] = ()
    editor: bool = False
    """Installed for other ends too: it is an agent where it is configured to be one."""


_MCP: Final = (("mcpServers",),)
_SERVERS: Final = Layout(_MCP)
_CLAUDE: Final = Layout(
    (*_MCP, ("projects", ANY, "mcpServers")),
    models=(("model",),),
    environments=(("env",),),
    permissions=(("permissions", "allow"), ("projects", ANY, "allowedTools")),
)
_VSCODE: Final = Layout((("servers",), ("mcp", "servers"), ("mcpServers",)))
_CODEX: Final = Layout(
    (("mcp_servers",),),
    models=(("model",), ("profiles", ANY, "model"), ("agents", ANY, "model")),
    environments=(("shell_environment_policy", "set"),),
    permissions=(("approval_policy",), ("sandbox_mode",)),
)
_GEMINI: Final = Layout(
    _MCP, models=(("model",), ("model", "name")), permissions=(("tools", "allowed"), ("allowedTools",))
)
_ZED: Final = Layout(
    (("context_servers",),),
    models=(
        ("agent", "default_model", "model"),
        ("agent", "inline_assistant_model", "model"),
        ("assistant", "default_model", "model"),
    ),
)
_CODE_FOLDERS: Final = (".config/Code/User", "Library/Application Support/Code/User", "AppData/Roaming/Code/User")
_CLINE: Final = "globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"


def _home(path: str, layout: Layout, form: FileFormat = FileFormat.JSON, projects: tuple[str, ...] = ()) -> File:
    return File(PathRoot.HOME, path, layout, form, projects)


def _project(path: str, layout: Layout, form: FileFormat = FileFormat.JSON) -> File:
    return File(PathRoot.PROJECT, path, layout, form)


def _machine(path: str, layout: Layout, form: FileFormat = FileFormat.JSON) -> File:
    return File(PathRoot.MACHINE, path, layout, form)


CLIENTS: Final[tuple[ClientProgram, ...]] = (
    ClientProgram(
        "claude-code",
        "Claude Code",
        (
            _home(".claude.json", _CLAUDE, projects=("projects",)),
            _home(".claude/settings.json", _CLAUDE),
            _project(".mcp.json", _CLAUDE),
            _project(".claude/settings.json", _CLAUDE),
            _project(".claude/settings.local.json", _CLAUDE),
            _machine("/etc/claude-code/managed-mcp.json", _CLAUDE),
            _machine("/etc/claude-code/managed-settings.json", _CLAUDE),
        ),
        frozenset({"claude"}),
        ("/@anthropic-ai/claude-code/",),
    ),
    ClientProgram(
        "claude-desktop",
        "Claude Desktop",
        tuple(
            _home(f"{folder}/Claude/claude_desktop_config.json", _SERVERS)
            for folder in (".config", "Library/Application Support", "AppData/Roaming")
        ),
        frozenset({"Claude", "claude-desktop"}),
    ),
    ClientProgram(
        "cursor",
        "Cursor",
        (_home(".cursor/mcp.json", _SERVERS), _project(".cursor/mcp.json", _SERVERS)),
        frozenset({"cursor", "Cursor", "cursor-agent"}),
    ),
    ClientProgram(
        "vscode",
        "VS Code",
        (
            *(_home(f"{folder}/{file}", _VSCODE) for folder in _CODE_FOLDERS for file in ("mcp.json", "settings.json")),
            _project(".vscode/mcp.json", _VSCODE),
            _project(".vscode/settings.json", _VSCODE),
        ),
        frozenset({"code", "code-insiders"}),
        editor=True,
    ),
    ClientProgram(
        "windsurf",
        "Windsurf",
        (_home(".codeium/windsurf/mcp_config.json", _SERVERS), _home(".codeium/mcp_config.json", _SERVERS)),
        frozenset({"windsurf", "Windsurf"}),
    ),
    ClientProgram(
        "codex",
        "Codex",
        (
            _home(".codex/config.toml", _CODEX, FileFormat.TOML, projects=("projects",)),
            _project(".codex/config.toml", _CODEX, FileFormat.TOML),
            _machine("/etc/codex/config.toml", _CODEX, FileFormat.TOML),
        ),
        frozenset({"codex"}),
        ("/@openai/codex/",),
    ),
    ClientProgram(
        "gemini-cli",
        "Gemini CLI",
        (
            _home(".gemini/settings.json", _GEMINI),
            _home(".gemini/projects.json", Layout(), projects=("projects",)),
            _project(".gemini/settings.json", _GEMINI),
            _machine("/etc/gemini-cli/settings.json", _GEMINI),
        ),
        frozenset({"gemini"}),
        ("/@google/gemini-cli/",),
    ),
    ClientProgram(
        "zed",
        "Zed",
        (
            _home(".config/zed/settings.json", _ZED),
            _home(".var/app/dev.zed.Zed/config/zed/settings.json", _ZED),
            _project(".zed/settings.json", _ZED),
        ),
        frozenset({"zed", "zeditor", "zed-editor"}),
        editor=True,
    ),
    ClientProgram(
        "cline",
        "Cline",
        (
            *(_home(f"{folder}/{_CLINE}", _SERVERS) for folder in _CODE_FOLDERS),
            _home(".cline/data/settings/cline_mcp_settings.json", _SERVERS),
        ),
        frozenset({"cline"}),
        ("/cline/",),
    ),
)
