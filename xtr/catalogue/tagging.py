"""Tasks that tag words: targets, and what is trained on before them.

Test sizes of UD are those of the hub's copy, which is cut into syntactic words. CCG categories are licensed
(LDC2005T13), so users bring the files; `ud_deprel` is a free stand-in of another kind.
"""

from xtr.catalogue.lists import codes, sizes
from xtr.catalogue.task import Files, HubFiles, Role, Task

INTERMEDIATE: frozenset[Role] = frozenset({"intermediate"})
BOTH: frozenset[Role] = frozenset({"intermediate", "target"})

UPOS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM",
    "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X",
)  # fmt: skip
ENTITIES = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")
DEPREL = (
    "acl", "advcl", "advmod", "amod", "appos", "aux", "case", "cc", "ccomp", "clf", "compound", "conj", "cop",
    "csubj", "dep", "det", "discourse", "dislocated", "expl", "fixed", "flat", "goeswith", "iobj", "list", "mark",
    "nmod", "nsubj", "nummod", "obj", "obl", "orphan", "parataxis", "punct", "reparandum", "root", "vocative",
    "xcomp",
)  # fmt: skip
"""The 37 universal relations of Universal Dependencies v2, a closed set; subtypes after a colon are cut."""
ADDED_UD = codes("lt pl uk wo ro")

UD_LANGUAGES = codes(
    "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi yo zh"
)


def _ud_on_the_hub(split: str) -> HubFiles:
    added = HubFiles("izhx/xtreme-r-udpos", "{lang}", split, "words", languages=ADDED_UD)
    return HubFiles(
        "google/xtreme", "udpos.{language}", split, "words", languages=UD_LANGUAGES, otherwise=added
    )


UDPOS = Task(
    name="udpos",
    title="Universal Dependencies: the part of speech of each word",
    family="tagging",
    roles=BOTH,
    folder="udpos",
    languages=UD_LANGUAGES,
    metrics=("f1", "precision", "recall", "accuracy"),
    labels=UPOS,
    added_languages=ADDED_UD,
    training_task="udpos",
    train=(
        Files("train-{lang}.tsv", "tagged_words"),
        Files("udpos_processed_maxlen128/{lang}/train.*", "rejoined_words"),
        Files("/ud-treebanks-v2.7/UD_*/{lang}_*-ud-train.conllu", "conllu_upos", ADDED_UD),
        Files("/ud-treebanks-v2.5/UD_*/{lang}_*-ud-train.conllu", "conllu_upos"),
    ),
    select=(
        Files("dev-{lang}.tsv", "tagged_words"),
        Files("udpos_processed_maxlen128/{lang}/dev.*", "rejoined_words"),
        Files("/ud-treebanks-v2.5/UD_*/en_*-ud-dev.conllu", "conllu_upos"),
    ),
    dev=(
        Files("dev-{lang}.tsv", "tagged_words"),
        Files("udpos_processed_maxlen128/{lang}/dev.*", "rejoined_words"),
        Files("/ud-treebanks-v2.7/UD_*/{lang}_*-ud-dev.conllu", "conllu_upos", ADDED_UD),
        Files("/ud-treebanks-v2.5/UD_*/{lang}_*-ud-dev.conllu", "conllu_upos"),
    ),
    test=(
        Files("test-{lang}.tsv", "tagged_words"),
        Files("udpos_processed_maxlen128/{lang}/test.*", "rejoined_words"),
        Files("/ud-treebanks-v2.7/UD_*/{lang}_*-ud-test.conllu", "conllu_upos", ADDED_UD),
        Files("/ud-treebanks-v2.5/UD_*/{lang}_*-ud-test.conllu", "conllu_upos"),
    ),
    n_train=21_253,
    n_select=3_974,
    n_test=sizes(
        "af 425, ar 1680, bg 1116, de 22458, el 2809, en 5440, es 3147, et 3760, eu 1799, fa 600, fi 4422, "
        "fr 9465, he 491, hi 2684, hu 449, id 1557, it 3518, ja 2372, kk 1047, ko 4276, mr 47, nl 1471, pt 2681, "
        "ru 11336, ta 120, te 146, th 1000, tl 55, tr 4785, ur 535, vi 800, yo 100, zh 5528"
    ),
    hub={
        "train": _ud_on_the_hub("train"),
        "select": HubFiles("google/xtreme", "udpos.{language}", "validation", "words"),
        "dev": _ud_on_the_hub("validation"),
        "test": _ud_on_the_hub("test"),
    },
    notes=(
        "the hub's copy is cut into syntactic words and XTREME's into written ones: predictions for the one "
        "cannot be scored by the labels of the other",
    ),
    tokens_per_row=32,
    licence="by treebank (UD 2.5)",
    citation="Nivre et al. 2020, Universal Dependencies v2",
)

