"""Tasks byte by byte: a real service before a server, written by hand, that answers with them."""

from __future__ import annotations

import http.client
import json
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from proof.service import Service
from remit.facts.capability import NEEDS_TASKS, TASKS
from remit.facts.header_mirror import NAMED
from tests.e2e.bridge_world import META, Bridge, token_file
from tests.e2e.pairs import NEW, POLICIES, RESOURCES, SERVER
from tests.e2e.speaking import ask
from tests.eventually import awaited
from tests.upstreams.rig import FOLDER, http_process

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence
    from pathlib import Path

    from tests.e2e.speaking import Said

ABLE: Mapping[str, Any] = {"elicitation": {}, **NEEDS_TASKS}
ELICIT = "elicitation/create"
PREFIX = "io.modelcontextprotocol/"
YES: Mapping[str, Any] = {"action": "accept", "content": {}}
PIPED = """\
---
apiVersion: remit.dev/v1alpha1
kind: Server
metadata: {name: piped}
spec: {command: COMMAND}
"""


class Tasking:
    """A governed server with tasks, and the agents at it."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.token, self.other = service.agent("clerk", "ana"), service.agent("clerk", "ana")

    def ask(
        self, method: str, capabilities: Mapping[str, Any] = ABLE, *, token: str = "", path: str = "new", **params: Any
    ) -> Said:
        """One request of the stateless era."""
        meta = {
            "io.modelcontextprotocol/protocolVersion": NEW,
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        }
        body = {"jsonrpc": "2.0", "id": 7, "method": method, "params": {**params, "_meta": meta}}
        named = {"mcp_name": str(params[NAMED[method]])} if method in NAMED else {}
        return ask(
            self.service, "POST", f"/mcp/{path}", token or self.token, json.dumps(body).encode(),
            accept="application/json, text/event-stream", mcp_protocol_version=NEW, mcp_method=method, **named,
        )  # fmt: skip

    def begin(self, tool: str, *, path: str = "new", **arguments: Any) -> Any:
        """The handle that a call is answered with."""
        said = self.ask("tools/call", path=path, name=tool, arguments=arguments)
        assert (said.status, said.value["result"]["resultType"]) == (200, "task"), said.body
        return said.value["result"]

    @contextmanager
    def listening(self, idents: Sequence[str], *, token: str = "", path: str = "new") -> Generator[Callable[[], Any]]:
        """What calls give: each message on the stream of who subscribed to these, as it comes."""
        meta = {f"{PREFIX}protocolVersion": NEW, f"{PREFIX}clientCapabilities": ABLE}
        params = {"notifications": {"taskIds": idents}, "_meta": meta}
        body = {"jsonrpc": "2.0", "id": 7, "method": "subscriptions/listen", "params": params}
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=30)
        headers = {
            "authorization": f"Bearer {token or self.token}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": NEW,
            "mcp-method": "subscriptions/listen",
        }
        with closing(connection):
            connection.request("POST", f"/mcp/{path}", json.dumps(body), headers)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()

            def heard() -> Any:
                while not (line := answer.readline()).startswith(b"data:"):
                    assert line, "the stream is over"
                return json.loads(line[5:])

            yield heard

    def until(self, ident: str, *statuses: str, path: str = "new") -> Any:
        """The task once it has one of these statuses."""

        def reached() -> Any:
            found = self.ask("tasks/get", path=path, taskId=ident).value["result"]
            return found if found["status"] in statuses else None

        found = awaited(reached)
        assert (found["taskId"], found["resultType"]) == (ident, "complete")
        return found


@pytest.fixture(scope="module")
def tasking(tmp_path_factory: pytest.TempPathFactory) -> Generator[Tasking]:
    folder = tmp_path_factory.mktemp("tasking")
    with http_process("tasking.py", folder) as port:
        service = Service(folder)
        server = SERVER.replace("NAME", "new").replace("PORT", str(port))
        piped = PIPED.replace("COMMAND", json.dumps([sys.executable, str(FOLDER / "tasking.py"), "-"]))
        service.write({"resources.yaml": RESOURCES + server + piped, "policies.cedar": POLICIES})
        try:
            service.start()
            service.accept("new", "piped")
            yield Tasking(service)
        finally:
            service.stop()


def code(said: Said) -> tuple[int, int]:
    return said.status, said.value["error"]["code"]


def test_a_call_becomes_a_task_is_polled_and_brings_its_result(tasking: Tasking) -> None:
    handle = tasking.begin("slow_compute", seconds=0.1, label="x")
    times = {"createdAt", "lastUpdatedAt", "ttlMs", "pollIntervalMs"}
    assert handle.keys() == {"resultType", "_meta", "taskId", "status", "statusMessage"} | times
    assert handle["_meta"].keys() == {"io.modelcontextprotocol/serverInfo"}
    done = tasking.until(handle["taskId"], "completed")
    assert done["result"] == {"content": [{"type": "text", "text": "computed x"}]}
    assert tasking.until(handle["taskId"], "completed")["result"] == done["result"]
    failed = tasking.until(tasking.begin("protocol_error_job")["taskId"], "failed")
    assert failed["error"] == {"code": -32603, "message": "the job crashed"}
    assert "result" not in failed


def test_without_the_extension_there_is_no_task(tasking: Tasking) -> None:
    said = tasking.ask("tools/call", {}, name="slow_compute", arguments={"seconds": 0, "label": "y"})
    assert said.value["result"]["content"][0]["text"] == "computed y"
    needed = tasking.ask("tools/call", {}, name="failing_job", arguments={})
    assert code(needed) == (400, -32021)
    assert needed.value["error"]["data"] == {"requiredCapabilities": NEEDS_TASKS}
    ident = tasking.begin("failing_job")["taskId"]
    for method in ("tasks/get", "tasks/update", "tasks/cancel"):
        said = tasking.ask(method, {"elicitation": {}}, taskId=ident, inputResponses={})
        assert code(said) == (400, -32021)
        assert said.value["error"]["data"] == {"requiredCapabilities": NEEDS_TASKS}


def test_a_task_asks_the_user(tasking: Tasking) -> None:
    ident = tasking.begin("multi_input")["taskId"]
    asks = tasking.until(ident, "input_required")["inputRequests"]
    assert [(key, one["method"]) for key, one in asks.items()] == [("one", ELICIT), ("two", ELICIT)]
    for key in asks:
        said = tasking.ask("tasks/update", taskId=ident, inputResponses={key: YES})
        assert said.value["result"].keys() == {"resultType", "_meta"}
    done = json.loads(tasking.until(ident, "completed")["result"]["content"][0]["text"])
    assert done == {"one": YES, "two": YES}
    bad = tasking.ask("tasks/update", taskId=ident, inputResponses={"one": "yes"})
    assert code(bad) == (400, -32602)


def test_tasks_of_a_server_over_pipes(tasking: Tasking) -> None:
    ident = tasking.begin("confirm_delete", path="piped", filename="f")["taskId"]
    asked = tasking.until(ident, "input_required", path="piped")["inputRequests"]
    assert asked["sure"]["method"] == ELICIT
    tasking.ask("tasks/update", path="piped", taskId=ident, inputResponses={"sure": YES})
    done = tasking.until(ident, "completed", path="piped")
    assert done["result"]["content"][0]["text"] == "deleted f: accept"
    ident = tasking.begin("slow_compute", path="piped", seconds=60)["taskId"]
    assert tasking.ask("tasks/cancel", path="piped", taskId=ident).status == 200
    assert "result" not in tasking.until(ident, "cancelled", path="piped")
    assert code(tasking.ask("tasks/get", path="new", taskId=ident)) == (400, -32602)


def test_tasks_through_the_bridge(tasking: Tasking, tmp_path: Path) -> None:
    meta = {**META, f"{PREFIX}clientCapabilities": ABLE}
    token = token_file(tmp_path, tasking.token)
    with Bridge(tasking.service.url, "--server", "piped", "--token-file", token) as bridge:

        def ask(method: str, **params: Any) -> Any:
            bridge.tell(id=1, method=method, params={**params, "_meta": meta})
            return bridge.heard()["result"]

        ident = ask("tools/call", name="multi_input", arguments={})["taskId"]
        awaited(lambda: ask("tasks/get", taskId=ident)["status"] != "working")
        assert ask("tasks/get", taskId=ident)["inputRequests"].keys() == {"one", "two"}
        ask("tasks/update", taskId=ident, inputResponses={"one": YES})
        ask("tasks/cancel", taskId=ident)
        awaited(lambda: ask("tasks/get", taskId=ident)["status"] == "cancelled")
        listens = {"notifications": {"taskIds": [ident]}, "_meta": meta}
        bridge.tell(id=2, method="subscriptions/listen", params=listens)
        assert bridge.heard()["params"]["notifications"] == {"taskIds": [ident]}
        said = bridge.heard()
        assert (said["method"], said["params"]["status"]) == ("notifications/tasks", "cancelled")


def test_the_ledger_of_tasks_verifies(tasking: Tasking) -> None:
    ident = tasking.begin("confirm_delete", filename="f")["taskId"]
    tasking.until(ident, "input_required")
    tasking.ask("tasks/update", taskId=ident, inputResponses={"sure": YES})
    assert tasking.until(ident, "completed")["result"]["content"][0]["text"] == "deleted f: accept"
    assert tasking.service.told("ledger", "verify")["clean"]


def test_a_task_is_cancelled(tasking: Tasking) -> None:
    ident = tasking.begin("slow_compute", seconds=60)["taskId"]
    for _ in range(2):
        assert tasking.ask("tasks/cancel", taskId=ident).value["result"].keys() == {"resultType", "_meta"}
    assert "result" not in tasking.until(ident, "cancelled")


def test_an_id_is_good_for_the_run_that_began_it(tasking: Tasking) -> None:
    ident = tasking.begin("slow_compute", seconds=60)["taskId"]
    for said in (
        tasking.ask("tasks/get", taskId=ident, token=tasking.other),
        tasking.ask("tasks/cancel", taskId=ident, token=tasking.other),
        tasking.ask("tasks/get", taskId=ident[:-5] + "AAAA="),
        tasking.ask("tasks/get", taskId="x" * 2_000),
        tasking.ask("tasks/update", taskId="theirs", inputResponses={}),
    ):
        assert code(said) == (400, -32602)
        assert said.value["error"]["data"] == {"reason": "task/unknown"}
    assert tasking.until(ident, "working")
    assert tasking.ask("tasks/cancel", taskId=ident).status == 200


def test_who_subscribed_hears_how_his_tasks_fare_to_their_end(tasking: Tasking) -> None:
    asks = tasking.begin("confirm_delete", filename="f")["taskId"]
    fails = tasking.begin("protocol_error_job")["taskId"]
    elsewhere = tasking.begin("slow_compute", path="piped", seconds=60)["taskId"]
    with tasking.listening([asks, fails, asks, "theirs", elsewhere]) as heard:
        first = heard()
        assert first["method"] == "notifications/subscriptions/acknowledged"
        assert first["params"]["notifications"] == {"taskIds": [asks, fails]}, "neither a stranger's nor another path's"
        told: dict[str, list[Any]] = {asks: [], fails: []}
        while not told[asks] or told[asks][-1]["status"] != "input_required":
            said = heard()
            assert said["method"] == "notifications/tasks"
            told[said["params"]["taskId"]].append(said["params"])
        waiting = told[asks][-1]
        assert waiting["_meta"] == {f"{PREFIX}subscriptionId": 7}
        assert waiting["inputRequests"]["sure"]["method"] == ELICIT
        assert "resultType" not in waiting
        tasking.ask("tasks/update", taskId=asks, inputResponses={"sure": YES})
        while not all(one and one[-1]["status"] in {"completed", "failed"} for one in told.values()):
            said = heard()["params"]
            told[said["taskId"]].append(said)
    same = {"taskId", "status", "result", "createdAt"}
    got = tasking.until(asks, "completed")
    assert {name: told[asks][-1][name] for name in same} == {name: got[name] for name in same}
    assert told[fails][-1]["error"] == {"code": -32603, "message": "the job crashed"}
    states = [one["status"] for one in told[asks]]
    assert len(states) == len(set(states)), "each state is told once, however often its server writes a new time"


def test_a_task_that_is_over_is_told_to_who_subscribes_afterwards(tasking: Tasking) -> None:
    ident = tasking.begin("slow_compute", seconds=0.05, label="x")["taskId"]
    tasking.until(ident, "completed")
    for path in ("new", ""):
        with tasking.listening([ident], path=path) as heard:
            assert heard()["params"]["notifications"] == {"taskIds": [ident]}
            assert heard()["params"]["result"]["content"][0]["text"] == "computed x"


def test_nobody_hears_of_anothers_task_nor_of_more_than_a_stream_follows(tasking: Tasking) -> None:
    ident = tasking.begin("slow_compute", seconds=60)["taskId"]
    with tasking.listening([ident], token=tasking.other) as heard:
        assert heard()["params"]["notifications"] == {}
    said = tasking.ask("subscriptions/listen", {}, notifications={"taskIds": [ident]})
    assert code(said) == (400, -32021)
    assert said.value["error"]["data"] == {"requiredCapabilities": NEEDS_TASKS}
    for wrong in ("t", [1], [str(at) for at in range(257)]):
        assert code(tasking.ask("subscriptions/listen", notifications={"taskIds": wrong})) == (400, -32602)


def test_who_is_stopped_hears_no_more_of_his_task(tasking: Tasking) -> None:
    ident = tasking.begin("slow_compute", seconds=60)["taskId"]
    with tasking.listening([ident]) as heard:
        assert heard()["params"]["notifications"] == {"taskIds": [ident]}
        assert heard()["params"]["status"] == "working"
        halted = tasking.service.remit("halt", "server", "new", "--why", "a drill")
        assert halted.returncode == 0, halted.stderr
        last = heard()
    assert tasking.service.remit("resume", "server", "new").returncode == 0
    assert last["id"] == 7
    assert "params" not in last


def test_the_extension_is_told_of_where_the_server_has_it(tasking: Tasking) -> None:
    for path in ("new", ""):
        found = tasking.ask("server/discover", path=path).value["result"]["capabilities"]
        assert found["extensions"] == {TASKS: {}}, path
        assert "tasks" not in found


def test_what_was_asked_before_comes_first(tasking: Tasking) -> None:
    said = tasking.ask("tools/call", name="test_tool_with_task", arguments={}).value["result"]
    assert said["resultType"] == "input_required"
    answers = {"who": {"action": "accept", "content": {"name": "Alice"}}}
    handle = tasking.ask(
        "tools/call",
        name="test_tool_with_task",
        arguments={},
        inputResponses=answers,
        requestState=said["requestState"],
    ).value["result"]
    assert (handle["resultType"], "requestState" in handle) == ("task", False)
    done = tasking.until(handle["taskId"], "completed")
    assert done["result"]["content"][0]["text"] == "Hello, Alice!"
