"""The page in a real browser: it fits narrow and wide windows, shows its pictures, and has nothing to complain of."""

import json
import re
import shutil
import subprocess
from html import unescape

import numpy as np
import pytest
from PIL import Image

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *(
        "--disable-background-networking",
        "--disable-component-update",
        "--hide-scrollbars",
        "--enable-logging=stderr",
    ),
)
MEASURED = """<iframe id="f" style="border:0;width:%dpx;height:4000px" srcdoc="%s"></iframe><pre id="out"></pre><script>
f.onload = () => { const d = f.contentDocument, e = d.documentElement;
  out.textContent = JSON.stringify({wide: e.scrollWidth, window: e.clientWidth,
    pictures: [...d.images].map(i => [i.complete, i.naturalWidth, i.getBoundingClientRect().width]),
    outside: [...d.querySelectorAll("main > *, .plots > svg")].filter(x => x.getBoundingClientRect().right > %d + 1
      && !x.closest(".broad") && !x.closest(".scroll")).map(x => x.outerHTML.slice(0, 80)),
    drawings: [...d.querySelectorAll(".plots > svg")].map(s => [s.ariaLabel, s.getBoundingClientRect().width]),
    boxes: [...d.querySelectorAll(".shot rect")].map(r => r.getBoundingClientRect().width)}); };
</script>"""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")


def browse(file, profile, *flags):
    """What Chromium prints of a page, and what it complains of."""
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", *flags, f"file://{file}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("width", [380, 860, 1200])
def test_the_page_fits_the_window_and_shows_its_pictures(rich_report, tmp_path, width):
    html = (rich_report / "report.html").read_text().replace("&", "&amp;").replace('"', "&quot;")
    harness = tmp_path / "harness.html"
    harness.write_text(MEASURED % (width, html, width))
    dom, complaints = browse(
        harness, tmp_path / "profile", "--dump-dom", "--virtual-time-budget=5000", "--window-size=1300,4100"
    )
    printed = re.search(r'<pre id="out">(.*?)</pre>', dom, re.DOTALL)
    found = json.loads(unescape(printed[1]))
    assert complaints == []
    assert found["window"] == width
    assert found["wide"] <= width
    assert found["outside"] == []
    assert len(found["pictures"]) == 16
    assert all(complete and natural >= 32 and shown > 100 for complete, natural, shown in found["pictures"])
    assert len(found["drawings"]) >= 10
    assert all(label and shown > 150 for label, shown in found["drawings"])
    assert found["boxes"]
    assert all(shown > 40 for shown in found["boxes"])


def test_a_screenshot_is_not_blank_and_turns_dark(rich_report, tmp_path):
    shades = {}
    for name, flags in (
        ("light", ()),
        ("dark", ("--force-dark-mode", "--blink-settings=preferredColorScheme=0")),
    ):
        file = tmp_path / f"{name}.png"
        browse(
            rich_report / "report.html",
            tmp_path / name,
            f"--screenshot={file}",
            "--window-size=900,1600",
            *flags,
        )
        pixels = np.asarray(Image.open(file).convert("L"), dtype=float)
        assert pixels.std() > 10
        shades[name] = np.median(pixels)
    assert shades["light"] > 200
    assert shades["dark"] < 60
