"""Grants and confidence over the API: given with a yes, shown with last week, revoked; said by agents and harnesses."""

import json
from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from remit.facts.record import Ref
from remit.pep.answer import Awaiting, Released
from remit.ports.ledger import Entry
from remit.trace.bodies import ActionBody
from tests.e2e.api_world import World, world
from tests.e2e.test_api_cli import remit

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("grants")) as made:
        yield made


async def test_a_grant_is_given_with_a_yes_shown_with_last_week_and_revoked(api: World):
    bot, ann = await api.token("agent", "bot", user="req"), await api.token("user", "ann")
    first, second = await api.escalated(bot, text="one"), await api.escalated(bot, text="two")
    early = await api.ask("POST", f"/approvals/{first}/grant", ann, {"scope": "session"})
    assert (early.status_code, early.json()["why"]) == (403, "a grant is given with a yes")
    dry = await api.told("POST", f"/approvals/{first}/grant", ann, {"scope": "session", "dry_run": True})
    assert (dry["id"], dry["last_week"]["approvals"]) == ("", [first])
    assert dry["last_week"]["of"] >= 2
    await api.told("POST", f"/approvals/{first}/approve", ann, {})
    other = {"scope": "session", "uses": 3, "terms": dry["terms"]}
    stale = await api.ask("POST", f"/approvals/{first}/grant", ann, other)
    assert (stale.status_code, "not the terms that were shown" in stale.text) == (409, True)
    for odd in ("sha256:0", "", 7):
        assert (await api.ask("POST", f"/approvals/{first}/grant", ann, other | {"terms": odd})).status_code == 400
    wish = {"scope": "tool", "for_s": 60, "uses": 2, "where": [{"name": "text", "bound": "=", "value": "two"}]}
    given = await api.told("POST", f"/approvals/{first}/grant", ann, wish)
    assert (given["by"], given["uses_max"], given["ended"], given["sid"]) == (["ann"], 2, None, None)
    assert given["last_week"]["approvals"] == [second]
    for text, how in (("one", Released), ("two", Released), ("two", Released), ("two", Awaiting), ("one", Awaiting)):
        assert isinstance(await api.call(bot, "status", {"text": text}), how), text
    entries = await api.service.ledger.latest(50)
    refs = [one.record for one in entries if isinstance(one.body, ActionBody) and one.body.grants == (given["id"],)]
    why = await api.told("GET", f"/why/{refs[0].chain}.{refs[0].seq}")
    assert f"lifted by the grant {given['id']} of ann" in [reason["text"] for reason in why["reasons"]]
    shown = await api.told("GET", f"/grants/{given['id']}", ann)
    assert (shown["uses"], shown["ended"]) == (2, "used up")
    assert given["id"] in [item["id"] for item in (await api.told("GET", "/grants"))["items"]]
    again = await api.told("POST", f"/approvals/{first}/grant", ann, {"scope": "session"})
    assert isinstance(await api.call(bot, "status", {"text": "one"}), Released)
    dan = await api.token("user", "dan")
    assert (await api.ask("POST", f"/grants/{again['id']}/revoke", dan, {})).status_code == 404
    ended = await api.told("POST", f"/grants/{again['id']}/revoke", ann, {"note": "done"})
    assert (ended["revoked_by"], ended["ended"]) == ("ann", "revoked by ann")
    assert isinstance(await api.call(bot, "status", {"text": "one"}), Awaiting)
    assert (await api.ask("GET", "/grants/r0-1.99", ann)).status_code == 404
    assert (await api.ask("POST", "/approvals/r0-1.99/grant", ann, {"scope": "session"})).status_code == 404


async def test_a_grant_of_several_routes_holds_once_all_of_them_gave_it(api: World):
    bot = await api.token("agent", "bot", user="req")
    waits = await api.call(bot, "html", {})
    assert isinstance(waits, Awaiting)
    ann, cat = await api.token("user", "ann"), await api.token("user", "cat")
    for person in (ann, cat):
        await api.told("POST", f"/approvals/{waits.ref}/approve", person, {})
    assert isinstance(await api.call(bot, "html", {}), Released)
    half = await api.told("POST", f"/approvals/{waits.ref}/grant", ann, {"scope": "session"})
    assert half["ended"] == "more people are needed, or whoever gave it may not any more"
    assert isinstance(await api.call(bot, "html", {}), Awaiting)
    whole = await api.told("POST", f"/approvals/{waits.ref}/grant", cat, {"scope": "session"})
    assert (whole["id"], whole["by"], whole["ended"]) == (half["id"], ["ann", "cat"], None)
    assert isinstance(await api.call(bot, "html", {}), Released)


