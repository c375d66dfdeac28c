"""What the OpenAPI description says beyond FastAPI's own: problems, credentials, the form of RFC 8693."""

from typing import Any, Final

from fastapi import FastAPI

from remit.api.access import ACCESS, PREFIX, CredentialKind
from remit.api.answers import ProblemAnswer

PROBLEM_TYPE: Final = "application/problem+json"
_REFUSED: Final[dict[str, Any]] = {
    "description": "Refused: what happened, why, and the next command (RFC 9457).",
    "content": {PROBLEM_TYPE: {"schema": {"$ref": f"#/components/schemas/{ProblemAnswer.__name__}"}}},
}
_EXCHANGE: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/x-www-form-urlencoded": {
            "schema": {
                "type": "object",
                "required": ["grant_type", "subject_token", "subject_token_type", "actor"],
                "properties": {
                    name: {"type": "string"}
                    for name in (
                        "grant_type",
                        "subject_token",
                        "subject_token_type",
                        "actor",
                        "expires_in",
                        "resource",
                        "audience",
                        "requested_token_type",
                    )
                },
            }
        }
    },
}


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document of `app`: each operation with its problems and who may call it."""
    document = app.openapi()
    schemas: dict[str, Any] = document["components"]["schemas"]
    schemas[ProblemAnswer.__name__] = ProblemAnswer.model_json_schema()
    document["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    for (method, path), kinds in ACCESS.items():
        operation = document["paths"].get((PREFIX + path).replace(":path}", "}"), {}).get(method.lower())
        if operation is None:
            continue
        responses: dict[str, Any] = operation["responses"]
        responses.pop("422", None)
        responses["4XX"] = _REFUSED
        responses["503"] = _REFUSED
        if CredentialKind.NOBODY in kinds:
            operation["requestBody"] = _EXCHANGE
            responses["4XX"] = {
                "description": "An OAuth error (RFC 6749 section 5.2).",
                "content": {"application/json": {}},
            }
            continue
        operation["security"] = [{"bearer": []}]
        operation["x-remit-callers"] = sorted(kinds)
    return document
