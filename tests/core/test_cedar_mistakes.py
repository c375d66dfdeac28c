"""Common mistakes in Cedar are told with the words, their place, and what to write instead."""

import pytest

from remit.policy.bundle import Bundle
from remit.policy.compile import compile_bundle
from tests.core.deciding import catalog, problems, schema, tool

TOOL = tool("shop", "send", schema(amount={"type": "number"}, n={"type": "integer"}, to={"type": "string"}))
SCOPE = '@id("p") permit (principal, action == Remit::Action::"shop___send", resource)'
ASKED = "context.input has amount && context.input has n && context.input has to"


def told(text: str) -> list[tuple[str, str | None, str | None]]:
    return [(one.text, one.words, one.hint) for one in problems(catalog(text, tools=(TOOL,)))]


def when(condition: str) -> list[tuple[str, str | None, str | None]]:
    """What is said of a condition that stands on the second line."""
    text = f"{SCOPE}\nwhen {{ {ASKED} && {condition} }};"
    found = problems(catalog(text, tools=(TOOL,)))
    assert all(one.line == 2 for one in found), found
    return [(one.text, one.words, one.hint) for one in found]


@pytest.mark.parametrize(
    ("scope", "text", "words", "hint"),
    [
        ('principal == Agent::"ada", action', "Agent", 'Agent::"ada"', 'write Remit::Agent::"ada"'),
        ("principal is Agent, action", "Agent", "Agent", "write Remit::Agent"),
        ("principal is Remit::Agnt, action", "Remit::Agnt", "Remit::Agnt", "did you mean Remit::Agent?"),
        (
            'principal, action in Action::"call_tool"', "Action", 'Action::"call_tool"',
            'write Remit::Action::"call_tool"',
        ),
        (
            'principal, action in remit::Action::"server:shap"', "remit::Action", 'remit::Action::"server:shap"',
            "write Remit::Action::…; did you mean server:shop?",
        ),
        ('principal, action in Action::"q7"', "Action", 'Action::"q7"', "write Remit::Action::…"),
    ],
)  # fmt: skip
def test_a_type_without_its_namespace_is_named_as_a_whole(scope: str, text: str, words: str, hint: str) -> None:
    assert told(f'@id("p") permit ({scope}, resource);') == [(f"there is no entity type {text}", words, hint)]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("context.input.amount > 100", 'context.input.amount.greaterThan(decimal("100.0"))'),
        ("100 > context.input.amount", 'context.input.amount.lessThan(decimal("100.0"))'),
        ("context.input.amount <= -1", 'context.input.amount.lessThanOrEqual(decimal("-1.0"))'),
        ("context.input.amount == 100", 'context.input.amount == decimal("100.0")'),
        ('context.input.amount >= decimal("1.5")', 'context.input.amount.greaterThanOrEqual(decimal("1.5"))'),
        ("context.input.amount.lessThan(7)", 'context.input.amount.lessThan(decimal("7.0"))'),
    ],
)
def test_a_decimal_is_compared_with_decimals(said: str, meant: str) -> None:
    whole = "context.input.amount is a decimal, and is compared with decimals"
    assert when(said) == [(whole, said, f"write {meant}")]
    assert when(f"context.input.n > 3 && {said}") == when(said), "a Long is compared so"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ('context.input.n.greaterThan(decimal("1.0"))', "context.input.n > 1"),
        ("context.input.n.lessThanOrEqual(3)", "context.input.n <= 3"),
        ('context.input.n == decimal("2.5")', "context.input.n == 2"),
        ('context.input.n == decimal("")', "context.input.n == …"),
    ],
)
def test_a_long_is_compared_with_whole_numbers(said: str, meant: str) -> None:
    whole = "context.input.n is a Long, and is compared with whole numbers"
    assert (whole, said, f"write {meant}") in when(said)


def test_what_is_right_beside_a_mistake_is_not_told() -> None:
    right = 'context.input.amount == decimal("2.0") && context.input.amount.lessThan(decimal("9.0"))'
    assert isinstance(compile_bundle(catalog(f"{SCOPE} when {{ {ASKED} && {right} }};", tools=(TOOL,))).result, Bundle)
    found = when(f"{right} && principal.x.y != 2 && context.input.amount > 1")
    assert [words for text, words, _ in found if "is compared" in text] == ["context.input.amount > 1"]


