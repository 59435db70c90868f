"""Every genuine file of a catalogue task is read whole: the counts are those of the README beside the data.

`WHOLE` and `SAMPLED` name task, split, languages, rows and, where a folder is not one of `FOLDERS`, folder or
file. A last test sees to it that no file is left over.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from tests.shared_data import SHARED_DATA, needs_shared_data
from xtr.catalogue.lookup import find_task
from xtr.catalogue.task import Split
from xtr.data.official import OfficialSource
from xtr.data.rows import ChoiceRow, PairRow, RetrievalRow, SpanRow, TaggingRow

pytestmark = needs_shared_data()

FOLDERS = {
    "mnli": "intermediate/mnli",
    "snli": "intermediate/snli",
    "anli": "derived/anli_v1.0",
    "qqp": "intermediate/qqp",
    "hellaswag": "intermediate/hellaswag",
    "csqa": "intermediate/commonsenseqa",
    "siqa": "intermediate/socialiqa",
    "squad_v1": "intermediate/squad_v1.1",
    "squad_v2": "intermediate/squad_v2.0",
    "copa": "xtreme_r/xcopa",
    "xcopa": "xcopa",
    "tatoeba": "laser/tatoeba",
    **{task: f"xtreme/{task}" for task in ("xnli", "pawsx", "udpos", "panx", "xquad", "mlqa", "tydiqa")},
    **{task: f"intermediate_nonen/{task}" for task in ("ocnli", "indonli", "cmrc2018")},
    **dict.fromkeys(("jnli", "jcommonsenseqa", "jsquad"), "intermediate_nonen/jglue"),
}
SOURCE = OfficialSource(SHARED_DATA, FOLDERS)
SAMPLES = "format_samples"
TREEBANKS = "ud-treebanks-v2.5/UD_*/{lang}_*-ud-{split}.conllu"
NO_TASKS_FILES = (
    "README.md", "SHA256SUMS", "xtreme_mock/", "mlm_text/", "intermediate/semi_automatic_nli/",
    "xtreme/bucc2018/", "xtreme_r/xquad-r/", "xtreme_stripped/tatoeba/", "ud-treebanks-v2.5/",
    "format_samples/multi_nli/multinli_1.0.zip/multinli_1.0/README.txt",
)  # fmt: skip
"""Predictions and labels, texts, other families, and what other tests read here."""
CSQA_TEST = "intermediate/commonsenseqa/test_rand_split_no_answers.jsonl"
XCOPA = "et id it sw ta th tr vi zh"
TRANSLATED = "ar bg de el en es fr hi ru sw th tr ur vi zh"

Case = tuple[str, Split, str, int, str]
WHOLE: list[Case] = [
    ("anli", "select", "en", 3_198, ""),
    ("mnli", "select", "en", 9_815, ""),
    ("snli", "select", "en", 9_842, ""),
    ("qqp", "select", "en", 9_917, ""),
    ("hellaswag", "select", "en", 1_000, ""),
    ("hellaswag", "test", "en", 3_500, "hellaswag_jsonl:derived/hellaswag/hellaswag_val.rest.jsonl"),
    ("csqa", "train", "en", 9_741, ""),
    ("csqa", "select", "en", 1_221, ""),
    ("csqa", "test", "en", 1_140, CSQA_TEST),
    ("siqa", "train", "en", 8_000, ""),
    ("siqa", "select", "en", 1_954, ""),
    ("copa", "train", "en", 400, ""),
    ("copa", "select", "en", 100, ""),
    ("squad_v1", "train", "en", 4_370, ""),
    ("squad_v1", "select", "en", 705, "derived/squad_v1.1/dev-v1.1.subset.json"),
    (
        "squad_v1",
        "test",
        "it",
        7_609 - 1,
        "squad_json_repaired:intermediate_nonen/squad_it/SQuAD_{lang}-test.json.gz",
    ),
    ("squad_v2", "train", "en", 4_719, ""),
    ("squad_v2", "select", "en", 1_407, ""),
    ("squad_v2", "test", "en", 6_078, "intermediate/squad_v2.0/cs224n-dev-v2.0.json"),
    ("ocnli", "train", "zh", 3_000 - 6, ""),
    ("ocnli", "select", "zh", 3_000 - 50, ""),  # on the others annotators did not agree
    ("indonli", "train", "id", 10_330, ""),
    ("indonli", "select", "id", 2_197, ""),
    ("jnli", "select", "ja", 2_434, ""),
    ("jcommonsenseqa", "train", "ja", 8_939, ""),
    ("jcommonsenseqa", "select", "ja", 1_119, ""),
    ("jsquad", "select", "ja", 4_442, ""),
    ("cmrc2018", "select", "zh", 3_219, ""),
    ("xnli", "dev", "ar bg de el en es fr hi ru tr vi zh", 29_880, ""),
    ("xnli", "dev", "ko", 2_490, "nli_tsv:intermediate_nonen/kornli/xnli.dev.{lang}.tsv"),
    ("xnli", "test", "de en tr zh", 20_040, ""),
    ("pawsx", "select", "en", 2_000, ""),
    ("pawsx", "dev", "de en fr ko zh", 10_000, ""),
    ("pawsx", "dev", "ko", 2_000, "official/pawsx/"),
    ("pawsx", "test", "de en fr ko zh", 10_000, ""),
    ("xcopa", "dev", XCOPA, 900, ""),
    ("xcopa", "test", XCOPA, 4_500, ""),
    ("udpos", "train", "en", 21_253, "xtreme/udpos/train-{lang}.tsv"),
    ("udpos", "dev", "af el en fa he id ja mr nl ta te tr vi zh lt", 11_835, "xtreme/udpos/dev-{lang}.tsv"),
    ("udpos", "test", "mr ta te tl", 368, "xtreme/udpos/test-{lang}.tsv"),
    ("panx", "train", "en sw", 21_000, ""),
    ("panx", "dev", "af ar bn de en hi id ko mr ms sw ta te tl vi zh az gu", 80_100, ""),
    ("panx", "test", "af sw", 2_000, ""),
    ("xquad", "test", "ar de en es hi ru tr vi zh ro", 11_900, ""),
    ("mlqa", "dev", "de en es zh", 504 + 512 + 1_148 + 500, ""),
    ("tydiqa", "train", "en sw", 6_451 - 370, ""),  # a tenth of the English rows is held out
    ("tydiqa", "select", "en", 370, ""),
    ("tydiqa", "test", "ar en fi id ko ru sw", 4_295, ""),
    ("tydiqa", "dev", "ar en fi id ko ru sw", 4_295, ""),
    ("tydiqa", "test", "sw", 499, "xtreme_stripped/tydiqa/"),
    ("tatoeba", "select", "da ga is", 3_000, ""),
]
"""Whole files; the last word is a folder (with a slash) or a file that takes the place of the catalogue's."""

