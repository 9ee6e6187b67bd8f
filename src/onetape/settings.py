"""What differs between machines, from the environment (`ONETAPE_*`), read once at start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from onetape.domain.errors import BadInput


def default_parallel_jobs() -> int:
    """All processors but one: pages and bots have that one, and the lowest priority leaves them the others, too."""
    return max(1, (os.cpu_count() or 1) - 1)


def default_data_dir() -> Path:
    return Path.home() / ".local" / "share" / "onetape"


class Settings(BaseSettings):
    """One field, one variable: `data_dir` is ONETAPE_DATA_DIR. Flags of the command line win."""

    model_config = SettingsConfigDict(env_prefix="ONETAPE_", extra="ignore", frozen=True)

    def __init__(self, **values: Any) -> None:
        """Raises BadInput naming the variable."""
        try:
            super().__init__(**values)
        except ValidationError as error:
            first = error.errors()[0]
            variable = f"ONETAPE_{str(first['loc'][0]).upper()}"
            raise BadInput(variable, first["input"], "not usable", f"{first['msg']}.") from None

    data_dir: Path = Field(default_factory=default_data_dir)
    database_url: str = ""  # empty: embedded PostgreSQL under data_dir
    redis_url: str = ""  # empty: embedded Valkey under data_dir
    strategies: Path | None = None  # a folder of the user's own strategy files
    host: str = "127.0.0.1"
    port: int = Field(8050, ge=0, le=65_535)
    exchange: str = "okx"  # the name that live candles are stored under
    symbols: str = "BTC-USDT,ETH-USDT"  # recorded in any case, beside those of the bots
    okx_region: Literal["global", "eea", "us"] = "global"  # where the account was registered
    okx_rest_url: str = ""  # empty: that of the region, as the next one
    okx_ws_url: str = ""
    venue_port: int = Field(8099, ge=0, le=65_535)  # the simulated venue of the demo
    venue_speed: float = Field(60.0, gt=0, le=1000)  # its seconds per second of ours
    parallel_jobs: int = Field(default_factory=default_parallel_jobs, ge=1, le=256)  # that compute
    parallel_series: int = Field(4, ge=1, le=64)  # of a download
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @property
    def config_dir(self) -> Path:
        """What people decide, as JSON files."""
        return self.data_dir / "config"

    @property
    def archive_dir(self) -> Path:
        """What has left the database, as Parquet files."""
        return self.data_dir / "archive"

    @property
    def log_dir(self) -> Path:
        return self.data_dir / "logs"
