"""Where things are: flags first, then `REMIT_…` variables, then defaults."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEFAULT_HOST: Final = "127.0.0.1"
DEFAULT_PORT: Final = 7070
LEDGER: Final = "ledger.sqlite3"
ADMIN: Final = "admin"
"""The id of the admin token among the stored credentials."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one service.

    `data`: folder of the ledger, keys and caches. `workspace`: folder of resources, policies
    and `remit.lock`. `port` 0 picks a free one. `allowed_hosts`: values of the Host header that
    are answered beside the listening address.
    """

    data: Path
    workspace: Path
    host: str = DEFAULT_HOST
    port: int = DEFAULT_PORT
    allowed_hosts: tuple[str, ...] = ()

    @property
    def ledger(self) -> Path:
        """The ledger's SQLite file."""
        return self.data / LEDGER


def variable(name: str, default: str) -> str:
    """The environment variable `name`; `default` when it is unset or empty."""
    return os.environ.get(name) or default


def data_folder(given: Path | None) -> Path:
    """`given`, else `REMIT_DATA`, else the platform's data folder for `remit`."""
    if given is not None:
        return given.absolute()
    named = os.environ.get("REMIT_DATA")
    if named:
        return Path(named).absolute()
    from platformdirs import user_data_path

    return user_data_path("remit")


def workspace_folder(given: Path | None) -> Path:
    """`given`, else `REMIT_WORKSPACE`, else the current folder."""
    return (given or Path(variable("REMIT_WORKSPACE", "."))).absolute()


def service_url() -> str:
    """`REMIT_URL`, else the default listening address."""
    return variable("REMIT_URL", f"http://{DEFAULT_HOST}:{DEFAULT_PORT}").rstrip("/")
