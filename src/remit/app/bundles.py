"""What the service remembers of bundles between starts, in its data folder.

Three things: the last workspace as it was read (so that a start with nothing changed parses no
YAML), which policies have passed validation against which schema (so that a start with
nothing changed validates nothing), and the policies of every bundle that ran (so that `remit
why` can show the lines that decided, after they have changed). Losing either costs time or
detail, never correctness; neither is evidence.
"""

import hashlib
import io
import os
import pickle
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Final, get_args

import orjson

from remit import __version__
from remit.api.services import PolicyText
from remit.control.lock import Lock, Pinned
from remit.control.problems import Where
from remit.control.resources import Resource, Source, Spec
from remit.facts.catalog import Argument, Definition, PolicySource
from remit.facts.credential import OAuth, Secret
from remit.facts.results import Part
from remit.policy.compile import Bundle

VALIDATED_MAX: Final = 100_000


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


class Bundles:
    """The folder `root`, created with mode 0700."""

    def __init__(self, root: Path) -> None:
        self._root = root
        # Another version of the validator may say otherwise: what it passed counts for itself.
        self._validated = f"validated-{version('cedarpy')}-{__version__}"
        root.mkdir(mode=0o700, parents=True, exist_ok=True)

    def source(self, fingerprint: str) -> Source | None:
        """The workspace with that fingerprint as it was read, if it was the last one."""
        try:
            kept = (self._root / f"source-{_shape()}").read_bytes()
            if kept[:64].decode("ascii") != fingerprint:
                return None
            # The folder is this service's own, as private as the signing keys beside it.
            found: object = pickle.loads(kept[64:])  # noqa: S301
        except (OSError, ValueError, EOFError, AttributeError, ImportError, pickle.UnpicklingError):
            return None
        return found if isinstance(found, Source) else None

    def keep_source(self, fingerprint: str, source: Source) -> None:
        """Keep a workspace that was read without problems."""
        data = io.BytesIO(fingerprint.encode("ascii"))
        data.seek(0, io.SEEK_END)
        pickler = pickle.Pickler(data)
        pickler.dispatch_table = {MappingProxyType: _reduced}
        pickler.dump(source)
        self._write(f"source-{_shape()}", data.getvalue())

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
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        beside.replace(self._root / name)


def _file(digest: str) -> str:
    plain = digest.removeprefix("sha256:")
    return f"bundle-{plain if plain.isalnum() else 'none'}.json"
