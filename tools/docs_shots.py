"""Takes the pictures of the documentation again: a demo in a folder of its own, one shot per page into docs/images."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page, sync_playwright

IMAGES: Final = Path(__file__).resolve().parents[1] / "docs" / "images"
NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS: Final = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
DESKTOP: Final = (1440, 900)
PHONE: Final = (390, 844)


def main() -> int:
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        print("No Chromium here: no pictures were taken. Install one, for example: apt-get install chromium")
        return 0
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = [sys.executable, "-m", "onetape", "demo", "--no-browser", "--port", str(port), "--data-dir", folder]
        demo = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            base = f"http://127.0.0.1:{port}"
            wait_for(lambda: len(get(f"{base}/api/v1/fills?limit=20")["items"]) >= 12, 180)
            shoot(program, base)
        finally:
            demo.send_signal(signal.SIGINT)
            demo.wait(20)
    return 0


def shoot(program: str, base: str) -> None:
    run = get(f"{base}/api/v1/runs?limit=1")["items"][0]["run_id"]
    shots = (
        ("market", "/", "#prints .print", DESKTOP),
        ("bots", "/bots", "#bot-detail .rows tbody tr", DESKTOP),
        ("strategies", "/strategies", ".strategies table", DESKTOP),
        ("backtest", f"/backtest?run={run}", "#run-equity .main-svg", DESKTOP),
        ("data", "/data", "#coverage .strip", DESKTOP),
        ("phone", "/", "#prints .print", PHONE),
    )
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        for name, path, ready, (width, height) in shots:
            page = browser.new_page(viewport={"width": width, "height": height}, base_url=base)
            page.goto(path)
            page.locator(ready).first.wait_for(timeout=60_000)
            page.wait_for_timeout(1500)  # charts settle
            save(page, IMAGES / f"{name}.png")
            page.close()
        browser.close()


def save(page: Page, file: Path) -> None:
    """The picture with 64 colours, which the flat dark pages do not miss, where a tool for that is there."""
    page.screenshot(path=str(file))
    if shutil.which("pngquant"):
        subprocess.run(["pngquant", "--force", "--output", str(file), "64", str(file)], check=True)
    print(f"{file.name}: {file.stat().st_size // 1024} KiB")


def get(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=5) as answer:
        return json.load(answer)


def wait_for(holds: Any, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if holds():
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            pass
        time.sleep(0.5)
    raise SystemExit("The demo did not come up; nothing was changed.")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
