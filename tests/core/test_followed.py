"""Where values lead once somebody follows them: links that content hides, hidden files, options, dots in disguise."""

import time

import pytest

from remit.facts.canonical import Json
from remit.facts.origin import Origin, OriginCounts, Role
from remit.facts.tool import Effect
from remit.protect.links import rendered, run_on_urls
from remit.protect.paths import signed_names
from tests.core.test_origins import TOOLS, World, told

SAID = "Mail bob@example.org about github.com and the report.pdf, use git -5 times, see a/.env."


@pytest.fixture(scope="module")
def world() -> World:
    return World(said=SAID)


@pytest.mark.parametrize(
    "text",
    [
        "see https://github.com/,/../mallory/x?d=1",
        "see github.com/;/../mallory/x",
        "see https://github.com/(mallory)/x",
        "see https://github.com/;?to=evil.example",
        r"see https:\\github.com\mallory",
        r"see https://github.com\mallory",
        "see https:/github.com/mallory",
        "see http:github.com/mallory",
        "see github.com./mallory",
        "see https&#58;//evil&#x2e;com/x",
        '<img src="https&colon;//evil&period;com/x">',
        '<a href="https://github.com/\n../mallory">',
        "<a href='https://github.com/&Tab;../mallory'>",
        "mail eve&commat;evil&period;com",
        "mail eve@evil\u3002com",
        "mail eve@evil\uff61com",
    ],
)
def test_content_carries_what_its_reader_would_follow(world: World, text: str) -> None:
    found = world.flow("send", to="bob@example.org", text=text)
    assert found.carried.unseen >= 1, text
    assert found.targets.unseen >= 1, "it leaves the house"


@pytest.mark.parametrize(
    "text",
    [
        "see https://github.com/, and bob@example.org; (https://github.com), or [it](https://github.com/)",
        "https://github.com,https://github.com;https://github.com|github.com",
        "**https://github.com/**, `https://github.com`! and/or (a, b/c), either\\or",
        '{"url":"https://github.com/","to":"bob@example.org"}',
        "R&D; AT&T, bob&amp;ann at 5&nbsp;o'clock, x='1\n2'",
    ],
)
def test_what_only_stands_beside_a_link_is_none(world: World, text: str) -> None:
    found = world.flow("send", to="bob@example.org", text=text)
    assert found.carried == OriginCounts(grounded=found.carried.grounded), text


def test_a_link_that_goes_on_is_grounded_by_itself() -> None:
    link = "https://en.example.org/Mercury_(planet)/moons"
    world = World(said=f"Send Bob {link}, please.")
    assert world.flow("send", to="Bob", text=f"Here it is: {link}").carried.unseen == 0
    assert world.origin("send", to=link) is Origin.GROUNDED


def test_what_begins_with_a_dot_or_a_dash_is_no_word_that_was_said(world: World) -> None:
    for to in (".git", "..git", "(.git)", "'.git'", "--git", "-git", "-report.pdf", ".report.pdf", "-7", ".env"):
        assert world.origin("note", to=to) is Origin.UNSEEN, to
    for to in ("git", "-5", "5", "report.pdf", "report.pdf.", "a/.env"):
        assert world.origin("note", to=to) is Origin.GROUNDED, to
    world = World(said="Delete .git, then run it with --force")
    for to in (".git", ".git.", "--force"):
        assert world.origin("note", to=to) is Origin.GROUNDED, to
    assert world.origin("note", to=".GIT") is Origin.UNSEEN


def test_what_the_house_calls_with_a_dot_before_it_is_known() -> None:
    world = World()
    world.result("house", "the folder holds .profile and -x")
    world.result("orders", [{"what": ".netrc", "id": "--every"}])
    world.result("web", "look at .bashrc")
    for to in (".profile", "-x", ".netrc", "--every"):
        assert world.origin("note", to=to) is Origin.TRUSTED, to
    assert world.origin("note", to="profile") is Origin.TRUSTED
    assert world.origin("note", to=".x") is Origin.UNSEEN
    assert world.origin("note", to=".bashrc") is not Origin.TRUSTED


@pytest.mark.parametrize("to", ["report\u2024pdf", "report\uff0epdf", "bob\uff20example.org", "a\uff0f.env"])
def test_a_dot_in_another_form_is_no_dot(world: World, to: str) -> None:
    assert world.origin("note", to=to) is Origin.UNSEEN


def test_an_ellipsis_is_what_everybody_writes() -> None:
    assert World(said="call it Lunch…").origin("note", to="Lunch…") is Origin.GROUNDED


def test_none_of_it_takes_more_than_linear_time() -> None:
    parts = ("a.bc,", "a.bc/,", "https://", "x://a.bc/,", "-.", "(.a", "a.bc/\\", "&#46;", '="', " /,x", "/", "\\x ")
    begun = time.thread_time()
    for part in parts:
        text = part * 100_000
        list(run_on_urls(text))
        list(signed_names(text))
        rendered(text)
    assert time.thread_time() - begun < 20


@pytest.mark.parametrize("given", [{}, {"to": None}, {"to": []}, {"text": "x"}, {"to": {}}])
def test_an_irreversible_tool_without_its_targets_reaches_what_nobody_named(given: dict[str, Json]) -> None:
    wipe = told("wipe", effect=Effect.IRREVERSIBLE, roles=dict.fromkeys(("text", "n", "on"), Role.CONTENT))
    clean = told("clean", effect=Effect.IRREVERSIBLE, roles=dict.fromkeys(("to", "text", "n", "on"), Role.CONTENT))
    world = World(tools=(wipe, clean, *TOOLS))
    found = world.flow("wipe", **given)
    assert (found.targets, found.strangers) == (OriginCounts(unseen=1), 1)
    assert found.args[Origin.UNSEEN] >= {"*"}
    assert world.flow("clean", **given).targets == OriginCounts(), "it has none"
    assert world.flow("note", **given).targets == OriginCounts(), "it can be undone"
    assert world.flow("wipe", **given, n=1).targets.unseen == 1


def test_an_irreversible_tool_with_a_target_reaches_that_one() -> None:
    wipe = told("wipe", effect=Effect.IRREVERSIBLE, roles={"text": Role.CONTENT})
    world = World(said="wipe 17", tools=(wipe, *TOOLS))
    assert world.flow("wipe", to="17").targets == OriginCounts(grounded=1)
