"""Signatures by Standard Webhooks, against the official library; and what cannot sign."""

import base64
from datetime import UTC, datetime

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from remit.adapters.credentials.references import References
from remit.adapters.notifiers.webhook import Webhooks, signature
from remit.escalate.notice import Notice
from remit.facts.catalog import Channel
from remit.facts.credential import FromEnv, Secret
from remit.ports.notifier import DeliveryFailed
from tests.contract.ledger_world import SteadyClock


@given(
    st.binary(min_size=24, max_size=64), st.from_regex(r"msg_[a-z0-9_-]{1,60}", fullmatch=True), st.text(max_size=80)
)
def test_the_official_library_verifies_what_is_signed(key: bytes, ident: str, text: str) -> None:
    secret = f"whsec_{base64.b64encode(key).decode()}"
    now_s = int(datetime.now(UTC).timestamp())
    body = b'{"text":"%d"}' % len(text)
    heads = {
        "webhook-id": ident,
        "webhook-timestamp": str(now_s),
        "webhook-signature": signature(secret, ident, now_s, body),
    }
    assert Webhook(secret).verify(body, heads)
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body + b" ", heads)
    assert signature(secret.removeprefix("whsec_"), ident, now_s, body) == heads["webhook-signature"]


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_AAAA", "whsec_not base 64!", "whsec_" + "A" * 200])
def test_what_is_no_secret_signs_nothing_and_is_not_told(secret: str) -> None:
    with pytest.raises(ValueError, match="it ") as refused:
        signature(secret, "msg_a", 1, b"{}")
    assert len(secret) < 8 or secret.removeprefix("whsec_") not in str(refused.value)


@pytest.mark.asyncio
async def test_a_host_that_is_no_name_cannot_be_reached() -> None:
    channel = Channel("desk", "https://hooks..example/", Secret(FromEnv("HOOK")))
    references = References({"HOOK": "whsec_" + base64.b64encode(bytes(32)).decode()}, SteadyClock())
    async with aiohttp.ClientSession() as session:
        with pytest.raises(DeliveryFailed, match="the receiver cannot be reached"):
            await Webhooks(session, references).say(channel, Notice("msg_a", "desk", "r1-1.9", b"{}", 1), 1)
