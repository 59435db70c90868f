"""This is where an intermediate expression becomes the chain of tasks that are trained before the target.

parse_intermediate("none")             -> ()
parse_intermediate("mnli>squad_v1")    -> ("mnli", "squad_v1")
"""

from __future__ import annotations

from xtr.errors import InputError, Problem

NONE = "none"
_ALLOWED = "none, a task such as mnli, or a chain such as mnli>squad_v1"
_NOT_YET = {
    "+": "mixtures of tasks (+)",
    "@": "languages of an intermediate task (@)",
    ":": "checkpoints that exist already",
    "/": "checkpoints that exist already",
}


def parse_intermediate(text: str) -> tuple[str, ...]:
    """Return the tasks of an intermediate expression in training order; none for `none`.

    Whether the tasks exist is checked elsewhere, against the catalogue.

    Raises:
        InputError: the expression is malformed, or says what xtr cannot do yet.
    """
    for sign, what in _NOT_YET.items():
        if sign in text:
            raise _refused(f"{what} are not there yet", text)
    links = tuple(link.strip() for link in text.split(">"))
    if links == (NONE,):
        return ()
    if not all(links):
        raise _refused("a chain needs a task on both sides of >", text)
    if NONE in links:
        raise _refused("none stands alone, not in a chain", text)
    if len(set(links)) < len(links):
        raise _refused("a chain names a task twice; more epochs are stages.intermediate.epochs", text)
    return links


def _refused(what: str, text: str) -> InputError:
    return InputError(Problem(what, "", text, _ALLOWED))
