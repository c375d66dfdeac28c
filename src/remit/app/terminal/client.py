"""The command line's way to a running service: one JSON request over HTTP at a time."""

import http.client
import json
import os
import socket
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urlencode, urlsplit

from remit.app.settings import closed_way, service_url
from remit.app.terminal.bearer import TokenFile
from remit.app.terminal.failure import CommandFailure, Exit

_TIMEOUT_S: Final = 120.0
_EXITS: Final = {
    400: Exit.USAGE,
    401: Exit.FORBIDDEN,
    403: Exit.FORBIDDEN,
    404: Exit.NOT_FOUND,
    409: Exit.NEGATIVE,
    422: Exit.INVALID,
    504: Exit.TIMEOUT,
}
_PERHAPS: Final = "what was asked for may have been done all the same"
_LOOK: Final = "see how it stands before you say it again"
_NO_TLS: Final = frozenset({"HTTP_REQUEST", "RECORD_LAYER_FAILURE", "UNKNOWN_PROTOCOL", "WRONG_VERSION_NUMBER"})
"""How OpenSSL says, by version, that an answer is no TLS."""


def speaks_http(error: Exception) -> bool:
    """Whether TLS failed because what answers there does not speak it, as it does where https was written for http."""
    return isinstance(error, ssl.SSLError) and getattr(error, "reason", None) in _NO_TLS


def read_token(token_file: Path | None) -> str | None:
    """The bearer from `token_file`, `REMIT_TOKEN` or `REMIT_TOKEN_FILE`, whichever is first."""
    if token_file is None and (token := os.environ.get("REMIT_TOKEN")):
        return token
    file = token_file or (Path(f) if (f := os.environ.get("REMIT_TOKEN_FILE")) else None)
    if file is None:
        return None
    return TokenFile(file, "user").read()


def _asking(path: str, query: Mapping[str, object]) -> str:
    parameters = {key: value for key, value in query.items() if value is not None}
    return path + (f"?{urlencode(parameters)}" if parameters else "")


