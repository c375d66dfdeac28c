"""Texts for what schemas demand: one for each way in which conditions come out, or the argument is left open."""

from itertools import product

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from remit.app.assurance.chains import ChainFindings, cases_text
from remit.assure.chains.chain_search import chains
from remit.assure.chains.cut import cut
from remit.assure.chains.patterns import pattern_of, samples
from remit.assure.chains.regular import demands
from remit.assure.chains.written import chain_json, story
from remit.facts.canonical import Json
from remit.facts.tool import Sink, Tool
from remit.policy.arguments import Validator, compile_validator
from tests.core.chained import kind
from tests.core.deciding import schema
from tests.core.test_chains import ALL, PAY, SEALED, made, only

REAL = (
    r"^[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    r"^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}$",
    r"^(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*))*))?$",
    r"^[a-z0-9]+(?:-[a-z0-9]+)*$",
    r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$",
    r"^sha256:[a-f0-9]{64}$",
    r"^arn:aws:iam::\d{12}:role/[\w+=,.@-]{1,64}$",
    r"^\+[1-9]\d{1,14}$",
    r"^https?://[^\s/$.?#].[^\s]*$",
    r"^(?!\s*$).+",
    r"^(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?=.*[^\w\s]).{12,}$",
    r"\S",
    r"^.{1,4000}$",
    r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$",
    r"^(?:draft|sent)$|^all$",
    r"^[A-Za-z0-9+/]*={0,2}$",
    r"^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)$",
    r'^[^\x00-\x1f<>:"/\\|?*]+$',
    r"^[\u4e00-\u9fa5]+$",
    r"^[0-9]{7}-Q$",
    r"\.(csv|json)$",
    r"^(?<year>\d{4})W\d\d?$",
)
UNREAD = (r"^([a-z]+)\1$", r"\bfoo\b", r"^\p{L}+$", r"(?i)^abc$", r"^(a|(?!b).)$", r"^(?=a)b|c$", r"(?<!-)$", r"[]a]")
ENDS_WITH_1 = pattern_of(["Wildcard", {"Literal": "1"}])
BEGINS_WITH_A = pattern_of([{"Literal": "a"}, "Wildcard"])


def taken(validator: Validator, text: str) -> bool:
    return validator.problem({"text": text}) is None


def text_of(pattern: str) -> Validator:
    return compile_validator(schema(("text",), text={"type": "string", "pattern": pattern}))


@pytest.mark.parametrize("pattern", REAL)
def test_what_schemas_demand_of_a_text_is_met(pattern: str) -> None:
    read = demands(pattern)
    assert read is not None
    validator = text_of(pattern)
    one, whole = samples([], 0, read)
    assert whole
    assert one
    several, _ = samples([ENDS_WITH_1, BEGINS_WITH_A], 3, read)
    assert all(taken(validator, text) for text in (*one, *several))


@pytest.mark.parametrize("pattern", UNREAD)
def test_what_no_program_of_places_says_is_not_read(pattern: str) -> None:
    assert demands(pattern) is None


def test_more_repeats_than_are_followed_are_not_said_to_be_all() -> None:
    read = demands("^x{5}.{1,500}$")
    assert read is not None
    assert samples([ENDS_WITH_1], 20, read).whole
    assert not samples([ENDS_WITH_1], 700, read).whole
    assert demands("^(?:[a-z]{60}){100}$") is None


EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "1?", "^", "$"]),
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("({}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,2}", "{0,}"])),
    ),
    max_leaves=6,
)
SHORT = ["".join(letters) for length in range(6) for letters in product("ab1", repeat=length)]


@given(st.one_of(EXPRESSIONS, st.builds("^(?!{}){}".format, EXPRESSIONS, EXPRESSIONS)))
def test_there_is_a_text_for_each_way_in_which_conditions_come_out(pattern: str) -> None:
    read, validator = demands(pattern), text_of(pattern)
    assert read is not None

    def way(text: str) -> tuple[bool, bool]:
        return text.endswith("1"), text.startswith("a")

    found, whole = samples([ENDS_WITH_1, BEGINS_WITH_A], 0, read)
    assert whole
    assert all(taken(validator, text) for text in found)
    assert {way(text) for text in found} >= {way(text) for text in SHORT if taken(validator, text)}