async def test_an_agent_and_its_harness_say_how_sure_it_is(api: World):
    minted = await api.mint("agent", "bot", user="req")
    bot = minted["token"]
    await api.call(bot, "echo", {})
    sid = (await api.told("GET", "/sessions"))["items"][0]["sid"]
    said = await api.told("POST", f"/sessions/{sid}/confidence", bot, {"value": 0.25})
    assert (said["source"], said["value"]) == ("agent", 0.25)
    await api.told("POST", f"/sessions/{sid}/confidence", bot, {"value": 0.9})
    session = await api.service.ledger.session(sid)
    assert session is not None
    assert (session.confidence.agent, session.confidence.harness) == (2_500, None), "the least of it counts"
    for token, status in ((await api.token("agent", "sub", user="req"), 403), (api.admin, 403)):
        assert (await api.ask("POST", f"/sessions/{sid}/confidence", token, {"value": 1})).status_code == status
    assert (await api.ask("POST", f"/sessions/{sid}/confidence", bot, {"value": 0.00001})).status_code == 400
    assert (await api.ask("POST", f"/sessions/{sid}/confidence", bot, {"value": 1.5})).status_code == 400
    coach = await api.token("harness", "coach")
    assert (await api.ask("POST", f"/sessions/{sid}/confidence", coach, {"value": 1})).status_code == 403
    opened = await api.told("POST", "/sessions", coach, {"user": "req"})
    for value in (0.2, 0.7):
        told = await api.told("POST", f"/sessions/{opened['sid']}/confidence", coach, {"value": value})
    assert told["source"] == "harness"


async def test_the_command_line_grants_lists_shows_and_revokes(api: World):
    bot, ann = await api.token("agent", "bot", user="ben"), await api.token("user", "ann")
    ident = await api.escalated(bot, text="cli")
    wish = ("approvals", "approve", ident, "--grant", "tool", "--for", "1m", "--uses", "3", "--where", "text=other")
    code, out, err = await remit(api, *wish, "--dry-run", token=ann)
    assert (code, "used" not in out, "value: other" in out) == (0, True, True), err
    code, _, err = await remit(api, *wish, token=ann)
    assert code == 0
    assert "is now approved" in err
    assert "it would have covered" in err
    code, out, _ = await remit(api, "grants", "ls", "-o", "json", token=ann)
    [grant] = [one for one in json.loads(out) if one["approval"] == ident]
    assert (grant["uses_max"], grant["where"]) == (3, [{"name": "text", "bound": "=", "value": "other"}])
    assert isinstance(await api.call(bot, "status", {"text": "other"}), Released)
    code, out, _ = await remit(api, "grants", "ls", token=ann)
    assert "1/3" in out
    code, out, _ = await remit(api, "grants", "show", grant["id"], token=ann)
    assert "last_week" in out
    code, out, err = await remit(api, "grants", "revoke", grant["id"], "-o", "json", token=ann)
    assert (code, json.loads(out)["revoked_by"]) == (0, "ann"), err
    assert isinstance(await api.call(bot, "status", {"text": "other"}), Awaiting)
    other = await api.escalated(bot, text="refused")
    never = ("approvals", "approve", other, "--grant", "tool", "--for", "1m", "--where", "nothing=1")
    code, _, err = await remit(api, *never, token=ann)
    assert (code != 0, "the tool has no argument nothing" in err) == (True, True)
    assert (await api.told("GET", f"/approvals/{other}", ann))["state"] == "pending", "no yes without its grant"
    odd = ("1e999", "[" * 2000, "1" * 5000, "NaN")
    for wrong, why in (
        (("--where", "text"), "holds no argument"),
        (("--where", "text>=600"), "the bounds are = and <=, and >= is none"),
        (("--where", "text==other"), "the bounds are = and <=, and == is none"),
        *((("--where", f"text={one}"), "json/") for one in odd),
        (("--for", "long"), "not a duration"),
    ):
        code, _, err = await remit(api, "approvals", "approve", ident, "--grant", "tool", *wrong, token=ann)
        assert (code, why in err) == (2, True)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("--dry-run",), "--dry-run without --grant"),
        (("--where", "text=other", "--uses", "1"), "--uses, --where without --grant"),
        (("--for", "1m"), "--for without --grant"),
        (("--grant", "session", "--edit", "text=other"), "no grant goes with other arguments"),
    ],
)
async def test_options_that_a_yes_would_leave_out_are_refused_before_it(api: World, given: tuple[str, ...], why: str):
    bot, ann = await api.token("agent", "bot", user="ben"), await api.token("user", "ann")
    ident = await api.escalated(bot, text=f"half {given[-1]}")
    code, _, err = await remit(api, "approvals", "approve", ident, *given, token=ann)
    assert (code, why in err) == (2, True), err
    assert (await api.told("GET", f"/approvals/{ident}", ann))["state"] == "pending"


