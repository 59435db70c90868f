"""Tasks in which something is found among many: BUCC's mining, and LAReQA's and Mewsli-X's ranking.

Tatoeba stands with the other targets. The hub's copies do not serve: those of BUCC hold the gold pairs alone,
without the sentences among which they are to be found, and that of XQuAD-R has no sentence breaks.
"""

from xtr.catalogue.task import Files, Role, Task

TARGET: frozenset[Role] = frozenset({"target"})
INTERMEDIATE: frozenset[Role] = frozenset({"intermediate"})
BOTH: frozenset[Role] = frozenset({"intermediate", "target"})

_BUCC_DEV = tuple(
    Files(pattern, "mining")
    for pattern in ("{lang}-en.dev.{side}", "{lang}-en/{lang}-en.sample.{side}", "{lang}-en.sample.{side}")
)
_BUCC_TEST = ("{lang}-en.test.{side}", "{lang}-en/{lang}-en.training.{side}", "{lang}-en.training.{side}")

BUCC2018 = Task(
    name="bucc2018",
    title="BUCC 2018: mine translations from two corpora",
    family="mining",
    roles=TARGET,
    folder="bucc2018",
    languages=("de", "fr", "ru", "zh"),
    metrics=("f1", "precision", "recall"),
    select=_BUCC_DEV,
    dev=_BUCC_DEV,
    test=(
        *(Files(pattern, "mining") for pattern in _BUCC_TEST),
        *(Files(pattern, "mining_hidden") for pattern in _BUCC_TEST),
    ),
    select_languages=("de", "fr", "ru", "zh"),
    calibration="select",
    tokens_per_row=33,
    overlaps=("has no English dev: a search selects on its dev, on which the threshold is fitted too",),
    licence="BUCC 2018 shared task, for research",
    citation="Zweigenbaum et al. 2018, Overview of the Third BUCC Shared Task",
)

SQUAD_QA_RETRIEVAL = Task(
    name="squad_qa_retrieval",
    title="SQuAD 1.1 as retrieval: find the sentence that answers the question",
    family="ranking",
    roles=INTERMEDIATE,
    folder="squad",
    languages=("en",),
    metrics=("map_at_20",),
    training_task="squad_qa_retrieval",
    train=(
        Files("train-v1.1.json", "squad_sentences"),
        Files("translate-train/squad.translate.train.en-{lang}.json", "squad_sentences"),
    ),
    select=(Files("dev-v1.1.json", "squad_sentences"),),
    query_length=96,
    n_train=87_599,
    tokens_per_row=200,
    overlaps=("has squad_v1's rows", "XQuAD-R is a translation of 1,190 questions of its dev set"),
    licence="CC BY-SA 4.0",
    citation="Rajpurkar et al. 2016, SQuAD: 100,000+ Questions for Machine Comprehension of Text",
)

_XQUAD_R = (Files("{lang}.json", "xquad_r"), Files("xquad-r/{lang}.json", "xquad_r"))

LAREQA = Task(
    name="lareqa",
    title="LAReQA (XQuAD-R): the answering sentences of all languages, ranked first",
    family="ranking",
    roles=TARGET,
    folder="xquad-r",
    languages=("ar", "de", "el", "en", "es", "hi", "ru", "th", "tr", "vi", "zh"),
    metrics=("map_at_20",),
    training_task="squad_qa_retrieval",
    test=_XQUAD_R,
    pool=_XQUAD_R,
    query_length=96,
    tokens_per_row=200,
    overlaps=("translates SQuAD dev, on which squad_qa_retrieval selects",),
    licence="CC BY-SA 4.0",
    citation="Roy et al. 2020, LAReQA: Language-Agnostic Answer Retrieval from a Multilingual Pool",
)

MEWSLIX = Task(
    name="mewslix",
    title="Mewsli-X: which of a million entities does a mention in the news mean?",
    family="ranking",
    roles=BOTH,
    folder="mewslix",
    languages=("ar", "de", "en", "es", "fa", "ja", "pl", "ro", "ta", "tr", "uk"),
    metrics=("map_at_20",),
    training_task="mewslix",
    train=(Files("wikipedia_pairs-train.jsonl", "mewslix_pairs"),),
    select=(Files("wikipedia_pairs-dev.jsonl", "mewslix_pairs"),),
    dev=(Files("wikinews_mentions-dev.jsonl", "mewslix_mentions", mixed=True),),
    test=(Files("wikinews_mentions-test.jsonl", "mewslix_mentions", mixed=True),),
    pool=(Files("candidate_set_entities.jsonl", "mewslix_entities"),),
    query_length=64,
    n_train=167_719,
    tokens_per_row=64,
    overlaps=("select ranks the entities of the Wikipedia dev pairs, not the million",),
    licence="CC BY-SA 3.0 (Wikipedia), CC BY 2.5 (WikiNews)",
    citation="Ruder et al. 2021, XTREME-R; Botha et al. 2020, Entity Linking in 100 Languages",
)

TASKS = (BUCC2018, SQUAD_QA_RETRIEVAL, LAREQA, MEWSLIX)
