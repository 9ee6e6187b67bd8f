"""The whole demo in a folder of its own, and a real Chromium that may talk to nobody else."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright")

from playwright.sync_api import Browser, Page, expect, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
PATIENCE = 600  # seconds until the demo must serve: a busy machine compiles its kernels for minutes
expect.set_options(timeout=20_000)  # a busy machine draws slowly; what is there already is seen at once


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ready(base: str) -> bool:
    try:
        with urllib.request.urlopen(f"{base}/api/v1/ready", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="session")
def demo(demo_folder: Path) -> Iterator[str]:
    """The address of a running demo."""
    folder, port = demo_folder, free_port()
    base, said = f"http://127.0.0.1:{port}", folder / "said.txt"
    command = [
        sys.executable,
        "-m",
        "onetape",
        "demo",
        "--no-browser",
        "--port",
        str(port),
        "--data-dir",
        str(folder / "data"),
    ]
    with said.open("w") as out:
        process = subprocess.Popen([*command, "--speed", "120"], stdout=out, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + PATIENCE
        while not ready(base):
            assert process.poll() is None, said.read_text()
            assert time.monotonic() < until, f"the demo does not serve:\n{said.read_text()}"
            time.sleep(0.25)
        yield base
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip(
            "NO CHROMIUM on this machine: the browser tests are skipped (`apt-get install chromium` brings one)"
        )
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        yield opened
        opened.close()


class Watched:
    """What a page must not do: complain on its console, answer with an error, ask another host."""

    def __init__(self, page: Page, base: str) -> None:
        self.wrong: list[str] = []
        host = base.partition("://")[2]
        page.on("pageerror", lambda error: self.wrong.append(f"error: {error}"))
        page.on("console", lambda said: said.type == "error" and self.wrong.append(f"console: {said.text}"))
        page.on("response", lambda answer: answer.status >= 400 and self.wrong.append(f"{answer.status} {answer.url}"))
        page.on("request", lambda asked: self.check(asked.url, host))
        page.on("websocket", lambda opened: self.check(opened.url, host))

    def check(self, url: str, host: str) -> None:
        scheme, _, rest = url.partition("://")
        if scheme in ("http", "https", "ws", "wss") and rest.split("/")[0] != host:
            self.wrong.append(f"outside request: {url}")


def opened(browser: Browser, demo: str, size: tuple[int, int]) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]}, base_url=demo)
    page = context.new_page()
    page.set_default_timeout(20_000)
    watched = Watched(page, demo)
    yield page
    context.close()
    assert watched.wrong == []


@pytest.fixture
def page(browser: Browser, demo: str) -> Iterator[Page]:
    yield from opened(browser, demo, (1440, 900))


@pytest.fixture
def phone(browser: Browser, demo: str) -> Iterator[Page]:
    yield from opened(browser, demo, (390, 844))


@pytest.fixture
def api(demo: str) -> Any:
    """GET a path of the API as JSON."""

    def get(path: str) -> Any:
        with urllib.request.urlopen(f"{demo}/api/v1/{path}", timeout=10) as answer:
            return json.load(answer)

    return get
