"""Every signer: what it signs it verifies, and nothing else."""

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from joserfc import jws
from joserfc.jwk import OctKey, OKPKey

from remit.adapters.keyring import KeyringUnusable
from remit.adapters.signer import ALGORITHM, LEEWAY_S, TYPE, Ed25519Signer
from remit.api.authenticator import Acting, Admin, Authenticator, HarnessOf, Person
from remit.control.authority import TTL_MAX_S, TokenUse, admin_token, attenuate, credential_hash, mint
from remit.facts.canonical import Json
from remit.ports.signer import TokenInvalid, TokenRefusal

START_MS = 1_780_000_000_000
URL = "http://127.0.0.1:7070"


class Hand:
    """A clock that is turned by hand."""

    def __init__(self) -> None:
        self.ms = START_MS

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


@pytest.fixture
def clock() -> Hand:
    return Hand()


@pytest.fixture
def make(tmp_path: Path, clock: Hand) -> Callable[..., Ed25519Signer]:
    def made(audience: str = URL, issuer: str = URL, folder: str = "keys") -> Ed25519Signer:
        return Ed25519Signer(tmp_path / folder, clock, issuer=issuer, audience=audience)

    return made


def claims(ttl_s: int = 600, **more: Json) -> dict[str, Json]:
    now_s = START_MS // 1000
    return {"sub": "a", "jti": "j", "iat": now_s, "exp": now_s + ttl_s, **more}


def cause(signer: Ed25519Signer, token: str, now_ms: int = START_MS) -> TokenRefusal:
    with pytest.raises(TokenInvalid) as refused:
        signer.verify(token, now_ms)
    assert token not in str(refused.value)
    return refused.value.cause


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_what_it_signs_it_verifies(make: Callable[..., Ed25519Signer]):
    found = make().verify(make().sign(claims(user="alice")), START_MS)
    assert found == claims(user="alice", iss=URL, aud=URL)


def test_the_header_is_exact(make: Callable[..., Ed25519Signer]):
    head = make().sign(claims()).partition(".")[0]
    header = json.loads(base64.urlsafe_b64decode(head + "=="))
    assert header.keys() == {"alg", "typ", "kid"}
    assert (header["alg"], header["typ"]) == ("Ed25519", "remit+jwt")


