"""This is where a plan becomes plain text: stages, tokens, price and time, then warnings and guesses."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from xtr.analysis.planning.ledger import Price, StageCount
from xtr.analysis.planning.plan import Plan
from xtr.analysis.tables import columns, hours

WIDTH = 110
UNITS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def plan_text(plan: Plan, file: str) -> str:
    """Write a plan; the next command comes last, with the file as it was named."""
    blocks = [
        f"{plan.sweep}: {plan.pairs} pairs, {plan.trials} trials at most, {plan.owed} of them still owed",
        columns(("stage", "asked", "distinct", "stored"), list(_stage_rows(plan))),
        columns(("", ""), list(_price_rows(plan))).strip("\n "),
        "\n".join(_wrapped(f"warning: {each}", "") for each in plan.warnings),
        _guesses_text(plan),
        _next_text(plan, file),
    ]
    return "\n\n".join(block for block in blocks if block)


def _next_text(plan: Plan, file: str) -> str:
    if not plan.owed:
        return f"nothing is owed; next: xtr best {plan.sweep}"
    return f"next: xtr run {file}" if plan.has_data else f"next: xtr doctor {file}    (where are the data?)"


def _stage_rows(plan: Plan) -> Iterator[tuple[str, ...]]:
    def row(name: str, count: StageCount) -> tuple[str, ...]:
        return (name, f"{count.asked:,}", f"{count.distinct:,}", f"{count.stored:,}")

    for kind, count in plan.stages.items():
        yield row(kind, count)
    for kind, count in plan.scoring.items():
        if count.asked:
            yield row(f"scoring: {kind}", count)


def _price_rows(plan: Plan) -> Iterator[tuple[str, str]]:
    tokens = plan.train_tokens
    if tokens.shared:
        ratio = tokens.naive / tokens.shared
        yield (
            "training tokens",
            f"{amount(tokens.naive)} alone, {amount(tokens.shared)} shared ({ratio:.1f} times fewer)",
        )
        likely = "" if tokens.likely == tokens.owed else f", likely {amount(tokens.likely)}"
        yield "  still owed", f"at most {amount(tokens.owed)}{likely}"
    rate, source = plan.rate
    yield "tokens per second", f"{rate:,.0f} on one worker, {source}"
    unit = "GPU" if plan.run.gpu_hours or plan.evaluate.gpu_hours else "CPU core"
    likely = "" if tokens.likely == tokens.owed else f", likely {hours(plan.likely_hours)}"
    yield "xtr run", f"at most {_price(plan.run, plan.currency, unit)}{likely}"
    yield "xtr evaluate", f"at most {_price(plan.evaluate, plan.currency, unit)}"
    yield "disk", f"at most {amount(plan.disk_bytes, 'B')}"
    if plan.chain[1]:
        yield "longest chain", f"{hours(plan.chain[1])}: {plan.chain[0]}"
    for wall in plan.wall:
        on = f" on {wall.gpus} GPU{'s' * (wall.gpus > 1)}" if wall.gpus else ""
        name = f"wall time, {wall.trials_at_once} at once{on}"
        yield name, f"{hours(wall.run_hours)} to run, {hours(wall.evaluate_hours)} to evaluate"


def _price(price: Price, currency: str, unit: str) -> str:
    value = price.gpu_hours if unit == "GPU" else price.cpu_hours
    money = "" if price.money is None else f", {price.money:,.2f} {currency}"
    return f"{hours(value)} of one {unit}{money}"


def _guesses_text(plan: Plan) -> str:
    """Group guesses by how they are measured, then by why they are believed."""
    groups: dict[str, dict[str, list[str]]] = {}
    for each in plan.guesses:
        groups.setdefault(each.measure, {}).setdefault(each.why, []).append(f"{each.what} {each.value}")
    lines = []
    for measure, reasons in groups.items():
        lines.append(_wrapped(f"guessed; to measure it: {measure}", ""))
        lines += [_wrapped(f"{', '.join(values)} ({why})", "  ") for why, values in reasons.items()]
    return "\n".join(lines)


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False
    )


def amount(value: float, unit: str = "") -> str:
    """Write a large number with three digits and a unit: 1.52 G."""
    for size, prefix in UNITS:
        if value >= size:
            return f"{value / size:.3g} {prefix}{unit}"
    return f"{value:.0f} {unit}".rstrip()