UD: dict[Split, dict[str, int]] = {
    "train": {"en": 3_000, "mr": 373, "te": 1_051, "lt": 153},
    "dev": {"en": 2_002, "mr": 46, "ta": 80, "te": 131, "vi": 800, "lt": 55},
    "test": {
        "af": 425, "ar": 1_000, "de": 977, "el": 456, "en": 2_077, "es": 426, "eu": 1_799, "fa": 600, "fr": 416,
        "he": 491, "hi": 1_000, "id": 557, "ja": 550, "ko": 989, "mr": 47, "ru": 601, "ta": 120, "te": 146,
        "th": 1_000, "tl": 55, "tr": 983, "vi": 800, "zh": 500, "lt": 55,
    },
}  # fmt: skip

SAMPLED: list[Case] = [
    ("mnli", "train", "en", 3, f"{SAMPLES}/glue_mnli/"),
    ("mnli", "select", "en", 2, f"{SAMPLES}/glue_mnli/"),
    ("mnli", "select", "en", 2, f"nli_tsv:{SAMPLES}/glue_mnli/MNLI/dev_mismatched.tsv"),
    ("mnli", "test", "en", 1, f"nli_tsv:{SAMPLES}/glue_mnli/MNLI/test_matched.tsv"),
    ("mnli", "test", "en", 1, f"nli_tsv:{SAMPLES}/glue_mnli/MNLI/test_mismatched.tsv"),
    ("mnli", "train", "en", 5, f"{SAMPLES}/multi_nli/multinli_1.0.zip/"),
    ("mnli", "select", "en", 5, f"{SAMPLES}/multi_nli/multinli_1.0.zip/"),
    *(
        (
            "mnli",
            "test",
            "en",
            n_rows,
            f"{kind}:{SAMPLES}/multi_nli/multinli_1.0.zip/multinli_1.0/multinli_1.0_{name}",
        )
        for n_rows, kind, name in (
            (5, "nli_jsonl", "dev_mismatched.jsonl"),
            (4, "nli_tsv", "train.txt"),
            (4, "nli_tsv", "dev_matched.txt"),
            (4, "nli_tsv", "dev_mismatched.txt"),
        )
    ),
    ("mnli", "train", TRANSLATED, 60, f"{SAMPLES}/xnli/XNLI-MT-1.0.zip/"),
    ("snli", "train", "en", 3, f"{SAMPLES}/snli/"),
    ("snli", "select", "en", 2, f"{SAMPLES}/snli/"),
    ("snli", "test", "en", 1, f"nli_tsv:{SAMPLES}/snli/snli_1.0/snli_1.0_test.txt"),
    ("anli", "train", "en", 9, f"{SAMPLES}/anli/anli_v0.1/"),
    ("anli", "select", "en", 9, f"{SAMPLES}/anli/anli_v0.1/"),
    *(
        ("anli", "test", "en", 3, f"nli_jsonl:{SAMPLES}/anli/anli_v0.1/{each}/test.jsonl")
        for each in ("R1", "R2", "R3")
    ),
    ("qqp", "train", "en", 3, f"{SAMPLES}/glue_qqp/"),
    ("qqp", "select", "en", 2, f"{SAMPLES}/glue_qqp/"),
    ("qqp", "test", "en", 1, f"qqp_tsv:{SAMPLES}/glue_qqp/QQP/test.tsv"),
    ("csqa", "train", "en", 5, f"{SAMPLES}/commonsense_qa/"),
    ("csqa", "select", "en", 2, f"{SAMPLES}/commonsense_qa/"),
    ("csqa", "test", "en", 2, f"{SAMPLES}/commonsense_qa/test_rand_split_no_answers.jsonl"),
    ("hellaswag", "train", "en", 2, f"{SAMPLES}/hellaswag/"),
    ("hellaswag", "select", "en", 2, f"{SAMPLES}/hellaswag/"),
    ("hellaswag", "test", "en", 2, f"{SAMPLES}/hellaswag/hellaswag_test.jsonl"),
    ("siqa", "train", "en", 2, f"{SAMPLES}/social_i_qa/"),
    ("siqa", "select", "en", 2, f"{SAMPLES}/social_i_qa/"),
    ("squad_v2", "train", "en", 2, f"{SAMPLES}/squad_v2/"),
    ("squad_v2", "select", "en", 2, f"{SAMPLES}/squad_v2/"),
    ("xnli", "dev", "ar", 2, f"{SAMPLES}/xnli_1.0/"),
    ("xnli", "test", "ar", 2, f"{SAMPLES}/xnli_1.0/"),
    ("xnli", "dev", TRANSLATED, 15, f"{SAMPLES}/xnli/XNLI-1.0.zip/"),
    ("xnli", "test", TRANSLATED, 15, f"{SAMPLES}/xnli/XNLI-1.0.zip/"),
    *(
        ("xnli", split, "ar", n_rows, f"{kind}:{SAMPLES}/xnli{folder}/xnli.{split}{end}")
        for split in ("dev", "test")
        for n_rows, kind, folder, end in (
            (2, "xnli_jsonl", "_1.0/XNLI-1.0", ".jsonl"),
            (5, "xnli_jsonl", "/XNLI-1.0.zip/XNLI-1.0", ".jsonl"),
            (5, "xnli_jsonl", "/XNLI-MT-1.0.zip/XNLI-MT-1.0/xnli", ".en.jsonl"),
            (4, "xnli_tsv", "/XNLI-MT-1.0.zip/XNLI-MT-1.0/xnli", ".en.tsv"),
        )
    ),
    ("pawsx", "train", "de", 4, f"{SAMPLES}/paws-x/x-final.tar.gz/"),
    ("pawsx", "dev", "de", 4, f"{SAMPLES}/paws-x/x-final.tar.gz/"),
    ("pawsx", "test", "de", 4, f"{SAMPLES}/paws-x/x-final.tar.gz/"),
    *(
        ("panx", split, "de sw", 2, f"{SAMPLES}/wikiann_{{lang}}/{{lang}}.tar.gz/{split}")
        for split in ("train", "dev", "test")
    ),
    ("tydiqa", "train", "fi", 2, f"{SAMPLES}/tydiqa/"),
    ("tydiqa", "test", "ar", 1, f"{SAMPLES}/tydiqa/"),
    ("mlqa", "dev", "en", 1, f"{SAMPLES}/mlqa/MLQA_V1/dev/dev-context-{{lang}}-question-de.json"),
    ("mlqa", "test", "en", 1, f"{SAMPLES}/mlqa/MLQA_V1/test/test-context-{{lang}}-question-de.json"),
    ("mlqa", "dev", "de es", 1_012, "xtreme/mlqa/MLQA_V1/dev/dev-context-{lang}-question-en.json"),
    ("mlqa", "dev", "en", 512, "xtreme/mlqa/MLQA_V1/dev/dev-context-{lang}-question-de.json"),
]
"""A few rows of each release, in its own layout."""


