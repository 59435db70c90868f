"""This is where Ctrl-C waits until a write to a database is through."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def undisturbed() -> Iterator[None]:
    """Put Ctrl-C off to the block's end, once: inside a transaction it would leave the database locked."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    struck: list[int] = []

    def note(number: int, frame: object) -> None:  # noqa: ARG001
        if struck:
            raise KeyboardInterrupt
        struck.append(number)

    before = {each: signal.signal(each, note) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
        for number in struck:  # whoever listened before is told now
            handler = before[signal.Signals(number)]
            if callable(handler):
                handler(number, None)
