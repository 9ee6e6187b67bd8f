"""What differs between machines, from the environment (`ONETAPE_*`), read once at start."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def default_data_dir() -> Path:
    return Path.home() / ".local" / "share" / "onetape"


class Settings(BaseSettings):
    """One field, one variable: `data_dir` is ONETAPE_DATA_DIR. Flags of the command line win."""

    model_config = SettingsConfigDict(env_prefix="ONETAPE_", extra="ignore", frozen=True)

    data_dir: Path = Field(default_factory=default_data_dir)
    database_url: str = ""  # empty: embedded PostgreSQL under data_dir
    redis_url: str = ""  # empty: embedded Valkey under data_dir
    strategies: Path | None = None  # a folder of the user's own strategy files
    host: str = "127.0.0.1"
    port: int = 8050
    exchange: str = "okx"  # the name that live candles are stored under
    symbols: str = "BTC-USDT,ETH-USDT"  # recorded in any case, beside those of the bots
    okx_rest_url: str = "https://openapi.okx.com"
    okx_ws_url: str = "wss://ws.okx.com:443/ws/v5"
    venue_port: int = 8099  # the simulated venue of the demo
    venue_speed: float = 60.0  # its seconds per second of ours
    log_level: str = "info"

    @property
    def config_dir(self) -> Path:
        """What people decide, as JSON files."""
        return self.data_dir / "config"

    @property
    def log_dir(self) -> Path:
        return self.data_dir / "logs"
