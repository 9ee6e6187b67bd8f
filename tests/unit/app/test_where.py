"""Which data directory a command means: the one named, else the demo's while only the demo runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from onetape.app import where
from onetape.app.up import owned
from onetape.domain.errors import BadInput, Conflict


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("ONETAPE_DATA_DIR", "ONETAPE_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / ".local" / "share" / "onetape"


def test_nothing_runs_and_nothing_is_named_so_it_is_the_default(home: Path) -> None:
    assert where.chosen(None).data_dir == home


def test_only_the_demo_runs_so_it_is_the_demo(home: Path) -> None:
    with owned(home / "demo", ["trader", "web"]):
        assert where.chosen(None).data_dir == home / "demo"


def test_the_platform_itself_goes_before_the_demo(home: Path) -> None:
    with owned(home / "demo", ["web"]), owned(home, ["web"]):
        assert where.chosen(None).data_dir == home


def test_what_is_named_wins(home: Path, tmp_path: Path) -> None:
    with owned(home / "demo", ["web"]):
        assert where.chosen(tmp_path / "mine").data_dir == tmp_path / "mine"


def test_one_directory_has_one_owner_per_role(tmp_path: Path) -> None:
    with owned(tmp_path, ["collector"]):
        with owned(tmp_path, ["web"]):
            pass
        with pytest.raises(Conflict, match="another onetape runs on it"), owned(tmp_path, ["web", "collector"]):
            pass
    with owned(tmp_path, ["web", "collector"]):
        pass


def test_a_data_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    where.usable_data_dir(where.chosen(tmp_path / "a b" / "c"))
    assert (tmp_path / "a b" / "c").is_dir()


def test_a_data_directory_below_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match="Name another folder with --data-dir"):
        where.usable_data_dir(where.chosen(tmp_path / "file" / "x"))
