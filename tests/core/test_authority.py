"""What tokens say and how authority is handed on.

What is checked here keeps INVARIANT(authority-only-shrinks).
"""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.control.authority import (
    ADMIN_PREFIX,
    DEPTH_MAX,
    Claims,
    ClaimsInvalid,
    NotDelegable,
    TokenUse,
    admin_token,
    attenuate,
    authority,
    credential_hash,
    derived_sid,
    descend,
    links,
    mint,
    read_claims,
    renew,
)
from remit.facts.canonical import Json

NOW_MS = 1_780_000_000_000
NOW_S = NOW_MS // 1000
ROOT = b"r" * 16
NAMES = ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")


def agent(use: TokenUse = TokenUse.AGENT, ttl_s: int = 600, user: str | None = "alice") -> Claims:
    return mint(use, "a", token=b"0" * 16, now_ms=NOW_MS, ttl_s=ttl_s, user=user, root=ROOT)


def hand(parent: Claims, name: str, mark: int, ttl_s: int = 600) -> Claims:
    return attenuate(parent, name, token=bytes([mark]) * 16, now_ms=NOW_MS, ttl_s=ttl_s)


def test_a_minted_agent_acts_alone_in_its_root_session():
    found = authority(agent())
    assert found.agents == ("a",)
    assert found.acting.sid == ROOT.hex()
    assert found.user == "alice"
    assert found.expires_ms == (NOW_S + 600) * 1000


def test_the_act_claim_nests_with_the_acting_agent_outermost():
    claims = hand(hand(agent(), "b", 1), "c", 2)
    assert claims.to_json()["sub"] == "a"
    assert claims.to_json()["act"] == {"sub": "c", "act": {"sub": "b"}}
    assert authority(claims).agents == ("a", "b", "c")


@given(st.permutations(NAMES[1:]), st.integers(0, DEPTH_MAX - 1), st.data())
def test_authority_only_shrinks_along_any_chain(names: list[str], count: int, data: st.DataObject) -> None:
    chain = [agent(ttl_s=data.draw(st.integers(1, 10_000)))]
    for mark, name in enumerate(names[:count], 1):
        chain.append(hand(chain[-1], name, mark, data.draw(st.integers(1, 20_000))))
    for parent, child in pairwise(chain):
        assert child.expires_s <= parent.expires_s
        assert (child.user, child.sid, child.subject) == (parent.user, parent.sid, parent.subject)
        assert child.agents[:-1] == parent.agents
        assert child.ancestors == (*parent.ancestors, parent.token)
        assert authority(child).links[:-1] == authority(parent).links
    last = chain[-1]
    assert read_claims(last.to_json()) == last
    assert authority(last).ancestors == tuple(claims.token for claims in chain[:-1])


def test_delegating_anew_reaches_the_same_session():
    first = authority(hand(agent(), "b", 1)).acting.sid
    again = authority(hand(agent(), "b", 2)).acting.sid
    renewed = renew(ROOT.hex(), "a", "alice", token=b"9" * 16, now_ms=NOW_MS + 5, ttl_s=60)
    assert first == again == authority(hand(renewed, "b", 3)).acting.sid


def test_derived_sessions_differ_by_root_and_by_chain():
    found = {
        derived_sid(root, chain)
        for root in ("1" * 32, "2" * 32)
        for chain in (("a", "b"), ("a", "c"), ("a", "b", "c"), ("a", "c", "b"), ("ab",))
    }
    assert len(found) == 10
    assert all(sid.startswith("d-") and len(sid) == 32 for sid in found)
    assert links("1" * 32, ("a", "b"))[0].sid == "1" * 32


def test_a_chain_never_holds_an_agent_twice():
    with pytest.raises(NotDelegable, match="already stands in the chain a > b"):
        hand(hand(agent(), "b", 1), "a", 2)
    with pytest.raises(NotDelegable):
        hand(agent(), "a", 1)


def test_a_chain_is_bounded():
    claims = agent()
    for mark, name in enumerate(NAMES[1:DEPTH_MAX], 1):
        claims = hand(claims, name, mark)
    assert len(claims.agents) == DEPTH_MAX
    with pytest.raises(NotDelegable, match="the most there may be"):
        hand(claims, "z", 99)


@pytest.mark.parametrize("use", [TokenUse.USER, TokenUse.HARNESS])
def test_only_authority_to_act_is_handed_on(use: TokenUse):
    claims = mint(use, "a", token=b"0" * 16, now_ms=NOW_MS, ttl_s=60)
    with pytest.raises(NotDelegable, match="carries no authority"):
        hand(claims, "b", 1)
    with pytest.raises(ClaimsInvalid, match="carries no authority"):
        authority(claims)


