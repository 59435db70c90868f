"""Tasks that are trained on: intermediate tasks and the training sets of targets.

Sizes are rows of the full official training set; tokens per row are rough means in XLM-R's vocabulary and only
serve estimates.
"""

from xtr.catalogue.task import Files, HubFiles, Role, Task

INTERMEDIATE: frozenset[Role] = frozenset({"intermediate"})

MNLI = Task(
    name="mnli",
    title="MultiNLI: does the premise entail the hypothesis?",
    family="pair",
    roles=INTERMEDIATE,
    folder="xnli",
    languages=("en",),
    metrics=("accuracy",),
    labels=("entailment", "neutral", "contradiction"),
    training_task="mnli",
    train=(
        Files("train-{lang}.tsv", "pairs_tsv"),
        Files("multinli_1.0/multinli_1.0_train.jsonl", "nli_jsonl"),
    ),
    select=(
        Files("multinli_1.0/multinli_1.0_dev_matched.jsonl", "nli_jsonl"),
        Files("dev_matched.jsonl", "nli_jsonl"),
        Files("dev-{lang}.tsv", "pairs_tsv"),
    ),
    n_train=392_702,
    tokens_per_row=40,
    overlaps=("is XNLI's English training set",),
    licence="OANC, CC BY 3.0 and CC BY-SA 3.0, by genre",
    hub={
        "train": HubFiles("nyu-mll/glue", "mnli", "train", "nli"),
        "select": HubFiles("nyu-mll/glue", "mnli", "validation_matched", "nli"),
    },
    citation="Williams et al. 2018, A Broad-Coverage Challenge Corpus for Sentence Understanding",
)

CSQA = Task(
    name="csqa",
    title="CommonsenseQA: which of five words answers the question?",
    family="choice",
    roles=INTERMEDIATE,
    folder="commonsenseqa",
    languages=("en",),
    metrics=("accuracy",),
    training_task="csqa",
    train=(Files("train_rand_split.jsonl", "csqa_jsonl"),),
    select=(Files("dev_rand_split.jsonl", "csqa_jsonl"),),
    n_train=9_741,
    tokens_per_row=110,
    licence="MIT",
    hub={
        "train": HubFiles("tau/commonsense_qa", None, "train", "csqa"),
        "select": HubFiles("tau/commonsense_qa", None, "validation", "csqa"),
    },
    citation="Talmor et al. 2019, CommonsenseQA",
)

COPA = Task(
    name="copa",
    title="COPA: which of two sentences is the more plausible cause or effect?",
    family="choice",
    roles=INTERMEDIATE,
    folder="xcopa",
    languages=("en",),
    metrics=("accuracy",),
    training_task="copa",
    train=(Files("train-{lang}.jsonl", "copa_jsonl"),),
    select=(Files("val-{lang}.jsonl", "copa_jsonl"),),
    n_train=400,
    tokens_per_row=44,
    overlaps=("is XCOPA's English training set",),
    licence="BSD 2-Clause",
    citation="Roemmele et al. 2011, Choice of Plausible Alternatives",
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
    train=(Files("train-v1.1.json", "squad_json"),),
    select=(Files("dev-v1.1.json", "squad_json"),),
    n_train=87_599,
    tokens_per_row=190,
    overlaps=("XQuAD is a translation of 1,190 questions of its dev set",),
    licence="CC BY-SA 4.0",
    hub={
        "train": HubFiles("rajpurkar/squad", None, "train", "question"),
        "select": HubFiles("rajpurkar/squad", None, "validation", "question"),
    },
    citation="Rajpurkar et al. 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text",
)

TASKS = (MNLI, CSQA, COPA, SQUAD_V1)
