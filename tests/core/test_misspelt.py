"""A misspelt word in a policy is refused, with file, line, the words and a hint."""

import pytest

from tests.core.deciding import catalog, problems

MISSPELT = [
    (
        (
            '@id("a")\nforbid (principal, action, resource)\n'
            'when { context.session.labels.contains(Remit::Label::"untrustd") };'
        ),
        3,
        'Remit::Label::"untrustd"',
        "there is no label",
        "untrusted",
    ),
    (
        '@id("a")\npermit (\n  principal in Remit::Group::"suport",\n  action, resource);',
        3,
        'Remit::Group::"suport"',
        "there is no group",
        "support",
    ),
    (
        '@id("a") permit (principal, action,\nresource == Remit::Server::"shap");',
        2,
        'Remit::Server::"shap"',
        "there is no server",
        "shop",
    ),
    (
        '@id("a") permit (principal,\n action == Remit::Action::"shop___refnd", resource);',
        2,
        'Remit::Action::"shop___refnd"',
        "there is no action",
        "shop___refund",
    ),
    (
        '@id("a") permit (principal,\n action in Remit::Action::"tag:mony", resource);',
        2,
        'Remit::Action::"tag:mony"',
        "there is no action",
        "tag:money",
    ),
    (
        '@id("a") permit (principal == Remit::Agent::"adda",\n action, resource);',
        1,
        'Remit::Agent::"adda"',
        "there is no agent",
        "ada",
    ),
    (
        (
            '@id("a") permit (principal, action, resource)\n'
            'when { context has onBehalfOf &&\n context.onBehalfOf == Remit::User::"umma" };'
        ),
        3,
        'Remit::User::"umma"',
        "there is no user",
        "uma",
    ),
    (
        (
            '@id("a") permit (principal, action == Remit::Action::"shop___refund", resource)\n'
            'when { context.input.order_di == "1" };'
        ),
        2,
        "input.order_di",
        "context.input.order_di does not exist",
        "order_id",
    ),
    (
        (
            '@id("a") permit (principal, action == Remit::Action::"shop___refund", resource)\n'
            "when { context.input has order_di };"
        ),
        2,
        "order_di",
        "context.input.order_di does not exist",
        None,
    ),
    (
        '@id("a") forbid (principal, action, resource)\nwhen { context has input.address.zpi };',
        2,
        "zpi",
        "context.input.address.zpi does not exist",
        None,
    ),
    (
        '@id("a") forbid (principal, action, resource)\nwhen { context.sesion.calls > 3 };',
        2,
        "sesion",
        "context.sesion does not exist",
        "session",
    ),
    (
        '@id("a") forbid (principal, action, resource)\nwhen { principal has owner };',
        2,
        "owner",
        "principal.owner does not exist",
        None,
    ),
    (
        '@id("a")\n@gate("finanse") forbid (principal, action, resource);',
        2,
        '"finanse"',
        "no Route is named",
        "finance",
    ),
    (
        '@id("a") permit (principal, action in Remit::Action::"read_resource",\n resource == Remit::Data::"x");',
        2,
        'Remit::Data::"x"',
        "there is no data named",
        None,
    ),
    (
        '@id("a") forbid (principal,\n action in Remit::Action::"source:confidential:pii", resource);',
        2,
        'Remit::Action::"source:confidential:pii"',
        "there is no action",
        "source:confidential",
    ),
]


def test_the_action_of_a_tool_that_waits_for_review_says_how_it_comes_to_be() -> None:
    good = '@id("good") permit (principal, action, resource);'
    text = """@id("a") forbid (principal, action == Remit::Action::"shop___zzzzzzzzzzzz", resource)
when { context.input.nothing_has_this == "x" };"""
    (problem,) = problems(catalog(good, text))
    assert problem.text == 'there is no action "shop___zzzzzzzzzzzz"', "what other actions lack is not told"
    assert problem.hint == "a tool's action begins with its acceptance: `remit tools review shop`"
    (problem,) = problems(catalog(good, text.replace("shop___", "nowhere___")))
    assert problem.hint is None


