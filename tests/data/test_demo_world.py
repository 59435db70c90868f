"""The demo world: repeatable, parallel across languages, balanced, and planted as it says."""

import csv
import json
import multiprocessing
from collections import Counter
from pathlib import Path
from typing import get_args

import pytest

from xtr.catalogue.languages import iso3
from xtr.catalogue.lookup import TASKS, find_task
from xtr.catalogue.task import Split
from xtr.data.demo import (
    LANGUAGES,
    PLANTED,
    SELECT_LANGUAGES,
    TARGET_LANGUAGES,
    prepare_world,
    world_identity,
    write_world,
)
from xtr.data.demo.corpus import documents
from xtr.data.demo.source import DemoSource
from xtr.data.demo.tasks import XNLI_LABELS, draw_copa, draw_pairs, tag_entities
from xtr.data.demo.world import (
    COMPARED_VERBS,
    COUNTS,
    SPOKEN,
    STOP,
    Clause,
    Meaning,
    World,
    antonym,
    arrange,
    ask,
    draw_world,
    meanings_of,
)
from xtr.errors import InputError
from xtr.fingerprint import digest, file_digest

TASKS_OF_THE_WORLD = (
    "mnli", "csqa", "copa", "squad_v1", "xnli", "pawsx", "xcopa", "udpos", "panx", "xquad", "tydiqa", "tatoeba",
)  # fmt: skip

SCALE = 0.02
# Of world version 2 at SCALE; when this has to change, WORLD_VERSION goes up.
GOLDEN = "263a08102a4540730c31f48d16ff45d0b7baf4cbb7f6ae2d7ac4693f2d9e6e76"


# Files that were added to that version since, of which no stage knew; when this changes, FILES_VERSION goes up.
ADDED = ("spelling/", "mlm/en.dev", "mlm/xa.dev", "mlm/xb.dev", "mlm/xc.dev", "mlm/xd.dev")
GOLDEN_ADDED = "463c175bb38a1f790b32d36457c8dda9e2cbe7e169952d5066ab826606e36f96"


