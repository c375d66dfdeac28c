"""`io.modelcontextprotocol/tasks` of 2026-07-28: a call answered with a handle, and what its client asks by it.

The id that a client gets is ours, sealed for it alone; the server's is not in it.
Specification: github.com/modelcontextprotocol/ext-tasks, 2026-07-28.
"""

from collections.abc import Mapping
from typing import Final

import orjson

from remit.facts.agent import Authority
from remit.facts.canonical import Json
from remit.facts.capability import NEEDS_TASKS, takes_tasks
from remit.pep.answer import Answer, Client, Refused, Underway
from remit.pep.driver import Driver
from remit.pep.mcp import rpc
from remit.pep.mcp.envelope import NOTHING, Request
from remit.pep.mcp.pending_response import ReplyBody
from remit.pep.mcp.post import Post
from remit.pep.mcp.refusals import RpcError, of_task
from remit.pep.mcp.sealer import SealBroken, Sealer
from remit.pep.questions import may_be_asked
from remit.policy.verdict import Code
from remit.ports.system import Entropy

METHODS: Final = frozenset({"tasks/get", "tasks/update", "tasks/cancel"})
ID_CHARS_MAX: Final = 512
UNDECLARED: Final = RpcError(
    rpc.MISSING_CAPABILITY,
    "the client did not declare the extension io.modelcontextprotocol/tasks",
    {"requiredCapabilities": dict(NEEDS_TASKS)},
)
_PURPOSE: Final = b"remit taskId 1"
_META: Final[Mapping[str, Json]] = {rpc.SERVER_INFO_KEY: rpc.SERVER_INFO}


class TaskMethods:
    """Answers what is asked about tasks."""

    def __init__(self, driver: Driver, entropy: Entropy) -> None:
        self._driver = driver
        self._sealing = Sealer(_PURPOSE, entropy)

    def begun(self, post: Post, request: Request, task: Underway) -> ReplyBody:
        """The answer to a call that its server goes on with as a task."""
        ident = self._sealing.seal(task.name.encode("ascii"), post.authority)
        value = {"resultType": "task", "_meta": _META, "taskId": ident, **task.state}
        return ReplyBody(rpc.result(request.ident, orjson.dumps(value)))

    def is_known(self, post: Post, ident: str) -> bool:
        """Whether `ident` is of a task that who sent `post` may ask about on this path."""
        return self._driver.knows_task(post.authority, post.server, self._name(ident, post.authority))

    async def look(self, post: Post, client: Client, ident: str) -> Answer:
        """How the task of `ident` fares, as `tasks/get` answers it."""
        return await self._driver.get_task(post.authority, client, post.server, self._name(ident, post.authority))

    async def reply(self, post: Post, request: Request, client: Client) -> ReplyBody:
        """The answer to `request`, whose method is one of `METHODS`."""
        ident = request.params.get("taskId")
        if not takes_tasks(client.capabilities):
            return _wrong(request, UNDECLARED)
        if not isinstance(ident, str):
            return _wrong(request, RpcError(rpc.INVALID_PARAMS, "params.taskId must be a text"))
        responses = request.params.get("inputResponses", NOTHING)
        if not isinstance(responses, Mapping) or not all(
            isinstance(response, Mapping) for response in responses.values()
        ):
            text = "params.inputResponses must be an object of results by question"
            return _wrong(request, RpcError(rpc.INVALID_PARAMS, text))
        answer = await self._put(post, request.method, client, self._name(ident, post.authority), responses)
        match answer:
            case Underway() if request.method == "tasks/get":
                head: Mapping[str, Json] = {"resultType": "complete", "_meta": _META}
                return ReplyBody(rpc.result(request.ident, detailed(head, ident, client, answer)))
            case Underway():
                return ReplyBody(rpc.result(request.ident, orjson.dumps({"resultType": "complete", "_meta": _META})))
            case Refused(reasons) if any(reason.code is Code.TASK_UNKNOWN for reason in reasons):
                return _wrong(
                    request, RpcError(rpc.INVALID_PARAMS, reasons[0].text, {"reason": Code.TASK_UNKNOWN.value})
                )
            case _:
                return _wrong(request, of_task(answer))

    async def _put(self, post: Post, method: str, client: Client, name: str, responses: Mapping[str, Json]) -> Answer:
        driver, authority = self._driver, post.authority
        match method:
            case "tasks/get":
                return await driver.get_task(authority, client, post.server, name)
            case "tasks/update":
                return await driver.update_task(authority, client, post.server, name, responses)
            case _:
                return await driver.cancel_task(authority, client, post.server, name)

    def _name(self, ident: str, authority: Authority) -> str:
        """The driver's name of a task, none of any where `ident` is not ours for `authority`."""
        if len(ident) > ID_CHARS_MAX:
            return ""
        try:
            return self._sealing.open(ident, authority).decode("ascii")
        except SealBroken:
            return ""


def detailed(head: Mapping[str, Json], ident: str, client: Client, task: Underway) -> bytes:
    """The `DetailedTask` of `ident` after the members of `head`: a JSON object."""
    value: dict[str, Json] = {**head, "taskId": ident, **task.state}
    if task.state["status"] == "input_required":
        value["inputRequests"] = {
            key: {"method": question.method, "params": question.params}
            for key, question in task.questions.items()
            if may_be_asked(client.capabilities, question)
        }
    if task.error is not None:
        code, message = task.error
        value["error"] = {"code": code, "message": message}
    whole = orjson.dumps(value)
    # The very bytes that the outcome is about.
    return whole if task.result is None else whole[:-1] + b',"result":' + task.result + b"}"


def _wrong(request: Request, wrong: RpcError) -> ReplyBody:
    body = rpc.error(request.ident, wrong.code, wrong.text, wrong.data)
    return ReplyBody(body, rpc.STATUS.get(wrong.code, 200))
