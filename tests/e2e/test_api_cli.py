"""`remit token` in a process of its own, against a running service."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.e2e.api_world import World, world

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("cli")) as made:
        yield made


async def remit(api: World, *arguments: str, token: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command."""
    found = {name: value for name, value in os.environ.items() if not name.startswith("REMIT_")}
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "import sys; from remit.app.cli import run; sys.exit(run(sys.argv[1:]))", *arguments,
        env={**found, "REMIT_URL": api.url, "REMIT_TOKEN": token},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await running.communicate()
    return running.returncode or 0, out.decode(), err.decode()


async def told(api: World, *arguments: str, token: str) -> dict[str, Any]:
    code, out, err = await remit(api, *arguments, "-o", "json", token=token)
    assert code == 0, err
    return json.loads(out)


async def test_agent_delegate_and_revoke(api: World):
    minted = await told(api, "token", "agent", "bot", "--user", "req", "--ttl", "10m", token=api.admin)
    assert api.authority(minted["token"]).agents == ("bot",)
    child = await told(api, "token", "delegate", "sub", token=minted["token"])
    bearer = child.get("token") or child["access_token"]
    assert api.authority(bearer).agents == ("bot", "sub")
    assert api.authority(bearer).user == "req"
    code, _, err = await remit(api, "token", "delegate", "eve", token=minted["token"])
    assert (code, "nothing is handed to eve" in err) == (4, True)
    code, _, _ = await remit(api, "token", "revoke", minted["jti"], token=api.admin)
    assert code == 0
    code, _, err = await remit(api, "token", "delegate", "sub", token=minted["token"])
    assert (code, "revoked" in err) == (4, True)


async def test_what_is_no_resource_but_has_commands_is_told_by_them(api: World):
    code, _, err = await remit(api, "get", "approvals", token=api.admin)
    assert (code, "next: remit approvals --help" in err) == (2, True), err
    for command in (["get"], ["describe", "x"], ["delete", "x"]):
        code, _, err = await remit(api, command[0], "agnets", *command[1:], token=api.admin)
        assert code == 2
        assert err.startswith("error: no kind of resource is called agnets\n  why:  did you mean 'agents'? there are ")
    code, _, err = await remit(api, "get", "nonsense", token=api.admin)
    assert "  why:  there are agents, users, groups, " in err


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["get", "agents", "bto"], "bot"),
        (["describe", "Agent", "bto"], "bot"),
        (["delete", "agent", "bto"], "bot"),
        (["token", "agent", "bto"], "bot"),
        (["token", "agent", "bot", "--user", "reqq"], "req"),
        (["agents", "report", "bto"], "bot"),
        (["agents", "enforce", "bto"], "bot"),
        (["tools", "review", "hnad"], "hand"),
        (["tools", "review", "hand/stauts"], "status"),
        (["tools", "accept", "hnad"], "hand"),
        (["tools", "accept", "hand/stauts"], "status"),
        (["halt", "agent", "bto", "--why", "a drill"], "bot"),
        (["logs", "--agent", "bto"], "bot"),
        (["logs", "--server", "hnad"], "hand"),
    ],
)
async def test_a_misspelt_name_is_told_with_the_one_that_is_near(api: World, words: list[str], near: str):
    code, out, err = await remit(api, *words, token=api.admin)
    assert (code, out) == (5, ""), err
    assert f"  why:  did you mean '{near}'?\n  next: remit " in err, err


async def test_a_misspelt_name_that_nothing_is_like_is_told_alone(api: World):
    code, _, err = await remit(api, "get", "agents", "zzzzzz", token=api.admin)
    assert (code, err) == (5, "error: no such agent in the running bundle: zzzzzz\n  next: remit get agents\n")


async def test_who_decides_with_the_wrong_token_is_told_how_to_get_his_own_and_to_use_it(api: World):
    code, _, err = await remit(api, "approvals", "approve", "r0-1.1", token=api.admin)
    assert (code, "next: remit token user NAME --save FILE, then again with --token-file FILE" in err) == (4, True), err