@pytest.fixture(scope="module")
def world() -> World:
    return draw_world(0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("world")
    write_world(path, seed=0, scale=SCALE)
    return path


def digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_digest(path) for path in files}


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def tsv(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t"))


def paragraphs(path: Path) -> list[tuple[str, str, str, int]]:
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    return [
        (paragraph["context"], question["question"], gold["text"], gold["answer_start"])
        for article in articles
        for paragraph in article["paragraphs"]
        for question in paragraph["qas"]
        for gold in question["answers"]
    ]


def test_the_files_of_world_version_2_are_pinned(folder: Path) -> None:
    assert world_identity(0, 1.0) == "demo@2/seed0/scale1"
    every = digests(folder)
    added = {name: value for name, value in every.items() if name.startswith(ADDED)}
    assert digest({name: value for name, value in every.items() if name not in added}) == GOLDEN
    assert digest(dict(added)) == GOLDEN_ADDED


def test_equal_seeds_write_equal_bytes_and_other_seeds_do_not(folder: Path, tmp_path: Path) -> None:
    write_world(tmp_path / "same", seed=0, scale=SCALE)
    write_world(tmp_path / "other", seed=1, scale=SCALE)
    same, other = digests(tmp_path / "same"), digests(tmp_path / "other")
    assert same == digests(folder)
    assert same.keys() == other.keys()
    assert not {name for name, value in same.items() if other[name] == value}


def test_a_smaller_world_is_the_beginning_of_a_larger_one(folder: Path, tmp_path: Path) -> None:
    write_world(tmp_path, seed=0, scale=SCALE / 2)
    for name in (
        "xnli/train-en.tsv",
        "pawsx/test-xc.tsv",
        "mlm/text.txt",
        "udpos/dev-xd.tsv",
        "tatoeba/tatoeba.xe-eng.xe",
        "xcopa/train-en.jsonl",
    ):
        small, large = lines(tmp_path / name), lines(folder / name)
        assert small == large[: len(small)]
        assert len(small) <= len(large)


@pytest.mark.parametrize("task", TASKS_OF_THE_WORLD)
def test_a_catalogue_task_finds_its_files_where_an_official_reader_looks(folder: Path, task: str) -> None:
    entry = TASKS[task]
    languages = {
        "train": ("en",),
        "select": {"retrieval": SELECT_LANGUAGES, "mining": TARGET_LANGUAGES}.get(entry.family, ("en",)),
        "dev": TARGET_LANGUAGES,
        "test": TARGET_LANGUAGES,
    }
    for split in ("train", "select", "dev", "test"):
        layouts = entry.layouts(split)
        for language in languages[split]:
            if not layouts or (entry.training_task is None and language == "en"):
                continue
            names = [
                layout.pattern.format(
                    lang=language,
                    iso3=iso3(language),
                    language=language,
                    side="en" if entry.family == "mining" else "eng",
                )
                for layout in layouts
            ]
            assert any((folder / entry.folder / name).is_file() for name in names), (split, language, names)


def test_items_are_parallel_across_languages(folder: Path, world: World) -> None:
    meaning = {
        code: {word: meaning for meaning, word in words.items()} for code, words in world.lexicon.items()
    }
    for pattern in ("xnli/test-{}.tsv", "pawsx/dev-{}.tsv"):
        items = {code: tsv(folder / pattern.format(code)) for code in TARGET_LANGUAGES}
        for code in TARGET_LANGUAGES:
            for here, english in zip(items[code], items["en"], strict=True):
                assert here[2] == english[2]
                for text, original in zip(here[:2], english[:2], strict=True):
                    said = sorted(meaning[code][word] for word in text.split())
                    assert said == sorted(meaning["en"][word] for word in original.split())


@pytest.mark.parametrize("language", TARGET_LANGUAGES)
def test_answers_stand_at_their_offsets_as_whole_words(folder: Path, language: str) -> None:
    files = ["xquad/xquad.{}.json", "tydiqa/tydiqa-goldp-v1.1-dev/tydiqa.goldp.{}.dev.json"]
    if language == "en":
        files += ["squad/train-v1.1.json", "tydiqa/tydiqa-goldp-v1.1-train/tydiqa.goldp.{}.train.json"]
    for name in files:
        rows = paragraphs(folder / name.format(language))
        assert len(rows) >= 12
        for context, question, text, start in rows:
            assert context[start : start + len(text)] == text
            assert f" {context} "[start] == " "
            assert f" {text} " in f" {context} "
            assert question.endswith(" ?")
            assert not set(text.split()) & set(question.split())


def test_answers_ask_for_every_kind_of_slot(folder: Path) -> None:
    rows = paragraphs(folder / "squad/train-v1.1.json")
    asked = Counter(question.split()[0] for _, question, _, _ in rows)
    assert len(asked) == 3
    assert min(asked.values()) > 5


def test_labels_balance(folder: Path) -> None:
    for name, n_labels in (("xnli/train-en.tsv", 3), ("xnli/test-xd.tsv", 3), ("pawsx/train-en.tsv", 2)):
        counts = Counter(row[2] for row in tsv(folder / name))
        assert len(counts) == n_labels
        assert max(counts.values()) - min(counts.values()) <= 1
    copa = Counter(json.loads(line)["label"] for line in lines(folder / "xcopa/train-en.jsonl"))
    assert copa[0] == copa[1]


def test_pair_labels_follow_from_the_verbs_alone(world: World) -> None:
    items = draw_pairs(world, "mnli", "train", 300, XNLI_LABELS)
    for item in items:
        same, opposite = item.first.verb == item.second.verb, item.second.verb == antonym(item.first.verb)
        label = "entailment" if same else "contradiction" if opposite else "neutral"
        assert item.label == label
        assert item.second.verb.number < COMPARED_VERBS
        assert item.second == Clause(item.first.subject, item.second.verb, item.first.object)
    for label in XNLI_LABELS.values():
        verbs = Counter(item.second.verb for item in items if item.label == label)
        assert len(verbs) == COMPARED_VERBS


def test_the_right_choice_is_the_planted_succession(world: World) -> None:
    for item in draw_copa(world, "train", 200):
        premise = item.premise.verb.number
        right, wrong = (item.choices[i].verb.number for i in (item.label, 1 - item.label))
        follows = (premise, right) if item.asks_for == "effect" else (right, premise)
        assert world.successors[follows[0]] == follows[1]
        assert wrong not in (premise, world.successors[premise], world.successors.index(premise))
        assert {choice.subject for choice in item.choices} == {item.premise.subject}


@pytest.mark.parametrize("seed", range(5))
def test_successors_are_a_permutation_without_itself_or_its_antonym(seed: int) -> None:
    successors = draw_world(seed).successors
    assert sorted(successors) == list(range(COUNTS["V"]))
    assert all(after not in (verb, verb ^ 1) for verb, after in enumerate(successors))


@pytest.mark.parametrize("seed", range(5))
def test_cognates_are_planted_by_quota_in_every_kind(seed: int) -> None:
    world = draw_world(seed)
    for code, language in SPOKEN.items():
        for kind in COUNTS if code != "en" else ():
            group = meanings_of(kind)
            if kind == "V":
                group = group[:COMPARED_VERBS]
            same = sum(world.lexicon[code][meaning] == world.lexicon["en"][meaning] for meaning in group)
            assert same == round(language.cognates * len(group))


@pytest.mark.parametrize("seed", range(5))
def test_a_word_has_one_meaning(seed: int) -> None:
    owners: dict[str, set[Meaning]] = {}
    for words in draw_world(seed).lexicon.values():
        assert len(set(words.values())) == len(words)
        for meaning, word in words.items():
            owners.setdefault(word, set()).add(meaning)
    assert all(len(meanings) == 1 for meanings in owners.values())


def test_csqa_answers_are_random(tmp_path: Path) -> None:
    write_world(tmp_path, seed=0, scale=0.3)
    keys = [
        json.loads(line)["answerKey"] for line in lines(tmp_path / "commonsenseqa/train_rand_split.jsonl")
    ]
    counts = Counter(keys)
    assert set(counts) == set("ABCDE")
    assert all(0.1 < count / len(keys) < 0.3 for count in counts.values())


def test_far_languages_order_their_words_differently() -> None:
    clause = Clause(Meaning("S"), Meaning("V"), Meaning("O"), Meaning("A"), Meaning("L"))
    kinds = {code: " ".join(meaning.kind for meaning in arrange(clause, code)) for code in LANGUAGES}
    assert kinds["en"] == kinds["xa"] == kinds["xe"] == "S V A O IN L"
    assert kinds["xd"] == "S L IN O A V"
    fronted = Clause(Meaning("S"), Meaning("V"), Meaning("O"), None, Meaning("L"), fronted=True)
    assert [meaning.kind for meaning in arrange(fronted, "xd")] == ["L", "IN", "S", "O", "V"]
    assert [meaning.kind for meaning in ask(fronted, "L", "xd")] == ["WHERE", "S", "O", "V", "?"]


def test_entities_are_iob2_in_every_order() -> None:
    clause = Clause(Meaning("S"), Meaning("V"), Meaning("O", 0), Meaning("A"), Meaning("L"))
    for code in LANGUAGES:
        meanings = [*arrange(clause, code), STOP]
        tags = dict(zip((meaning.kind for meaning in meanings), tag_entities(meanings), strict=True))
        first, second = sorted("AO", key=[meaning.kind for meaning in meanings].index)
        assert (tags[first], tags[second]) == ("B-ORG", "I-ORG")
        assert (tags["S"], tags["L"], tags["V"], tags["."]) == ("B-PER", "B-LOC", "O", "O")
    plain = [*arrange(Clause(Meaning("S"), Meaning("V"), Meaning("O", 15), Meaning("A")), "en"), STOP]
    assert tag_entities(plain) == ["B-PER", "O", "O", "O", "O"]


def test_tagged_files_have_a_word_and_a_tag_a_line(folder: Path) -> None:
    for task in ("udpos", "panx"):
        for language in TARGET_LANGUAGES:
            content = (folder / task / f"test-{language}.tsv").read_text(encoding="utf-8")
            sentences = content.rstrip("\n").split("\n\n")
            rows = [line.split("\t") for sentence in sentences for line in sentence.split("\n")]
            assert all(len(row) == 2 for row in rows)
            assert {tag for _, tag in rows} <= set(TASKS[task].labels)


def test_bitexts_are_parallel_and_without_duplicates(folder: Path) -> None:
    for language in ("xa", "xb", "xc", "xd", "xe"):
        foreign, english = (
            lines(folder / f"tatoeba/tatoeba.{language}-eng.{side}") for side in (language, "eng")
        )
        assert len(set(foreign)) == len(set(english)) == len(foreign) == len(english)


def test_the_corpus_holds_every_language_and_marks_translations(world: World) -> None:
    texts = list(documents(world, 2000))
    words = {word for text in texts for word in text.split()}
    for language in LANGUAGES:
        assert set(world.lexicon[language].values()) - words == set()
    translated = sum("\t" in text for text in texts) / len(texts)
    assert 0.12 < translated < 0.26
    assert max(len(text.split()) for text in texts) < 60


def test_planted_truths_name_tasks_of_the_catalogue_and_the_world_s_own() -> None:
    named = {name for each in PLANTED for name in (*each.intermediate.split(">"), each.target)}
    assert named <= {*TASKS, "spelling"}


def test_spelling_labels_tell_of_letters_and_of_nothing_that_mnli_teaches(folder: Path) -> None:
    rows = tsv(folder / "spelling/train-en.tsv")
    assert all(
        label == ("odd" if sum(map(ord, first.split()[1])) % 2 else "even") for first, _, label in rows
    )
    assert len({label for _, _, label in rows}) == 2
    assert not (folder / "spelling/train-xa.tsv").exists()


@pytest.mark.parametrize("language", TARGET_LANGUAGES)
def test_held_out_text_is_other_text_in_the_same_words(folder: Path, language: str) -> None:
    trained, held_out = lines(folder / f"mlm/{language}.txt"), lines(folder / f"mlm/{language}.dev.txt")
    assert not set(trained) & set(held_out)
    words = set(draw_world(0).lexicon[language].values())
    assert {word for line in held_out for word in line.split()} <= words


def test_a_prepared_world_is_reused_and_leaves_no_partial_folder(tmp_path: Path) -> None:
    first = prepare_world(tmp_path, seed=3, scale=0.001)
    before = {path: path.stat().st_mtime_ns for path in first.rglob("*")}
    assert prepare_world(tmp_path, seed=3, scale=0.001) == first
    assert {path: path.stat().st_mtime_ns for path in first.rglob("*")} == before
    assert prepare_world(tmp_path, seed=4, scale=0.001) != first
    assert sorted(path.name.split("-")[0] for path in tmp_path.iterdir()) == ["demo", "demo"]


def _prepare(root: Path) -> Path:
    return prepare_world(root, seed=5, scale=0.01)


def test_processes_that_race_agree(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        folders = pool.map(_prepare, [tmp_path] * 6, chunksize=1)
    assert len(set(folders)) == 1
    assert [path.name for path in tmp_path.iterdir()] == [folders[0].name]


@pytest.mark.parametrize("scale", [0.0, -1.0, 1.5, float("nan")])
def test_a_scale_out_of_range_is_refused(tmp_path: Path, scale: float) -> None:
    with pytest.raises(InputError, match="scale"):
        prepare_world(tmp_path, seed=0, scale=scale)


def test_rows_are_counted_without_writing_them(demo: DemoSource, tmp_path: Path) -> None:
    unwritten = DemoSource(tmp_path, seed=demo.seed, scale=demo.scale)
    n_counted = 0
    for task in TASKS.values():
        for split in get_args(Split):
            try:
                rows = [demo.rows(task, split, language) for language in demo.languages(task, split)[:1]]
            except InputError:
                continue
            n_counted += len(rows)
            for language, each in zip(demo.languages(task, split), rows, strict=False):
                assert unwritten.n_rows(task, split, language) == len(each), (task.name, split)
    assert n_counted > 25
    assert unwritten.n_rows(find_task("hellaswag"), "train", "en") is None
    assert list(tmp_path.iterdir()) == []
