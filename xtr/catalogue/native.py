"""Tasks that are trained on in other languages than English and were written in them, not translated.

Sizes stand only where they were counted.
"""

from xtr.catalogue.intermediate import INTERMEDIATE, NLI
from xtr.catalogue.task import Files, Task

OCNLI = Task(
    name="ocnli",
    title="OCNLI: entailment, written in Chinese",
    family="pair",
    roles=INTERMEDIATE,
    folder="ocnli",
    languages=("zh",),
    metrics=("accuracy",),
    labels=NLI,
    training_task="ocnli",
    train=(Files("train.50k.json", "nli_jsonl"), Files("train.3k.json", "nli_jsonl")),
    select=(Files("dev.json", "nli_jsonl"),),
    tokens_per_row=30,
    licence="CC BY-NC 2.0",
    citation="Hu et al. 2020, OCNLI: Original Chinese Natural Language Inference",
)

INDONLI = Task(
    name="indonli",
    title="IndoNLI: entailment, written in Indonesian",
    family="pair",
    roles=INTERMEDIATE,
    folder="indonli",
    languages=("id",),
    metrics=("accuracy",),
    labels=NLI,
    training_task="indonli",
    train=(Files("train.jsonl", "nli_jsonl"),),
    select=(Files("val.jsonl", "nli_jsonl"),),
    n_train=10_330,
    n_select=2_197,
    tokens_per_row=55,
    licence="CC BY-SA",
    citation="Mahendra et al. 2021, IndoNLI: A Natural Language Inference Dataset for Indonesian",
)

JNLI = Task(
    name="jnli",
    title="JNLI: entailment between captions, written in Japanese (JGLUE)",
    family="pair",
    roles=INTERMEDIATE,
    folder="jglue",
    languages=("ja",),
    metrics=("accuracy",),
    labels=NLI,
    training_task="jnli",
    train=(Files("jnli-v1.3/train-v1.3.json", "nli_jsonl"),),
    select=(Files("jnli-v1.3/valid-v1.3.json", "nli_jsonl"),),
    n_select=2_434,
    tokens_per_row=35,
    licence="CC BY-SA 4.0",
    citation="Kurihara et al. 2022, JGLUE: Japanese General Language Understanding Evaluation",
)

JCOMMONSENSEQA = Task(
    name="jcommonsenseqa",
    title="JCommonsenseQA: which of five words answers the question, in Japanese (JGLUE)",
    family="choice",
    roles=INTERMEDIATE,
    folder="jglue",
    languages=("ja",),
    metrics=("accuracy",),
    training_task="jcommonsenseqa",
    train=(Files("jcommonsenseqa-v1.3/train-v1.3.json", "jcommonsenseqa_jsonl"),),
    select=(Files("jcommonsenseqa-v1.3/valid-v1.3.json", "jcommonsenseqa_jsonl"),),
    n_train=8_939,
    n_select=1_119,
    tokens_per_row=120,
    licence="CC BY-SA 4.0",
    citation="Kurihara et al. 2022, JGLUE: Japanese General Language Understanding Evaluation",
)

JSQUAD = Task(
    name="jsquad",
    title="JSQuAD: find the answer in a Japanese paragraph (JGLUE)",
    family="span",
    roles=INTERMEDIATE,
    folder="jglue",
    languages=("ja",),
    metrics=("f1", "exact_match"),
    training_task="jsquad",
    train=(Files("jsquad-v1.3/train-v1.3.json", "squad_json"),),
    select=(Files("jsquad-v1.3/valid-v1.3.json", "squad_json"),),
    n_select=4_442,
    tokens_per_row=150,
    licence="CC BY-SA 4.0",
    citation="Kurihara et al. 2022, JGLUE: Japanese General Language Understanding Evaluation",
)

CMRC2018 = Task(
    name="cmrc2018",
    title="CMRC 2018: find the answer in a Chinese paragraph",
    family="span",
    roles=INTERMEDIATE,
    folder="cmrc2018",
    languages=("zh",),
    metrics=("f1", "exact_match"),
    training_task="cmrc2018",
    train=(
        Files("cmrc2018_train.json", "squad_json_repaired"),
        Files("squad-style-data/cmrc2018_train.json", "squad_json_repaired"),
    ),
    select=(
        Files("cmrc2018_dev.json", "squad_json_repaired"),
        Files("squad-style-data/cmrc2018_dev.json", "squad_json_repaired"),
    ),
    n_select=3_219,
    tokens_per_row=420,
    licence="CC BY-SA 4.0",
    citation="Cui et al. 2019, A Span-Extraction Dataset for Chinese Machine Reading Comprehension",
)

TASKS = (OCNLI, INDONLI, JNLI, JCOMMONSENSEQA, JSQUAD, CMRC2018)
