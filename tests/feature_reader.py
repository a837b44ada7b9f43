"""A reader of a site in a real browser, who notes what goes wrong and what is asked for."""

from pathlib import Path

from playwright.sync_api import Page, expect

expect.set_options(timeout=30_000)  # a machine may be busy


class Reader:
    """A page with everything that went wrong or was asked for."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page, self.folder = page, folder
        self.wrong: list[str] = []
        self.asked: list[str] = []
        page.on("console", lambda message: self.wrong.append(message.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("requestfailed", lambda request: self.wrong.append(f"failed: {request.url}"))
        page.on("request", lambda request: self.asked.append(request.url))

    def of(self, folder: Path) -> "Reader":
        """The same page, reading another site."""
        self.page.goto("about:blank")
        self.folder = folder
        self.wrong.clear()
        self.asked.clear()
        return self

    def open(self, fragment: str = "") -> Page:
        """Load the page anew."""
        self.page.goto("about:blank")
        return self.go(fragment)

    def go(self, fragment: str) -> Page:
        """To another view of the page, which takes half a second less if it is loaded already."""
        self.page.goto(f"{(self.folder / 'index.html').as_uri()}{fragment}")
        return self.page

    def latents(self) -> list[int]:
        """Those in sight, from the top."""
        rows = self.page.locator(".rows .row")
        tops = rows.evaluate_all(
            "rows => rows.map(row => [row.getBoundingClientRect().top, Number(row.id.replace('row-', ''))])"
        )
        return [latent for _, latent in sorted(tops)]

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def check(self) -> None:
        """Nothing went wrong, and nothing was asked of any other place."""
        assert self.wrong == []
        here = self.folder.as_uri()
        assert [url for url in self.asked if not url.startswith((here, "data:"))] == []
