"""Impact: what extractors find in arguments, exactly or not at all."""

import pytest

from remit.facts.canonical import Json
from remit.facts.impact import Extractor, ImpactMeasure, below_zero, impact_of, shown


def measured(path: str, counts: ImpactMeasure, value: Json, name: str = "amount") -> str | None:
    found = impact_of({name: Extractor(path, counts)}, {"a": value}, reversible=True, external=False)
    return found.measures().get(name)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (12, "12"),
        (12.5, "12.5"),
        ("12.50", "12.5"),
        (" 7 ", "7"),
        (-3, "3"),
        ([1, 2.25, "-3"], "6.25"),
        (0, "0"),
        (0.00005, "?"),
        (1e300, "?"),
        ("a lot", "?"),
        ("1e3", "?"),
        (True, "?"),
        ([1, "x"], "?"),
        (10**15, "?"),
        (None, None),
        ([], None),
        ({"b": 1}, "?"),
    ],
)
def test_an_amount_is_exact_or_lost(value: Json, expected: str | None) -> None:
    assert measured("$.a", ImpactMeasure.NUMBER, value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(5, "5"), (5.0, "5"), (5.5, "?"), ("3", "3"), (-2, "2"), (None, None)],
)
def test_a_number_of_records_is_whole(value: Json, expected: str | None) -> None:
    assert measured("$.a", ImpactMeasure.NUMBER, value, "records") == expected


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("$.a", ["x", "y", None], "2"),
        ("$.a", "x", "1"),
        ("$.a", None, "0"),
        ("$.a[*].b", [{"b": 1}, {"b": [1, 2]}, {"c": 1}, 7], "3"),
        ("$.a[1]", ["x", "y"], "1"),
        ("$.a[5]", ["x", "y"], "0"),
        ("$.a.b", ["x"], "0"),
        ("$.a.*", {"b": 1, "c": 2}, "2"),
        ("$.b", "x", "0"),
    ],
)
def test_values_are_counted_where_the_path_leads(path: str, value: Json, expected: str) -> None:
    assert measured(path, ImpactMeasure.VALUES, value, "records") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("bob@x.example", "1"),
        ("bob@x.example, eve@x.example;zoe", "3"),
        ("bob@x.example eve@x.example", "2"),
        (["a,b", "c"], "3"),
        ("Smith, Ann <ann@x.example>", "2"),
        ("everybody", "1"),
        ("bob|eve | zoe", "3"),
        ("bob\teve\rzoe\u2028ann", "4"),
        ("bob\uff0c eve\u3001zoe", "3"),
        ("+4911122 +49333444 0555/666", "3"),
        ("+49 30 123456", "1"),
        ("Ann Maria Smith", "1"),
        ("|,;", "0"),
        ("  ", "0"),
        (7, "1"),
    ],
)
def test_people_in_one_text_are_told_apart(value: Json, expected: str) -> None:
    assert measured("$.a", ImpactMeasure.PEOPLE, value, "recipients") == expected


@pytest.mark.parametrize(
    ("value", "below"),
    [(-1, True), (" -1.5", True), ([2, -0.5], True), (1, False), ("2", False), (None, False), ({"a": -1}, False)],
)
def test_an_amount_below_zero_is_known_to_count_by_its_size(value: Json, *, below: bool) -> None:
    assert below_zero({"amount": Extractor("$.n", ImpactMeasure.NUMBER)}, {"n": value}) is below
    assert not below_zero({"records": Extractor("$.n", ImpactMeasure.NUMBER)}, {"n": value})


def test_more_than_a_decimal_holds_is_lost() -> None:
    assert measured("$.a", ImpactMeasure.NUMBER, [10**15 - 1] * 2_000) == "?"


def test_it_is_recorded_as_people_read_it() -> None:
    found = impact_of(
        {"amount": Extractor("$.n", ImpactMeasure.NUMBER), "recipients": Extractor("$.to", ImpactMeasure.PEOPLE)},
        {"n": 0.1, "to": "a,b"},
        reversible=False,
        external=True,
    )
    assert found.recorded() == {"reversible": False, "external": True, "amount": "0.1", "recipients": "2"}
    assert (found.units, shown(10_000), shown(12_345)) == (1_000, "1", "1.2345")
    assert Extractor("$.n", ImpactMeasure.NUMBER).to_json() == {"path": "$.n", "counts": "number"}
