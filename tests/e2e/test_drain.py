"""The service ends as it is asked to: with open event streams, in time, its ledger at rest."""

import signal
import subprocess
import time
from pathlib import Path

import pytest

from proof.service import REMIT, Service, environment


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_closes_and_exits_zero(tmp_path: Path, number: signal.Signals) -> None:
    service = Service(tmp_path)
    service.write({"all.cedar": '@id("all")\npermit (principal, action, resource);\n'})
    service.start()
    env = environment() | {"REMIT_URL": service.url, "REMIT_TOKEN": service.admin}
    with subprocess.Popen([REMIT, "logs", "-f"], env=env, stdout=subprocess.PIPE) as following:
        assert following.stdout is not None
        assert b"epoch" in following.stdout.readline()
        time.sleep(0.5)
        assert service.process is not None
        start = time.monotonic()
        service.process.send_signal(number)
        assert service.process.wait(20) == 0, service.log
        assert time.monotonic() - start < 8, "an open event stream held up the drain"
        assert following.wait(10) == 6
    assert not (service.data / "ledger.sqlite3-wal").exists(), "the ledger was not closed"
    assert "Traceback" not in service.log
