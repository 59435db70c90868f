"""Chromium without a screen, driven by its DevTools protocol: pages as they are once scripts have drawn them."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PATIENCE_S = 180.0
SHOWN = """new Promise(done => {
    const look = () => {
        const text = document.body?.innerText ?? "";
        %s.every(words => text.includes(words)) ? done(text) : setTimeout(look, 100);
    };
    look();
})"""
"""Resolves to a page's text once it shows all of certain words."""


def chromium() -> str:
    """Find the browser, or skip the test."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("there is no Chromium here: apt-get install -y chromium")
    return found


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    """Start Chromium with a profile of its own, and end it."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--window-size=2400,1200"]
    process = subprocess.Popen(
        [chromium(), *options, f"--user-data-dir={folder}", "--remote-debugging-port=0", "about:blank"],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        found = (re.search(r"DevTools listening on (ws://\S+)", line) for line in process.stderr)
        address = next((each[1] for each in found if each), None)
        assert address is not None, "Chromium has ended"
        yield Browser(address)
    finally:
        process.terminate()
        process.communicate()


class Browser:
    """A running Chromium."""

    def __init__(self, address: str) -> None:
        self.address = address

    def read(self, url: str, *words: str, frame: bool = False) -> str:
        """Open a page and give its text once it shows all of these words; or that of the frame within it."""
        return asyncio.run(self._read(url, words, frame))

    async def _read(self, url: str, words: Sequence[str], frame: bool) -> str:
        aiohttp = pytest.importorskip("aiohttp", reason="aiohttp is not installed")
        async with (
            asyncio.timeout(PATIENCE_S),
            aiohttp.ClientSession() as http,
            http.ws_connect(self.address, max_msg_size=0) as socket,
        ):
            devtools = _DevTools(socket)
            target = await devtools.call("Target.createTarget", url="about:blank")
            page = await devtools.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)
            session = page["sessionId"]
            attach = {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": True}
            await devtools.call("Target.setAutoAttach", session, **attach)
            await devtools.call("Page.navigate", session, url=url)
            if frame:
                session = await devtools.frame()
            shown = SHOWN % json.dumps(list(words))
            found = await devtools.call(
                "Runtime.evaluate", session, expression=shown, awaitPromise=True, returnByValue=True
            )
            text: str = found["result"]["value"]
            return text


class _DevTools:
    """Calls with their answers; frames of the page are noted as they come."""

    def __init__(self, socket: Any) -> None:
        self.socket, self.number = socket, 0
        self.frames: list[str] = []

    async def call(self, method: str, session: str = "", **parameters: Any) -> dict[str, Any]:
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        await self.socket.send_json({**message, "sessionId": session} if session else message)
        while (answer := await self._next()).get("id") != self.number:
            pass
        assert "result" in answer, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def frame(self) -> str:
        """Wait for the first frame of another origin; MLflow shows HTML in one that may do nothing else."""
        while not self.frames:
            await self._next()
        return self.frames[0]

    async def _next(self) -> dict[str, Any]:
        message: dict[str, Any] = await self.socket.receive_json()
        if message.get("method") == "Target.attachedToTarget":
            attached = message["params"]
            if attached["targetInfo"]["type"] == "iframe":
                self.frames.append(attached["sessionId"])
        return message