def source_of(name: str, split: Split, place: str) -> OfficialSource:
    if not place:
        return SOURCE
    if place.endswith("/"):
        return OfficialSource(SHARED_DATA, {name: place.rstrip("/")})
    return OfficialSource(SHARED_DATA, files={name: {split: place}})


def count(case: Case) -> int:
    name, split, languages, _, place = case
    source = source_of(name, split, place)
    return sum(len(source.rows(find_task(name), split, language)) for language in languages.split())


@pytest.mark.parametrize(
    "case", [*WHOLE, *SAMPLED], ids=lambda case: f"{case[0]}-{case[1]}-{case[4] or 'catalogue'}"
)
def test_a_split_has_its_published_rows(case: Case) -> None:
    assert count(case) == case[3]


@pytest.mark.parametrize(
    "case", [case for case in WHOLE if not case[4]], ids=lambda case: f"{case[0]}-{case[1]}"
)
def test_a_split_is_at_hand_in_the_languages_whose_files_are_there(case: Case) -> None:
    name, split, languages, _, _ = case
    assert SOURCE.languages(find_task(name), split) == tuple(languages.split())


@pytest.mark.parametrize("name", ["udpos", "ud_deprel"])
@pytest.mark.parametrize("split", ["train", "dev", "test"])
def test_treebanks_are_read_from_their_release(name: str, split: Split) -> None:
    task = find_task(name)
    place = {"udpos": f"conllu_upos:{TREEBANKS}", "ud_deprel": f"conllu_deprel:{TREEBANKS}"}[name]
    source = source_of(name, split, place.replace("{split}", split))
    assert {language: len(source.rows(task, split, language)) for language in UD[split]} == UD[split]


