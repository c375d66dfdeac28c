"""Webhooks by the Standard Webhooks specification 1.0: `webhook-id`, `webhook-timestamp`, `webhook-signature`.

Redirects are not followed, answers are not read, and a secret is in no error.
"""

import base64
import binascii
import hashlib
import hmac
from typing import Final

import aiohttp

from remit.adapters.credentials.references import References
from remit.escalate.notice import Notice
from remit.facts.catalog import Channel
from remit.ports.credentials import CredentialRefused
from remit.ports.notifier import DeliveryFailed

PREFIX: Final = "whsec_"
SECRET_BYTES: Final = (24, 64)
TIMEOUT: Final = aiohttp.ClientTimeout(total=10.0)


def key_of(secret: str) -> bytes:
    """The key that `secret` is. Raises `ValueError` for what is none."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("it is not whsec_ and base 64") from None
    least, most = SECRET_BYTES
    if not least <= len(key) <= most:
        raise ValueError(f"it holds {len(key)} bytes, not {least} to {most}")
    return key


def signature(secret: str, ident: str, timestamp_s: int, body: bytes) -> str:
    """`v1,…` over id, timestamp and body by `secret`. Raises `ValueError` for what is no secret."""
    signed = hmac.new(key_of(secret), b"%s.%d.%s" % (ident.encode("utf-8"), timestamp_s, body), hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode('ascii')}"


class Webhooks:
    """Posts notices by `session`."""

    def __init__(self, session: aiohttp.ClientSession, references: References) -> None:
        self._session = session
        self._references = references

    async def say(self, channel: Channel, notice: Notice, now_ms: int) -> None:
        """Post `notice` to `channel`; the timestamp is that of the attempt. Raises `DeliveryFailed`."""
        now_s = now_ms // 1000
        try:
            signed = signature(await self._references.value(channel.secret), notice.ident, now_s, notice.body)
        except CredentialRefused as refused:
            raise DeliveryFailed(str(refused)) from refused
        except ValueError as error:
            raise DeliveryFailed(f"the secret of the channel cannot sign: {error}") from error
        headers = {
            "content-type": "application/json",
            "webhook-id": notice.ident,
            "webhook-timestamp": str(now_s),
            "webhook-signature": signed,
        }
        try:
            async with self._session.post(
                channel.url, data=notice.body, headers=headers, timeout=TIMEOUT, allow_redirects=False
            ) as answer:
                status = answer.status
        except TimeoutError as error:
            raise DeliveryFailed("the receiver did not answer in time") from error
        except (aiohttp.ClientError, OSError, UnicodeError) as error:
            # A host that is no name is told of by the codec that spells it.
            raise DeliveryFailed(f"the receiver cannot be reached ({type(error).__name__})") from error
        if not 200 <= status < 300:
            raise DeliveryFailed(f"the receiver answered {status}")
