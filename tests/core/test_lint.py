"""What the linter refuses, and what it only doubts."""

import pytest

from remit.facts.catalog import PolicySource
from remit.facts.tool import Effect
from remit.policy.parse import split
from remit.policy.problem import PolicyProblem, nearest
from tests.core.deciding import bundle, catalog, problems, tool, warnings

SCOPE = "(principal, action, resource)"


def said(found: tuple[PolicyProblem, ...]) -> list[str]:
    return [problem.text for problem in found if problem.file != "remit.lock"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"permit {SCOPE};", "a policy needs a unique @id"),
        (f'@id("") permit {SCOPE};', "a policy needs a unique @id"),
        (f"@id permit {SCOPE};", "a policy needs a unique @id"),
        (f'@id("a\\u{{202e}}b") permit {SCOPE};', "this @id cannot be used: it holds the invisible character U+202E"),
        (f'@id("a") @gate("owner") permit {SCOPE};', "a @gate lifts a forbid; this policy permits"),
        (f'@id("a") @gate("nobody") forbid {SCOPE};', "no Route is named 'nobody'"),
        (f'@id("a") @gate forbid {SCOPE};', "no Route is named ''"),
        (
            f'@id("a") @obligation("redact:pii") forbid {SCOPE};',
            "an @obligation belongs to a permit; this policy forbids",
        ),
        (f'@id("a") @obligation("wash:hands") permit {SCOPE};', "this is no obligation"),
        (f'@id("a") @obligation("redact:") permit {SCOPE};', "this is no obligation"),
        (f'@id("a") @obligation("cap:amunt:5") permit {SCOPE};', "no tool in its scope has the argument 'amunt'"),
        (f'@id("a") permit {SCOPE} when {{ context.onBehalfOf has email }};', "context.onBehalfOf may be absent"),
    ],
)
def test_what_means_nothing_is_refused(text: str, expected: str) -> None:
    assert any(line.startswith(expected) for line in said(problems(text))), said(problems(text))


def test_the_second_of_two_ids_is_refused_and_names_the_first() -> None:
    found = problems(
        catalog(f'// x\n@id("a") permit {SCOPE};', f'@id("b") permit {SCOPE};\n\n@id("a") forbid {SCOPE};')
    )
    (problem,) = found
    assert problem.where == "policies/p1.cedar:3:5"
    assert problem.text == "the @id is taken by policies/p0.cedar:2"
    assert str(problem) == 'policies/p1.cedar:3:5: [a] the @id is taken by policies/p0.cedar:2 ("a")'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'@id("a") permit {SCOPE} when {{ true }};', "a condition looks at nothing, so it is always or never met"),
        (f'@id("a") permit {SCOPE} unless {{ 1 == 2 }};', "a condition looks at nothing, so it is always or never met"),
        (
            f'@id("a") permit {SCOPE} when {{ {{"context": 1}}.context == 1 }};',
            "a condition looks at nothing, so it is always or never met",
        ),
        (
            '@id("a") forbid (principal, action in Remit::Action::"source:confidential", resource);',
            "no action reaches this policy: it never applies",
        ),
        (
            '@id("a") forbid (principal, action == Remit::Action::"shop___refund", resource == Remit::Server::"web");',
            "no action in its scope has this resource: it never applies",
        ),
        (f'@id("a") @owner("x") permit {SCOPE};', "the annotation @owner means nothing here"),
        (
            '@id("a") @obligation("cap:to:5") permit (principal, action in Remit::Action::"server:shop", resource);',
            "shop___look has no argument 'to', so that each call of it that this permits is denied",
        ),
    ],
)
def test_what_is_doubtful_is_a_warning(text: str, expected: str) -> None:
    assert said(warnings(text)) == [expected]
    bundle(text)


@pytest.mark.parametrize(
    "annotation",
    ['@obligatoin("redact:pii")', '@Obligation("x")', "@obligations", '@redact("redact:pii")', '@must("cap:to:5")'],
)
def test_a_permit_whose_obligation_is_misspelt_is_refused(annotation: str) -> None:
    (problem,) = problems(f'@id("a") {annotation} permit {SCOPE};')
    assert "without its @obligation this permits more" in problem.text
    assert problem.hint == "did you mean @obligation?"
    assert said(warnings(f'@id("a") {annotation} forbid {SCOPE};')) == [
        f"the annotation {annotation.partition('(')[0]} means nothing here"
    ]


def test_a_path_after_has_is_a_warning_where_no_action_is_reached() -> None:
    text = (
        '@id("a") forbid (principal, action in Remit::Action::"source:confidential", resource) '
        "when { context.input has nothing };"
    )
    assert said(warnings(text)) == [
        "context.input.nothing does not exist for any action that this policy applies to",
        "no action reaches this policy: it never applies",
    ]
    bundle(text)


