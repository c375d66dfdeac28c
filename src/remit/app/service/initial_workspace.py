"""What a service begins with: the workspace folder as it is, or (`remit up --resume`) as it was in force.

Law: what a start puts in force that nobody applied is told, and with `--resume` it puts nothing in force. The first
start of all takes the folder, and so does one with another folder, and one that cannot read what was in force.
"""

import logging
from typing import Final

from remit.adapters.workspace.folder import Folder
from remit.api.services import Invalid
from remit.app.bundles.pace import ProgressReporter
from remit.app.bundles.running_bundle import Beginning, prepare
from remit.app.bundles.store import Bundles
from remit.app.data.folder import make_data_folder
from remit.app.settings import BUNDLES, Settings, missing_workspace, no_workspace
from remit.app.terminal.failure import CommandFailure, Exit
from remit.app.terminal.output import say
from remit.control.resources import WorkspaceSource
from remit.pep.fault import fault

_LOG: Final = logging.getLogger(__name__)


def open_workspace(settings: Settings) -> tuple[Folder, Bundles, Beginning]:
    """The workspace as it was in force, or else as it is now, compiled.

    Raises `CommandFailure` with every problem, and leaves no new data folder then.
    """
    folder = Folder(settings.workspace)
    new = make_data_folder(settings.data)
    bundles = Bundles(settings.data / BUNDLES)
    try:
        beginning = _resume(settings, folder, bundles) or _governing(settings, folder, bundles)
    except CommandFailure:
        if new:
            bundles.discard()
        raise
    bundles.keep(beginning.running.bundle)
    return folder, bundles, beginning


def _resume(settings: Settings, folder: Folder, bundles: Bundles) -> Beginning | None:
    """What was in force; None where that is not known, does not validate any more, or is not wanted."""
    resuming = bundles.resuming(folder.path)
    kept_source = resuming.found() if settings.resume else None
    if kept_source is None:
        return None
    try:
        running = prepare(kept_source.source, bundles, ProgressReporter(say))
    except Invalid as error:
        _LOG.warning("what was in force does not validate: the folder is taken", extra=fault(error))
        return None
    return Beginning(running, resuming, kept_source.fingerprint, resumed=True)


def _governing(settings: Settings, folder: Folder, bundles: Bundles) -> Beginning:
    if not settings.workspace.exists():
        raise missing_workspace(settings.workspace)
    fingerprint = folder.fingerprint()
    try:
        running = prepare(_source(folder, bundles, fingerprint), bundles, ProgressReporter(say))
    except Invalid as error:
        raise CommandFailure(
            f"the workspace {settings.workspace} does not validate",
            why="\n        ".join(error.problems),
            next="correct it and start again (a new one: remit init DIR)",
            exit=Exit.INVALID,
        ) from error
    if not running.source.resources and not running.source.policies:
        raise no_workspace(settings.workspace)
    return Beginning(running, bundles.resuming(folder.path), fingerprint, resumed=False)


def _source(folder: Folder, bundles: Bundles, fingerprint: str | None) -> WorkspaceSource:
    cached = None if fingerprint is None else bundles.source(fingerprint)
    if cached is not None:
        return cached
    source = folder.load()
    if fingerprint is not None and not source.problems:
        bundles.keep_source(fingerprint, source)
    return source