PANX = Task(
    name="panx",
    title="PAN-X (WikiAnn): persons, organisations and places",
    family="tagging",
    roles=BOTH,
    folder="panx",
    languages=codes(
        "af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru sw ta te th "
        "tl tr ur vi yo zh"
    ),
    metrics=("f1", "precision", "recall"),
    labels=ENTITIES,
    added_languages=codes("az gu lt pa pl qu ro uk"),
    training_task="panx",
    train=(
        Files("train-{lang}.tsv", "tagged_words"),
        Files("panx_processed_maxlen128/{lang}/train.*", "rejoined_words"),
        Files("{lang}/train", "tagged_words"),
        Files("panx_dataset/{lang}-train", "tagged_words"),
    ),
    select=(
        Files("dev-{lang}.tsv", "tagged_words"),
        Files("panx_processed_maxlen128/{lang}/dev.*", "rejoined_words"),
        Files("{lang}/dev", "tagged_words"),
        Files("panx_dataset/en-dev", "tagged_words"),
    ),
    dev=(
        Files("dev-{lang}.tsv", "tagged_words"),
        Files("panx_processed_maxlen128/{lang}/dev.*", "rejoined_words"),
        Files("{lang}/dev", "tagged_words"),
        Files("panx_dataset/{lang}-dev", "tagged_words"),
    ),
    test=(
        Files("test-{lang}.tsv", "tagged_words"),
        Files("panx_processed_maxlen128/{lang}/test.*", "rejoined_words"),
        Files("{lang}/test", "tagged_words"),
        Files("panx_dataset/{lang}-test", "tagged_words"),
    ),
    n_train=20_000,
    n_select=10_000,
    n_test=sizes(
        "ar bg de el en es fa fi fr he hu id it ja ko nl pt ru th tr vi zh et eu ka 10000, ms ur ta bn ml tl "
        "af hi mr kk sw te 1000, jv my yo 100"
    ),
    hub={
        "train": HubFiles("unimelb-nlp/wikiann", "{lang}", "train", "words"),
        "select": HubFiles("unimelb-nlp/wikiann", "{lang}", "validation", "words"),
        "dev": HubFiles("unimelb-nlp/wikiann", "{lang}", "validation", "words"),
        "test": HubFiles("unimelb-nlp/wikiann", "{lang}", "test", "words"),
    },
    tokens_per_row=14,
    licence="ODC-BY; text from Wikipedia",
    citation="Pan et al. 2017, Cross-lingual Name Tagging and Linking for 282 Languages",
)

CCG = Task(
    name="ccg",
    title="CCG supertagging: the combinatory category of each word (bring your own files)",
    family="tagging",
    roles=INTERMEDIATE,
    folder="ccg",
    languages=("en",),
    metrics=("accuracy", "f1", "precision", "recall"),
    labels=tuple(map(str, range(1_363))),  # jiant's ids of the categories, which tags_to_id.json gives
    training_task="ccg",
    train=(Files("ccg.train", "ccg_tsv", also=("tags_to_id.json",)),),
    select=(Files("ccg.dev", "ccg_tsv", also=("tags_to_id.json",)),),
    n_train=38_015,
    n_select=5_484,
    tokens_per_row=32,
    licence="LDC2005T13, not to be passed on",
    citation="Hockenmaier and Steedman 2007, CCGbank",
)

UD_DEPREL = Task(
    name="ud_deprel",
    title="UD relations: how each word hangs in its sentence; a free stand-in for CCG, not CCG",
    family="tagging",
    roles=INTERMEDIATE,
    folder="udpos",
    languages=("en",),
    metrics=("accuracy", "f1", "precision", "recall"),
    labels=DEPREL,
    training_task="ud_deprel",
    train=(Files("/ud-treebanks-v2.5/UD_*/{lang}_*-ud-train.conllu", "conllu_deprel"),),
    select=(Files("/ud-treebanks-v2.5/UD_*/{lang}_*-ud-dev.conllu", "conllu_deprel"),),
    n_train=21_253,
    n_select=3_974,
    tokens_per_row=32,
    overlaps=("has the sentences of udpos",),
    licence="by treebank (UD 2.5)",
    citation="Nivre et al. 2020, Universal Dependencies v2",
)

TASKS = (CCG, UD_DEPREL)
