"""This is where the search block of a sweep file is described: space, sampler, first trials, stopping, confirming.

SearchSpec(start_with=({"target.epochs": 2}, "winners")).given    -> ({"target.epochs": 2},)
EarlyStopping(rung_epochs=(1, 2), keep=0.5).rungs                 -> (1, 2)
SearchSpec(design={"seeds": [1, 2]}).confirm.seeds                -> (2,)
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from xtr.spec.explain import refusal
from xtr.spec.notation import DimensionField, Keep, Rungs, Start
from xtr.spec.settings import Count, Described, NotNegative
from xtr.spec.space import Value


class SamplerSpec(Described):
    """Who proposes trials."""

    name: Literal["tpe", "random"] = Field(default="tpe", description="Optuna's sampler.")
    startup_trials: NotNegative = Field(
        default=4, description="Trials of a pair that are drawn at random before the sampler learns."
    )


class EarlyStopping(Described):
    """Trials pause after a few target epochs; of those of a generation with equal epochs the best go on."""

    rung_epochs: Rungs = Field(
        default=1,
        description="Target epochs after which trials are compared: one number, or several as [1, 2, 4] "
        "(successive halving).",
    )
    keep: Keep = Field(
        default=0.5,
        description="Who goes on: a share in (0, 1.0], or a whole number of trials (2 is the best two).",
    )

    @model_validator(mode="after")
    def _narrows(self) -> EarlyStopping:
        if len(self.rungs) > 1 and isinstance(self.keep, int):
            raise refusal(
                "a count keeps as many at every rung", allowed="a share such as 0.5 with several rungs"
            )
        return self

    @property
    def rungs(self) -> tuple[int, ...]:
        """The epochs after which trials are compared, rising."""
        return self.rung_epochs if isinstance(self.rung_epochs, tuple) else (self.rung_epochs,)


class Confirm(Described):
    """The winners are trained again on other seeds."""

    top: Count = Field(default=1, description="Best trials of each pair that are confirmed, at least 1.")
    seeds: tuple[NotNegative, ...] = Field(
        default=(), description="Training seeds that the search has not used; empty confirms nothing."
    )


class Design(Described):
    """Every setting of the space is wanted, not only the best: a grid, trained and evaluated at every seed."""

    seeds: Annotated[tuple[NotNegative, ...], Field(min_length=1)] = Field(
        description="Training seeds, at least one; every setting of every pair is trained at each of them."
    )

    @model_validator(mode="after")
    def _names_no_seed_twice(self) -> Design:
        if len(set(self.seeds)) < len(self.seeds):
            raise refusal("a design names a seed twice", allowed="different whole numbers")
        return self

    def decides(self) -> dict[str, Any]:
        """Say in the words of a search what a design means: all settings, in order, and all of them confirmed."""
        return {
            "trials_per_pair": EVERY,
            "generation": EVERY,
            "start_with": (),
            "training_seed": self.seeds[0],
            "confirm": Confirm(top=EVERY, seeds=self.seeds[1:]),
        }


ORACLE = "oracle: selected on the target languages' dev sets"
"""What stands wherever a score of such a sweep shows: it is no zero-shot score."""

EVERY = 2**31 - 1
"""As many trials as a space has settings: none has more."""

DECIDED = (
    *("sampler", "trials_per_pair", "generation", "early_stopping", "share", "pool", "start_with"),
    *("seed", "training_seed", "confirm"),
)
"""What a design leaves nothing to say about."""


class SearchSpec(Described):
    """What is searched, by whom and how long."""

    space: dict[str, DimensionField] = Field(
        default_factory=dict,
        description="Dimensions by name (target.epochs): a number, {choice: [..]}, {int: [low, high]}, "
        "{float: [low, high]} or {log_float: [low, high]}.",
    )
    sampler: SamplerSpec = Field(default=SamplerSpec(), description="Who proposes trials.")
    trials_per_pair: Count = Field(default=8, description="Trials of each pair, at least 1.")
    generation: Count = Field(default=4, description="Trials that are proposed before results are looked at.")
    concurrent_trials: Count = Field(default=2, description="Trials that run at the same time.")
    early_stopping: EarlyStopping | None = Field(
        default=None, description="Stops weak trials early; null runs all to the end."
    )
    share: Literal["intermediate"] | None = Field(
        default=None,
        description="intermediate: all targets choose among one pool of settings per intermediate, so that they "
        "share its stages; null searches the intermediate dimensions as they are written.",
    )
    pool: Count = Field(default=6, description="Settings in the pool of each intermediate, with share.")
    start_with: tuple[Start, ...] = Field(
        default=("published", "winners"),
        description="What is tried first: mappings of dimensions to values; published (the literature's "
        "settings, where they lie in the space); winners (in the second generation, the winning target "
        "settings of none on this target and intermediate settings on the first target).",
    )
    seed: NotNegative = Field(default=13, description="Seed of the sampler.")
    training_seed: NotNegative = Field(default=1, description="Seed of the training in every trial.")
    confirm: Confirm = Field(default=Confirm(), description="How winners are confirmed.")
    select_on: Literal["source", "oracle"] = Field(
        default="source",
        description="What trials are scored on, and winners so chosen by: source, the select split; oracle, the "
        "mean over the dev sets of the other languages (of stages.evaluate.languages, those at hand). An oracle "
        "is an upper bound for papers and no zero-shot transfer. What is never trained keeps its select split.",
    )
    design: Design | None = Field(
        default=None,
        description="Tries every setting at every seed, and `xtr evaluate` scores all of them: for questions "
        "about a factor. Takes the place of all that a search chooses by; null searches for the best.",
    )

    @model_validator(mode="before")
    @classmethod
    def _settle_by_design(cls, values: Any) -> Any:
        """Let a design decide what is tried; null is said by a file that extends one that searches."""
        if not isinstance(values, dict) or values.get("design") is None:
            return values
        try:
            design = Design.model_validate(values["design"])
        except ValidationError:  # told of the field
            return values
        said = [name for name in DECIDED if values.get(name) not in (None, [], ())]
        if said:
            raise refusal(
                f"a design decides {' and '.join(said)} itself",
                received=", ".join(said),
                allowed="space, concurrent_trials and design.seeds",
                hint="leave it out, or write null over what `extends` says",
            )
        return {name: each for name, each in values.items() if name not in DECIDED} | design.decides()

    @model_serializer(mode="wrap")
    def _what_is_not_decided(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        """Leave out what a design decides, so that what is written can be read."""
        decided = DECIDED if self.design is not None else ()
        return {name: value for name, value in handler(self).items() if name not in decided}

    @property
    def mark(self) -> dict[str, str]:
        """Say what trials are scored on where that is not the select split; what names and tags take in."""
        return {} if self.select_on == "source" else {"select_on": self.select_on}

    @property
    def caveat(self) -> tuple[str, ...]:
        """The sentence that must stand beside every score of the sweep, if there is one."""
        return () if self.select_on == "source" else (ORACLE,)

    @property
    def given(self) -> tuple[dict[str, Value], ...]:
        """The first trials that the sweep file itself writes."""
        return tuple(each for each in self.start_with if isinstance(each, dict))
