"""What a workspace has looked at for agents that nobody declared."""

from dataclasses import dataclass
from enum import StrEnum


class Watches(StrEnum):
    """What a Source looks at."""

    HOST = "host"
    REPOSITORY = "repository"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Watched:
    """A Source: what is looked at for agents every `every_s`. `path` is that of a repository or file.

    `homes` and `projects` are a host's; without homes, that of whoever runs the service.
    """

    name: str
    watches: Watches
    path: str | None
    homes: tuple[str, ...]
    projects: tuple[str, ...]
    processes: bool
    every_s: float
