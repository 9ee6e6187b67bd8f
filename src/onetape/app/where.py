"""Which data directory a command means when nobody named one, and whether it can be used."""

from __future__ import annotations

import os
from pathlib import Path

from onetape.domain.errors import BadInput
from onetape.settings import Settings
from onetape.supervisor import child


def runs(data_dir: Path) -> bool:
    """Whether a onetape with a trader or a web role runs on it."""
    for role in ("trader", "web"):
        lock = data_dir / "run" / f"{role}.lock"
        if lock.exists():
            found = child.try_lock(lock)
            if found is None:
                return True
            os.close(found)
    return False


def chosen(data_dir: Path | None) -> Settings:
    """The settings; without a folder named by flag or environment, the demo's while only the demo runs."""
    settings = Settings()
    if data_dir is not None:
        return settings.model_copy(update={"data_dir": data_dir.absolute()})
    demo = settings.data_dir / "demo"
    named = "data_dir" in settings.model_fields_set or settings.database_url
    if not named and runs(demo) and not runs(settings.data_dir):
        return settings.model_copy(update={"data_dir": demo})
    return settings


def usable_data_dir(settings: Settings) -> None:
    """Makes the folder. Raises BadInput when nothing can be written there."""
    folder = settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        problem = "" if os.access(folder, os.W_OK | os.X_OK) else "no permission to write there"
    except OSError as error:
        problem = f"not a folder that can be made ({error.strerror})"
    if problem:
        remedy = "Name another folder with --data-dir or ONETAPE_DATA_DIR."
        raise BadInput("the data directory", str(folder), problem, remedy)
