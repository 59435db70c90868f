"""This is where a user's own task is described: an entry of the catalogue, written in YAML.

OwnTask(name="aspects", family="pair", labels=("negative", "positive"), languages=("en", "de"),
        files={"train": OwnFiles(path="{lang}/train.tsv", format="pairs_tsv")}).task()
-> Task(name="aspects", family="pair", ...)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from xtr.catalogue.lookup import TASKS
from xtr.catalogue.task import Family, Files, Format, Metric, Role, Split, Task
from xtr.spec.explain import refusal
from xtr.spec.settings import Described

OwnFamily = Literal["pair", "choice", "tagging", "span"]
METRICS: Mapping[Family, tuple[Metric, ...]] = {
    "pair": ("accuracy",),
    "choice": ("accuracy",),
    "tagging": ("f1", "precision", "recall"),
    "span": ("f1", "exact_match"),
}
FORMATS: Mapping[Family, tuple[Format, ...]] = {
    "pair": ("pairs_tsv", "pawsx_tsv", "nli_tsv", "nli_jsonl", "xnli_tsv", "xnli_jsonl"),
    "choice": ("copa_jsonl", "csqa_jsonl", "hellaswag_jsonl", "cosmos_jsonl", "siqa_jsonl"),
    "tagging": ("tagged_words", "conllu_upos", "conllu_deprel"),
    "span": ("squad_json", "squad_json_repeated_ids", "squad_json_repaired"),
}
Word = Annotated[str, Field(min_length=1)]


def _read_name(name: str) -> str:
    if not name.replace("_", "a").isalnum() or not name.isascii() or name != name.lower():
        raise refusal("not a name for a task", allowed="small letters, digits and underscores")
    if name in TASKS and not TASKS[name].own:
        raise refusal("xtr has a task of this name", hint="another name, such as my_" + name)
    return name


IN_ONE_FILE = ("xnli_tsv", "xnli_jsonl")
"""Formats whose files hold every language."""


class OwnFiles(Described):
    """Where the files of one split lie and how they are written."""

    path: Word = Field(description="Path below the task's folder; {lang} is the language.")
    format: Format = Field(description="How the files are written; xtr tasks shows whose format is which.")


class OwnTask(Described):
    """A task that xtr does not have, of a family that it has."""

    name: Annotated[Word, AfterValidator(_read_name)] = Field(
        description="Name of the task: small letters, digits and underscores."
    )
    title: str = Field(default="", description="What it asks, in words.")
    family: OwnFamily = Field(description="pair, choice, tagging or span.")
    folder: Word | None = Field(default=None, description="Folder below data.official_root; null: its name.")
    languages: tuple[Word, ...] = Field(min_length=1, description="Languages in which it is scored, by code.")
    labels: tuple[Word, ...] = Field(
        default=(), description="Every label, in the order of the head's outputs; pair and tagging need them."
    )
    roles: tuple[Role, ...] = Field(default=("intermediate", "target"), description="What it can be.")
    training_task: Word | None = Field(
        default=None, description="Task whose rows it is trained on as a target; null: its own."
    )
    files: dict[Split, OwnFiles] = Field(description="Files by split: train, select, dev, test.")
    held_out: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="Share of the training rows that select, where there is no select file."
    )
    licence: str = Field(default="", description="Licence of the data.")
    citation: str = Field(default="", description="What to cite.")

    @model_validator(mode="after")
    def _fits_its_family(self) -> OwnTask:
        if self.family in ("pair", "tagging") and len(set(self.labels)) < 2:
            raise refusal(f"a {self.family} task needs labels", allowed="labels: [first, second]")
        if len(set(self.labels)) < len(self.labels):
            raise refusal("a label stands twice", allowed="labels that differ")
        for split, files in self.files.items():
            if files.format not in FORMATS[self.family]:
                allowed = ", ".join(FORMATS[self.family])
                raise refusal(f"files.{split}.format is not one of this family's", allowed=allowed)
        if self.training_task is None and "train" not in self.files:
            raise refusal("what is it trained on?", allowed="files.train, or training_task: mnli")
        if self.training_task is None and "select" not in self.files and not self.held_out:
            raise refusal("what does a search select on?", allowed="files.select, or held_out: 0.1")
        return self

    def task(self) -> Task:
        """Make the catalogue's entry of it."""
        layouts: dict[Split, tuple[Files, ...]] = {
            split: (Files(each.path, each.format, mixed=each.format in IN_ONE_FILE),)
            for split, each in self.files.items()
        }
        return Task(
            name=self.name,
            title=self.title or self.name,
            family=self.family,
            roles=frozenset(self.roles),
            folder=self.folder or self.name,
            languages=self.languages,
            select_languages=("en",) if "en" in self.languages else self.languages[:1],
            metrics=METRICS[self.family],
            labels=self.labels,
            training_task=self.training_task or self.name,
            train=layouts.get("train", ()),
            select=layouts.get("select", ()),
            dev=layouts.get("dev", ()),
            test=layouts.get("test", ()),
            held_out=self.held_out,
            licence=self.licence,
            citation=self.citation,
            own=True,
        )
