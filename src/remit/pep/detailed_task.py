"""The funnel for what a server says of a task (`DetailedTask` of `io.modelcontextprotocol/tasks`, 2026-07-28).

As with all of it: only members that the extension names pass, each of its own type; what is not as it says is
withheld whole. Times must look like times, and a task lasts no longer than `TASK_MS_MAX`, whatever is said.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from remit.facts.canonical import Json
from remit.facts.durations import DAY_MS, HOUR_MS
from remit.pep.message_filter import show_question
from remit.pep.release import UPSTREAM_TEXT_MAX, Odd, is_number, safe
from remit.ports.upstream import Failure, Question, Result

IDENT_MAX: Final = 1_024
TASK_MS_MAX: Final = DAY_MS
QUESTIONS_MAX: Final = 32
KEY_MAX: Final = 256
_POLL_MS_MAX: Final = HOUR_MS
_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})?", re.ASCII)
_STATUSES: Final = frozenset({"working", "input_required", "completed", "failed", "cancelled"})

End: TypeAlias = Result | Failure


@dataclass(frozen=True, slots=True)
class DetailedTask:
    """What a server said of a task.

    `ident` is the server's own name of it. `shown` is what may be shown: status, times, limits. `questions` are what
    it waits for, `end` what it came to, None while it goes on.
    """

    ident: str
    shown: Mapping[str, Json]
    ttl_ms: int
    questions: Mapping[str, Question]
    end: End | None


def read(task: Mapping[str, Json]) -> DetailedTask:
    """What `task` says. Raises `Odd`."""
    ident, status, ttl_ms = task.get("taskId"), task.get("status"), task.get("ttlMs")
    if not isinstance(ident, str) or not 0 < len(ident) <= IDENT_MAX:
        raise Odd("it names no task")
    if not isinstance(status, str) or status not in _STATUSES:
        raise Odd("its status is none of a task")
    bound_ms = TASK_MS_MAX if ttl_ms is None else min(_milliseconds(ttl_ms, "ttlMs"), TASK_MS_MAX)
    members: dict[str, Json] = {"status": status}
    message = task.get("statusMessage")
    if isinstance(message, str):
        members["statusMessage"] = safe(message[:UPSTREAM_TEXT_MAX])
    for name in ("createdAt", "lastUpdatedAt"):
        time = task.get(name)
        if not isinstance(time, str) or _TIME.fullmatch(time) is None:
            raise Odd(f"its {name} is no time")
        members[name] = time
    members["ttlMs"] = bound_ms
    if task.get("pollIntervalMs") is not None:
        members["pollIntervalMs"] = min(_milliseconds(task["pollIntervalMs"], "pollIntervalMs"), _POLL_MS_MAX)
    questions = _questions(task.get("inputRequests") if status == "input_required" else None)
    return DetailedTask(ident, members, bound_ms, questions, None)


def read_end(task: Mapping[str, Json]) -> DetailedTask:
    """What `task`, a `tasks/get` result, says, with what it came to. Raises `Odd`."""
    state = read(task)
    return DetailedTask(state.ident, state.shown, state.ttl_ms, state.questions, _end(state.shown["status"], task))


def _end(status: Json, task: Mapping[str, Json]) -> End | None:
    match status:
        case "completed":
            result = task.get("result")
            if not isinstance(result, Mapping) or not isinstance(result.get("isError", False), bool):
                raise Odd("it is completed without a result")
            return Result(result, is_error=result.get("isError") is True)
        case "failed":
            error = task.get("error")
            code, message = (error.get("code"), error.get("message")) if isinstance(error, Mapping) else (None, None)
            if not isinstance(code, int) or not is_number(code) or not isinstance(message, str):
                raise Odd("it failed without an error")
            return Failure(
                "error", f"its task failed with JSON-RPC error {code}", sent=True, upstream_text=message, code=code
            )
        case "cancelled":
            return Failure("cancelled", "its task was cancelled", sent=True)
        case _:
            return None


def _questions(requests: Json) -> Mapping[str, Question]:
    if requests is None:
        return {}
    if not isinstance(requests, Mapping) or len(requests) > QUESTIONS_MAX:
        raise Odd("its inputRequests are no object, or too many")
    questions: dict[str, Question] = {}
    for key, item in requests.items():
        method, params = (item.get("method"), item.get("params")) if isinstance(item, Mapping) else (None, None)
        if not isinstance(method, str) or not isinstance(params, Mapping | None) or len(key) > KEY_MAX:
            raise Odd("one of its inputRequests is none")
        question = show_question(Question(method, params or {}))
        if question is None:
            raise Odd("one of its inputRequests is of a method that no server has")
        questions[key] = question
    return questions


def _milliseconds(value: Json, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise Odd(f"its {name} is no whole number of milliseconds")
    return value
