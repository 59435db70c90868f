"""This is where English prose is cut into sentences, by rule.

sentence_spans("It rained. Dr. Li slept.")   -> [(0, 10), (11, 24)]
"""

from __future__ import annotations

import re

Span = tuple[int, int]

_END = re.compile(
    r"""
    [.?!] ["')\]\u201d]*            # the stop, and quotes or brackets that close after it
    (?: \[ [A-Za-z0-9 ?]+ \] )*     # notes: [12], [citation needed]
    (?P<gap> \s+ )
    (?= ["'(\[\u201c]? [A-Z0-9] )   # a capital or a number begins the next sentence
    """,
    re.VERBOSE,
)
_TITLES = "Mrs?|Ms|Dr|Prof|Rev|Fr|St|Ste|Lt|Gen|Col|Maj|Adm|Capt|Sgt|Rep|Gov|Sen|Pres|Mt|Ft"
_ABBREVIATIONS = "e\\.g|i\\.e|vs?|pp?|cf|ca|c|b|d|r|fl|approx|al|[Nn]o|Vol|Art|Sec|Jan|Aug|Sept|Oct|Nov|Dec"
_GOES_ON = re.compile(rf"\b(?:{_TITLES}|{_ABBREVIATIONS}|[A-Z])\.$")
_BEGINS = re.compile(r"(?:The|This|That|These|It|In|On|By|During|After|However|Meanwhile|Although)\b")
"""Words with which a sentence begins even after an initial: `... of Henry V. The king ...`."""


def sentence_spans(text: str) -> list[Span]:
    """Return the (start, end) of each sentence; white space between sentences belongs to none."""
    start = len(text) - len(text.lstrip())
    spans = []
    for stop in _END.finditer(text):
        end, following = stop.start("gap"), stop.end("gap")
        if _GOES_ON.search(text[start:end]) and not _BEGINS.match(text, following):
            continue
        spans.append((start, end))
        start = following
    rest = text.rstrip()
    return [*spans, (start, len(rest))] if start < len(rest) else spans