@pytest.mark.parametrize(
    ("split", "language"),
    [
        ("dev", "mr"),
        ("dev", "ta"),
        ("dev", "te"),
        ("dev", "vi"),
        ("test", "mr"),
        ("test", "ta"),
        ("test", "te"),
    ],
)
def test_a_treebank_gives_the_words_and_tags_of_xtremes_own_file(split: Split, language: str) -> None:
    task = find_task("udpos")
    release = source_of("udpos", split, f"conllu_upos:{TREEBANKS.replace('{split}', split)}")
    xtreme = source_of("udpos", split, f"xtreme/udpos/{split}-{{lang}}.tsv")
    for row, other in zip(
        release.rows(task, split, language), xtreme.rows(task, split, language), strict=True
    ):
        assert isinstance(row, TaggingRow)
        assert isinstance(other, TaggingRow)
        assert row.words == other.words
        assert other.tags in (None, row.tags)


def test_all_of_tatoeba_is_read() -> None:
    tatoeba = find_task("tatoeba")
    test = SOURCE.languages(tatoeba, "test")
    assert set(tatoeba.added_languages) | {"da", "ga", "is"} < set(test)
    assert sum(len(SOURCE.rows(tatoeba, "test", language)) for language in test) == 73_710 // 2


def test_no_file_of_a_task_is_left_unread() -> None:
    tatoeba, read = find_task("tatoeba"), set[Path]()
    for name, split, languages, _, place in (*WHOLE, *SAMPLED):
        source = source_of(name, split, place)
        read |= {path for each in languages.split() for path in source.paths(find_task(name), split, each)}
    read |= {
        path for each in SOURCE.languages(tatoeba, "test") for path in SOURCE.paths(tatoeba, "test", each)
    }
    left = {path for path in SHARED_DATA.rglob("*") if path.is_file()} - read
    unread = [path.relative_to(SHARED_DATA).as_posix() for path in left]
    assert (
        sorted(path for path in unread if not path.startswith(NO_TASKS_FILES) and "LICENSE" not in path) == []
    )