async def test_user_and_harness(api: World):
    user = await told(api, "token", "user", "ann", token=api.admin)
    code, _, err = await remit(api, "approvals", "approve", "r0-1.1", token=user["token"])
    assert (code, "no such approval" in err) == (5, True)
    harness = await told(api, "token", "harness", "coach", token=api.admin)
    opened = await api.told("POST", "/sessions", harness["token"], {"user": "req"})
    assert api.authority(opened["token"]).acting.sid == opened["sid"]


async def test_only_the_admin_mints(api: World):
    token = await api.token("user", "ann")
    code, out, err = await remit(api, "token", "user", "ben", token=token)
    assert (code, out) == (4, "")
    assert "admin" in err
    code, _, err = await remit(api, "token", "user", "ben", token="")
    assert (code, "next:" in err) == (4, True)


async def test_the_token_alone_goes_to_stdout(api: World):
    code, out, err = await remit(api, "token", "agent", "bot", token=api.admin)
    assert code == 0
    assert api.authority(out.strip()).agents == ("bot",)
    assert out.strip() not in err


async def test_how_an_approval_stands_is_said_with_every_word_of_people(tmp_path: Path):
    async with world(tmp_path) as api:
        routes = api.workspace / "routes.yaml"
        routes.write_text(
            routes.read_text().replace('{"groups": ["sec"]', '{"groups": ["sec"], "count": 2, "edits": true')
        )
        await api.told("POST", "/apply", api.admin, {})
        bot = await api.token("agent", "bot", user="cat")
        ann, ben, dan = [await api.token("user", name) for name in ("ann", "ben", "dan")]
        ident = await api.escalated(bot, text="one")
        _, _, err = await remit(api, "approvals", "show", ident, token=ann)
        assert (f"to agree: remit approvals approve {ident}\n" in err, f"deny {ident} --reason" in err) == (True, True)
        assert f"or on its page: {api.url}/a/{ident}\n" in err
        _, _, err = await remit(api, "approvals", "show", ident, token=api.admin)
        assert f"with his own token: on {api.url}/a/{ident}, or by remit approvals approve|deny {ident}\n" in err
        assert "to agree" not in err
        _, _, err = await remit(api, "approvals", "approve", ident, token=ann)
        assert "route sec: 1 of 2 said yes (ann); ben, req may" in err
        _, _, err = await remit(api, "approvals", "approve", ident, "--edit", "text=two", token=ben)
        assert "ann said yes to other arguments, and has to say it again" in err
        assert "route sec: 1 of 2 said yes (ben); ann, req may" in err
        code, _, err = await remit(api, "approvals", "approve", ident, "--edit", "text=three", token=ann)
        assert (code, "ben approved other arguments: say which the yes is for" in err) == (1, True), err
        _, _, err = await remit(api, "approvals", "delegate", ident, "--to", "dan", "--for", "10h", token=ann)
        assert "dan decides in the place of ann until" in err
        assert "which is when it expires" in err
        await remit(api, "approvals", "deny", ident, "--reason", "not-now", token=dan)
        _, out, err = await remit(api, "approvals", "show", ident, token=ann)
        assert "it was refused by dan: not-now" in out
        assert "may" not in out.rpartition("route sec:")[2]
        assert "to agree" not in err


async def test_what_is_granted_with_a_yes_is_one_answer_for_programs(api: World):
    bot, ann = await api.token("agent", "bot", user="ben"), await api.token("user", "ann")
    ident = await api.escalated(bot, text="granted with it")
    wish = ("approvals", "approve", ident, "--grant", "session")
    assert (await told(api, *wish, "--dry-run", token=ann))["scope"] == "session"
    given = await told(api, *wish, token=ann)
    assert (given["state"], given["grant"]["approval"]) == ("approved", ident)


async def test_a_list_tells_one_ask_from_another(api: World):
    bot, ann = await api.token("agent", "bot", user="ben"), await api.token("user", "ann")
    idents = {text: await api.escalated(bot, text=text) for text in ("pay “ann”", "pay cat")}
    _, out, _ = await remit(api, "approvals", "ls", "-o", "json", token=ann)
    items = {item["id"]: item for item in json.loads(out)}
    for text, ident in idents.items():
        assert items[ident]["what"] == f'hand/status {{"text":"{text}"}}'
    dan = await api.token("user", "ben")
    code, out, _ = await remit(api, "approvals", "ls", token=dan)
    assert (code, "9 min" in out, "hand/status" in out) == (0, True, True)