@pytest.mark.parametrize(
    "text",
    [
        f'@id("a") @reason("x") @owasp("ASI01") @gate("owner") forbid {SCOPE};',
        '@id("a") forbid (principal, action in Remit::Action::"sink:none", resource);',
        '@id("a") permit (principal, action in [Remit::Action::"sink:none"], resource);',
        f'@id("a") permit {SCOPE} when {{ context has input.address.city && context.input.address.city == "x" }};',
        f'@id("a") permit {SCOPE} when {{ context has onBehalfOf && context.onBehalfOf in Remit::Group::"everyone" }};',
        f'@id("a") permit {SCOPE} when {{ context has onBehalfOf && context.onBehalfOf == Remit::User::"uma" }};',
        (
            '@id("a") permit (principal is Remit::Agent in Remit::Group::"ops", action == '
            'Remit::Action::"delegate", resource == Remit::Agent::"bot");'
        ),
        f'@id("a") permit {SCOPE} when {{ context.session.calls < 3 && context.delegation.depth == 0 }};',
        f'@id("a") permit {SCOPE} when {{ context.delegation.chain.contains(Remit::Agent::"ada") }};',
        f'@id("a") permit {SCOPE} when {{ context.system.now < datetime("2030-01-01") && context.inputSize < 10 }};',
        f'@id("a") permit {SCOPE} when {{ [principal, Remit::Agent::"ada"].contains(principal) }};',
        f'@id("a") permit {SCOPE} when {{ (if context has input then {{"a": 1}} else {{"a": 2}}) has a }};',
        f'@id("a") permit {SCOPE} when {{ principal is Remit::Agent in Remit::Group::"ops" }};',
        f'@id("a") permit {SCOPE} when {{ context.session.labels.contains(Remit::Label::"untrusted:web") }};',
        '@id("a") permit (principal, action == Remit::Action::"delegate", resource in Remit::Agent::"bot");',
    ],
)
def test_what_is_right_is_neither(text: str) -> None:
    assert said(warnings(text)) == []
    bundle(text)


def test_principals_that_no_action_takes_are_refused() -> None:
    (problem,) = problems('@id("a") permit (principal == Remit::User::"uma", action, resource);')
    assert problem.text == "no action takes such a principal and resource"


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        (f'@id("a") permit {SCOPE}\nwhn {{ true }};', 2, "invalid policy condition: whn"),
        (f'@id("a") permit {SCOPE}', 1, "this policy does not end: a `;` or a bracket is missing"),
        (f'@id("a") permit {SCOPE} when {{\n foo(3) }};', 2, "`foo` is not a valid function"),
        (f'\n\n@id("a") permit {SCOPE} when {{ "x\n }};', 3, "a string begins here and never ends"),
        ("; ", 1, ""),
        (
            "permit (principal == ?principal, action, resource);",
            1,
            "templates (?principal, ?resource) are not supported",
        ),
        (f'@id("a") permit {SCOPE} when {{ {"(" * 3_000}true{")" * 3_000} }};', 1, ""),
        (f'@id("a") permit {SCOPE} when {{ {"true && " * 1_000}true }};', 1, ""),
    ],
)
def test_text_that_is_no_policy_is_refused_where_it_stands(text: str, line: int, expected: str) -> None:
    (problem,) = problems(catalog(text))
    assert problem.line == line
    assert problem.text.startswith(expected)
    assert len(problem.text) < 400


def test_each_statement_is_judged_by_itself() -> None:
    text = f'@id("a") permit {SCOPE}; whn; @id("b") forbid {SCOPE} whn; @id("c") permit {SCOPE};'
    assert len(problems(text)) == 2


def test_semicolons_in_strings_and_comments_end_nothing() -> None:
    text = (
        f'// one; two\n@id("a;\\"b") @reason("x; // y") permit {SCOPE}; // the end;\n'
        f'  // more\n@id("b")\n// why; so\nforbid {SCOPE};\n\n'
    )
    statements, wrong = split(PolicySource("f.cedar", text))
    assert wrong == ()
    assert [(s.line, s.column) for s in statements] == [(2, 1), (4, 1)]
    assert bundle(text).policies.keys() == {'a;"b', "b"}


def test_words_are_found_outside_comments() -> None:
    statements, _ = split(PolicySource("f.cedar", "permit // bogus\n(bogus);"))
    assert statements[0].locate("bogus") == (2, 2)
    assert statements[0].locate("permit") == (1, 1)
    assert statements[0].locate("nothing") == (1, 1)
    assert statements[0].locate("") == (1, 1)


def test_a_stray_slash_is_no_comment() -> None:
    statements, _ = split(PolicySource("f.cedar", "a / b; c"))
    assert [s.text for s in statements] == ["a / b;", "c"]


def test_a_hint_is_near_or_nothing() -> None:
    assert nearest("suport", ["support", "ops"]) == "did you mean support?"
    assert nearest("zebra", ["support", "ops"]) is None


def test_a_problem_without_a_line_shows_none() -> None:
    assert str(PolicyProblem("remit.lock", 0, 0, None, "odd", "w", "do this")) == "remit.lock: odd (w); do this"


def test_an_untypable_input_cannot_be_read_by_a_policy() -> None:
    odd = tool("shop", "odd", {"$ref": "#"}, effect=Effect.READ)
    for condition in ("context.input.x == 1", "context.input has x", "context has input.x"):
        text = f'@id("a") permit (principal, action == Remit::Action::"shop___odd", resource)\nwhen {{ {condition} }};'
        found = problems(catalog(text, tools=[odd]))
        assert {problem.line for problem in found} == {2}
        assert all(
            problem.text.startswith(
                "tool/untypable: shop___odd has no input, since its input schema cannot be followed: it is recursive"
            )
            for problem in found
        )


def test_lines_and_columns_of_a_long_file_are_counted_once() -> None:
    text = "// first\n" + "".join(f'\n  @id("p{n}")\n  permit (principal, action, resource);' for n in range(3))
    found, wrong = split(PolicySource("p.cedar", text + ' @id("'))
    assert wrong[0].line == 8
    assert [(one.line, one.column) for one in found] == [(3, 3), (5, 3), (7, 3)]
