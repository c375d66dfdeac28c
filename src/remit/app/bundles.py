"""What the service remembers of bundles between starts, in its data folder.

Two things: which policies have passed validation against which schema (so that a start with
nothing changed validates nothing), and the policies of every bundle that ran (so that `remit
why` can show the lines that decided, after they have changed). Losing either costs time or
detail, never correctness; neither is evidence.
"""

import os
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path
from typing import Final

import orjson

from remit import __version__
from remit.api.services import PolicyText
from remit.policy.compile import Bundle

VALIDATED_MAX: Final = 100_000


class Bundles:
    """The folder `root`, created with mode 0700."""

    def __init__(self, root: Path) -> None:
        self._root = root
        # Another version of the validator may say otherwise: what it passed counts for itself.
        self._validated = f"validated-{version('cedarpy')}-{__version__}"
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def validated(self) -> frozenset[str]:
        """Keys of policies that have passed; empty when the file is missing or unreadable."""
        try:
            return frozenset((self._root / self._validated).read_text("ascii").split())
        except (OSError, UnicodeDecodeError):
            return frozenset()

    def remember(self, keys: Collection[str]) -> None:
        """Replace what has passed by `keys`."""
        if keys != self.validated():
            self._write(self._validated, "\n".join(sorted(keys)[:VALIDATED_MAX]).encode("ascii"))

    def keep(self, bundle: Bundle) -> None:
        """Keep the text of every policy of `bundle`."""
        name = _file(bundle.digest)
        if (self._root / name).exists():
            return
        policies = {
            ident: {
                "path": policy.statement.file,
                "line": policy.statement.line,
                "text": policy.statement.text,
            }
            for ident, policy in bundle.policies.items()
        }
        self._write(name, orjson.dumps(policies))

    def policy(self, digest: str, ident: str) -> PolicyText | None:
        """The text of `ident` in the bundle `digest`, if that bundle ran here."""
        try:
            policies = orjson.loads((self._root / _file(digest)).read_bytes())
            found = policies[ident]
            return PolicyText(found["path"], found["line"], found["text"])
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _write(self, name: str, data: bytes) -> None:
        beside = self._root / f".{name}.{os.getpid()}"
        beside.write_bytes(data)
        beside.replace(self._root / name)


def _file(digest: str) -> str:
    plain = digest.removeprefix("sha256:")
    return f"bundle-{plain if plain.isalnum() else 'none'}.json"
