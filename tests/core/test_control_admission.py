"""The Admission resource: what is wrong with it is said where it stands, and what is right is what runs."""

from dataclasses import replace

import pytest

from remit.control.assemble import Assembled, AssemblyRefused, assemble
from remit.control.manifests import catalog_json, spec_json
from remit.control.resources import AdmissionSpec, ResourceKind, UserSpec
from remit.facts.admission import Admission, AdmissionTerms, ChainCriterion
from remit.policy.compile import Bundle, compile_bundle
from tests.core.declaring import declare, small

KIM = declare("kim", UserSpec())
TERMS = AdmissionTerms("kim")


def made(*terms: AdmissionTerms) -> Assembled | AssemblyRefused:
    return assemble(small(KIM, *(declare(f"a{number}", AdmissionSpec(one)) for number, one in enumerate(terms))))


@pytest.mark.parametrize(
    ("terms", "code", "word"),
    [
        (AdmissionTerms("eve"), "reference/unknown", "User"),
        (replace(TERMS, days=0), "admission/shape", "days is 1 to 366"),
        (replace(TERMS, newly_permitted_max=-1), "admission/shape", "newly_permitted_max is 0 to"),
        (replace(TERMS, newly_denied_max=10**10), "admission/shape", "newly_denied_max"),
        (replace(TERMS, not_judged_max=-1), "admission/shape", "not_judged_max is 0 to"),
        (replace(TERMS, asks_times_max=0.5), "admission/shape", "asks_times_max is 1 to 1,000"),
        (replace(TERMS, asks_a_day_free=float("inf")), "admission/shape", "asks_a_day_free"),
        (replace(TERMS, seconds_max=float("nan")), "admission/shape", "seconds_max is 10 to 3,600"),
    ],
)
def test_what_is_wrong_is_said(terms: AdmissionTerms, code: str, word: str) -> None:
    result = made(terms)
    assert isinstance(result, AssemblyRefused)
    [problem] = result.errors
    assert problem.code == code
    assert word in problem.what


def test_there_is_one_at_most() -> None:
    result = made(TERMS, replace(TERMS, days=8))
    assert isinstance(result, AssemblyRefused)
    [problem] = result.errors
    assert problem.code == "admission/several"
    assert "is the second one, after 'a0'" in problem.what


def test_what_is_right_runs_and_is_in_the_digest() -> None:
    new = replace(TERMS, refuses=ChainCriterion.NEW, accepts=frozenset({"asi01-b", "asi01-a"}))
    none, one, other = made(), made(TERMS), made(new)
    assert isinstance(none, Assembled)
    assert isinstance(one, Assembled)
    assert isinstance(other, Assembled)
    assert none.catalog.admission is None
    assert other.catalog.admission == Admission("a0", new)
    assert catalog_json(other.catalog)[ResourceKind.ADMISSION, "a0"] == spec_json(AdmissionSpec(new))
    assert spec_json(AdmissionSpec(new))["accepts"] == ["asi01-a", "asi01-b"]
    bundles = [compile_bundle(each.catalog).result for each in (none, one, other)]
    assert len({each.digest for each in bundles if isinstance(each, Bundle)}) == 3