@pytest.mark.parametrize("value", ["NaN", "1e999", "1" + "0" * 400, '"\\ud800"', "[" * 200 + "]" * 200, '"ten"'])
async def test_a_bound_that_is_none_grants_nothing_and_decides_nothing(api: World, value: str):
    bot, ann = await api.token("agent", "bot", user="req"), await api.token("user", "ann")
    ident = await api.escalated(bot, text=f"odd {value[:9]}")
    raw = f'{{"scope": "tool", "for_s": 60, "where": [{{"name": "text", "bound": "<=", "value": {value}}}]}}'
    for dry in ("", ', "dry_run": true'):
        said = {"content": (raw[:-1] + dry + "}").encode(), "headers": {"content-type": "application/json"}}
        refused = await api.ask("POST", f"/approvals/{ident}/grant", ann, **said)
        assert refused.status_code in {400, 403}, refused.text
    assert (await api.told("GET", f"/approvals/{ident}", ann))["state"] == "pending"


async def test_a_no_that_comes_while_terms_are_made_is_heard(api: World, monkeypatch: pytest.MonkeyPatch):
    bot, ann = await api.token("agent", "bot", user="req"), await api.token("user", "ann")
    ben, ledger = await api.token("user", "ben"), api.service.ledger
    ident = await api.escalated(bot, text="crossed")
    await api.told("POST", f"/approvals/{ident}/approve", ann, {})
    entry, denied = ledger.entry, False

    async def then_deny(ref: Ref) -> Entry | None:
        nonlocal denied
        found = await entry(ref)
        if not denied:
            denied = True
            await api.told("POST", f"/approvals/{ident}/deny", ben, {})
        return found

    monkeypatch.setattr(ledger, "entry", then_deny)
    answer = await api.ask("POST", f"/approvals/{ident}/grant", ann, {"scope": "session"})
    assert (answer.status_code, answer.json()["why"]) == (403, "nothing is granted with this approval: it is denied")
    assert all(one["approval"] != ident for one in (await api.told("GET", "/grants"))["items"])


async def test_who_decides_after_others_or_in_their_place_grants_nothing_and_is_told_before_his_yes(api: World):
    routes = api.workspace / "routes.yaml"
    before = routes.read_text()
    routes.write_text(before.replace('"hold_s": 0.1', '"next": "fin", "next_after_s": 0.01, "hold_s": 0.1', 1))
    await api.told("POST", "/apply", body={})
    try:
        bot = await api.token("agent", "bot", user="req")
        ann, cat, dan = [await api.token("user", name) for name in ("ann", "cat", "dan")]
        waits = await api.escalated(bot, text="after others")
        await api.told("POST", f"/approvals/{waits}/delegate", ann, {"to": "dan", "for_s": 60})
        for name, person in (("cat", cat), ("dan", dan)):
            code, _, err = await remit(api, "approvals", "approve", waits, "--grant", "session", token=person)
            assert (code, f"{name} decides here after others or in their place" in err) == (4, True), err
            assert f"say yes to it alone: remit approvals approve {waits}" in err
        assert (await api.told("GET", f"/approvals/{waits}"))["votes"] == [], "nobody said anything"
        await api.told("POST", f"/approvals/{waits}/approve", cat, {})
        refused = await api.ask("POST", f"/approvals/{waits}/grant", cat, {"scope": "session"})
        assert (refused.status_code, "and no grant" in refused.text) == (403, True), refused.text
        assert isinstance(await api.call(bot, "status", {"text": "after others"}), Released)
        code, _, err = await remit(api, "approvals", "approve", waits, "--grant", "session", token=dan)
        assert code != 0, err
    finally:
        routes.write_text(before)
        await api.told("POST", "/apply", body={})


async def test_a_grant_that_others_have_to_give_too_is_said_to_lift_nothing_yet(api: World):
    bot = await api.token("agent", "bot", user="req")
    ann, cat = await api.token("user", "ann"), await api.token("user", "cat")
    waits = await api.call(bot, "html", {"text": "both"})
    assert isinstance(waits, Awaiting)
    code, _, err = await remit(api, "approvals", "approve", waits.ref, "--grant", "session", token=ann)
    assert (code, "and it lifts nothing yet: more people are needed" in err, "granted as" in err) == (0, True, False), (
        err
    )
    code, _, err = await remit(api, "approvals", "approve", waits.ref, "--grant", "session", token=cat)
    assert (code, "granted as" in err, "to end it: remit grants revoke" in err) == (0, True, True), err
