"""
A headless Chromium, for what only a user's own eyes can see.

Chromium and its driver are those of the operating system; nothing is downloaded. They are looked for by name in the
``PATH``, and their absence is a reason to skip.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.e2e.rest import PATIENCE, eventually

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""
DRIVER = shutil.which("chromedriver") or ""
SWITCHES = (
    "--headless=new",
    "--no-sandbox",  # root, in a container
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-lcd-text",  # smaller pictures
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--lang=en",
)
_SHOWN = """
    const [selector, text] = arguments;
    const all = root => [...root.querySelectorAll("*")];
    const roots = [document, ...all(document).map(one => one.shadowRoot).filter(one => one)];
    const fits = one => !text || new RegExp(`^(${text})$`).test(one.textContent.trim());
    return roots.flatMap(root => [...root.querySelectorAll(selector)])
      .find(one => one.getClientRects().length && fits(one));
"""


class Browser:
    """
    One window; every step waits until it can be made.

    :param profile: an empty folder, to be removed afterwards.
    :param size: width and height of the window.
    """

    def __init__(self, profile: Path, *, size: tuple[int, int] = (1200, 1000)) -> None:
        options = ChromeOptions()
        options.binary_location = CHROMIUM
        for switch in (*SWITCHES, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}"):
            options.add_argument(switch)
        self.driver = Chrome(options=options, service=Service(DRIVER))
        self.driver.set_page_load_timeout(PATIENCE)

    def close(self) -> None:
        """End it."""
        self.driver.quit()

    def open(self, url: str) -> None:
        """Go to a page."""
        self.driver.get(url)

    def script(self, source: str, *arguments: Any) -> Any:
        """Run JavaScript in the page."""
        return self.driver.execute_script(source, *arguments)

    def find(self, path: str) -> WebElement:
        """Return the one element of an XPath that is shown, once there is one."""

        def look() -> WebElement | None:
            return next((one for one in self._all(path) if one.is_displayed()), None)

        found: WebElement = eventually(f"{path} is shown", self._patient(look))
        return found

    def click(self, path: str) -> None:
        """Click on an element, as soon as nothing is in the way."""

        def press() -> bool:
            self.find(path).click()
            return True

        eventually(f"{path} can be clicked on", self._patient(press))

    def shown(self, selector: str, *, text: str = "") -> WebElement | None:
        """
        Return the first element of a CSS selector that is shown, in shadow trees too; None when there is none.

        :param text: a pattern that all of the element's text fits; an empty one fits every text.
        """
        found: WebElement | None = self.script(_SHOWN, selector, text)
        return found

    def press(self, selector: str, *, text: str = "") -> None:
        """Click on an element, in shadow trees too, as soon as it is shown and nothing is in the way."""

        def press() -> bool:
            found = self.shown(selector, text=text)
            if found:
                found.click()
            return bool(found)

        eventually(f"{selector} {text} can be clicked on", self._patient(press))

    def text(self, selector: str, *, like: str = ".+") -> str:
        """Return the text of the first element that has one like this, in shadow trees too; "" when there is none."""

        def read() -> str:
            found = self.shown(selector, text=like)
            return found.text.strip() if found else ""

        return self._patient(read)() or ""

    def read_other_window(self, here: str) -> tuple[str, str]:
        """Return URL and text of the page that a click has opened in its own window, and close that."""
        switch = self.driver.switch_to

        def other() -> str | None:
            return next((one for one in self.driver.window_handles if one != here), None)

        switch.window(eventually("another window is open", other))
        try:
            done = "return location.href != 'about:blank' && document.readyState == 'complete'"
            eventually("the page is loaded", self._patient(lambda: self.script(done)))
            return self.driver.current_url, self.driver.find_element(By.TAG_NAME, "body").text
        finally:
            self.driver.close()
            switch.window(here)

    def write(self, path: str, text: str) -> None:
        """Replace what is in a field."""

        def write() -> bool:
            field = self.find(path)
            field.clear()
            field.send_keys(text)
            return bool(field.get_attribute("value") == text)

        eventually(f"{path} holds the text", self._patient(write))

    def screenshot(self, file: Path, *, of: str = "") -> None:
        """Save a picture of the window, or of one element."""
        picture = self.find(of).screenshot_as_png if of else self.driver.get_screenshot_as_png()
        file.write_bytes(picture)

    def _all(self, path: str) -> Sequence[WebElement]:
        return self.driver.find_elements(By.XPATH, path)

    @staticmethod
    def _patient(step: Any) -> Any:
        """Take a page that is being rebuilt as one that is not ready."""

        def attempt() -> Any:
            try:
                return step()
            except WebDriverException:
                return None

        return attempt