def test_what_no_server_detects_says_how_it_is_detected() -> None:
    text = """@id("a") forbid (principal, action in Remit::Action::"server:shop", resource)
when { context.CONDITION };"""
    named, has = 'contains(Remit::Label::"confidential:secret")', "has sends && 1 == context.session.calls"
    (problem,) = problems(catalog(text.replace("CONDITION", f"session.labels.{named}")))
    assert problem.hint is not None
    assert problem.hint.startswith("write `detect: [secret]` in the Server")
    (problem,) = problems(
        catalog(text.replace("CONDITION", 'session.labels.contains(Remit::Label::"confidential:pii")'))
    )
    assert "`detect_sent: [pii, email]`" in str(problem.hint)
    looked = "write what is looked for, such as `detect_sent: [secret]`, in the Server shop"
    missing = problems(catalog(text.replace("CONDITION", f"sends.{named}")))
    assert looked in {problem.hint for problem in missing}
    (problem,) = problems(catalog(text.replace("context.CONDITION", f"context {has}")))
    assert problem.hint == looked
    (problem,) = problems(
        catalog(
            text.replace("server:shop", "delegate")
            .replace("in R", "== R")
            .replace("context.CONDITION", f"context {has}")
        )
    )
    assert str(problem.hint).endswith("in the Server …")


@pytest.mark.parametrize(("text", "line", "words", "said", "meant"), MISSPELT)
def test_a_misspelt_word_is_refused(text: str, line: int, words: str, said: str, meant: str | None) -> None:
    good = '@id("good") permit (principal, action, resource);'
    found = problems(catalog(good, f"// a comment\n{text}"))
    assert len(found) == 1, "\n".join(map(str, found))
    (problem,) = found
    assert (problem.file, problem.line) == ("policies/p1.cedar", line + 1)
    assert problem.column > 0
    assert problem.words == words
    assert problem.policy_id == "a"
    assert problem.text.startswith(said)
    assert problem.hint == (f"did you mean {meant}?" if meant else None)


@pytest.mark.parametrize(
    "form",
    ["context.past == context.past", "context has past && context.past == context.past", "context.past.calls > 0"],
)
def test_a_past_that_nothing_keeps_is_not_a_zero(form: str) -> None:
    text = f'@id("a") forbid (principal, action, resource)\nwhen {{ {form} }};'
    found = problems(catalog(text))
    assert {problem.line for problem in found} == {2}
    assert {problem.text for problem in found} == {"context.past is not there: the workspace declares no Monitor"}


def test_a_value_of_the_wrong_type_is_refused_where_the_policy_stands() -> None:
    text = '\n@id("a") forbid (principal, action, resource) when { context.session.calls == "x" };'
    (problem,) = problems(catalog(text))
    assert (problem.file, problem.line, problem.policy_id) == ("policies/p0.cedar", 2, "a")
    assert "not compatible" in problem.text


def test_a_misspelt_label_is_refused_even_where_no_action_reaches_it() -> None:
    text = (
        '@id("a") forbid (principal, action in Remit::Action::"sink:none", resource)\n'
        'when { context.session.labels.contains(Remit::Label::"x") };'
    )
    (problem,) = problems(catalog(text))
    assert problem.line == 2


def test_an_optional_attribute_read_unasked_says_what_to_do() -> None:
    text = (
        '@id("a") forbid (principal, action == Remit::Action::"shop___refund", resource)\n'
        'when { context.input.amount == decimal("1.0") };'
    )
    (problem,) = problems(catalog(text))
    assert (problem.line, problem.words) == (2, "input.amount")
    assert problem.hint == "ask for it first: `context has input.amount && …`"
    text = '@id("a") forbid (principal, action, resource) when { context.input.order_id == "1" };'
    hints = {problem.hint for problem in problems(catalog(text))}
    assert hints >= {
        "ask for it first: `context has input && …`, or narrow the scope",
        "ask for it first: `context has input.order_id && …`, or narrow the scope",
    }
