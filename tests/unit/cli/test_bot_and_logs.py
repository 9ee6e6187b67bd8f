"""`onetape bot` and `onetape logs`: what is wrong is said in a sentence, and logs are read as they grow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from onetape.cli import main as cli
from onetape.cli.logs import Tail


def line(moment: str, event: str, **more: object) -> str:
    return json.dumps({"timestamp": moment, "event": event, "level": "info", **more}) + "\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "trader.log").write_text(line("2026-01-01T00:00:01Z", "bot_started", service="trader", bot="b"))
    (logs / "web.log").write_text(line("2026-01-01T00:00:00Z", "web_opened", service="web") + '{"half a l')
    return tmp_path


def test_logs_of_all_services_come_in_the_order_of_time(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["logs", "--data-dir", str(folder)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown == [
        "2026-01-01 00:00:00Z web        web_opened",
        "2026-01-01 00:00:01Z trader     bot_started bot=b",
    ]


def test_logs_of_one_service_as_json_are_its_lines_as_they_are(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["logs", "--json", "--service", "trader", "--data-dir", str(folder)]) == 0
    assert capsys.readouterr().out == (folder / "logs" / "trader.log").read_text()


def test_an_unknown_service_is_refused_with_the_known_ones(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["logs", "--service", "cook", "--data-dir", str(folder)]) == 2
    assert "There are: trader, web." in capsys.readouterr().err


def test_no_logs_yet_says_what_makes_some(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["logs", "--data-dir", str(tmp_path)]) == 2
    assert "onetape demo" in capsys.readouterr().err


def test_a_growing_file_is_read_on_and_one_that_was_moved_aside_is_read_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_text(line("1", "one") + '{"timestamp": "2", ')
    tail = Tail(path)
    assert [found["event"] for found in tail.new()] == ["one"]
    with path.open("a") as file:
        file.write('"event": "two"}\n')
    assert [found["event"] for found in tail.new()] == ["two"]
    path.rename(tmp_path / "a.log.1")
    path.write_text(line("3", "three"))
    assert [found["event"] for found in tail.new()] == ["three"]
    assert list(tail.new()) == []


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ([], "say what to do"),
        (["jump"], "invalid choice"),
        (["stop"], "NAME"),
        (["list", "--colour"], "--colour"),
    ],
)
def test_a_wrong_bot_command_is_a_sentence_and_exit_code_2(
    args: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["bot", *args]) == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("speed", ["0", "-1", "5000"])
def test_a_speed_out_of_range_is_refused(speed: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["demo", "--speed", speed]) == 2
    assert "--speed" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["demo", "up", "bot", "logs"])
def test_help_is_there(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main([verb, "--help"])
    assert ended.value.code == 0
    assert f"onetape {verb}" in capsys.readouterr().out