def test_a_comparison_that_is_not_found_in_the_text_still_says_how_decimals_are_compared() -> None:
    [one] = problems(catalog(f"{SCOPE} when {{ {ASKED} && context.input.amount > context.input.n }};", tools=(TOOL,)))
    assert one.text == "unexpected type: expected Long but saw decimal"
    assert one.hint is not None
    assert 'with decimal("100.0")' in one.hint
    [other] = problems(catalog(f"{SCOPE} when {{ {ASKED} && context.input.to > 1 }};", tools=(TOOL,)))
    assert other.hint is None


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ("100", 'write decimal("100.0")'),
        ("1.00001", "a decimal has four places at most"),
        ("ten", 'a decimal is written as decimal("100.0")'),
    ],
)
def test_what_is_no_decimal_says_how_one_is_written(said: str, hint: str) -> None:
    found = when(f'context.input.amount.lessThan(decimal("{said}"))')
    assert found == [(f'"{said}" is no decimal', f'"{said}"', hint)]


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ('context.input.to.endsWith("@x.com")', 'write context.input.to like "*@x.com"'),
        ('context.input.to.startsWith( "a*" )', 'write context.input.to like "a\\**"'),
        ("context.input.to.endsWith(context.input.to)", 'write … like "*…"'),
        ("context.input.to.toLower()", None),
        ("context.input.n > 1.5", 'a number with a point is a decimal: write decimal("1.5")'),
        ('context.input.to like "1.5" and true', None),
    ],
)
def test_the_words_of_other_languages_say_what_cedar_has_instead(said: str, hint: str | None) -> None:
    [(_, _, found)] = when(said)
    assert found == hint


@pytest.mark.parametrize(
    ("scope", "words", "hint"),
    [
        ('principal, action == "shop___send", resource', '"shop___send"', 'write Remit::Action::"shop___send"'),
        ("principal, action == shop___send, resource", "shop___send", 'write Remit::Action::"shop___send"'),
        ('principal, action in [Remit::Action::"call_tool", "b"], resource', '"b"', 'write Remit::Action::"b"'),
        ('principal == "ada", action, resource', '"ada"', 'write Remit::Agent::"ada"'),
        ('principal in "desk", action, resource', '"desk"', 'write Remit::Group::"desk"'),
        ('principal, action, resource == "shop"', '"shop"', 'write Remit::Server::"shop"'),
        ('principal, action == ("b"), resource', '"b"', None),
    ],
)
def test_a_bare_name_in_a_scope_says_what_it_is_as_a_whole(scope: str, words: str, hint: str | None) -> None:
    [(text, found, meant)] = told(f'@id("p") permit ({scope});')
    assert text.startswith("expected an entity uid")
    assert (found, meant) == (words, hint)


def test_texts_stand_in_double_quotes() -> None:
    [(_, _, hint)] = told("@id(\"p\") permit (principal, action == Remit::Action::'shop___send', resource);")
    assert hint == 'a text stands in double quotes: "…"'
    [(_, _, hint)] = told('@id("p") permit (principal, action, resource) when { # };')
    assert hint is None


def test_an_entity_is_compared_with_entities() -> None:
    sentence, words = "principal is an entity, and is compared with entities", 'principal == "ada"'
    assert (sentence, words, 'write principal == Remit::Agent::"ada"') in when(words)


def test_a_text_is_no_set() -> None:
    whole, meant = "context.input.to is a String, and contains asks a set", 'write context.input.to like "*x*"'
    assert when('context.input.to.contains("x")') == [(whole, "context.input.to.contains", meant)]
    labels = 'context.input.to.contains("x") && context.input.n.contains("y")'
    assert (whole, "context.input.to.contains", meant) in when(labels)


def test_a_mistyped_annotation_says_which_one_was_meant() -> None:
    made = compile_bundle(catalog(f'@raeson("x") {SCOPE};', tools=(TOOL,)))
    assert [one.hint for one in made.warnings if "@raeson" in one.text] == ["did you mean @reason?"]
