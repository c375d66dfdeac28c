"""Passkeys checked by py_webauthn (Duo Labs), which is imported when the first one is.

The person has to be there and to be verified (PIN, finger, face): to hold somebody's key is not enough. No attestation
is asked for: who may register one is a question for whoever runs Remit, not for the maker of a device.
"""

import base64
import ipaddress
from typing import Final
from urllib.parse import urlsplit

from remit.facts.passkey import Passkey
from remit.ports.passkeys import CopySuspected, NewPasskey, NotConfirmed

SAID_CHARS_MAX: Final = 16_384


class WebAuthn:
    """`ports.passkeys.Passkeys` for a service that people reach at `resource`.

    A passkey is bound to a name, never to an address: one of loopback is reached as `localhost`.
    """

    def __init__(self, resource: str) -> None:
        self._holder, self._origin = _place(resource)

    @property
    def holder(self) -> str:
        """The host that passkeys are bound to; empty where browsers would use none."""
        return self._holder

    @property
    def origin(self) -> str:
        """Where people have to be to use one."""
        return self._origin

    def registration(self, response: str, challenge: bytes) -> NewPasskey:
        """The passkey that `response` brings for `challenge`. Raises `NotConfirmed`."""
        from webauthn import verify_registration_response
        from webauthn.helpers.exceptions import WebAuthnException

        try:
            verified = verify_registration_response(
                credential=_check_size(response),
                expected_challenge=challenge,
                expected_rp_id=self._holder,
                expected_origin=self._origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError) as error:
            raise NotConfirmed(_why(error)) from error
        return NewPasskey(_text(verified.credential_id), _text(verified.credential_public_key), verified.sign_count)

    def signature_count(self, response: str, challenge: bytes, passkey: Passkey) -> int:
        """The count of `passkey` after it signed `challenge`. Raises `NotConfirmed`, `CopySuspected`."""
        from webauthn import verify_authentication_response
        from webauthn.helpers.exceptions import WebAuthnException

        try:
            verified = verify_authentication_response(
                credential=_check_size(response),
                expected_challenge=challenge,
                expected_rp_id=self._holder,
                expected_origin=self._origin,
                credential_public_key=_bytes(passkey.key),
                # Asked beneath, of what is proven to be its own.
                credential_current_sign_count=0,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError) as error:
            raise NotConfirmed(_why(error)) from error
        if _text(verified.credential_id) != passkey.ident:
            raise NotConfirmed("another passkey signed it")
        count = verified.new_sign_count
        if count <= passkey.count and passkey.count > 0:
            why = f"it counts {count} by now, and had counted {passkey.count}: somebody may have a copy of it"
            raise CopySuspected(why)
        return count


def _place(resource: str) -> tuple[str, str]:
    parts = urlsplit(resource)
    host = parts.hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        # Browsers hand out passkeys where nobody between can read: over https, or on the machine itself.
        return (host if parts.scheme == "https" or host == "localhost" else ""), f"{parts.scheme}://{parts.netloc}"
    if not loopback:
        return "", f"{parts.scheme}://{parts.netloc}"
    port = "" if parts.port is None else f":{parts.port}"
    return "localhost", f"{parts.scheme}://localhost{port}"


def _check_size(response: str) -> str:
    if len(response) > SAID_CHARS_MAX:
        raise ValueError(f"more than {SAID_CHARS_MAX:,} characters")
    return response


def _why(error: Exception) -> str:
    return f"{str(error)[:200] or type(error).__name__}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
