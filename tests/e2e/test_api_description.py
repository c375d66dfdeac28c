"""The API's own description, tried against it: generated requests get what the description promises."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from remit.api.access import ACCESS, PREFIX, CredentialKind
from tests.e2e.api_world import World, world

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Rules between fields are no part of a schema, and one path is several routes, each with its own Allow.
EXCLUDED = "positive_data_acceptance,allow_header_conformance"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    async with world(tmp_path_factory.mktemp("description")) as made:
        yield made


async def test_it_names_every_route_and_who_may_call_it(api: World):
    told = await api.told("GET", "/openapi.json")
    for (method, path), kinds in ACCESS.items():
        if path == "/openapi.json":
            continue
        operation = told["paths"][(PREFIX + path).replace(":path}", "}")][method.lower()]
        if CredentialKind.NOBODY in kinds:
            assert "security" not in operation
        else:
            assert operation["x-remit-callers"] == sorted(kinds)
    assert told["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert [name for name in told["components"]["schemas"] if not name.isalnum()] == [], "none has a path for a name"


@pytest.mark.parametrize(("kind", "phase"), [("admin", "coverage"), ("user", "fuzzing"), ("harness", "fuzzing")])
async def test_generated_requests_get_what_it_promises(api: World, kind: str, phase: str, tmp_path: Path):
    token = {"admin": api.admin, "user": await api.token("user", "ann"), "harness": await api.token("harness", "coach")}
    # A harness may not read the description, so it is read by the admin for all.
    description = tmp_path / "openapi.json"
    text = (await api.ask("GET", "/openapi.json", api.admin)).text
    await asyncio.to_thread(description.write_text, text)
    command = [
        str(Path(sys.executable).with_name("st")), "run", str(description), "--url", api.url,
        "--header", f"Authorization: Bearer {token[kind]}", "--exclude-path", f"{PREFIX}/events",
        "--exclude-checks", EXCLUDED, "--phases", phase, "--max-examples", "2", "--seed", "1",
        "--generation-database", "none", "--no-color",
    ]  # fmt: skip
    running = await asyncio.create_subprocess_exec(
        *command, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await running.communicate()
    assert running.returncode == 0, said.decode()