def sending(**arguments: Json) -> Tool:
    return kind("two/send", sink=Sink.EXTERNAL, arguments=schema(arguments, **arguments))


TICKET: Json = {"type": "string", "pattern": "^OPS-[0-9]{4}$"}
AGAIN: dict[str, Json] = {"type": "string", "pattern": r"^([a-z]+)-\1$"}


def test_a_chain_goes_through_an_argument_with_a_pattern() -> None:
    result = chains(made(ALL, tools=(PAY, sending(ticket=TICKET))))
    assert only(result).steps[-1].doing.args == {"ticket": "OPS-0000"}
    assert result.account.unseen == ()
    assert not only(result).open


def test_conditions_come_out_each_way_within_what_the_schema_takes() -> None:
    shut = """@id("shut") forbid (principal, action == Remit::Action::"two___send", resource)
    unless { context.input.ticket like "OPS-9*" && context.input.how == "now" };"""
    tool = sending(how={"enum": ["later", "now"]}, ticket=TICKET)
    result = chains(made(ALL.replace("action,", 'action in Remit::Action::"call_tool",'), shut, tools=(PAY, tool)))
    assert only(result).steps[-1].doing.args == {"how": "now", "ticket": "OPS-9000"}
    assert result.account.unseen == ()


def test_a_pattern_that_does_not_vary_hides_no_other_argument() -> None:
    shut = """@id("shut") forbid (principal, action == Remit::Action::"two___send", resource)
    unless { context.input.how == "now" };"""
    tool = sending(ticket=TICKET, how={"enum": ["later", "now"]})
    result = chains(made(ALL.replace("action,", 'action in Remit::Action::"call_tool",'), shut, tools=(PAY, tool)))
    assert only(result).steps[-1].doing.args == {"ticket": "OPS-0000", "how": "now"}


def test_a_pattern_stands_in_alternatives_in_objects_and_in_lists() -> None:
    tool = sending(
        maybe={"anyOf": [TICKET, {"type": "null"}]},
        inside={"type": "object", "properties": {"ticket": TICKET}, "required": ["ticket"]},
        several={"type": "array", "items": {"allOf": [TICKET, {"pattern": "7$"}]}, "minItems": 1},
    )
    result = chains(made(ALL, tools=(PAY, tool)))
    ops = "OPS-0000"
    assert only(result).steps[-1].doing.args == {"maybe": ops, "inside": {"ticket": ops}, "several": ["OPS-0007"]}


def test_an_argument_without_a_value_is_left_open_and_that_is_said() -> None:
    running = made(ALL, tools=(PAY, sending(to={"type": "string"}, word=AGAIN)))
    chain = only(result := chains(running))
    assert result.account.unseen == ()
    assert chain.steps[-1].open == ("word",)
    assert "with word left open, for which no value was found: permitted by all" in list(story(chain))[-1]
    assert chain_json(chain)["case"] is None
    text = cases_text(ChainFindings(running, result, None))
    assert yaml.safe_load(text) == []
    assert "word left open" in text
    assert cut(running, result, chains).whole


def test_an_argument_that_is_left_open_comes_out_each_way() -> None:
    shut = """@id("shut") forbid (principal, action == Remit::Action::"two___send", resource)
    unless { context.input has word && context.input.word like "ab*" };"""
    may = kind("two/send", sink=Sink.EXTERNAL, arguments=schema((), word={**AGAIN, "minLength": 9}))
    calls = ALL.replace("action,", 'action in Remit::Action::"call_tool",')
    chain = only(chains(made(calls, shut, tools=(PAY, may))))
    assert chain.open
    assert str(chain.steps[-1].doing.args["word"]).startswith("ab")
    result = chains(made(calls, shut, SEALED, tools=(PAY, may)))
    assert (result.unattended, result.account.unseen) == ((), ())
