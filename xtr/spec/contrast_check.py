"""This is where contrasts are checked against the sweep that declares them: arms, targets, dimensions, sizes.

contrast_findings(spec)    -> [Finding(("contrasts", "squad-helps", "difference", "of"), Problem(...))]
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from xtr.errors import Problem, suggest
from xtr.spec.contrasts import Contrast, Crossing, Curve, DifferenceOfDifferences
from xtr.spec.explain import Finding, shown
from xtr.spec.expressions import NONE
from xtr.spec.notation import write_dimension
from xtr.spec.paths import Keys
from xtr.spec.sweep import Pair, SweepSpec

FEWEST_SIZES = {"curve": 2, "crossing": 3}
"""Of a line, and of the law that a crossing is found by."""


def contrast_findings(spec: SweepSpec) -> Iterator[Finding]:
    """Find what the sweep has nothing for."""
    for name, contrast in spec.contrasts.items():
        keys: Keys = ("contrasts", name)
        if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,99}", name):
            allowed = "small letters, digits, dot, dash and underscore"
            yield Finding(keys, Problem("not a name for a contrast", "", name, allowed))
        yield from _arms(spec, contrast, keys)
        yield from _targets(spec, contrast, keys)
        yield from _dimensions(spec, contrast, (*keys, contrast.kind))


def named_languages(spec: SweepSpec) -> Iterator[tuple[Keys, str]]:
    """List the codes that contrasts name, with where."""
    for name, contrast in spec.contrasts.items():
        keys: Keys = ("contrasts", name)
        named = {(*keys, "languages"): contrast.languages}
        compared = contrast.compared
        if isinstance(compared, DifferenceOfDifferences):
            for side in ("among", "against"):
                named[*keys, contrast.kind, side] = getattr(compared, side).languages or ()
        for place, languages in named.items():
            for code in languages if isinstance(languages, tuple) else ():
                yield place, code


def _arms(spec: SweepSpec, contrast: Contrast, keys: Keys) -> Iterator[Finding]:
    """An arm is an intermediate of the sweep; nothing is compared with itself."""
    compared, known = contrast.compared, spec.pairs.intermediates
    sides = ("between",) if isinstance(compared, Crossing) else ("of", "minus")
    for side in sides:
        for arm in getattr(compared, side) or ():
            if arm not in known:
                place = (*keys, contrast.kind, side)
                yield Finding(place, _unknown("is not among pairs.intermediate", arm, known))
    same = (
        len(set(compared.between)) < 2
        if isinstance(compared, Crossing)
        else compared.minus is not None and set(compared.of) == set(compared.minus)
    )
    if same:
        place = (*keys, contrast.kind, sides[-1])
        yield Finding(place, Problem("an arm is compared with itself", received=", ".join(contrast.arms)))


def _targets(spec: SweepSpec, contrast: Contrast, keys: Keys) -> Iterator[Finding]:
    """Targets are those of the sweep, and every arm is trained for one of them."""
    compared, known = contrast.compared, spec.pairs.target
    named: dict[Keys, Sequence[str]] = {(*keys, "targets"): contrast.targets}
    if isinstance(compared, DifferenceOfDifferences):
        for side in ("among", "against"):
            named[*keys, contrast.kind, side] = getattr(compared, side).targets
        if compared.among == compared.against:
            place = (*keys, contrast.kind, "against")
            yield Finding(place, Problem("a part is held against itself", received="the same as among"))
    for place, targets in named.items():
        for target in targets:
            if target not in known:
                yield Finding(place, _unknown("is not among pairs.target", target, known))
    pairs = set(spec.pairs.pairs())
    arms = [arm for arm in contrast.arms if arm in spec.pairs.intermediates]
    wanted = [target for target in contrast.targets or known if target in known]
    if wanted and not any(all(Pair(arm, target) in pairs for arm in arms) for target in wanted):
        what = "pairs.exclude leaves no target that all its arms have"
        yield Finding(keys, Problem(what, received=", ".join(arms), allowed="arms with a common target"))


def _dimensions(spec: SweepSpec, contrast: Contrast, keys: Keys) -> Iterator[Finding]:
    """Dimensions are those of the search space, held at values that it has; a size has several."""
    compared, space = contrast.compared, spec.search.space
    for name, value in compared.at.items():
        place = (*keys, "at", name)
        if name not in space:
            yield Finding(place, _unknown("is not a dimension of search.space", name, tuple(space)))
        elif not space[name].contains(value):
            allowed = shown(write_dimension(space[name]))
            yield Finding(place, Problem("lies outside its dimension", "", shown(value), allowed))
    if not isinstance(compared, (Curve, Crossing)):
        return
    over, place = compared.over, (*keys, "over")
    fewest = FEWEST_SIZES[contrast.kind]
    if over not in space:
        yield Finding(place, _unknown("is not a dimension of search.space", over, tuple(space)))
    elif (space[over].size or fewest) < fewest:
        allowed = f"at least {fewest} sizes"
        yield Finding(place, Problem("has too few sizes", "", shown(write_dimension(space[over])), allowed))
    elif over in compared.at:
        yield Finding(place, Problem("is held by at, so nothing goes with it", received=over))
    elif over.startswith("intermediate.") and NONE in _grown(compared):
        what = f"{NONE} is not trained on any intermediate, so it has no {over}"
        yield Finding(
            place, Problem(what, received=over, allowed="a dimension of the target: target.examples")
        )


def _grown(compared: Curve | Crossing) -> tuple[str, ...]:
    return compared.between if isinstance(compared, Crossing) else compared.of


def _unknown(what: str, received: str, known: Sequence[str]) -> Problem:
    return Problem(what, "", received, ", ".join(known) or "nothing", suggest(received, known))
