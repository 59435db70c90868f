"""Tasks that are scored: those of XTREME and XTREME-R, with the languages that the benchmarks count.

Language lists are those of the official scorer (google-research/xtreme, evaluate.py).
"""

from xtr.catalogue.task import Files, HubFiles, Role, Task

TARGET: frozenset[Role] = frozenset({"target"})
BOTH: frozenset[Role] = frozenset({"intermediate", "target"})

UPOS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM",
    "PART", "PRON", "PROPN", "PUNCT", "SCONJ", "SYM", "VERB", "X",
)  # fmt: skip
ENTITIES = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")


def _languages(codes: str) -> tuple[str, ...]:
    return tuple(codes.split())


XNLI = Task(
    name="xnli",
    title="XNLI: does the premise entail the hypothesis, in 15 languages?",
    family="pair",
    roles=TARGET,
    folder="xnli",
    languages=_languages("ar bg de el en es fr hi ru sw th tr ur vi zh"),
    metrics=("accuracy",),
    labels=("entailment", "neutral", "contradiction"),
    training_task="mnli",
    dev=(Files("dev-{lang}.tsv", "pairs_tsv"),),
    test=(Files("test-{lang}.tsv", "pairs_tsv"),),
    licence="CC BY-NC 4.0",
    hub={
        "dev": HubFiles("facebook/xnli", "{lang}", "validation", "nli"),
        "test": HubFiles("facebook/xnli", "{lang}", "test", "nli"),
    },
    citation="Conneau et al. 2018, XNLI: Evaluating Cross-lingual Sentence Representations",
)

PAWSX = Task(
    name="pawsx",
    title="PAWS-X: are two sentences with the same words paraphrases?",
    family="pair",
    roles=BOTH,
    folder="pawsx",
    languages=_languages("de en es fr ja ko zh"),
    metrics=("accuracy",),
    labels=("0", "1"),
    training_task="pawsx",
    train=(Files("train-{lang}.tsv", "pairs_tsv"), Files("x-final/{lang}/train.tsv", "pawsx_tsv")),
    select=(Files("dev-en.tsv", "pairs_tsv"), Files("x-final/en/dev_2k.tsv", "pawsx_tsv")),
    dev=(Files("dev-{lang}.tsv", "pairs_tsv"), Files("x-final/{lang}/dev_2k.tsv", "pawsx_tsv")),
    test=(Files("test-{lang}.tsv", "pairs_tsv"), Files("x-final/{lang}/test_2k.tsv", "pawsx_tsv")),
    n_train=49_401,
    tokens_per_row=56,
    licence="PAWS-X licence: free use with attribution to Google",
    citation="Yang et al. 2019, PAWS-X: A Cross-lingual Adversarial Dataset for Paraphrase Identification",
)

XCOPA = Task(
    name="xcopa",
    title="XCOPA: the more plausible cause or effect, in 11 languages",
    family="choice",
    roles=TARGET,
    folder="xcopa",
    languages=_languages("et ht id it qu sw ta th tr vi zh"),
    metrics=("accuracy",),
    training_task="copa",
    dev=(Files("val-{lang}.jsonl", "copa_jsonl"), Files("data/{lang}/val.{lang}.jsonl", "copa_jsonl")),
    test=(Files("test-{lang}.jsonl", "copa_jsonl"), Files("data/{lang}/test.{lang}.jsonl", "copa_jsonl")),
    licence="CC BY 4.0",
    citation="Ponti et al. 2020, XCOPA: A Multilingual Dataset for Causal Commonsense Reasoning",
)

