"""A Chromium for the tests of pages: an installed one, else Debian's when root, else Playwright's own download.

    python tests/browser.py        # finds or installs one and prints its path; `make test` does so first

Set PROCSCOPE_CHROMIUM to use a certain one.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find_chromium() -> str | None:
    """The path of one that is installed."""
    if given := os.environ.get("PROCSCOPE_CHROMIUM"):
        return given
    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if os.path.exists(own) else None


def require_chromium() -> str:
    """The path of one, installed if there is none. Raises RuntimeError: it cannot be installed, and why."""
    if found := find_chromium():
        return found
    commands = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    if os.geteuid() == 0 and shutil.which("apt-get"):
        commands = [
            ["apt-get", "update"],
            ["apt-get", "install", "--yes", "--no-install-recommends", "chromium"],
        ]
    for command in commands:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(
                f"expected a Chromium for the tests of pages; there is none, and {' '.join(command)} failed:\n"
                f"{(done.stderr or done.stdout)[-1000:]}\nInstall one, or name it: PROCSCOPE_CHROMIUM=/path/to/chromium"
            )
    found = find_chromium()
    if found is None:
        raise RuntimeError(f"expected a Chromium after {' '.join(commands[-1])}, and there is still none")
    return found


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A headless one."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []  # Chromium has no sandbox for root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=require_chromium(),
            args=[*sandbox, "--disable-background-networking", "--disable-gpu"],
        )
        try:
            yield browser
        finally:
            browser.close()


if __name__ == "__main__":
    print(require_chromium())
