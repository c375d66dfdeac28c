"""What an apply warns of is what is new; what stood before is told by a line, and in full by `remit diff`."""

from pathlib import Path

import pytest

from proof.service import Service

pytestmark = pytest.mark.timeout(300)
LONELY = """\
apiVersion: remit.dev/v1alpha1
kind: Group
metadata: {name: owners}
spec: {description: one}
---
apiVersion: remit.dev/v1alpha1
kind: User
metadata: {name: ana}
spec: {groups: [owners]}
---
apiVersion: remit.dev/v1alpha1
kind: Route
metadata: {name: owner}
spec: {groups: [owners]}
"""
ANOTHER = """\
apiVersion: remit.dev/v1alpha1
kind: Agent
metadata: {name: clerk}
spec: {owner: platform, purpose: counts things}
"""
WARNS = "route 'owner' wants 1 person, and no more may decide"


def test_an_apply_warns_of_what_is_new(tmp_path: Path) -> None:
    service = Service(tmp_path)
    service.write({"all.cedar": '@id("all")\npermit (principal, action, resource);\n', "agent.yaml": ANOTHER})
    service.start()
    try:
        service.write({"people.yaml": LONELY})
        [told] = service.apply()["warnings"]
        assert WARNS in told
        service.write({"agent.yaml": ANOTHER.replace("things", "all")})
        assert service.apply()["warnings"] == ["1 warning as before: remit diff"]
        assert WARNS in service.remit("diff").stderr
        service.write({"more.yaml": LONELY.rpartition("---\n")[2].replace("owner}", "other}")})
        [fresh, before] = service.apply()["warnings"]
        assert "'other'" in fresh
        assert before == "1 warning as before: remit diff"
    finally:
        service.kill()
