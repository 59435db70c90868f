"""This is where a task is described: what it asks, in which languages, and where its files lie.

A catalogue entry is data. It holds no rows and no code; a family (see `xtr.families`) knows how to train and
score it, a source (see `xtr.data`) where to read it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

Family = Literal["pair", "choice", "tagging", "span", "retrieval", "mining", "ranking", "mlm"]
Role = Literal["intermediate", "target"]
Split = Literal["train", "select", "dev", "test", "pool"]
Format = Literal[
    "pairs_tsv", "pawsx_tsv", "nli_jsonl", "nli_jsonl_rounds", "nli_tsv", "xnli_jsonl", "xnli_tsv",
    "qqp_tsv", "qqp_partition", "csqa_jsonl", "copa_jsonl", "hellaswag_jsonl", "cosmos_csv", "cosmos_jsonl",
    "siqa_jsonl", "siqa_labels", "jcommonsenseqa_jsonl", "tagged_words", "rejoined_words", "conllu_upos",
    "conllu_deprel", "ccg_tsv", "squad_json", "squad_json_repeated_ids", "squad_json_repaired", "tydiqa_json",
    "bitext", "mining", "mining_hidden", "xquad_r", "squad_sentences",
    "mewslix_pairs", "mewslix_mentions", "mewslix_entities", "text_lines",
]  # fmt: skip
Columns = Literal[
    "nli", "snli", "pair", "qqp", "csqa", "copa", "hellaswag", "cosmos", "siqa", "jcommonsenseqa",
    "question", "unanswerable", "words",
]  # fmt: skip
AnswerRules = Literal["squad", "mlqa", "squad_v2"]
Metric = Literal["accuracy", "f1", "precision", "recall", "exact_match", "map_at_20"]


@dataclass(frozen=True, slots=True)
class Files:
    """One known layout of one split: a path below the task's folder and the format of the file.

    `{lang}` stands for the ISO 639-1 code, `{iso3}` for the ISO 639-3 code, and in a bitext or a mining set
    `{side}` for each file's suffix; `{language}` for the language's English name in small letters. `*` stands
    for any part of a file name; all files that match are read, sorted by name. A pattern that begins with `/` lies
    below the data root instead of the task's folder.

    Attributes:
        languages: the languages that this layout has; empty where the pattern names the language, or where the
            files are in the task's own.
        also: patterns of files that are read together with it.
        mixed: whether it holds rows of every language, of which the reader takes the asked ones.
    """

    pattern: str
    format: Format
    languages: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    mixed: bool = False


@dataclass(frozen=True, slots=True)
class HubFiles:
    """Where one split lies on the Hugging Face hub.

    `{lang}` and `{iso3}` stand for the language's codes, `{language}` for its English name, in `config` and
    `split`. Revisions are never written here: they are resolved and locked when data are prepared.

    Attributes:
        dataset: the data set's id, such as `facebook/xnli`.
        config: its configuration; None where it has only one.
        split: the hub's name of the split.
        columns: names the parser that makes rows of its columns.
        keep: (column, prefix): only rows whose column begins with the prefix belong to the split; the prefix
            takes `{lang}` and, in small letters, `{language}`.
        languages: those it has; empty where it has all of the task's.
        otherwise: where languages lie that it has not.
    """

    dataset: str
    config: str | None
    split: str
    columns: Columns
    keep: tuple[str, str] | None = None
    languages: tuple[str, ...] = ()
    otherwise: HubFiles | None = None

    def of(self, language: str) -> HubFiles | None:
        """Return where the split lies in a language, None where the hub is not known to have it."""
        if not self.languages or language in self.languages:
            return self
        return self.otherwise.of(language) if self.otherwise else None


@dataclass(frozen=True, slots=True)
class Task:
    """A data set in the catalogue.

    Attributes:
        folder: where its files lie below the data root, as XTREME's download scripts place them.
        languages: those it is scored in by XTREME, or by XTREME-R where that alone has the task (a target), or
            trained in (an intermediate task), ISO 639-1.
        added_languages: those that XTREME-R scores besides.
        labels: every label, in the order of the head's outputs; empty where a head has no label set.
        training_task: what it is trained on before it is scored; None where nothing is trained.
        train, select, dev, test: known layouts, the first that exists is read. `select` is the only split
            a search sees. An empty `dev` means that the test files double as dev.
        held_out: share of the training rows that is `select` where no such file exists.
        select_languages: of tasks that are never trained; others select in the language they are trained in.
        pools_languages: whether training in several languages takes all their rows; otherwise the languages share
            the rows of one.
        pool: what dev and test rank: the candidates of all languages together. `select` ranks its own rows'.
        calibration: the split on which the threshold of test predictions is fitted; None where there is none.
        parallel: whether its test rows are the same items in every language, by id.
        query_length: longest query of a ranking in tokens; candidates may be as long as the stage's inputs.
        answer_rules: by whose rules answers to questions are compared: SQuAD 1.1's, MLQA's for the language, or
            SQuAD 2.0's, where a question may have no answer.
        hub: the same splits on the Hugging Face hub.
        n_train, n_select, n_test: rows of the full official sets, in English or as the first language has them;
            of tests by language. Empty where nobody has said.
        tokens_per_row: a rough mean in XLM-R's vocabulary, for estimates alone.
        overlaps: what else holds the same rows, in words.
        own: the user's, not xtr's.
        notes: what else a user should know of its data, in words.
    """

    name: str
    title: str
    family: Family
    roles: frozenset[Role]
    folder: str
    languages: tuple[str, ...]
    metrics: tuple[Metric, ...]
    added_languages: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    training_task: str | None = None
    train: tuple[Files, ...] = ()
    select: tuple[Files, ...] = ()
    dev: tuple[Files, ...] = ()
    test: tuple[Files, ...] = ()
    held_out: float = 0.0
    select_languages: tuple[str, ...] = ()
    pools_languages: bool = False
    pool: tuple[Files, ...] = ()
    calibration: Split | None = None
    parallel: bool = False
    query_length: int | None = None
    n_train: int = 0
    n_select: int = 0
    n_test: Mapping[str, int] = field(default_factory=dict, hash=False)
    tokens_per_row: int = 0
    overlaps: tuple[str, ...] = ()
    answer_rules: AnswerRules = "squad"
    notes: tuple[str, ...] = ()
    hub: Mapping[Split, HubFiles] = field(default_factory=dict, hash=False)
    licence: str = ""
    citation: str = ""
    own: bool = False

    @property
    def metric(self) -> Metric:
        """The metric that ranks trials; the first of `metrics`."""
        return self.metrics[0]

    @property
    def all_languages(self) -> tuple[str, ...]:
        """The languages of every benchmark that counts it."""
        return (*self.languages, *self.added_languages)

    @property
    def home(self) -> str:
        """The language of files whose names do not say it: English, or a set's only one."""
        return "en" if "en" in self.languages else self.languages[0]

    def trained_in(self, source: str, at_hand: Sequence[str]) -> tuple[str, ...]:
        """Tell the languages that it is trained in where an expression names none.

        Args:
            source: the sweep's source language.
            at_hand: languages that there are rows in, of a task that pools them.
        """
        if self.pools_languages:
            return tuple(at_hand) or (source,)
        if source in self.languages or self.home == "en":
            return (source,)
        return (self.home,)  # a set in one language that is not the source

    def layouts(self, split: Split) -> tuple[Files, ...]:
        """Return the known layouts of a split; an empty `dev` falls back to the test files."""
        return {
            "train": self.train,
            "select": self.select,
            "dev": self.dev or self.test,
            "test": self.test,
            "pool": self.pool,
        }[split]
