"""What scopes alone show to break a guarantee refuses a bundle, unless its owner signed off exactly that."""

from collections.abc import Mapping

from remit.api.services import Invalid
from remit.control.resources import GuaranteeSpec, ResourceKind, WorkspaceSource
from remit.facts.catalog import Catalog
from remit.facts.guarantee import Guarantee, SignOff
from remit.pdp.guarantees import breach_digest, breaches
from remit.policy.bundle import Bundle

_NEXT = "narrow the policies, or have the owner sign it off: remit guarantees sign-off NAME BREACH --why TEXT"


def check_guarantees(new: Bundle, running: Catalog | None, sign_offs: Mapping[str, SignOff]) -> None:
    """Raise `Invalid` where `new` breaks a guarantee by its scopes and nobody who may has signed that off.

    `sign_offs` are by the digest of what they are of. Of a guarantee that runs already, its owner is the one
    who runs: nobody makes himself the owner by the change that he signs off.
    """
    if not new.catalog.guarantees:
        return
    every, problems = breaches(new), list[str]()
    for guarantee in new.catalog.guarantees.values():
        broken = [breach for breach in every if breach.guarantee == guarantee.name]
        if not broken:
            continue
        digest = breach_digest(guarantee, every)
        sign_off = sign_offs.get(digest)
        if sign_off is None or sign_off.by not in owners(guarantee, running):
            more = f" and {len(broken) - 1} more" if len(broken) > 1 else ""
            problems.append(
                f"guarantee {guarantee.name}: {broken[0].text}{more}; "
                f"{' and '.join(sorted(owners(guarantee, running)))} may sign off: {digest}"
            )
    if problems:
        raise Invalid(problems, _NEXT)


def declared_owner(source: WorkspaceSource, name: str) -> str | None:
    """The owner of the guarantee `name` as `source` declares it; None where it does not."""
    specs = (
        resource.spec
        for resource in source.resources
        if resource.kind is ResourceKind.GUARANTEE and resource.name == name
    )
    return next((spec.owner for spec in specs if isinstance(spec, GuaranteeSpec)), None)


def owners(guarantee: Guarantee, running: Catalog | None) -> frozenset[str]:
    """Who may sign off what breaks `guarantee`: its owner as it runs, or as it is declared where none runs."""
    now = None if running is None else running.guarantees.get(guarantee.name)
    return frozenset({guarantee.owner if now is None else now.owner})
