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

from .rest import PATIENCE, eventually

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""
DRIVER = shutil.which("chromedriver") or ""
SWITCHES = (
    "--headless=new",
    "--no-sandbox",  # root, in a container
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--lang=en",
)


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
