"""Languages of XTREME, XTREME-R and of the retrieval select split: code, ISO 639-3 (as LASER writes it), name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Language:
    """A language by its ISO 639-1 code, its ISO 639-3 code and its English name."""

    code: str
    iso3: str
    name: str


_TABLE = """
af afr Afrikaans|ar ara Arabic|az aze Azerbaijani|bg bul Bulgarian|bn ben Bengali|da dan Danish|de deu German
el ell Greek|en eng English|es spa Spanish|et est Estonian|eu eus Basque|fa pes Persian|fi fin Finnish
fr fra French|ga gle Irish|gu guj Gujarati|he heb Hebrew|hi hin Hindi|ht hat Haitian Creole|hu hun Hungarian
id ind Indonesian|is isl Icelandic|it ita Italian|ja jpn Japanese|jv jav Javanese|ka kat Georgian|kk kaz Kazakh
ko kor Korean|lt lit Lithuanian|ml mal Malayalam|mr mar Marathi|ms msa Malay|my mya Burmese|nl nld Dutch
pa pan Punjabi|pl pol Polish|pt por Portuguese|qu que Quechua|ro ron Romanian|ru rus Russian|sw swh Swahili
ta tam Tamil|te tel Telugu|th tha Thai|tl tgl Tagalog|tr tur Turkish|uk ukr Ukrainian|ur urd Urdu
vi vie Vietnamese|wo wol Wolof|yo yor Yoruba|zh cmn Chinese
"""

LANGUAGES: dict[str, Language] = {
    code: Language(code, iso3, name)
    for code, iso3, name in (entry.split(" ", 2) for entry in _TABLE.strip().replace("\n", "|").split("|"))
}


def iso3(code: str) -> str:
    """Return the ISO 639-3 code as LASER's file names write it; an unknown code stands for itself."""
    return LANGUAGES[code].iso3 if code in LANGUAGES else code