def test_mnlis_own_release_is_read_by_its_own_field_names() -> None:
    source = OfficialSource(SHARED_DATA, {"mnli": "format_samples/multi_nli/multinli_1.0.zip"})
    first = source.rows(find_task("mnli"), "select", "en")[0]
    assert isinstance(first, PairRow)
    expected = ("63735n", "Everyone really likes the newest benefits ", "neutral")
    assert (first.id, first.second, first.label) == expected


@pytest.mark.parametrize("split", ["train", "select"])
def test_squad_2_keeps_its_unanswerable_questions(split: Split) -> None:
    rows = SOURCE.rows(find_task("squad_v2"), split, "en")
    n_unanswerable = sum(isinstance(row, SpanRow) and row.answers == () for row in rows)
    assert n_unanswerable == {"train": 348, "select": 702}[split]


def test_a_hellaswag_choice_is_the_begun_sentence_with_its_ending() -> None:
    first = source_of("hellaswag", "select", f"{SAMPLES}/hellaswag/").rows(
        find_task("hellaswag"), "select", "en"
    )[0]
    assert isinstance(first, ChoiceRow)
    assert first.prompt == "A man is sitting on a roof."
    assert (first.choices[3], first.label) == ("he starts pulling up roofing on a roof.", 3)


def test_wrong_offsets_of_the_originals_are_mended() -> None:
    place = "squad_json_repaired:intermediate_nonen/squad_it/SQuAD_{lang}-test.json.gz"
    italian = source_of("squad_v1", "test", place).rows(find_task("squad_v1"), "test", "it")
    chinese = SOURCE.rows(find_task("cmrc2018"), "select", "zh")
    for row in (*italian, *chinese):
        assert isinstance(row, SpanRow)
        assert row.answers
        for answer in row.answers:
            assert row.context[answer.start : answer.start + len(answer.text)] == answer.text


