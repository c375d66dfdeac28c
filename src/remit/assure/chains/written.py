"""A chain for people, as a story, and for `policy test`, as a case that holds once the chain is cut."""

from collections.abc import Iterator
from typing import Final

from remit.assure.chains.cut import step_to_forbid
from remit.assure.chains.results import ChainStep, FoundChain
from remit.facts.action import ActionKind
from remit.facts.canonical import Json, canonical

_SHOWN_MAX: Final = 200


def title(chain: FoundChain) -> str:
    """What `chain` comes to, in one sentence."""
    together = ", which no agent can do alone" if chain.together else ""
    whose = "" if chain.user is None else f", for {chain.user}"
    return f"{chain.goal.says} by {chain.tool}{together}{whose}"


def story(chain: FoundChain) -> Iterator[str]:
    """`chain` in sentences, one a step."""
    for number, step in enumerate(chain.steps, 1):
        yield f"{number}. {_who(step)} {_what(step)}{_how(step)}"


def _who(step: ChainStep) -> str:
    session = step.chain[-1].partition("#")
    later = f" (session {session[2]})" if session[2] else ""
    through = (
        f", sent by {' and '.join(sender.partition('#')[0] for sender in step.chain[:-1])}," if step.chain[1:] else ""
    )
    return f"{session[0]}{later}{through}"


def _what(step: ChainStep) -> str:
    doing = step.doing
    match doing.kind:
        case ActionKind.DELEGATE:
            text = f"hands on to {doing.name}"
        case ActionKind.READ_RESOURCE:
            text = f"reads {doing.name} of {doing.server}"
        case ActionKind.GET_PROMPT:
            text = f"gets the prompt {doing.name} of {doing.server}"
        case _:
            args = canonical(doing.args).decode()
            text = f"calls {doing.server}/{doing.name} {args if len(args) <= _SHOWN_MAX else f'{args[:_SHOWN_MAX]}…'}"
    if step.open:
        text += f" with {' and '.join(step.open)} left open, for which no value was found"
    if step.times > 1:
        text += f" {step.times} times"
    if step.picks is not None:
        text += f", taking up what is in {step.picks}"
        text += ", which the catalog does not say" if step.unsaid else ""
    if step.past:
        monitors = (
            f"{name} is {value if isinstance(value, str) else canonical(value).decode()}"
            for name, value in step.past.items()
        )
        text += f" when the monitor {' and '.join(monitors)}"
    text += ", as it did before" if step.precedent else ""
    return text if step.leaves is None else f"{text}, leaving it in {step.leaves}"


def _how(step: ChainStep) -> str:
    by = f": permitted by {', '.join(step.policies)}" if step.policies else ""
    if step.gates:
        routes = ", ".join(dict.fromkeys(route for _, route in step.gates))
        by += f", once {routes} says yes ({', '.join(policy for policy, _ in step.gates)})"
    return f"{by}; it holds {', '.join(step.labels) or 'no label'}"


def case(chain: FoundChain) -> dict[str, Json]:
    """`chain` as a case: all of its steps are as they are now, but the one that is to be forbidden is denied."""
    last = step_to_forbid(chain)
    events, past, used = list[Json](), dict[str, Json](), False
    for number, step in enumerate(chain.steps[: last + 1]):
        if step.age_s:
            events.append({"as": "/".join(step.chain), "given": {"age_s": step.age_s}})
        if step.past != past:
            past = step.past
            events.append({"as": "/".join(step.chain), "given": {"past": dict(past)}})
        if step.precedent is not used:
            used = step.precedent
            events.append({"as": "/".join(step.chain), "given": {"used": used}})
        event = _event(step)
        if number == last:
            event |= {"expect": "deny"}
            del event["back"]
        events.append(event)
    case_json: dict[str, Json] = {"name": f"chain: {title(chain)}"}
    if chain.user is not None:
        case_json["user"] = chain.user
    if chain.goal.guarantee is not None:
        # What the guarantee itself denies is no word of policies.
        case_json["guarantees"] = False
    return case_json | {"events": events}


def _event(step: ChainStep) -> dict[str, Json]:
    doing = step.doing
    event: dict[str, Json] = {"as": "/".join(step.chain)}
    match doing.kind:
        case ActionKind.DELEGATE:
            event["delegate"] = doing.name
        case ActionKind.READ_RESOURCE:
            event |= {"read": doing.name, "server": doing.server}
        case ActionKind.GET_PROMPT:
            event |= {"prompt": doing.name, "server": doing.server}
        case _:
            event |= {"call": f"{doing.server}/{doing.name}", "args": dict(doing.args)}
    if step.times > 1:
        event["times"] = step.times
    return event | {"expect": step.verdict, "back": "anything"}


def chain_json(chain: FoundChain) -> dict[str, Json]:
    """`chain` for programs."""
    return {
        "goal": chain.goal.name,
        "text": title(chain),
        "agents": list(chain.agents),
        "together": chain.together,
        "label_lost": chain.hidden,
        "policies": list(dict.fromkeys(policy for step in chain.steps for policy in step.policies)),
        "suspects": list(chain.suspects),
        "steps": [_step_json(step) for step in chain.steps],
        # Nobody can try what has no value.
        "case": None if chain.open else case(chain),
    }


def _step_json(step: ChainStep) -> dict[str, Json]:
    return {
        "agents": list(step.chain),
        "kind": step.doing.kind.value,
        "server": step.doing.server,
        "name": step.doing.name,
        "arguments": dict(step.doing.args),
        "open": list(step.open),
        "times": step.times,
        "verdict": step.verdict,
        "policies": list(step.policies),
        "gates": [{"policy": policy, "route": route} for policy, route in step.gates],
        "labels": list(step.labels),
        "past": dict(step.past),
        "used": step.precedent,
        "takes_up": step.picks,
        "leaves_in": step.leaves,
    }