def test_expiry_is_exact_and_the_beginning_has_a_stated_leeway(make: Callable[..., Ed25519Signer]):
    signer = make()
    token = signer.sign(claims(10))
    assert signer.verify(token, START_MS + 9_999)
    assert cause(signer, token, START_MS + 10_000) is TokenRefusal.EXPIRED
    early = signer.sign(claims(nbf=START_MS // 1000 + LEEWAY_S))
    assert signer.verify(early, START_MS)
    later = signer.sign(claims(nbf=START_MS // 1000 + LEEWAY_S + 1))
    assert cause(signer, later) is TokenRefusal.NOT_YET
    assert cause(signer, token, START_MS - LEEWAY_S * 1000 - 1) is TokenRefusal.NOT_YET


def test_another_audience_or_issuer_is_refused(make: Callable[..., Ed25519Signer]):
    token = make(audience="http://other").sign(claims())
    assert cause(make(), token) is TokenRefusal.WRONG_AUDIENCE
    assert cause(make(), make(issuer="http://other").sign(claims())) is TokenRefusal.UNKNOWN


def test_another_services_key_is_unknown(make: Callable[..., Ed25519Signer]):
    assert cause(make(), make(folder="others").sign(claims())) is TokenRefusal.UNKNOWN


@pytest.mark.parametrize("part", [0, 1, 2])
def test_one_changed_character_is_refused(make: Callable[..., Ed25519Signer], part: int):
    signer = make()
    parts = signer.sign(claims()).split(".")
    middle = len(parts[part]) // 2
    flipped = "A" if parts[part][middle] != "A" else "B"
    parts[part] = parts[part][:middle] + flipped + parts[part][middle + 1 :]
    assert cause(signer, ".".join(parts)) in {TokenRefusal.MALFORMED, TokenRefusal.UNKNOWN}


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": "EdDSA"},
        {"alg": "HS256"},
        {"typ": "JWT"},
        {"crit": ["exp"]},
        {"jwk": {}},
        {"jku": "http://127.0.0.1/keys"},
        {"kid": None},
        {"kid": ["x"]},
    ],
)
def test_nothing_in_a_header_chooses_how_it_is_verified(make: Callable[..., Ed25519Signer], header: dict[str, object]):
    signer = make()
    head, body, signature = signer.sign(claims()).split(".")
    real = json.loads(base64.urlsafe_b64decode(head + "=="))
    token = ".".join((segment({**real, **header}), body, signature))
    assert cause(signer, token) in {TokenRefusal.MALFORMED, TokenRefusal.UNKNOWN}


def test_the_public_key_is_no_shared_secret(make: Callable[..., Ed25519Signer], tmp_path: Path):
    signer = make()
    [path] = (tmp_path / "keys").iterdir()
    public = OKPKey.import_key(path.read_bytes()).as_pem(private=False)
    kid = json.loads(base64.urlsafe_b64decode(signer.sign(claims()).partition(".")[0] + "=="))["kid"]
    header: dict[str, object] = {"alg": "HS256", "typ": TYPE, "kid": kid}
    secret = OctKey.import_key(public.hex())
    token = jws.serialize_compact(header, json.dumps(claims(iss=URL, aud=URL)), secret, algorithms=["HS256"])
    assert cause(signer, token) is TokenRefusal.MALFORMED


@pytest.mark.parametrize("text", ["", "x", "a.b", "a.b.c", "a.b.c.d", "é.é.é", "." * 9000, "e30.e30.e30", "\ud800.x.y"])
def test_what_is_no_token_is_malformed(make: Callable[..., Ed25519Signer], text: str):
    with pytest.raises(TokenInvalid) as refused:
        make().verify(text, START_MS)
    assert refused.value.cause is TokenRefusal.MALFORMED


def test_well_signed_nonsense_is_malformed(make: Callable[..., Ed25519Signer], tmp_path: Path):
    signer = make()
    [path] = (tmp_path / "keys").iterdir()
    key = OKPKey.import_key(path.read_bytes())
    header: dict[str, object] = {"alg": ALGORITHM, "typ": TYPE, "kid": key.thumbprint()[:16]}
    for payload in (b"[]", b"{", b"\xff", json.dumps({"iss": URL, "aud": URL}).encode()):
        token = jws.serialize_compact(header, payload, key, algorithms=[ALGORITHM])
        assert cause(signer, token) is TokenRefusal.MALFORMED


@pytest.mark.parametrize("odd", [{"exp": "1"}, {"exp": 1.5}, {"iat": None}, {"jti": 3}, {"exp": 0}])
def test_what_has_no_end_is_not_signed(make: Callable[..., Ed25519Signer], odd: dict[str, Json]):
    with pytest.raises(ValueError, match="token"):
        make().sign({**claims(), **odd})


def test_no_token_outlives_the_keys(make: Callable[..., Ed25519Signer]):
    with pytest.raises(ValueError, match="lives for"):
        make().sign(claims(TTL_MAX_S + 1))


def test_rotation_signs_anew_and_verifies_the_old_until_its_tokens_have_expired(
    make: Callable[..., Ed25519Signer], clock: Hand, tmp_path: Path
):
    signer = make()
    old = signer.sign(claims(TTL_MAX_S))
    clock.ms += 1000
    kid = signer.rotate()
    new = signer.sign(claims(TTL_MAX_S))
    assert kid in base64.urlsafe_b64decode(new.partition(".")[0] + "==").decode()
    for one in (signer, make()):
        assert one.verify(old, clock.ms)
        assert one.verify(new, clock.ms)
    clock.ms += (TTL_MAX_S + LEEWAY_S) * 1000
    assert cause(make(), old, START_MS) is TokenRefusal.UNKNOWN
    assert len(list((tmp_path / "keys").iterdir())) == 1


def test_rotating_twice_within_a_millisecond_keeps_the_order(make: Callable[..., Ed25519Signer]):
    signer = make()
    signer.rotate()
    kid = signer.rotate()
    assert kid in base64.urlsafe_b64decode(make().sign(claims()).partition(".")[0] + "==").decode()


def test_keys_are_for_their_owner_alone(make: Callable[..., Ed25519Signer], tmp_path: Path):
    make()
    folder = tmp_path / "keys"
    [path] = folder.iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    with pytest.raises(KeyringUnusable, match="chmod 600"):
        make()
    path.chmod(0o600)
    folder.chmod(0o755)
    with pytest.raises(KeyringUnusable, match="chmod 700"):
        make()


def test_a_broken_or_swapped_key_is_named(make: Callable[..., Ed25519Signer], tmp_path: Path):
    make()
    [path] = (tmp_path / "keys").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[:40])
    with pytest.raises(KeyringUnusable, match=path.name):
        make()
    path.write_bytes(OKPKey.generate_key("Ed25519").as_pem(private=True))
    with pytest.raises(KeyringUnusable, match="another key"):
        make()
    path.write_bytes(OKPKey.generate_key("X25519").as_pem(private=True))
    with pytest.raises(KeyringUnusable, match="not an Ed25519"):
        make()
    path.unlink()
    target = tmp_path / "elsewhere.pem"
    target.write_bytes(whole)
    path.symlink_to(target)
    with pytest.raises(KeyringUnusable, match="no link"):
        make()


def test_what_is_no_key_file_is_left_alone(make: Callable[..., Ed25519Signer], tmp_path: Path):
    make()
    other = tmp_path / "keys" / "README"
    other.write_text("mine")
    make().rotate()
    assert other.read_text() == "mine"


# --- bearers to callers ---


def authenticator(signer: Ed25519Signer, clock: Hand, **more: int) -> Authenticator:
    stored = {"admin": credential_hash(admin_token(b"a" * 16))}
    return Authenticator(signer, clock, revoked={}, credentials=stored, **more)


def token(signer: Ed25519Signer, use: TokenUse, mark: int = 1, ttl_s: int = 600) -> str:
    root = b"r" * 16 if use in {TokenUse.AGENT, TokenUse.SESSION} else None
    made = mint(use, "a", token=bytes([mark]) * 16, now_ms=START_MS, ttl_s=ttl_s, root=root)
    return signer.sign(made.to_json())


def refused(found: Authenticator, bearer: str | None) -> TokenRefusal:
    with pytest.raises(TokenInvalid) as error:
        found.caller(bearer)
    return error.value.cause


def test_each_kind_of_bearer_is_told_apart(make: Callable[..., Ed25519Signer], clock: Hand):
    signer = make()
    found = authenticator(signer, clock)
    assert isinstance(found.caller(token(signer, TokenUse.USER)), Person)
    assert isinstance(found.caller(token(signer, TokenUse.HARNESS)), HarnessOf)
    assert isinstance(found.caller(token(signer, TokenUse.AGENT)), Acting)
    assert isinstance(found.caller(token(signer, TokenUse.SESSION)), Acting)
    assert found.caller(admin_token(b"a" * 16)) == Admin("admin")
    for use in (TokenUse.USER, TokenUse.HARNESS):
        with pytest.raises(TokenInvalid) as error:
            found.authority(token(signer, use))
        assert error.value.cause is TokenRefusal.WRONG_KIND


def test_why_a_bearer_is_refused(make: Callable[..., Ed25519Signer], clock: Hand):
    signer = make()
    found = authenticator(signer, clock)
    assert refused(found, None) is TokenRefusal.MISSING
    assert refused(found, "") is TokenRefusal.MISSING
    assert refused(found, "x" * 9000) is TokenRefusal.MALFORMED
    assert refused(found, admin_token(b"b" * 16)) is TokenRefusal.UNKNOWN
    assert refused(found, "remit_admin_\udcff") is TokenRefusal.UNKNOWN
    assert refused(found, make(audience="http://other").sign(claims())) is TokenRefusal.WRONG_AUDIENCE
    assert refused(found, signer.sign(claims(use="root"))) is TokenRefusal.MALFORMED


def test_a_remembered_token_still_expires(make: Callable[..., Ed25519Signer], clock: Hand):
    signer = make()
    found, bearer = authenticator(signer, clock), token(signer, TokenUse.AGENT, ttl_s=10)
    assert found.caller(bearer) is found.caller(bearer)
    clock.ms += 10_000
    assert refused(found, bearer) is TokenRefusal.EXPIRED
    assert refused(found, bearer) is TokenRefusal.EXPIRED


def test_revoking_ends_a_remembered_token_and_all_that_came_from_it(make: Callable[..., Ed25519Signer], clock: Hand):
    signer = make()
    found = authenticator(signer, clock)
    parent = mint(TokenUse.AGENT, "a", token=b"1" * 16, now_ms=START_MS, ttl_s=600, root=b"r" * 16)
    child = attenuate(parent, "b", token=b"2" * 16, now_ms=START_MS, ttl_s=600)
    grandchild = attenuate(child, "c", token=b"3" * 16, now_ms=START_MS, ttl_s=600)
    bearers = [signer.sign(one.to_json()) for one in (parent, child, grandchild)]
    for bearer in bearers:
        found.caller(bearer)
    found.revoke(child.token)
    assert found.authority(bearers[0]).agents == ("a",)
    assert [refused(found, bearer) for bearer in bearers[1:]] == [TokenRefusal.REVOKED] * 2
    again = Authenticator(signer, clock, revoked={child.token: child.expires_s * 1000}, credentials={})
    assert refused(again, bearers[2]) is TokenRefusal.REVOKED


def test_a_revocation_outlives_its_token_and_a_clock_that_is_set_back(make: Callable[..., Ed25519Signer], clock: Hand):
    signer = make()
    found, bearer = authenticator(signer, clock), token(signer, TokenUse.AGENT, ttl_s=600)
    found.revoke(found.authority(bearer).token)
    clock.ms += 3_600_000
    found.revoke("another")
    assert refused(found, bearer) is TokenRefusal.EXPIRED
    clock.ms -= 3_600_000
    assert refused(found, bearer) is TokenRefusal.REVOKED


class Counting(Ed25519Signer):
    """Counts how often a signature is verified."""

    verified = 0

    def verify(self, token: str, now_ms: int) -> Mapping[str, Json]:
        self.verified += 1
        return super().verify(token, now_ms)


def test_a_signature_is_verified_once(tmp_path: Path, clock: Hand):
    signer = Counting(tmp_path / "keys", clock, issuer=URL, audience=URL)
    found, bearer = authenticator(signer, clock), token(signer, TokenUse.AGENT)
    for _ in range(5):
        found.authority(bearer)
    assert signer.verified == 1


def test_what_is_remembered_is_bounded(tmp_path: Path, clock: Hand):
    signer = Counting(tmp_path / "keys", clock, issuer=URL, audience=URL)
    found = authenticator(signer, clock, cached_max=2)
    bearers = [token(signer, TokenUse.AGENT, mark) for mark in range(1, 4)]
    for bearer in (*bearers, bearers[2], bearers[1]):
        found.caller(bearer)
    assert signer.verified == 3
    found.caller(bearers[0])
    assert signer.verified == 4
