"""Tasks that are scored: those of XTREME and XTREME-R, with the languages that the benchmarks count.

Language lists are those of the official scorer (google-research/xtreme, evaluate.py), XTREME-R's
additions apart.
"""

from xtr.catalogue.lists import codes, sizes
from xtr.catalogue.tagging import PANX, UDPOS
from xtr.catalogue.task import Files, HubFiles, Role, Task

TARGET: frozenset[Role] = frozenset({"target"})
BOTH: frozenset[Role] = frozenset({"intermediate", "target"})

TYDIQA_LANGUAGES = "ar bn en fi id ko ru sw te"
BY_LANGUAGE = ("id", "{language}")  # TyDiQA's ids begin with the language's name
XNLI_LANGUAGES = "ar bg de el en es fr hi ru sw th tr ur vi zh"

XNLI = Task(
    name="xnli",
    title="XNLI: does the premise entail the hypothesis, in 15 languages?",
    family="pair",
    roles=TARGET,
    folder="xnli",
    languages=codes(XNLI_LANGUAGES),
    metrics=("accuracy",),
    labels=("entailment", "neutral", "contradiction"),
    training_task="mnli",
    parallel=True,
    dev=(
        Files("dev-{lang}.tsv", "pairs_tsv"),
        Files("XNLI-1.0/xnli.dev.tsv", "xnli_tsv", codes(XNLI_LANGUAGES)),
        Files("XNLI-1.0/xnli.dev.jsonl", "xnli_jsonl", codes(XNLI_LANGUAGES)),
        Files("KorNLI/xnli.dev.ko.tsv", "nli_tsv", ("ko",)),
    ),
    test=(
        Files("test-{lang}.tsv", "pairs_tsv"),
        Files("XNLI-1.0/xnli.test.tsv", "xnli_tsv", codes(XNLI_LANGUAGES)),
        Files("XNLI-1.0/xnli.test.jsonl", "xnli_jsonl", codes(XNLI_LANGUAGES)),
        Files("KorNLI/xnli.test.ko.tsv", "nli_tsv", ("ko",)),
    ),
    n_test=dict.fromkeys(codes(XNLI_LANGUAGES), 5_010),
    tokens_per_row=40,
    hub={
        "dev": HubFiles("facebook/xnli", "{lang}", "validation", "nli"),
        "test": HubFiles("facebook/xnli", "{lang}", "test", "nli"),
    },
    licence="CC BY-NC 4.0",
    citation="Conneau et al. 2018, XNLI: Evaluating Cross-lingual Sentence Representations",
)

PAWSX = Task(
    name="pawsx",
    title="PAWS-X: are two sentences with the same words paraphrases?",
    family="pair",
    roles=BOTH,
    folder="pawsx",
    languages=codes("de en es fr ja ko zh"),
    metrics=("accuracy",),
    labels=("0", "1"),
    training_task="pawsx",
    parallel=True,
    train=(
        Files("train-{lang}.tsv", "pairs_tsv"),
        Files("x-final/{lang}/train.tsv", "pawsx_tsv"),
        Files("x-final/{lang}/translated_train.tsv", "pawsx_tsv"),
    ),
    select=(Files("dev-{lang}.tsv", "pairs_tsv"), Files("x-final/{lang}/dev_2k.tsv", "pawsx_tsv")),
    dev=(Files("dev-{lang}.tsv", "pairs_tsv"), Files("x-final/{lang}/dev_2k.tsv", "pawsx_tsv")),
    test=(Files("test-{lang}.tsv", "pairs_tsv"), Files("x-final/{lang}/test_2k.tsv", "pawsx_tsv")),
    n_train=49_401,
    n_select=2_000,
    n_test=dict.fromkeys(codes("de en es fr ja ko zh"), 2_000),
    hub={
        "train": HubFiles("google-research-datasets/paws-x", "{lang}", "train", "pair"),
        "select": HubFiles("google-research-datasets/paws-x", "{lang}", "validation", "pair"),
        "dev": HubFiles("google-research-datasets/paws-x", "{lang}", "validation", "pair"),
        "test": HubFiles("google-research-datasets/paws-x", "{lang}", "test", "pair"),
    },
    notes=("training rows in other languages than English are machine-translated",),
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
    languages=codes("et ht id it qu sw ta th tr vi zh"),
    metrics=("accuracy",),
    training_task="copa",
    parallel=True,
    dev=(
        Files("val-{lang}.jsonl", "copa_jsonl"),
        Files("val.{lang}.jsonl", "copa_jsonl"),
        Files("data/{lang}/val.{lang}.jsonl", "copa_jsonl"),
    ),
    test=(
        Files("test-{lang}.jsonl", "copa_jsonl"),
        Files("test.{lang}.jsonl", "copa_jsonl"),
        Files("data/{lang}/test.{lang}.jsonl", "copa_jsonl"),
    ),
    n_test=dict.fromkeys(codes("et ht id it qu sw ta th tr vi zh"), 500),
    tokens_per_row=44,
    hub={
        "dev": HubFiles("cambridgeltl/xcopa", "{lang}", "validation", "copa"),
        "test": HubFiles("cambridgeltl/xcopa", "{lang}", "test", "copa"),
    },
    notes=("XTREME-R trains on Social IQa first, then on COPA: the intermediate task siqa says that",),
    licence="CC BY 4.0",
    citation="Ponti et al. 2020, XCOPA: A Multilingual Dataset for Causal Commonsense Reasoning",
)

