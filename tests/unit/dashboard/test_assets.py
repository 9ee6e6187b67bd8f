"""What the browser gets: our scripts ask nobody else, the chart library stands with its licence."""

from __future__ import annotations

import re
from pathlib import Path

import onetape.dashboard

ASSETS = Path(onetape.dashboard.__file__).with_name("assets")
OWN = sorted(file for file in ASSETS.iterdir() if file.suffix in (".js", ".css"))


def test_our_scripts_and_styles_name_no_other_host() -> None:
    assert OWN
    for file in OWN:
        assert not re.search(r"""(https?:)?//[a-z0-9-]+\.[a-z]""", file.read_text()), file.name


def test_the_core_is_loaded_before_the_widgets_that_use_it() -> None:
    names = [file.name for file in OWN if file.suffix == ".js"]
    assert names[:2] == ["01_core.js", "02_live.js"]


def test_every_widget_of_the_pages_has_a_script() -> None:
    pages = "".join(file.read_text() for file in ASSETS.parent.glob("*.py"))
    scripts = "".join(file.read_text() for file in OWN)
    wanted = set(re.findall(r'widget\("([a-z-]+)"', pages))
    assert wanted
    assert wanted == set(re.findall(r'onetape\.widget\("([a-z-]+)"', scripts))


def test_the_chart_library_keeps_its_licence_and_its_attribution() -> None:
    library = (ASSETS / "vendor" / "lightweight-charts.js").read_text()
    assert "Apache License 2.0" in library[:300]
    assert "Apache License" in (ASSETS / "vendor" / "lightweight-charts.LICENSE.txt").read_text()
    for file in OWN:
        assert file.read_text().count("createChart(") == file.read_text().count("attributionLogo: true")
