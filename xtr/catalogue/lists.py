"""This is where lists of languages and sizes are written short.

codes("ar bg de")               -> ("ar", "bg", "de")
sizes("ar 921, jv my 100")      -> {"ar": 921, "jv": 100, "my": 100}
"""

from __future__ import annotations


def codes(text: str) -> tuple[str, ...]:
    """Read language codes between blanks."""
    return tuple(text.split())


def sizes(text: str) -> dict[str, int]:
    """Read sizes by language; several codes before a number share it."""
    return {code: int(words[-1]) for words in map(str.split, text.split(",")) for code in words[:-1]}
