"""The folder that the story happens in: workspace, files, the servers the agent could start itself.

ROOT/workspace      the workspace that the service is started with, from the template beside this file
ROOT/files          what the filesystem (and git) server works on: notes/ and a credential file
ROOT/files-without  the same again, for the run without Remit
ROOT/servers.json   the servers for that run
ROOT/data           the service's data; made by the service
ROOT/tokens         one file for each token, readable by this user alone
"""

import json
import os
import shutil
import string
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from remit.app.demo.install import GIT, VirtualEnvironment
from remit.app.demo.page import CREDENTIALS, DemoHosts
from remit.app.service.child_process import ServiceFolder
from remit.control import lock_text
from remit.control.lock import FILE as LOCK
from remit.control.lock import forget

TEMPLATE: Final = Path(__file__).with_name("workspace")
NOTES: Final = "notes/returns.md"


@dataclass(frozen=True, slots=True)
class Scene(ServiceFolder):
    """The laid-out folder. `secret` stands in the credential file; `git` says whether git plays."""

    secret: str
    git: bool

    @property
    def files(self) -> Path:
        """What the governed servers work on."""
        return self.root / "files"

    @property
    def files_without(self) -> Path:
        """What the servers of the run without Remit work on."""
        return self.root / "files-without"

    @property
    def servers(self) -> Path:
        """The servers that the agent starts itself when nothing governs it."""
        return self.root / "servers.json"


def lay_out(root: Path, world: DemoHosts, environments: Mapping[str, VirtualEnvironment], secret: str) -> Scene:
    """Make the scene in the empty folder `root`."""
    scene = Scene(root.absolute(), secret, GIT in environments)
    scene.make()
    for files in (scene.files, scene.files_without):
        _fill(files, scene)
    values = {name: _inside_quotes(environment.bin) for name, environment in environments.items()}
    values |= {"files": _inside_quotes(scene.files), "page": world.page_origin}
    values |= {"git_path": _inside_quotes(Path(shutil.which("git") or "git").parent)}
    for source in sorted(TEMPLATE.iterdir()):
        text = source.read_text("utf-8")
        if source.name == LOCK:
            (scene.workspace / LOCK).write_text(text if scene.git else _without_git(text), "utf-8")
        elif scene.git or source.stem != GIT:
            (scene.workspace / source.name).write_text(string.Template(text).substitute(values), "utf-8")
    scene.servers.write_text(json.dumps(_direct(scene), indent=1), "utf-8")
    return scene


def _without_git(text: str) -> str:
    lock, _ = lock_text.parse(text)
    for tool in lock.of(GIT):
        lock = forget(lock, GIT, tool)
    return lock_text.serialise(lock)


def _fill(files: Path, scene: Scene) -> None:
    for path in (files / NOTES, files / CREDENTIALS):
        path.parent.mkdir(parents=True)
    (files / CREDENTIALS).write_text(f"{scene.secret}\n", "utf-8")
    if not scene.git:
        return
    # Nothing of the caller's own git (a hook's GIT_DIR, templates, signing) reaches this repository.
    environment = {"PATH": os.environ.get("PATH", ""), "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for command in (
        ["init", "--quiet", "--template="],
        ["config", "user.name", "clerk"],
        ["config", "user.email", "clerk@shop.example"],
    ):
        subprocess.run(["git", *command], cwd=files, env=environment, check=True, capture_output=True)


def _inside_quotes(path: Path) -> str:
    """`path` as it stands between the double quotes of YAML."""
    return json.dumps(str(path), ensure_ascii=False)[1:-1]


def _direct(scene: Scene) -> Mapping[str, Mapping[str, object]]:
    """The workspace's own servers, started the same way by the agent itself on other files."""
    servers: dict[str, Mapping[str, object]] = {}
    for path in sorted(scene.workspace.glob("*.yaml")):
        for document in yaml.safe_load_all(path.read_text("utf-8")):
            if document["kind"] == "Server":
                spec = document["spec"]
                cwd = str(scene.files_without) if "cwd" in spec else None
                servers[document["metadata"]["name"]] = {**spec, "cwd": cwd}
    return servers
