"""This is where it is told what went into a stage's key, and why two stages are not one.

settings.learning_rate          0.0003   0.0005
parent.settings.epochs          1        2        what their parents differ in
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from xtr.fingerprint import JSON, canonical_json, digest
from xtr.stages.index import KEY

Recipe = dict[str, JSON]
RecipeOf = Callable[[str], Recipe | None]
ABSENT = "-"


def parts_of(recipe: Recipe) -> list[tuple[str, str]]:
    """List all that a recipe holds: (dotted path, value in canonical JSON), in the order that is hashed."""
    return list(_leaves(recipe, ""))


def hashed_text(recipe: Recipe) -> tuple[str, str]:
    """Return what is hashed, a recipe's canonical JSON, and the whole SHA-256 whose first signs are the key."""
    return canonical_json(recipe), digest(recipe)


def differences(one: Recipe, other: Recipe, recipe_of: RecipeOf) -> list[tuple[str, str, str]]:
    """List where two recipes differ: (dotted path, value, value), `-` where one has nothing.

    Where both name stages of one kind that differ, it is told in what, down to the first parent; what two stages
    differ in is told once.

    Args:
        recipe_of: the recipe of a stored stage, None of one that is not stored.
    """
    return list(_differences(one, other, "", recipe_of, set()))


def _differences(
    one: JSON, other: JSON, path: str, recipe_of: RecipeOf, told: set[tuple[str, str]]
) -> Iterator[tuple[str, str, str]]:
    if one == other and type(one) is type(other):
        return
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(
            {*one, *other}, key=lambda name: (name != "parent", name)
        ):  # the first place is told
            if name in one and name in other:
                yield from _differences(one[name], other[name], _join(path, name), recipe_of, told)
            else:
                yield from _of_one(one, other, name, _join(path, name))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (left, right) in enumerate(zip(one, other, strict=True)):
            yield from _differences(left, right, _join(path, str(number)), recipe_of, told)
    elif (recipes := _recipes(one, other, recipe_of)) is not None:
        if (str(one), str(other)) not in told:
            told.add((str(one), str(other)))
            yield from _differences(*recipes, path, recipe_of, told)
    else:
        yield path, canonical_json(one), canonical_json(other)


def _of_one(one: Recipe, other: Recipe, name: str, path: str) -> Iterator[tuple[str, str, str]]:
    """List what only one of them has."""
    for at, value in _leaves(one[name] if name in one else other[name], path):
        yield (at, value, ABSENT) if name in one else (at, ABSENT, value)


def _recipes(one: JSON, other: JSON, recipe_of: RecipeOf) -> tuple[Recipe, Recipe] | None:
    """Look two stages' recipes up, where both values name stored stages of one kind."""
    if not (isinstance(one, str) and isinstance(other, str) and KEY.fullmatch(one) and KEY.fullmatch(other)):
        return None
    left, right = recipe_of(one), recipe_of(other)
    if left is None or right is None or left.get("kind") != right.get("kind"):
        return None
    return left, right


def _leaves(value: JSON, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for name in sorted(value):
            yield from _leaves(value[name], _join(path, name))
    elif isinstance(value, list) and (len(value) > 1 or any(isinstance(each, dict) for each in value)):
        for number, each in enumerate(value):
            yield from _leaves(each, _join(path, str(number)))
    else:
        yield path, canonical_json(value)


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
