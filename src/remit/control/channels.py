"""Channel resources to what the catalog holds, with what is wrong about them."""

from urllib.parse import urlsplit

from remit.control.credentials import LOOPBACK, secret_problems
from remit.control.problems import WorkspaceProblem
from remit.control.resources import ChannelSpec, Resource
from remit.facts.catalog import Channel


def channel_of(resource: Resource, spec: ChannelSpec) -> tuple[Channel, list[WorkspaceProblem]]:
    """The channel that `spec` declares, and what is wrong about it."""
    problems = list(secret_problems(resource, "spec.secret", spec.secret))
    why = _url_problem(spec.url)
    if why is not None:
        problems.append(WorkspaceProblem("channel/url", resource.at("spec.url"), why))
    return Channel(resource.name, spec.url, spec.secret, frozenset(spec.about)), problems


def _url_problem(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        return f"the url cannot be read: {error}"[:200]
    if host and not _is_named(host):
        return "the host is no name: a part of it is empty, or longer than 63 characters"
    if not host or parts.scheme not in {"https", "http"}:
        return "the url is not one of http or https with a host"
    if parts.username is not None or parts.fragment:
        return "the url holds a user, a password or a fragment"
    if parts.scheme == "http" and host not in LOOPBACK:
        return "what is told there would cross the network over plain http"
    return None


def _is_named(host: str) -> bool:
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True