UDPOS = Task(
    name="udpos",
    title="Universal Dependencies: the part of speech of each word",
    family="tagging",
    roles=BOTH,
    folder="udpos",
    languages=_languages(
        "af ar bg de el en es et eu fa fi fr he hi hu id it ja kk ko mr nl pt ru ta te th tl tr ur vi yo zh"
    ),
    metrics=("f1", "precision", "recall", "accuracy"),
    labels=UPOS,
    training_task="udpos",
    train=(Files("train-{lang}.tsv", "tagged_words"),),
    select=(Files("dev-en.tsv", "tagged_words"),),
    dev=(Files("dev-{lang}.tsv", "tagged_words"),),
    test=(Files("test-{lang}.tsv", "tagged_words"),),
    n_train=21_253,
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
    languages=_languages(
        "af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru sw ta te th "
        "tl tr ur vi yo zh"
    ),
    metrics=("f1", "precision", "recall"),
    labels=ENTITIES,
    training_task="panx",
    train=(Files("train-{lang}.tsv", "tagged_words"),),
    select=(Files("dev-en.tsv", "tagged_words"),),
    dev=(Files("dev-{lang}.tsv", "tagged_words"),),
    test=(Files("test-{lang}.tsv", "tagged_words"),),
    n_train=20_000,
    tokens_per_row=14,
    licence="ODC-BY; text from Wikipedia",
    hub={
        "train": HubFiles("unimelb-nlp/wikiann", "{lang}", "train", "words"),
        "select": HubFiles("unimelb-nlp/wikiann", "en", "validation", "words"),
        "dev": HubFiles("unimelb-nlp/wikiann", "{lang}", "validation", "words"),
        "test": HubFiles("unimelb-nlp/wikiann", "{lang}", "test", "words"),
    },
    citation="Pan et al. 2017, Cross-lingual Name Tagging and Linking for 282 Languages",
)

XQUAD = Task(
    name="xquad",
    title="XQuAD: SQuAD questions translated into 11 languages",
    family="span",
    roles=TARGET,
    folder="xquad",
    languages=_languages("ar de el en es hi ru th tr vi zh"),
    metrics=("f1", "exact_match"),
    training_task="squad_v1",
    test=(Files("xquad.{lang}.json", "squad_json"),),
    overlaps=("translates SQuAD dev, on which squad_v1 selects",),
    licence="CC BY-SA 4.0",
    hub={"test": HubFiles("google/xquad", "xquad.{lang}", "validation", "question")},
    citation="Artetxe et al. 2020, On the Cross-lingual Transferability of Monolingual Representations",
)

TYDIQA = Task(
    name="tydiqa",
    title="TyDiQA-GoldP: questions asked by native speakers",
    family="span",
    roles=BOTH,
    folder="tydiqa",
    languages=_languages("ar bn en fi id ko ru sw te"),
    metrics=("f1", "exact_match"),
    training_task="tydiqa",
    train=(Files("tydiqa-goldp-v1.1-train/tydiqa.goldp.{lang}.train.json", "squad_json"),),
    test=(Files("tydiqa-goldp-v1.1-dev/tydiqa.goldp.{lang}.dev.json", "squad_json"),),
    held_out=0.1,
    n_train=3_696,
    tokens_per_row=150,
    overlaps=("XTREME's English dev is its English test, so a tenth of the training rows is held out",),
    licence="Apache-2.0",
    hub={
        "train": HubFiles(
            "google-research-datasets/tydiqa", "secondary_task", "train", "question", ("id", "{language}")
        ),
        "test": HubFiles(
            "google-research-datasets/tydiqa",
            "secondary_task",
            "validation",
            "question",
            ("id", "{language}"),
        ),
    },
    citation="Clark et al. 2020, TyDi QA: A Benchmark for Information-Seeking Question Answering",
)

TATOEBA = Task(
    name="tatoeba",
    title="Tatoeba: find the translation among 1,000 sentences",
    family="retrieval",
    roles=TARGET,
    folder="tatoeba",
    languages=_languages(
        "af ar bg bn de el es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr nl pt ru sw ta te th tl tr ur "
        "vi zh"
    ),
    metrics=("accuracy",),
    select=(
        Files("tatoeba.{iso3}-eng.{side}", "bitext"),
        Files("v1/tatoeba.{iso3}-eng.{side}", "bitext"),
    ),
    test=(Files("tatoeba.{iso3}-eng.{side}", "bitext"), Files("v1/tatoeba.{iso3}-eng.{side}", "bitext")),
    select_languages=("da", "ga", "is"),  # in LASER, in neither XTREME nor XTREME-R
    tokens_per_row=12,
    licence="CC BY 2.0 FR",
    citation="Artetxe and Schwenk 2019, Massively Multilingual Sentence Embeddings (LASER)",
)

TASKS = (XNLI, PAWSX, XCOPA, UDPOS, PANX, XQUAD, TYDIQA, TATOEBA)
