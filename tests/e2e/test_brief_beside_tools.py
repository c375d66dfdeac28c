"""Who decides on a resource, a prompt or a completion is told where it goes, as policy sees it: API, terminal, page."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from proof.service import Service
from tests.e2e.pairs import NEW, POLICIES, RESOURCES, SERVER, whole
from tests.e2e.speaking import META, VERSION, ask
from tests.e2e.test_brief import plain
from tests.e2e.test_page import Visitor

OWNER = """\
---
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: sam}
spec: {}
---
apiVersion: remit.dev/v1alpha1
kind: Route
metadata: {name: owner}
spec: {users: [ana, sam], hold_s: 0}
"""
GATE = """\
@id("asked-first")
@gate("owner")
@reason("somebody looks at what is asked of it")
forbid (principal, action in [Remit::Action::"read_resource", Remit::Action::"get_prompt"], resource);
"""
ASKED: dict[str, dict[str, Any]] = {
    "resources/read": {"uri": "note://today"},
    "prompts/get": {"name": "greet", "arguments": {"name": "alma"}},
    "completion/complete": {
        "ref": {"type": "ref/resource", "uri": "person://{name}"},
        "argument": {"name": "name", "value": "al"},
    },
}
NOTHING_DONE = "counts as reading only: no tool is called"
ASSUMED = "outside the organisation: the worst is assumed, since no sink is declared for the server new"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("beside")
    with whole(NEW, folder) as port:
        made = Service(folder)
        server = SERVER.replace("NAME", "new").replace("PORT", str(port))
        made.write({"resources.yaml": RESOURCES + OWNER, "server.yaml": server, "policies.cedar": POLICIES + GATE})
        try:
            made.start()
            yield made
        finally:
            made.stop()


def waiting(service: Service, method: str) -> str:
    """The approval that asking `method` of the server waits for."""
    params = ASKED[method]
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": META}}).encode()
    heads = {"accept": "application/json, text/event-stream", "mcp_protocol_version": VERSION, "mcp_method": method}
    if named := params.get("uri") or params.get("name"):
        heads["mcp_name"] = named
    said = ask(service, "POST", "/mcp/new", service.agent("clerk", "ana"), body, **heads)
    assert b"pending" in said.body, said
    return str(service.approvals()[0]["id"])


@pytest.mark.parametrize(
    ("method", "declared", "reaches", "careful"),
    [
        ("resources/read", None, ASSUMED, True),
        ("resources/read", "internal", "inside the organisation, as declared for the server new", False),
        ("resources/read", "external", "outside the organisation, as declared for the server new", True),
        ("prompts/get", None, ASSUMED, True),
        ("prompts/get", "none", "nowhere, as declared for the server new", False),
        ("completion/complete", None, ASSUMED, True),
        ("completion/complete", "internal", "inside the organisation, as declared for the server new", False),
    ],
)
def test_the_card_says_what_is_declared_of_where_it_goes_and_that_the_worst_is_assumed_where_nothing_is(
    service: Service, method: str, declared: str | None, reaches: str, *, careful: bool
) -> None:
    file = Path(service.workspace / "server.yaml")
    bare = file.read_text().partition(", sink:")[0].removesuffix("}\n")
    file.write_text(bare + ("" if declared is None else f", sink: {declared}") + "}\n")
    service.apply()
    ident = waiting(service, method)
    brief = service.approval(ident)["brief"]
    can = {line["label"]: plain(line["text"]) for line in brief["impact"]}
    assert (can["undoing"], can["reaches"], brief["careful"]) == (NOTHING_DONE, reaches, careful)
    card = " ".join(service.remit("approvals", "show", ident).stdout.replace("│", " ").split())
    assert reaches in card
    sam = Visitor(service.port)
    assert sam.sign_in(service.user("sam")).status == 303
    page = sam.ask("GET", f"/a/{ident}").text
    assert reaches in page
    assert ("it cannot be approved by one key" in page) is careful
    assert all(("worst is assumed" in told) is (reaches == ASSUMED) for told in (card, page))
    # What one key approves, one key approves; and what it does not is refused without the tick.
    assert sam.decide(ident, "approve").status == (400 if careful else 303)
