"""Expressions: what they stand for, and what is wrong with those that stand for nothing."""

from __future__ import annotations

import pytest

from xtr.catalogue.mixtures import MIXTURES
from xtr.errors import InputError
from xtr.spec.expressions import (
    Checkpoint,
    Intermediate,
    Link,
    Member,
    parse_intermediate,
    parse_target,
    target_task,
)


def chain(*links: str) -> Intermediate:
    return Intermediate(tuple(Link((Member(name),)) for name in links))


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("none", Intermediate()),
        ("mnli", chain("mnli")),
        (" mnli > squad_v1 > csqa ", chain("mnli", "squad_v1", "csqa")),
        ("mnli@de", Intermediate((Link((Member("mnli", ("de",)),)),))),
        ("mnli@en, ru,zh", Intermediate((Link((Member("mnli", ("en", "ru", "zh")),)),))),
        ("mnli+squad_v1@de", Intermediate((Link((Member("mnli"), Member("squad_v1", ("de",)))),))),
        (
            "mnli@en>mnli@de",
            Intermediate((Link((Member("mnli", ("en",)),)), Link((Member("mnli", ("de",)),)))),
        ),
        ("checkpoint:org/name", Intermediate((), Checkpoint("org/name"))),
        ("checkpoint:org/name@abc12", Intermediate((), Checkpoint("org/name", "abc12"))),
        ("checkpoint:/models/a@b/c", Intermediate((), Checkpoint("/models/a@b/c"))),
        ("checkpoint:./here>mnli", Intermediate(chain("mnli").links, Checkpoint("./here"))),
    ],
)
def test_an_intermediate_expression_is_read(text: str, meant: Intermediate) -> None:
    assert parse_intermediate(text) == meant


@pytest.mark.parametrize("name", MIXTURES)
def test_a_named_mixture_is_its_members(name: str) -> None:
    [link] = parse_intermediate(name).links
    assert tuple(member.task for member in link.members) == MIXTURES[name]
    assert parse_intermediate(f"{name}+mlm").links[0].members == (*link.members, Member("mlm"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("runs/stages/abc", "not a task"),
        ("mnli@", "not a task"),
        ("mnli@en,,de", "not a task"),
        ("mnli@de,de", "a language is named twice"),
        ("mnli>", "both sides of >"),
        ("", "both sides of >"),
        ("mnli+", "both sides of +"),
        ("none>mnli", "none stands alone"),
        ("none+mnli", "none stands alone"),
        ("mnli>mnli", "a link twice"),
        ("mnli@en+mnli@de", "a task twice"),
        ("anli_plus+mnli@de", "a task twice"),
        ("mnli>checkpoint:a/b", "begins a chain"),
        ("mnli+checkpoint:a/b", "begins a chain"),
        ("checkpoint:", "needs a folder or a hub id"),
    ],
)
def test_a_malformed_expression_says_what_would_do(text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_intermediate(text)
    assert said in caught.value.problems[0].what
    assert "mnli>squad_v1" in caught.value.problems[0].allowed


def test_a_target_says_what_languages_it_is_trained_in() -> None:
    assert parse_target("tydiqa@en,sw") == Member("tydiqa", ("en", "sw"))
    assert parse_target("tydiqa") == Member("tydiqa")
    assert target_task("tydiqa@en,sw") == target_task("tydiqa") == "tydiqa"
    with pytest.raises(InputError, match="not a task"):
        parse_target("tydiqa>xnli")
