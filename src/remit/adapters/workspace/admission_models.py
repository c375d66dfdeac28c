"""The shape of an Admission."""

from typing import Literal

from pydantic import Field

from remit.adapters.workspace.base_shape import Name, Names, Shape
from remit.control.resources import AdmissionSpec
from remit.facts.admission import AdmissionTerms, AttackDepth, ChainCriterion


class AdmissionShape(Shape):
    """What a change of the workspace has to show before it runs. At most one in a workspace."""

    owner: Name = Field(description="The User who answers for it, and alone lets through what fails.")
    days: int = Field(default=7, description="How many of the ledger's last days are judged again, 1 to 366.")
    newly_permitted_max: int = Field(
        default=0, description="How many of those actions may be permitted that were denied or asked about."
    )
    newly_denied_max: int = Field(default=0, description="How many of them may be denied that were not.")
    not_judged_max: int = Field(
        default=0, description="Of how many of them the ledger may not hold what there is to judge: secrets."
    )
    asks_times_max: float = Field(default=1.5, description="How many times as many asks a day there may be.")
    asks_a_day_free: float = Field(default=1.0, description="Up to so many asks a day, no comparison is made.")
    chains: Literal["any", "new"] = Field(
        default="any", description="Which chains refuse: any, or those that the running bundle does not have."
    )
    attack: Literal["quick", "none"] = Field(default="quick", description="How much of an attack is made.")
    accepts: Names = Field(default=[], description="Ids of attempts of the attack that may succeed.")
    seconds_max: float = Field(default=300.0, description="How long all of it may take, 10 to 3,600.")


def admission_spec(shape: AdmissionShape) -> AdmissionSpec:
    """What `shape` says."""
    return AdmissionSpec(
        AdmissionTerms(
            shape.owner,
            shape.days,
            shape.newly_permitted_max,
            shape.newly_denied_max,
            shape.asks_times_max,
            shape.asks_a_day_free,
            ChainCriterion(shape.chains),
            AttackDepth(shape.attack),
            frozenset(shape.accepts),
            shape.seconds_max,
            shape.not_judged_max,
        )
    )