def test_nothing_is_handed_on_after_the_end():
    late = (NOW_S + 600) * 1000
    with pytest.raises(NotDelegable, match="nothing is left"):
        attenuate(agent(), "b", token=b"1" * 16, now_ms=late, ttl_s=5)
    with pytest.raises(NotDelegable, match="nothing is left"):
        hand(agent(), "b", 1, ttl_s=0)


def test_trust_in_a_harness_is_not_handed_on():
    child = hand(agent(TokenUse.SESSION), "b", 1)
    assert child.use is TokenUse.AGENT


def test_what_descends_ends_with_its_parent():
    harness = mint(TokenUse.HARNESS, "a", token=b"h" * 16, now_ms=NOW_MS, ttl_s=30)
    session = descend(agent(TokenUse.SESSION), harness)
    assert session.expires_s == harness.expires_s
    assert session.ancestors == (harness.token,)


def test_renewal_keeps_the_root_and_refuses_a_derived_session():
    renewed = renew(ROOT.hex(), "a", None, token=b"9" * 16, now_ms=NOW_MS, ttl_s=60)
    assert authority(renewed).acting.sid == ROOT.hex()
    assert renewed.token == (b"9" * 16).hex()
    derived = authority(hand(agent(), "b", 1)).acting.sid
    with pytest.raises(NotDelegable, match="only a root session"):
        renew(derived, "b", "alice", token=b"9" * 16, now_ms=NOW_MS, ttl_s=60)


@pytest.mark.parametrize(
    ("use", "user", "root", "token", "ttl_s"),
    [
        (TokenUse.AGENT, None, None, b"0" * 16, 60),
        (TokenUse.USER, None, ROOT, b"0" * 16, 60),
        (TokenUse.HARNESS, "alice", None, b"0" * 16, 60),
        (TokenUse.AGENT, None, b"short", b"0" * 16, 60),
        (TokenUse.AGENT, None, ROOT, b"short", 60),
        (TokenUse.AGENT, None, ROOT, b"0" * 16, 0),
        (TokenUse.AGENT, "no name", ROOT, b"0" * 16, 60),
    ],
)
def test_odd_mints_are_refused(use: TokenUse, user: str | None, root: bytes | None, token: bytes, ttl_s: int):
    with pytest.raises(ValueError):
        mint(use, "a", token=token, now_ms=NOW_MS, ttl_s=ttl_s, user=user, root=root)


GOOD = hand(agent(), "b", 1).to_json()


def nested(names: str) -> Json:
    return {"sub": names[0], "act": nested(names[1:])} if names[1:] else {"sub": names[0]}


@pytest.mark.parametrize(
    ("claim", "value", "says"),
    [
        ("use", "root", "use"),
        ("use", None, "use"),
        ("sub", "no name", "sub"),
        ("sub", 7, "sub"),
        ("jti", "", "jti"),
        ("jti", "x" * 129, "jti"),
        ("exp", "later", "exp"),
        ("exp", True, "exp"),
        ("iat", 1.5, "iat"),
        ("user", "*", "user"),
        ("sid", None, "sid"),
        ("sid", 7, "sid"),
        ("act", "b", "act"),
        ("act", {"sub": "b", "aud": "x"}, "act"),
        ("act", {"act": {"sub": "b"}}, "act.sub"),
        ("act", nested("bcdefghij"), "more than"),
        ("act", {"sub": "a"}, "twice"),
        ("act", {"sub": "b", "act": {"sub": "b"}}, "twice"),
        ("from", "one", "from"),
        ("from", ["x"] * 99, "from"),
        ("from", [3], "from"),
    ],
)
def test_odd_claims_are_refused(claim: str, value: Json, says: str):
    with pytest.raises(ClaimsInvalid, match=says):
        read_claims({**GOOD, claim: value})


@pytest.mark.parametrize("extra", [{"sid": "s"}, {"user": "alice"}, {"act": {"sub": "b"}}])
def test_a_user_token_names_no_session_user_or_actor(extra: dict[str, Json]):
    claims = mint(TokenUse.USER, "alice", token=b"0" * 16, now_ms=NOW_MS, ttl_s=60).to_json()
    assert read_claims(claims).use is TokenUse.USER
    with pytest.raises(ClaimsInvalid, match="names no session"):
        read_claims({**claims, **extra})


def test_the_admin_token_is_opaque_and_stored_hashed():
    token = admin_token(b"x" * 16)
    assert token.startswith(ADMIN_PREFIX)
    assert token not in credential_hash(token)
    assert credential_hash(token) != credential_hash(token + "0")
    with pytest.raises(ValueError):
        admin_token(b"short")
