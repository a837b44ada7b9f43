"""Pictures of a site for documents, taken in a real browser.

    python -m procscope.web.features.screenshots site docs/feature-viewer

Writes table.webp (light), latent.webp (dark) and phone.webp, together below 300 kB: the table as it opens, and the page
of the latent at its top. Playwright must be there (the extra `dev`), and a Chromium: the one that PROCSCOPE_CHROMIUM
names, an installed one, or Playwright's own.
"""

import argparse
import io
import os
import shutil
from pathlib import Path
from typing import NamedTuple

from PIL import Image

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_PICTURES_ARE_THERE = """() => [...document.querySelectorAll('img')]
    .filter((image) => image.checkVisibility() && image.parentElement.getBoundingClientRect().top < innerHeight)
    .every((image) => image.complete)"""


class Shot(NamedTuple):
    """One picture."""

    name: str
    width: int
    height: int
    scheme: str
    opens_latent: bool


SHOTS = (
    Shot("table", 1360, 760, "light", False),
    Shot("latent", 1360, 1120, "dark", True),
    Shot("phone", 390, 844, "light", True),
)


def take_screenshots(site: Path, out: Path, latent: int | None = None) -> list[Path]:
    """Open a site and write its pictures.

    Args:
        site: folder of the site.
        latent: whose page is shown; by default the first of the table.

    Raises FileNotFoundError: no site there. Raises ModuleNotFoundError: no Playwright.
    """
    from playwright.sync_api import sync_playwright

    page_file = site.resolve() / "index.html"
    if not page_file.is_file():
        raise FileNotFoundError(f"there is no site in {site}. Make one with procscope sae site")
    out.mkdir(parents=True, exist_ok=True)
    chromium = os.environ.get("PROCSCOPE_CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has no sandbox for root
    written = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=sandbox)
        for shot in SHOTS:
            page = browser.new_page(
                viewport={"width": shot.width, "height": shot.height},
                color_scheme=shot.scheme,  # type: ignore[arg-type]
            )
            page.goto(
                page_file.as_uri() + (f"#latent={latent}" if shot.opens_latent and latent is not None else "")
            )
            if shot.opens_latent and latent is None:
                page.locator(".rows .row").first.click()
            page.wait_for_selector(".nearest" if shot.opens_latent else ".rows .row")
            page.wait_for_function(_PICTURES_ARE_THERE)
            page.wait_for_timeout(300)  # pictures are decoded after they are loaded
            written.append(_saved(page.screenshot(), out / f"{shot.name}.webp"))
            page.close()
        browser.close()
    return written


def _saved(png: bytes, path: Path) -> Path:
    Image.open(io.BytesIO(png)).convert("RGB").save(path, quality=76, method=6)
    return path


def main() -> None:
    """Take them by command."""
    parser = argparse.ArgumentParser(
        prog="python -m procscope.web.features.screenshots",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("site", type=Path, help="folder of the site")
    parser.add_argument("out", type=Path, help="folder of the pictures")
    parser.add_argument(
        "--latent", type=int, default=None, help="whose page is shown; the first of the table without it"
    )
    options = parser.parse_args()
    for path in take_screenshots(options.site, options.out, options.latent):
        print(f"{path} {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
