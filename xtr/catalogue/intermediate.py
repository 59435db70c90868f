"""Tasks that are trained on in English, and in languages into which they were translated.

Sizes are rows of the full official sets; tokens per row are rough means in XLM-R's vocabulary and only serve
estimates.
"""

from xtr.catalogue.languages import LANGUAGES
from xtr.catalogue.task import Files, HubFiles, Role, Task

INTERMEDIATE: frozenset[Role] = frozenset({"intermediate"})
NLI = ("entailment", "neutral", "contradiction")
XNLI_LANGUAGES = ("ar", "bg", "de", "el", "en", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh")

MNLI = Task(
    name="mnli",
    title="MultiNLI: does the premise entail the hypothesis?",
    family="pair",
    roles=INTERMEDIATE,
    folder="xnli",
    languages=("en",),
    metrics=("accuracy",),
    labels=NLI,
    training_task="mnli",
    train=(
        Files("train-{lang}.tsv", "pairs_tsv"),
        Files("multinli_1.0/multinli_1.0_train.jsonl", "nli_jsonl"),
        Files("MNLI/train.tsv", "nli_tsv"),
        Files("XNLI-MT-1.0/multinli/multinli.train.{lang}.tsv", "nli_tsv", XNLI_LANGUAGES),
        Files("KorNLI/multinli.train.ko.tsv", "nli_tsv", ("ko",)),
    ),
    select=(
        Files("multinli_1.0/multinli_1.0_dev_matched.jsonl", "nli_jsonl"),
        Files("MNLI/dev_matched.tsv", "nli_tsv"),
        Files("dev_matched.jsonl", "nli_jsonl"),
        Files("dev-{lang}.tsv", "pairs_tsv"),
        Files("XNLI-1.0/xnli.dev.tsv", "xnli_tsv"),
    ),
    n_train=392_702,
    n_select=9_815,
    tokens_per_row=40,
    hub={
        "train": HubFiles(
            "nyu-mll/glue",
            "mnli",
            "train",
            "nli",
            languages=("en",),
            otherwise=HubFiles("facebook/xnli", "{lang}", "train", "nli", languages=XNLI_LANGUAGES),
        ),
        "select": HubFiles("nyu-mll/glue", "mnli", "validation_matched", "nli"),
    },
    overlaps=("is XNLI's English training set", "is part of ANLI+"),
    licence="OANC, CC BY 3.0 and CC BY-SA 3.0, by genre; translations CC BY-NC 4.0 (XNLI), CC BY-SA 4.0 (KorNLI)",
    citation="Williams et al. 2018, A Broad-Coverage Challenge Corpus for Sentence Understanding",
)

SNLI = Task(
    name="snli",
    title="SNLI: does a picture's caption entail another?",
    family="pair",
    roles=INTERMEDIATE,
    folder="snli",
    languages=("en",),
    metrics=("accuracy",),
    labels=NLI,
    training_task="snli",
    train=(
        Files("snli_1.0/snli_1.0_train.jsonl", "nli_jsonl"),
        Files("snli_1.0/snli_1.0_train.txt", "nli_tsv"),
        Files("train.jsonl", "nli_jsonl"),
    ),
    select=(
        Files("snli_1.0/snli_1.0_dev.jsonl", "nli_jsonl"),
        Files("snli_1.0/snli_1.0_dev.txt", "nli_tsv"),
        Files("dev.jsonl", "nli_jsonl"),
    ),
    n_train=549_367,
    n_select=9_842,
    tokens_per_row=28,
    hub={
        "train": HubFiles("stanfordnlp/snli", None, "train", "snli"),
        "select": HubFiles("stanfordnlp/snli", None, "validation", "snli"),
    },
    overlaps=("is part of ANLI+",),
    licence="CC BY-SA 4.0",
    citation="Bowman et al. 2015, A Large Annotated Corpus for Learning Natural Language Inference",
)

ANLI = Task(
    name="anli",
    title="ANLI: entailment that was written to fool models, three rounds as one",
    family="pair",
    roles=INTERMEDIATE,
    folder="anli",
    languages=("en",),
    metrics=("accuracy",),
    labels=NLI,
    training_task="anli",
    train=(
        Files(
            "anli_v1.0/R1/train.jsonl",
            "nli_jsonl_rounds",
            also=(
                "anli_v1.0/R2/train.jsonl",
                "anli_v1.0/R3/train.jsonl",
            ),
        ),
        Files(
            "R1/train.jsonl",
            "nli_jsonl_rounds",
            also=(
                "R2/train.jsonl",
                "R3/train.jsonl",
            ),
        ),
    ),
    select=(
        Files(
            "anli_v1.0/R1/dev.jsonl",
            "nli_jsonl_rounds",
            also=(
                "anli_v1.0/R2/dev.jsonl",
                "anli_v1.0/R3/dev.jsonl",
            ),
        ),
        Files(
            "R1/dev.jsonl",
            "nli_jsonl_rounds",
            also=(
                "R2/dev.jsonl",
                "R3/dev.jsonl",
            ),
        ),
    ),
    n_train=162_865,
    n_select=3_200,
    tokens_per_row=95,
    hub={
        "train": HubFiles("facebook/anli", None, "train_r1+train_r2+train_r3", "nli"),
        "select": HubFiles("facebook/anli", None, "dev_r1+dev_r2+dev_r3", "nli"),
    },
    overlaps=("is part of ANLI+",),
    licence="CC BY-NC 4.0",
    citation="Nie et al. 2020, Adversarial NLI: A New Benchmark for Natural Language Understanding",
)

QQP = Task(
    name="qqp",
    title="Quora Question Pairs: do two questions ask the same?",
    family="pair",
    roles=INTERMEDIATE,
    folder="qqp",
    languages=("en",),
    metrics=("accuracy", "f1"),
    labels=("0", "1"),
    training_task="qqp",
    train=(
        Files("QQP/train.tsv", "qqp_tsv"),
        Files("glue/train.tsv", "qqp_tsv"),
        Files("train.tsv", "qqp_partition"),
    ),
    select=(
        Files("QQP/dev.tsv", "qqp_tsv"),
        Files("glue/dev.tsv", "qqp_tsv"),
        Files("dev.tsv", "qqp_partition"),
    ),
    n_train=363_846,
    n_select=40_430,
    tokens_per_row=32,
    hub={
        "train": HubFiles("nyu-mll/glue", "qqp", "train", "qqp"),
        "select": HubFiles("nyu-mll/glue", "qqp", "validation", "qqp"),
    },
    overlaps=("the partition of Wang et al. divides the same pairs in another way than GLUE",),
    licence="Quora terms, non-commercial",
    citation="Iyer et al. 2017, First Quora Dataset Release: Question Pairs; GLUE: Wang et al. 2018",
)

SQUAD_V1 = Task(
    name="squad_v1",
    title="SQuAD 1.1: find the answer in a Wikipedia paragraph",
    family="span",
    roles=INTERMEDIATE,
    folder="squad",
    languages=("en",),
    metrics=("f1", "exact_match"),
    training_task="squad_v1",
    train=(
        Files("train-v1.1.json", "squad_json", ("en",)),
        Files(
            "mlqa-translate-train/{lang}_squad-translate-train-train-v1.1.json",
            "squad_json",
            ("ar", "de", "es", "hi", "vi", "zh"),
        ),
        Files("SQuAD_it-train.json.gz", "squad_json_repaired", ("it",)),
        Files("SQuAD_it-train.json", "squad_json_repaired", ("it",)),
    ),
    select=(Files("dev-v1.1.json", "squad_json"),),
    n_train=87_599,
    n_select=10_570,
    tokens_per_row=190,
    hub={
        "train": HubFiles(
            "rajpurkar/squad",
            None,
            "train",
            "question",
            languages=("en",),
            otherwise=HubFiles(
                "facebook/mlqa",
                "mlqa-translate-train.{lang}",
                "train",
                "question",
                languages=("ar", "de", "es", "hi", "vi", "zh"),
            ),
        ),
        "select": HubFiles("rajpurkar/squad", None, "validation", "question"),
    },
    overlaps=(
        "XQuAD is a translation of 1,190 questions of its dev set",
        "SQuAD 2.0 holds the same questions, and others without an answer",
    ),
    licence="CC BY-SA 4.0; translations CC BY-SA 3.0 (MLQA), CC BY-SA 4.0 (SQuAD-it)",
    citation="Rajpurkar et al. 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text",
)

SQUAD_V2 = Task(
    name="squad_v2",
    title="SQuAD 2.0: find the answer in a Wikipedia paragraph, if there is one",
    family="span",
    roles=INTERMEDIATE,
    folder="squad",
    languages=("en",),
    metrics=("f1", "exact_match"),
    answer_rules="squad_v2",
    training_task="squad_v2",
    train=(Files("train-v2.0.json", "squad_json"),),
    select=(Files("dev-v2.0.json", "squad_json"),),
    n_train=130_319,
    n_select=11_873,
    tokens_per_row=190,
    hub={
        "train": HubFiles("rajpurkar/squad_v2", None, "train", "unanswerable"),
        "select": HubFiles("rajpurkar/squad_v2", None, "validation", "unanswerable"),
    },
    overlaps=(
        "holds SQuAD 1.1's questions",
        "XQuAD is a translation of questions of its dev set",
    ),
    licence="CC BY-SA 4.0",
    citation="Rajpurkar et al. 2018, Know What You Don't Know: Unanswerable Questions for SQuAD",
)

HELLASWAG = Task(
    name="hellaswag",
    title="HellaSwag: which of four sentences comes next?",
    family="choice",
    roles=INTERMEDIATE,
    folder="hellaswag",
    languages=("en",),
    metrics=("accuracy",),
    training_task="hellaswag",
    train=(Files("hellaswag_train.jsonl", "hellaswag_jsonl"),),
    select=(Files("hellaswag_val.jsonl", "hellaswag_jsonl"),),
    n_train=39_905,
    n_select=10_042,
    tokens_per_row=420,
    hub={
        "train": HubFiles("Rowan/hellaswag", None, "train", "hellaswag"),
        "select": HubFiles("Rowan/hellaswag", None, "validation", "hellaswag"),
    },
    licence="MIT",
    citation="Zellers et al. 2019, HellaSwag: Can a Machine Really Finish Your Sentence?",
)

COSMOSQA = Task(
    name="cosmosqa",
    title="Cosmos QA: which of four answers fits what the text leaves unsaid?",
    family="choice",
    roles=INTERMEDIATE,
    folder="cosmosqa",
    languages=("en",),
    metrics=("accuracy",),
    training_task="cosmosqa",
    train=(Files("train.csv", "cosmos_csv"), Files("train.jsonl", "cosmos_jsonl")),
    select=(Files("valid.csv", "cosmos_csv"), Files("valid.jsonl", "cosmos_jsonl")),
    n_train=25_262,
    n_select=2_985,
    tokens_per_row=480,
    hub={
        "train": HubFiles("allenai/cosmos_qa", None, "train", "cosmos"),
        "select": HubFiles("allenai/cosmos_qa", None, "validation", "cosmos"),
    },
    citation="Huang et al. 2019, Cosmos QA: Machine Reading Comprehension with Contextual Commonsense Reasoning",
)

MLM = Task(
    name="mlm",
    title="Masked language modelling on plain text, one line an example",
    family="mlm",
    roles=INTERMEDIATE,
    folder="mlm",
    languages=tuple(LANGUAGES),
    metrics=("accuracy",),
    training_task="mlm",
    train=(Files("{lang}.txt", "text_lines"),),
    dev=(Files("{lang}.dev.txt", "text_lines"),),
    held_out=0.02,
    pools_languages=True,
    tokens_per_row=40,
    licence="that of the text",
)

TASKS = (ANLI, MNLI, SNLI, QQP, SQUAD_V1, SQUAD_V2, HELLASWAG, COSMOSQA, MLM)