def test_the_two_layouts_of_pawsx_hold_the_same_rows() -> None:
    official = OfficialSource(SHARED_DATA / "official").rows(find_task("pawsx"), "dev", "ko")
    xtreme = SOURCE.rows(find_task("pawsx"), "dev", "ko")
    assert len(official) == len(xtreme) == 2_000
    for row, other in zip(official, xtreme, strict=True):
        assert isinstance(row, PairRow)
        assert isinstance(other, PairRow)
        assert (row.first, row.second, row.label) == (other.first, other.second, other.label)


def test_hidden_labels_are_none() -> None:
    pawsx, panx = find_task("pawsx"), find_task("panx")
    blanked = OfficialSource(SHARED_DATA / "xtreme_stripped").rows(find_task("tydiqa"), "test", "sw")
    assert len(blanked) == 499
    assert all(isinstance(row, SpanRow) and row.answers is None for row in blanked)
    assert all(isinstance(row, PairRow) and row.label is None for row in SOURCE.rows(pawsx, "test", "de"))
    assert all(isinstance(row, TaggingRow) and row.tags is None for row in SOURCE.rows(panx, "test", "sw"))
    source = OfficialSource(SHARED_DATA, FOLDERS, {"csqa": {"test": CSQA_TEST}})
    hidden = source.rows(find_task("csqa"), "test", "en")
    assert all(isinstance(row, ChoiceRow) and row.label is None for row in hidden)


def test_a_sentence_with_the_file_separator_character_stays_whole() -> None:
    rows = SOURCE.rows(find_task("pawsx"), "dev", "ko")
    assert any(isinstance(row, PairRow) and "\x1c" in row.first + row.second for row in rows)


def test_xcopa_asks_in_english_and_copa_agrees_with_its_translation() -> None:
    estonian = SOURCE.rows(find_task("xcopa"), "dev", "et")
    english = SOURCE.rows(find_task("copa"), "select", "en")
    first = estonian[0]
    assert isinstance(first, ChoiceRow)
    assert first.prompt == "Mees keeras kraani lahti. What was the effect?"
    assert first.choices == ("Tualett täitus veega.", "Tilast voolas vett.")
    labels = [[row.label for row in rows if isinstance(row, ChoiceRow)] for rows in (estonian, english)]
    assert labels[0] == labels[1]


def test_tatoeba_is_in_xtremes_line_order() -> None:
    published = SHARED_DATA / "xtreme_stripped" / "tatoeba"
    rows = [row for row in SOURCE.rows(find_task("tatoeba"), "test", "de") if isinstance(row, RetrievalRow)]
    english = (published / "de-en.en").read_text(encoding="utf-8").split("\n")[:-1]
    german = (published / "de-en.de").read_text(encoding="utf-8").split("\n")[:-1]
    assert [row.query for row in rows] == [line.strip() for line in english]
    assert [row.candidate for row in rows] == [line.strip() for line in german]
    assert all(earlier.query <= later.query for earlier, later in pairwise(rows))


@pytest.mark.parametrize("language", ["de", "ta", "tr"])
def test_tatoebas_gold_begins_like_the_official_mock_labels(language: str) -> None:
    labels = SHARED_DATA / "xtreme_mock" / "labels" / "tatoeba" / f"test-{language}.tsv"
    gold = [int(line) for line in labels.read_text(encoding="utf-8").split()]
    rows = SOURCE.rows(find_task("tatoeba"), "test", language)
    assert [row.gold for row in rows[: len(gold)] if isinstance(row, RetrievalRow)] == gold


def test_what_is_held_out_of_tydiqa_is_never_trained_on() -> None:
    tydiqa = find_task("tydiqa")
    train = {row.id for row in SOURCE.rows(tydiqa, "train", "en")}
    select = {row.id for row in SOURCE.rows(tydiqa, "select", "en")}
    assert (len(train), len(select), train & select) == (3_326, 370, set())
    assert len(SOURCE.rows(tydiqa, "train", "sw")) == 2_755
