"""This is where findings are told: as a table of claims, with the reasons below, and as JSON.

claim         expected  measured  95 %            seeds  verdict
SQuAD helps.  above 0   +5.8      +5.3 to +6.3        5  holds
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict

from xtr.analysis.findings.verdicts import ALPHA, Finding
from xtr.analysis.tables import columns
from xtr.fingerprint import JSON

WIDEST_CLAIM = 60
HEADER = ("claim", "expected", "measured", "95 %", "seeds", "verdict")
SCHEMA_VERSION = 1


def findings_document(sweep: str, findings: Sequence[Finding]) -> dict[str, JSON]:
    """Return findings as a JSON document; numbers in the unit that `detail` names."""
    return {"schema_version": SCHEMA_VERSION, "sweep": sweep, "findings": findings_list(findings)}


def findings_list(findings: Sequence[Finding]) -> list[JSON]:
    """Return findings as JSON, for a document that holds more."""
    return [asdict(each) for each in findings]


def findings_text(findings: Sequence[Finding]) -> str:
    """Write the table of claims, in points of 100, and the reason of each verdict below it; nothing for none."""
    if not findings:
        return ""
    rows: list[tuple[str, ...]] = []
    for each in findings:
        first, *more = textwrap.wrap(each.claim, WIDEST_CLAIM) or [each.name]
        cells = (each.expected, shown(each, each.measured), range_text(each), seeds_text(each), each.verdict)
        rows += [(first, *cells), *((f"  {line}", "", "", "", "", "") for line in more)]
    reasons = [
        f"{each.name}{f' [{each.source}]' if each.source else ''}: {each.why}{_languages(each)}"
        for each in findings
    ]
    note = (
        "claims, in points of 100 (a curve: points per doubling; a crossing: the size); p is two-sided, "
        "of within one-sided"
    )
    return "\n\n".join([f"{note}\n{columns(HEADER, rows)}", "\n".join(reasons)])


def shown(finding: Finding, value: float | None) -> str:
    """Write a number of a finding in its unit: points with a sign, sizes without; a dash for None."""
    if value is None:
        return "-"
    if finding.kind == "crossing":
        return f"{value:.3g}" if value < 1000 else f"{value:,.0f}"
    return f"{value:+.2f}" if finding.kind == "curve" else f"{value:+.1f}"


def range_text(finding: Finding) -> str:
    """Write the interval of a finding; a dash where there is none."""
    if finding.low is None or finding.high is None:
        return "-"
    return f"{shown(finding, finding.low)} to {shown(finding, finding.high)}"


def seeds_text(finding: Finding) -> str:
    """Write over how many seeds a finding is."""
    return str(finding.n_seeds) if finding.n_seeds else "-"


def _languages(finding: Finding) -> str:
    """Say in how many languages the difference is there by itself."""
    listed = finding.detail.get("by_language")
    if finding.p is None or not isinstance(listed, list) or len(listed) < 2:
        return ""
    above = [_sure(each, above=True) for each in listed]
    below = [_sure(each, above=False) for each in listed]
    told = [f"above 0 in {sum(above)}"] * any(above) + [f"below 0 in {sum(below)}"] * any(below)
    return f"; by itself {' and '.join(told) or 'sure in none'} of {len(listed)} languages"


def _sure(language: JSON, *, above: bool) -> bool:
    assert isinstance(language, dict)
    p, measured = language["p_holm"], language["measured"]
    return isinstance(p, float) and p < ALPHA and isinstance(measured, float) and (measured > 0) == above
