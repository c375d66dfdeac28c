"""What the service remembers of bundles between starts, in its data folder.

Three things: the last workspace as it was read (so that a start with nothing changed parses no
YAML), what was found of each policy (so that a start with nothing changed reads and
validates none), and the policies of every bundle that ran (so that `remit
why` can show the lines that decided, after they have changed). Losing either costs time or
detail, never correctness; neither is evidence.
"""

import hashlib
import io
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import get_args

import orjson

from remit import __version__
from remit.api.services import PolicyText
from remit.app.privately import write_beside
from remit.app.remembering import Breath, Remembering
from remit.control.lock import Lock, Pinned
from remit.control.problems import Where
from remit.control.resources import Resource, Source, Spec
from remit.facts.catalog import Argument, Definition, PolicySource
from remit.facts.credential import OAuth, Secret
from remit.facts.results import Part
from remit.policy.compile import Bundle, Memory


def _shape() -> str:
    """Changes whenever the values that are kept would be read differently."""
    plain = (Source, Resource, Lock, Pinned, Definition, PolicySource, Where, Secret, OAuth, Argument, Part)
    kinds = (*plain, *get_args(Spec))
    named = [(kind.__name__, [field.name for field in fields(kind)]) for kind in kinds]
    return hashlib.sha256(repr((__version__, sys.version, named)).encode()).hexdigest()[:16]


def _frozen(members: dict[object, object]) -> Mapping[object, object]:
    return MappingProxyType(members)


def _reduced(mapping: Mapping[object, object]) -> tuple[Callable[..., object], tuple[object, ...]]:
    return _frozen, (dict(mapping),)


def packed(source: Source) -> bytes:
    """`source` as `pickle` reads it again."""
    data = io.BytesIO()
    pickler = pickle.Pickler(data)
    pickler.dispatch_table = {MappingProxyType: _reduced}
    pickler.dump(source)
    return data.getvalue()


def silent() -> None:
    """Nobody waits for a turn."""


class Bundles:
    """The folder `root`, created with mode 0700."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._remembering = Remembering(root)

    def source(self, fingerprint: str) -> Source | None:
        """The workspace with that fingerprint as it was read, if it was the last one."""
        try:
            kept = (self.root / f"source-{_shape()}").read_bytes()
            if kept[:64].decode("ascii") != fingerprint:
                return None
            # The folder is this service's own, as private as the signing keys beside it.
            found: object = pickle.loads(kept[64:])  # noqa: S301
        except (OSError, ValueError, EOFError, AttributeError, ImportError, pickle.UnpicklingError):
            return None
        return found if isinstance(found, Source) else None

    def keep_source(self, fingerprint: str, source: Source) -> None:
        """Keep a workspace that was read without problems."""
        write_beside(self.root / f"source-{_shape()}", (fingerprint.encode("ascii"), packed(source)))

    def memory(self, breath: Breath = silent) -> Memory:
        """What earlier compilations found; nothing when the file is missing or damaged."""
        return self._remembering.memory(breath)

    def remember(self, found: Memory, breath: Breath = silent) -> None:
        """Keep what a compilation found."""
        self._remembering.keep(found, breath)

    def refresh(self) -> None:
        """Another process has remembered something."""
        self._remembering.refresh()

    def keep(self, bundle: Bundle) -> None:
        """Keep the text of every policy of `bundle`."""
        name = _file(bundle.digest)
        if (self.root / name).exists():
            return
        policies = {
            ident: {
                "path": policy.statement.file,
                "line": policy.statement.line,
                "text": policy.statement.text,
            }
            for ident, policy in bundle.policies.items()
        }
        write_beside(self.root / name, (orjson.dumps(policies),))

    def policy(self, digest: str, ident: str) -> PolicyText | None:
        """The text of `ident` in the bundle `digest`, if that bundle ran here."""
        try:
            policies = orjson.loads((self.root / _file(digest)).read_bytes())
            found = policies[ident]
            return PolicyText(found["path"], found["line"], found["text"])
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _file(digest: str) -> str:
    plain = digest.removeprefix("sha256:")
    return f"bundle-{plain if plain.isalnum() else 'none'}.json"
