"""`/metrics` of a real service: every metric is documented, counts what happened, and knows no names of agents."""

import asyncio
import http.client
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proof.counting import Counting, call
from tests.e2e.raw import listen
from tests.eventually import WITHIN_S, awaited

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Counting]:
    with Counting(tmp_path_factory.mktemp("metrics"), hold_s=0.1) as running:
        yield running


def scrape(port: int, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WITHIN_S)
    connection.request("GET", "/metrics", headers=headers)
    answer = connection.getresponse()
    found = answer.status, answer.read().decode("utf-8")
    connection.close()
    return found


def samples(port: int) -> dict[str, float]:
    """Every sample by its name and labels, as they are written."""
    status, text = scrape(port)
    assert status == 200
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}"] = sample.value
    return found


def test_what_happened_is_counted(counting: Counting) -> None:
    service = counting.service
    token = service.agent("clerk", "ana")
    signed = "remit_checkpoint_records{}"
    before = awaited(lambda: found if (found := samples(service.port))[signed] else None)
    asyncio.run(call(service, token, "add", {"id": "one"}))
    asyncio.run(call(service, token, "add", {"id": "two", "amount": 50}))
    asyncio.run(call(service, token, "nothing", {"id": "three"}))
    with listen(service.port, token):
        after = samples(service.port)

    def grew(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert grew("remit_decisions_total{kind=call_tool,verdict=permit}") == 1
    assert grew("remit_decisions_total{kind=call_tool,verdict=escalate}") >= 1
    assert grew("remit_decisions_total{kind=call_tool,verdict=deny}") == 1
    assert grew("remit_outcomes_total{status=ok}") == 1
    assert grew("remit_stage_seconds_count{stage=upstream}") == 1
    assert grew("remit_stage_seconds_count{stage=decide}") >= 3
    assert after["remit_stage_seconds_count{stage=durable}"] >= 1
    assert grew("remit_stage_seconds_count{stage=total}") >= 3
    assert grew("remit_ledger_records_total{}") >= 4
    assert grew("remit_ledger_batch_records_sum{}") == grew("remit_ledger_records_total{}")
    assert after[signed] >= before[signed]
    assert 0 <= after["remit_checkpoint_age_seconds{}"] < 10
    assert after["remit_approvals_pending{}"] == 1
    assert after["remit_streams{}"] == 1
    assert after["remit_requests_in_flight{}"] == 1
    assert after["remit_connections{}"] >= 2
    assert after["remit_ledger_writable{}"] == 1
    assert after["remit_upstream_up{server=counter}"] == 1


def test_buckets_add_up(counting: Counting) -> None:
    found = samples(counting.service.port)
    for name in [name for name in found if name.endswith("_count{}") or "_count{stage" in name]:
        last = name.replace("_count{", "_bucket{le=+Inf,").replace(",}", "}")
        assert found[last] == found[name]


def test_the_page_names_every_metric_and_every_label(counting: Counting) -> None:
    _, text = scrape(counting.service.port)
    families = [one for one in text_string_to_metric_families(text) if one.name.startswith("remit_")]
    used = {(one.name, label) for one in families for sample in one.samples for label in sample.labels if label != "le"}
    there = used | {(one.name, "") for one in families}
    rows = re.findall(r"^\| `(remit_\w+)` \| \w+ \|([^|]*)\|", PAGE.read_text("utf-8"), re.MULTILINE)
    told = {
        (name.removesuffix("_total"), label) for name, cell in rows for label in (*re.findall(r"`(\w+)`", cell), "")
    }
    assert there - told == set(), "not on the page"
    assert {name for name, _ in told} - {name for name, _ in there} == set(), "on the page alone"


def test_strangers_read_nothing_and_no_agent_is_named(counting: Counting) -> None:
    port = counting.service.port
    assert scrape(port, Host="evil.example")[0] == 403
    assert scrape(port, Origin="http://evil.example")[0] == 403
    _, text = scrape(port)
    for name in ("clerk", "ana", "nothing", "peek"):
        assert name not in text
