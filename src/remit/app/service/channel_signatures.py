"""Whether what a channel is told could be signed: where not, nobody hears of anything until somebody asks."""

import os
from typing import Final

from remit.adapters.credentials.references import References
from remit.adapters.notifiers.webhook import key_of
from remit.control.problems import ProblemSeverity, WorkspaceProblem
from remit.control.resources import ChannelSpec, Resource, WorkspaceSource
from remit.facts.credential import FromCommand, Secret
from remit.ports.credentials import CredentialRefused
from remit.ports.system import Clock

UNSIGNED: Final = "channel/unsigned"
_AGAIN: Final = "mend that, then: remit doctor"


async def unsigned_channels(source: WorkspaceSource, clock: Clock) -> tuple[WorkspaceProblem, ...]:
    """A warning for each channel of `source` whose secret is not there, or is none, as the service finds it now.

    No program is run for it: what one prints is known once there is something to sign.
    """
    problems, references = list[WorkspaceProblem](), References(os.environ, clock)
    for resource in source.resources:
        if isinstance(resource.spec, ChannelSpec) and not isinstance(resource.spec.secret.origin, FromCommand):
            why = await _refused(resource.spec.secret, references)
            problems += [] if why is None else [_warning(resource, why)]
    return tuple(problems)


async def _refused(secret: Secret, references: References) -> str | None:
    try:
        key_of(await references.value(secret))
    except CredentialRefused as refused:
        return str(refused)
    except ValueError as error:
        return f"its secret cannot sign: {error}"
    return None


def _warning(resource: Resource, why: str) -> WorkspaceProblem:
    cause, _, following = why.partition("; ")
    what = f"channel {resource.name[:64]!r} is told nothing: {cause}"
    where = resource.at("spec.secret")
    return WorkspaceProblem(UNSIGNED, where, what, "", next=following or _AGAIN, severity=ProblemSeverity.WARNING)
