"""Monitors and guarantees as YAML spells them."""

from typing import assert_never

from remit.control.resources import GuaranteeSpec, MonitorSpec, WindowSpec
from remit.facts.canonical import Json
from remit.facts.guarantee import GuaranteeRule, NoFlow, Powers, Rate, Separation


def past_json(spec: MonitorSpec | GuaranteeSpec) -> dict[str, Json]:
    """The fields of `spec`; those left out are None or not there."""
    return _monitor(spec) if isinstance(spec, MonitorSpec) else _guarantee(spec)


def _monitor(spec: MonitorSpec) -> dict[str, Json]:
    members: dict[str, Json] = {
        "op": spec.op.value,
        "of": [event.to_json() for event in spec.events],
        "over": spec.scope.value,
        **_window(spec.window),
        "unless": [event.to_json() for event in spec.unless] or None,
        "sums": spec.measure,
        "description": spec.description or None,
    }
    if spec.by is not None:
        members |= {"by": spec.by, "keys": spec.keys, "others": dict(spec.others) or None}
    if spec.awaited is not None:
        members["in_flight"] = "waits" if spec.awaited else "counts"
    return members


def _guarantee(spec: GuaranteeSpec) -> dict[str, Json]:
    members: dict[str, Json] = {"owner": spec.owner, "description": spec.description or None}
    for name, constraint, window in spec.holds:
        members[name] = {**_constraint(constraint), **_window(window)}
    return members


def _constraint(constraint: GuaranteeRule) -> dict[str, Json]:
    match constraint:
        case NoFlow():
            return {"labels": sorted(constraint.labels), "sinks": sorted(constraint.sinks)}
        case Separation():
            members: dict[str, Json] = {
                "duties": [duty.to_json() for duty in constraint.duties],
                "over": constraint.scope.value,
            }
            if constraint.by is not None:
                members |= {"by": constraint.by, "keys": constraint.keys, "others": dict(constraint.aliases)}
            return {**members, "counts": _counts(chain=constraint.chain)}
        case Powers():
            return {
                "all_of": [power.to_json() for power in constraint.powers],
                "counts": _counts(chain=constraint.chain),
            }
        case Rate():
            return {"of": constraint.of.to_json(), "at_most": constraint.at_most, "over": constraint.scope.value}
        case _:
            assert_never(constraint)


def _counts(*, chain: bool) -> str:
    return "chain" if chain else "acting"


def _window(window: WindowSpec) -> dict[str, Json]:
    members = {"within_s": window.within_s, "step_s": window.step_s}
    return {name: value for name, value in members.items() if value is not None}
