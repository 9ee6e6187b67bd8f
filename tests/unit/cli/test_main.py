"""The front door: pages, and every failure as a sentence with its exit code, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from onetape.cli import main as cli


def test_no_verb_shows_all_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    assert "onetape VERB --help" in capsys.readouterr().out


def test_a_reader_that_has_read_enough_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-m", "onetape"], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize("verb", [["data", "list"], ["bot", "list"], ["demo"]])
def test_a_data_directory_that_is_a_file_is_refused_with_its_name(
    verb: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = tmp_path / "file"
    taken.write_text("mine")
    assert cli.main([*verb, "--data-dir", str(taken)]) == 2
    assert f"the data directory is '{taken}': not a folder that can be made" in capsys.readouterr().err
    assert taken.read_text() == "mine"


def test_a_bad_variable_is_bad_input_for_programs_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ONETAPE_PORT", "abc")
    assert cli.main(["up", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["field"] == "ONETAPE_PORT"


def test_what_the_system_refuses_is_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").write_text("a file where a folder must be")
    assert cli.main(["demo", "--no-browser", "--data-dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err.startswith("onetape demo: ")


def test_a_bus_that_does_not_answer_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ONETAPE_REDIS_URL", "redis://me:secret@127.0.0.1:1/0")  # nobody listens on port 1
    assert cli.main(["up", "--no-browser", "--role", "trader", "--data-dir", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "Valkey did not answer" in said
    assert "redis://me:***@127.0.0.1:1/0" in said
    assert not (tmp_path / "postgres").exists()
