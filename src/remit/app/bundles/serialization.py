"""A workspace as it was read, in bytes: for the data folder, and for a process that the service started."""

import hashlib
import io
import pickle
import sys
from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import get_args

from remit import __version__
from remit.control.lock import Lock, Pinned
from remit.control.problems import SourceLocation
from remit.control.resources import Resource, Spec, WindowSpec, WorkspaceSource
from remit.facts.admission import AdmissionTerms
from remit.facts.catalog import PolicySource
from remit.facts.credential import OAuth, Secret
from remit.facts.guarantee import GuaranteeRule
from remit.facts.monitor import Happening, Selector, Window
from remit.facts.results import Part
from remit.facts.tool import Argument, Definition


def shape() -> str:
    """Changes whenever values that are kept would be read differently."""
    plain = (
        WorkspaceSource,
        Resource,
        Lock,
        Pinned,
        Definition,
        PolicySource,
        SourceLocation,
        Secret,
        OAuth,
        Argument,
        Part,
    )
    kinds = (*plain, *get_args(Spec), *get_args(GuaranteeRule), AdmissionTerms, WindowSpec, Window, Happening, Selector)
    fields_by_kind = [(kind.__name__, [field.name for field in fields(kind)]) for kind in kinds]
    return hashlib.sha256(repr(("sealed", __version__, sys.version, fields_by_kind)).encode()).hexdigest()[:16]


def _frozen(members: dict[object, object]) -> Mapping[object, object]:
    return MappingProxyType(members)


def _reduced(mapping: Mapping[object, object]) -> tuple[Callable[..., object], tuple[object, ...]]:
    return _frozen, (dict(mapping),)


def packed(source: object) -> bytes:
    """`source`, or what holds one, as `pickle` reads it again."""
    data = io.BytesIO()
    pickler = pickle.Pickler(data)
    pickler.dispatch_table = {MappingProxyType: _reduced}
    pickler.dump(source)
    return data.getvalue()
