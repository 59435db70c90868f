"""The official metrics written a second time, from their definitions and in other ways than ours.

Where we count with sets and sums, this walks, lists and compares; where we use regular expressions, this looks at
characters and words; fractions are exact where that is cheap. Speed does not matter here, plainness does.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

ASCII_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
ARTICLES = {
    "en": ["a", "an", "the"],
    "es": ["un", "una", "unos", "unas", "el", "la", "los", "las"],
    "de": ["ein", "eine", "einen", "einem", "eines", "einer", "der", "die", "das", "den", "dem", "des"],
    "vi": ["của", "là", "cái", "chiếc", "những"],
    "hi": [],
    "zh": [],
}


def share_of_equal(gold: Sequence[object], predicted: Sequence[object]) -> float:
    """Accuracy."""
    right = [position for position in range(len(gold)) if gold[position] == predicted[position]]
    return len(right) / len(gold)


def chunks_by_word(sentence: Sequence[str], start: int) -> list[tuple[str, int, int]]:
    """The chunks of one sentence by deciding between each two neighbours whether a border lies there.

    seqeval 0.0.12 reads a tag's first letter as its prefix and what follows its last hyphen as its type.
    """
    words = [(tag[0], tag.split("-")[-1]) for tag in sentence]
    inside = [prefix != "O" for prefix, _ in words]
    cuts = [True, *(border(one, other) for one, other in pairwise(words)), True]
    found = []
    for first in range(len(words)):
        if inside[first] and cuts[first]:
            last = first
            while not cuts[last + 1]:
                last += 1
            found.append((words[last][1], start + first, start + last))
    return found


def border(left: tuple[str, str], right: tuple[str, str]) -> bool:
    """Whether a chunk ends or begins between two words."""
    (prefix, kind), (next_prefix, next_kind) = left, right
    if prefix == "O" or next_prefix == "O":
        return True
    if prefix in ("E", "S") or next_prefix in ("B", "S"):
        return True
    return kind != next_kind


def chunk_scores(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> dict[str, float]:
    """Micro F1 of chunks; places count through all sentences of a side, one place left free after each."""
    sides: list[list[tuple[str, int, int]]] = []
    for sentences in (gold, predicted):
        chunks: list[tuple[str, int, int]] = []
        start = 0
        for sentence in sentences:
            chunks += chunks_by_word(sentence, start)
            start += len(sentence) + 1
        sides.append(chunks)
    right, found = sides
    return precision_recall(len([chunk for chunk in found if chunk in right]), len(found), len(right))


def precision_recall(n_right: int, n_found: int, n_gold: int) -> dict[str, float]:
    """The three numbers from three counts, by exact fractions."""
    precision = Fraction(n_right, n_found) if n_found else Fraction(0)
    recall = Fraction(n_right, n_gold) if n_gold else Fraction(0)
    both = Fraction(n_right, n_found + n_gold) * 2 if n_right else Fraction(0)
    return {"f1": float(both), "precision": float(precision), "recall": float(recall)}


def bucc_scores(gold: Sequence[tuple[str, str]], predicted: Sequence[tuple[str, str]]) -> dict[str, float]:
    """F1 of pairs, each counted once."""
    right: list[tuple[str, str]] = []
    found: list[tuple[str, str]] = []
    for pair in gold:
        if pair not in right:
            right.append(pair)
    for pair in predicted:
        if pair not in found:
            found.append(pair)
    return precision_recall(len([pair for pair in found if pair in right]), len(found), len(right))


def bucc_threshold(scored: Sequence[tuple[float, str, str]], gold: Sequence[tuple[str, str]]) -> float:
    """The threshold by trying every cut, each judged on its own.

    Equal F1, as floating-point numbers: the cut with fewest pairs. A cut after the last pair keeps all of them.
    """
    best: dict[tuple[str, str], float] = {}
    for _, source, target in scored:
        same = [score for score, *pair in scored if pair == [source, target]]
        best[source, target] = max(same)
    ranked = sorted(best, key=lambda pair: (-best[pair], list(best).index(pair)))
    cuts = []
    for n in range(1, len(ranked) + 1):
        n_right = len([pair for pair in ranked[:n] if pair in gold])
        precision, recall = n_right / n, n_right / max(1, len(set(gold)))
        cuts.append((2 * precision * recall / (precision + recall) if n_right else 0.0, -n))
    if not cuts or max(cuts)[0] == 0:
        return 0.0
    n = -max(cuts)[1]
    after = best[ranked[n]] if n < len(ranked) else best[ranked[n - 1]]
    return (best[ranked[n - 1]] + after) / 2


def is_word_character(character: str) -> bool:
    """What a regular expression calls \\w."""
    return character.isalnum() or character == "_"


def without_words(text: str, unwanted: Sequence[str]) -> str:
    """Put a blank for every run of word characters that is an unwanted word."""
    kept, run = "", ""
    for character in [*text, ""]:
        if character and is_word_character(character):
            run += character
        else:
            kept += (" " if run in unwanted else run) + character
            run = ""
    return kept


def squad_tokens(text: str) -> list[str]:
    """Tokens of an answer by SQuAD's rules."""
    lower = "".join(character for character in text.lower() if character not in ASCII_PUNCTUATION)
    return without_words(lower, ARTICLES["en"]).split()


def mlqa_tokens(text: str, language: str) -> list[str]:
    """Tokens of an answer by MLQA's rules."""
    kept = ""
    for character in text.lower():
        if character not in ASCII_PUNCTUATION and unicodedata.category(character)[0] != "P":
            kept += character
    if language == "ar":
        return " ".join(kept.split("ال")).split()
    kept = without_words(kept, ARTICLES[language])
    if language != "zh":
        return kept.split()
    tokens = [""]
    for character in kept:
        if 0x4E00 <= ord(character) <= 0x9FA5:
            tokens += [character, ""]
        elif character.isspace():
            tokens.append("")
        else:
            tokens[-1] += character
    return [token for token in tokens if token]


