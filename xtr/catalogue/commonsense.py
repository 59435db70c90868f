"""Tasks that are trained on in English: choices that ask for common sense."""

from xtr.catalogue.intermediate import INTERMEDIATE
from xtr.catalogue.task import Files, HubFiles, Task

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
    n_select=1_221,
    tokens_per_row=110,
    hub={
        "train": HubFiles("tau/commonsense_qa", None, "train", "csqa"),
        "select": HubFiles("tau/commonsense_qa", None, "validation", "csqa"),
    },
    licence="MIT",
    citation="Talmor et al. 2019, CommonsenseQA",
)

SIQA = Task(
    name="siqa",
    title="Social IQa: which of three answers fits what people do and feel?",
    family="choice",
    roles=INTERMEDIATE,
    folder="siqa",
    languages=("en",),
    metrics=("accuracy",),
    training_task="siqa",
    train=(
        Files("socialIQa_v1.4_trn.jsonl", "siqa_jsonl"),
        Files("socialIQa_v1.4/socialIQa_v1.4_trn.jsonl", "siqa_jsonl"),
        Files("train.jsonl", "siqa_labels", also=("train-labels.lst",)),
        Files(
            "socialiqa-train-dev/train.jsonl", "siqa_labels", also=("socialiqa-train-dev/train-labels.lst",)
        ),
    ),
    select=(
        Files("socialIQa_v1.4_dev.jsonl", "siqa_jsonl"),
        Files("socialIQa_v1.4/socialIQa_v1.4_dev.jsonl", "siqa_jsonl"),
        Files("dev.jsonl", "siqa_labels", also=("dev-labels.lst",)),
        Files("socialiqa-train-dev/dev.jsonl", "siqa_labels", also=("socialiqa-train-dev/dev-labels.lst",)),
    ),
    n_train=33_410,
    n_select=1_954,
    tokens_per_row=105,
    hub={
        "train": HubFiles("allenai/social_i_qa", None, "train", "siqa"),
        "select": HubFiles("allenai/social_i_qa", None, "validation", "siqa"),
    },
    overlaps=("XTREME-R trains XCOPA on it, then on COPA: siqa as XCOPA's intermediate task is that",),
    licence="CC BY 4.0",
    citation="Sap et al. 2019, Social IQa: Commonsense Reasoning about Social Interactions",
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
    train=(Files("train-{lang}.jsonl", "copa_jsonl"), Files("train.{lang}.jsonl", "copa_jsonl")),
    select=(Files("val-{lang}.jsonl", "copa_jsonl"), Files("val.{lang}.jsonl", "copa_jsonl")),
    n_train=400,
    n_select=100,
    tokens_per_row=44,
    hub={
        "train": HubFiles("aps/super_glue", "copa", "train", "copa"),
        "select": HubFiles("aps/super_glue", "copa", "validation", "copa"),
    },
    overlaps=("is XCOPA's English training set",),
    licence="BSD 2-Clause",
    citation="Roemmele et al. 2011, Choice of Plausible Alternatives",
)

TASKS = (CSQA, SIQA, COPA)