class ServiceClient:
    """Talks to `REMIT_URL` with one bearer token, over https or on this machine. Answers are parsed JSON."""

    def __init__(self, token: str | None, url: str | None = None) -> None:
        self._url = urlsplit(url or service_url())
        self._token = token
        if self._url.scheme not in {"http", "https"} or not self._url.hostname:
            raise CommandFailure(
                f"not a service address: {url or service_url()}",
                next="set REMIT_URL, for example http://127.0.0.1:7070",
                exit=Exit.USAGE,
            )
        closed_way(
            self._url, "set REMIT_URL=https://HOST (or REMIT_IN_THE_OPEN=1, where you trust the network between)"
        )

    def awake(self, timeout_s: float) -> None:
        """See that the service answers anything within `timeout_s`.

        Raises `CommandFailure`, by `Exit.TIMEOUT` if not.
        """
        connection, _ = self._open("GET", "/healthz", None, timeout_s=timeout_s, root="")
        connection.close()

    def get(self, path: str, **query: object) -> Any:
        """GET `path` under `/api/v1`; None values of `query` are left out."""
        return self._send("GET", _asking(path, query), None)

    def pages(self, path: str, **query: object) -> Iterator[list[dict[str, Any]]]:
        """The items at `path`, page by page; `query` is asked of the first."""
        while True:
            page = self.get(path, **query)
            yield page["items"]
            if page["next"] is None:
                return
            query = {"after": page["next"]}

    def post(self, path: str, body: Mapping[str, object] | None = None, *, timeout_s: float = _TIMEOUT_S) -> Any:
        """POST `body` as JSON to `path` under `/api/v1`."""
        return self._send("POST", path, body or {}, timeout_s=timeout_s)

    def form(self, path: str, fields: Mapping[str, str]) -> Any:
        """POST `fields` form-encoded (OAuth's way) to `path` under `/api/v1`."""
        return self._send("POST", path, fields, form=True)

    def delete(self, path: str) -> Any:
        """DELETE `path` under `/api/v1`."""
        return self._send("DELETE", path, None)

    def events(self, path: str, **query: object) -> Iterator[Any]:
        """The data of each server-sent event at `path`, parsed, until the service ends it; `query` as `get` has it."""
        connection, answer = self._open("GET", _asking(path, query), None, timeout_s=3600.0)
        try:
            if answer.status != 200:
                raise self._refusal(answer.status, answer.read())
            while line := answer.readline():
                if line.startswith(b"data:"):
                    yield json.loads(line[5:])
        except TimeoutError:
            return
        finally:
            connection.close()

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        *,
        form: bool = False,
        timeout_s: float = _TIMEOUT_S,
    ) -> Any:
        connection, answer = self._open(method, path, body, timeout_s=timeout_s, form=form)
        changing = method != "GET"
        try:
            data = answer.read()
        except TimeoutError as error:
            raise self._late(sent=changing) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._no_answer(error, sent=changing) from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise self._refusal(answer.status, data)
        if answer.status >= 300:
            raise self._stranger(answer.status)
        try:
            return json.loads(data) if data else None
        except ValueError as error:
            raise self._stranger(answer.status) from error

    def _open(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None,
        *,
        timeout_s: float,
        form: bool = False,
        root: str = "/api/v1",
    ) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        make = http.client.HTTPSConnection if self._url.scheme == "https" else http.client.HTTPConnection
        connection = make(self._url.hostname or "", self._url.port, timeout=timeout_s)
        headers = {"accept": "application/json"}
        if self._token:
            headers["authorization"] = f"Bearer {self._token}"
        content = None
        if body is not None:
            text = urlencode(body) if form else json.dumps(body)
            content = text.encode("utf-8")
            kind = "x-www-form-urlencoded" if form else "json"
            headers["content-type"] = f"application/{kind}"
        sent = False
        try:
            connection.request(method, f"{self._url.path}{root}{path}", body=content, headers=headers)
            sent = method != "GET"
            return connection, connection.getresponse()
        except TimeoutError as error:
            connection.close()
            raise self._late(sent=sent) from error
        except (OSError, socket.gaierror, http.client.HTTPException) as error:
            connection.close()
            raise self._no_answer(error, sent=sent) from error

    def _no_answer(self, error: Exception, *, sent: bool) -> CommandFailure:
        """`sent`: a change was asked for, and the service may have made it."""
        why = str(error) or type(error).__name__
        following = "start the service with: remit up --workspace DIR (or set REMIT_URL)"
        if sent:
            why, following = f"{why}; {_PERHAPS}", f"{_LOOK}; where it is down, {following}"
        if speaks_http(error):
            why = "what answers there speaks http, not https"
            following = f"set REMIT_URL={self._url._replace(scheme='http').geturl()}"
        elif isinstance(error, ssl.SSLError):
            following = "check the service's certificate, or set REMIT_URL"
        return CommandFailure(f"no answer from {self._url.geturl()}", why=why, next=following, exit=Exit.UNREACHABLE)

    def _late(self, *, sent: bool) -> CommandFailure:
        """`sent` as of `_no_answer`."""
        following = "look at the service: remit doctor"
        return CommandFailure(
            f"{self._url.geturl()} took too long to answer",
            why=_PERHAPS if sent else "",
            next=f"{_LOOK}, and {following}" if sent else following,
            exit=Exit.TIMEOUT,
        )

    def _stranger(self, status: int) -> CommandFailure:
        """What answers, and not as Remit does: another program has the port, or a proxy stands before it."""
        return CommandFailure(
            f"what answers at {self._url.geturl()} is not Remit",
            why=f"it answered {status}, without JSON of the control API",
            next="set REMIT_URL to the address that remit up printed",
            exit=Exit.UNREACHABLE,
        )

    def _refusal(self, status: int, data: bytes) -> CommandFailure:
        try:
            answer: object = json.loads(data)
        except ValueError:
            answer = None
        problem = cast("dict[str, Any]", answer) if isinstance(answer, dict) else {}
        if status < 500 and not problem.get("title") and not problem.get("error"):
            return self._stranger(status)
        what = str(problem.get("title") or problem.get("error") or f"the service answered {status}")
        causes = (problem.get("why") or problem.get("error_description"), *(problem.get("problems") or ()))
        why = "\n        ".join(str(cause) for cause in causes if cause)
        following = str(problem.get("next") or "")
        if status == 401:
            what = f"{what} at {self._url.geturl()}"
            following = following or "set REMIT_TOKEN or pass --token-file"
        exit_code = _EXITS.get(status, Exit.UNREACHABLE if status >= 500 else Exit.NEGATIVE)
        return CommandFailure(what, why=why, next=following, exit=exit_code)