def overlap(right: Sequence[str], guess: Sequence[str]) -> float:
    """Token F1: cross out each token of the guess that the right answer still has."""
    left = list(right)
    n_same = 0
    for token in guess:
        if token in left:
            left.remove(token)
            n_same += 1
    return precision_recall(n_same, len(guess), len(right))["f1"]


def answer_scores(
    gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str], language: str | None = None
) -> dict[str, float]:
    """EM and F1 by SQuAD's rules, or by MLQA's where a language is given."""

    def tokens(text: str) -> list[str]:
        return squad_tokens(text) if language is None else mlqa_tokens(text, language)

    exact, f1 = [], []
    for question, answers in gold.items():
        if question not in predicted:
            exact.append(0.0)
            f1.append(0.0)
            continue
        guess = tokens(predicted[question])
        exact.append(max(float(tokens(answer) == guess) for answer in answers))
        f1.append(max(overlap(tokens(answer), guess) for answer in answers))
    return {"f1": sum(f1) / len(gold), "exact_match": sum(exact) / len(gold)}


def squad_v2_scores(
    gold: Mapping[str, Sequence[str]], predicted: Mapping[str, str], doubt: Mapping[str, float]
) -> dict[str, float]:
    """The best over all cuts of the questions in order of doubt: answered before the cut, silent after it."""
    order = [
        question for _, _, question in sorted((value, i, q) for i, (q, value) in enumerate(doubt.items()))
    ]
    best = {"f1": 0.0, "exact_match": 0.0}
    for n in range(len(order) + 1):
        answered = order[:n]
        for metric in best:
            total = 0.0
            for question, answers in gold.items():
                if question not in answered:
                    total += 1.0 if not answers else 0.0
                elif not answers:
                    total += 1.0 if predicted[question] == "" else 0.0
                else:
                    total += given(answers, predicted[question])[metric]
            best[metric] = max(best[metric], total / len(gold))
    return best


def given(answers: Sequence[str], guess: str) -> dict[str, float]:
    """EM and F1 of one answer, where nothing at all may be the right answer."""
    said = squad_tokens(guess)
    rights = [squad_tokens(answer) for answer in answers if squad_tokens(answer)]
    if not rights:
        agrees = float(not said)
        return {"f1": agrees, "exact_match": agrees}
    if not said:
        return {"f1": 0.0, "exact_match": 0.0}
    return {
        "f1": max(overlap(right, said) for right in rights),
        "exact_match": float(any(right == said for right in rights)),
    }


def mean_average_precision(
    rankings: Mapping[str, Sequence[str]], relevant: Mapping[str, Sequence[str]], k: int
) -> float:
    """MAP@k: at every relevant item in the top k, the precision so far, as an exact fraction."""
    total = Fraction(0)
    for query, right in relevant.items():
        ranking = list(rankings.get(query, []))[:k]
        for depth in range(1, len(ranking) + 1):
            if ranking[depth - 1] in right:
                seen = [item for item in ranking[:depth] if item in right]
                total += Fraction(len(seen), depth) / min(len(right), k)
    return float(total / len(relevant))


def reciprocal_rank(rankings: Mapping[str, Sequence[str]], gold: Mapping[str, str], k: int) -> float:
    """The mean of 1 over the rank of the one right item, 0 below rank k."""
    total = Fraction(0)
    for query, right in gold.items():
        for rank, item in enumerate(rankings.get(query, [])):
            if rank < k and item == right:
                total += Fraction(1, rank + 1)
    return float(total / len(gold))


def binary_scores(gold: Sequence[str], predicted: Sequence[str], positive: str) -> dict[str, float]:
    """F1 of one label from the table of confusions."""
    table = {
        (label == positive, guess == positive): 0 for label in (positive, "") for guess in (positive, "")
    }
    for label, guess in zip(gold, predicted, strict=True):
        table[label == positive, guess == positive] += 1
    right = table[True, True]
    return precision_recall(right, right + table[False, True], right + table[True, False])


def rank_consistency(first: Sequence[Sequence[str]], second: Sequence[Sequence[str]]) -> float:
    """RankC as the protocol writes it: softmax weights over n - j, precision at every j."""
    total = 0.0
    for one, other in zip(first, second, strict=True):
        n = len(one)
        norm = sum(math.exp(n - j) for j in range(1, n + 1))
        for j in range(1, n + 1):
            shared = [item for item in one[:j] if item in other[:j]]
            total += math.exp(n - j) / norm * len(shared) / j
    return total / len(first)


def benchmark_average(scores: Mapping[str, Mapping[str, Mapping[str, float]]]) -> float:
    """XTREME's average: for every task its metrics' means over languages, then the mean over tasks, times 100."""
    by_task = []
    for languages in scores.values():
        metrics = {name for values in languages.values() for name in values}
        mean = {name: sum(each[name] for each in languages.values()) / len(languages) for name in metrics}
        if "exact_match" in mean:
            by_task.append((mean["exact_match"] + mean["f1"]) / 2)
        elif "f1" in mean:
            by_task.append(mean["f1"])
        else:
            by_task.append(mean["accuracy"] if "accuracy" in mean else mean["map_at_20"])
    return 100 * sum(by_task) / len(by_task)


def gap(scores: Mapping[str, float]) -> float:
    """English minus the mean of the other languages."""
    others = [value for language, value in scores.items() if language != "en"]
    return scores["en"] - sum(others) / len(others)
