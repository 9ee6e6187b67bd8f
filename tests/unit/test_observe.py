"""Logs of a service: JSON lines in a file that rolls, and on the terminal only what people must know."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from onetape.observe import RollingFile, configure_service, log


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    logging.root.handlers[:], logging.root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def test_a_file_that_has_grown_is_moved_aside_and_few_are_kept(tmp_path: Path) -> None:
    file = RollingFile(tmp_path / "a.log", limit=10, kept=2)
    for i in range(6):
        file.write(f"line {i} is long\n")
        file.flush()
    found = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert found == {"a.log": "line 5 is long\n", "a.log.1": "line 4 is long\n", "a.log.2": "line 3 is long\n"}


def test_events_are_json_lines_with_service_level_and_time(tmp_path: Path) -> None:
    configure_service("info", "trader", tmp_path / "logs" / "trader.log")
    log.info("order_planned", qty=1.5)
    log.debug("not_shown")
    line = json.loads((tmp_path / "logs" / "trader.log").read_text())
    assert (line["event"], line["service"], line["level"], line["qty"]) == ("order_planned", "trader", "info", 1.5)
    assert line["timestamp"].endswith("Z")


def test_an_error_keeps_its_traceback(tmp_path: Path) -> None:
    configure_service("info", "web", tmp_path / "web.log")
    try:
        raise ValueError("oops")
    except ValueError as error:
        log.error("service_failed", exc_info=error)
    assert "ValueError: oops" in json.loads((tmp_path / "web.log").read_text())["exception"]


def test_the_terminal_shows_sentences_and_errors_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure_service("info", "collector", tmp_path / "c.log")
    log.info("candle_stored")
    log.warning("history_delayed", problem="away")
    log.warning("exchange_not_reached", says="okx does not answer.")
    log.error("service_failed", name="recorder")
    assert capsys.readouterr().err.splitlines() == [
        "collector: okx does not answer.",
        "collector: service failed: name recorder",
    ]


def test_what_a_library_complains_about_is_in_the_log(tmp_path: Path) -> None:
    configure_service("info", "web", tmp_path / "web.log")
    logging.getLogger("uvicorn.error").error("no %s", "luck")
    line = json.loads((tmp_path / "web.log").read_text())
    assert (line["event"], line["library"], line["problem"]) == ("library_complained", "uvicorn.error", "no luck")
