"""This is where it stands what languages are like, so that gaps can be told by group: family, script, resources.

    facts_of("sw").family                  -> "Niger-Congo"
    facts_of("wo").in_xlm_r                -> False
    syntactic_distance("en", "ja")         -> 0.4998

Sources: families and scripts as XTREME-R groups them (Ruder et al. 2021); resource classes of Joshi et al.
2020 (arXiv 2004.09095, lang2tax.txt), 0 (left behind) to 5 (winners); what XLM-R was pretrained on from its
README (facebookresearch/fairseq, examples/xlmr); syntax from URIEL (Littell et al. 2017), see `syntax.csv`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Facts:
    """What a language is like.

    Attributes:
        branch: of the family, where it has many members here; else the family.
        resources: class 0 to 5 of Joshi et al. 2020.
        in_xlm_r: whether XLM-R was pretrained on it.
    """

    code: str
    family: str
    branch: str
    script: str
    resources: int
    in_xlm_r: bool


# Family, its branch after a slash, and script; then code and class of each language.
_TABLE = """
Indo-European/Germanic   Latin: af3 da3 de5 en5 is2 nl4
Indo-European/Romance    Latin: es5 fr5 it4 pt4 ro3
Indo-European/Slavic     Cyrillic: bg3 ru4 uk3
Indo-European/Slavic     Latin: pl4
Indo-European/Baltic     Latin: lt3
Indo-European/Celtic     Latin: ga2
Indo-European/Greek      Greek: el3
Indo-European/Iranian    Arabic: fa4
Indo-European/Indo-Aryan Devanagari: hi4 mr2
Indo-European/Indo-Aryan Bengali: bn3
Indo-European/Indo-Aryan Arabic: ur3
Indo-European/Indo-Aryan Gurmukhi: pa2
Indo-European/Indo-Aryan Gujarati: gu1
Uralic                   Latin: et3 fi4 hu4
Turkic                   Latin: az1 tr4
Turkic                   Cyrillic: kk3
Afro-Asiatic             Arabic: ar5
Afro-Asiatic             Hebrew: he3
Dravidian                Tamil: ta3
Dravidian                Telugu: te1
Dravidian                Malayalam: ml1
Sino-Tibetan             Han: zh5
Sino-Tibetan             Burmese: my1
Japonic                  Japanese: ja5
Koreanic                 Hangul: ko4
Kra-Dai                  Thai: th3
Austro-Asiatic           Latin: vi4
Austronesian             Latin: id3 jv1 ms3 tl3
Niger-Congo              Latin: sw2 wo2 yo2
Kartvelian               Georgian: ka3
Basque                   Latin: eu4
Quechuan                 Latin: qu1
Creole                   Latin: ht2
"""
NOT_IN_XLM_R = frozenset({"ht", "qu", "wo", "yo"})
_LOW, _HIGH = "sw ur te jv yo my kk ka ml mr tl af eu qu ht wo", "de fr es ru zh ja"
LOW_RESOURCE, HIGH_RESOURCE = frozenset(_LOW.split()), frozenset(_HIGH.split())
"""Groups that were fixed before anything was compared; what lies between is in neither."""


def _read() -> dict[str, Facts]:
    facts = {}
    for line in _TABLE.strip().splitlines():
        place, entries = line.split(":")
        lineage, script = place.rsplit(maxsplit=1)
        family, _, branch = lineage.strip().partition("/")
        for entry in entries.split():
            code, resources = entry[:-1], int(entry[-1])
            facts[code] = Facts(code, family, branch or family, script, resources, code not in NOT_IN_XLM_R)
    return facts


FACTS: dict[str, Facts] = _read()


def facts_of(code: str) -> Facts | None:
    """Look a language up; None for one that the catalogue knows nothing about."""
    return FACTS.get(code)


def syntactic_distance(one: str, other: str) -> float | None:
    """Tell how far two languages are in syntax, 0 (alike) to 1: the cosine distance of their URIEL features.

    Values that nobody has described are guessed from relatives and neighbours, so distance is partly kinship:
    families should be told beside it.

    Returns:
        None where the catalogue does not know one of them.
    """
    features = _syntax()
    if one not in features or other not in features:
        return None
    shared = len(features[one] & features[other])
    return 1 - shared / math.sqrt(len(features[one]) * len(features[other]))


@lru_cache(maxsize=1)
def _syntax() -> dict[str, frozenset[int]]:
    """Read which syntactic features each language has."""
    text = (files("xtr.catalogue") / "syntax.csv").read_text(encoding="utf-8")
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    return {code: frozenset(i for i, has in enumerate(bits) if has == "1") for code, _, bits in rows[1:]}