XQUAD = Task(
    name="xquad",
    title="XQuAD: SQuAD questions translated into 11 languages",
    family="span",
    roles=TARGET,
    folder="xquad",
    languages=codes("ar de el en es hi ru th tr vi zh"),
    metrics=("f1", "exact_match"),
    added_languages=("ro",),
    training_task="squad_v1",
    test=(Files("xquad.{lang}.json", "squad_json"),),
    n_test=dict.fromkeys(codes("ar de el en es hi ru th tr vi zh ro"), 1_190),
    tokens_per_row=190,
    hub={"test": HubFiles("google/xquad", "xquad.{lang}", "validation", "question")},
    overlaps=("translates SQuAD dev, on which squad_v1 selects",),
    licence="CC BY-SA 4.0",
    citation="Artetxe et al. 2020, On the Cross-lingual Transferability of Monolingual Representations",
)

MLQA = Task(
    name="mlqa",
    title="MLQA: questions and paragraphs in seven languages, question and paragraph in the same one",
    family="span",
    roles=TARGET,
    folder="mlqa",
    languages=codes("ar de en es hi vi zh"),
    metrics=("f1", "exact_match"),
    answer_rules="mlqa",
    training_task="squad_v1",
    dev=(Files("MLQA_V1/dev/dev-context-{lang}-question-{lang}.json", "squad_json"),),
    test=(Files("MLQA_V1/test/test-context-{lang}-question-{lang}.json", "squad_json"),),
    n_test=sizes("ar 5335, de 4517, en 11590, es 5253, hi 4918, vi 5495, zh 5137"),
    tokens_per_row=230,
    hub={
        "dev": HubFiles("facebook/mlqa", "mlqa.{lang}.{lang}", "validation", "question"),
        "test": HubFiles("facebook/mlqa", "mlqa.{lang}.{lang}", "test", "question"),
    },
    licence="CC BY-SA 3.0",
    citation="Lewis et al. 2020, MLQA: Evaluating Cross-lingual Extractive Question Answering",
)

TYDIQA = Task(
    name="tydiqa",
    title="TyDiQA-GoldP: questions asked by native speakers",
    family="span",
    roles=BOTH,
    folder="tydiqa",
    languages=codes(TYDIQA_LANGUAGES),
    metrics=("f1", "exact_match"),
    training_task="tydiqa",
    train=(
        Files("tydiqa-goldp-v1.1-train/tydiqa.goldp.{lang}.train.json", "squad_json_repeated_ids"),
        Files("tydiqa-goldp-v1.1-train.json", "tydiqa_json", codes(TYDIQA_LANGUAGES)),
    ),
    test=(
        Files("tydiqa-goldp-v1.1-dev/tydiqa.goldp.{lang}.dev.json", "squad_json"),
        Files("tydiqa-goldp-v1.1-dev/tydiqa-goldp-dev-{language}.json", "squad_json"),
        Files("tydiqa-goldp-v1.1-dev.json", "tydiqa_json", codes(TYDIQA_LANGUAGES)),
    ),
    held_out=0.1,
    n_train=3_696,
    n_test=sizes("ar 921, bn 113, en 440, fi 782, id 565, ko 276, ru 812, sw 499, te 669"),
    hub={
        "train": HubFiles(
            "google-research-datasets/tydiqa", "secondary_task", "train", "question", BY_LANGUAGE
        ),
        "test": HubFiles(
            "google-research-datasets/tydiqa", "secondary_task", "validation", "question", BY_LANGUAGE
        ),
    },
    tokens_per_row=150,
    overlaps=("XTREME's English dev is its English test, so a tenth of the training rows is held out",),
    licence="Apache-2.0",
    citation="Clark et al. 2020, TyDi QA: A Benchmark for Information-Seeking Question Answering",
)

TATOEBA = Task(
    name="tatoeba",
    title="Tatoeba: find the translation among 1,000 sentences",
    family="retrieval",
    roles=TARGET,
    folder="tatoeba",
    languages=codes(
        "af ar bg bn de el es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr nl pt ru sw ta te th tl tr ur "
        "vi zh"
    ),
    metrics=("accuracy",),
    added_languages=codes("az lt pl ro uk"),
    select=(
        Files("tatoeba.{iso3}-eng.{side}", "bitext"),
        Files("v1/tatoeba.{iso3}-eng.{side}", "bitext"),
    ),
    test=(Files("tatoeba.{iso3}-eng.{side}", "bitext"), Files("v1/tatoeba.{iso3}-eng.{side}", "bitext")),
    select_languages=("da", "ga", "is"),  # in LASER, in neither XTREME nor XTREME-R
    n_test={
        **dict.fromkeys(
            codes(
                "af ar bg bn de el es et eu fa fi fr he hi hu id it ja ko mr nl pt ru tl tr ur vi "
                "zh az lt pl ro uk"
            ),
            1_000,
        ),
        **sizes("jv 205, te 234, ta 307, sw 390, th 548, kk 575, ml 687, ka 746"),
    },
    tokens_per_row=12,
    licence="CC BY 2.0 FR",
    citation="Artetxe and Schwenk 2019, Massively Multilingual Sentence Embeddings (LASER)",
)

TASKS = (XNLI, PAWSX, XCOPA, UDPOS, PANX, XQUAD, MLQA, TYDIQA, TATOEBA)
