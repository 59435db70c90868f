"""A sweep that is kept names the variable that holds a password, and can be read without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.spec.sweeps import GOOD, load_text, write
from xtr.spec.dump import to_yaml
from xtr.spec.load import load_stored, load_sweep
from xtr.track.where import naming_variable

URI = "postgresql://me:secret@there/mlflow"


def test_a_kept_sweep_names_the_variable_that_holds_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER", URI)
    spec = load_sweep(write(tmp_path, GOOD + 'tracking: {uri: "env:TRACKER", experiment: mine}\n'))
    assert spec.tracking.uri == URI
    kept = to_yaml(naming_variable(spec, {"OTHER": "x", "TRACKER": URI}))
    assert "secret" not in kept
    (tmp_path / "spec.yaml").write_text(kept)
    assert load_stored(tmp_path, spec.storage) == spec
    monkeypatch.delenv("TRACKER")
    elsewhere = load_stored(tmp_path, spec.storage)
    assert elsewhere.tracking.uri == "env:TRACKER", "scores can be read where the password is not known"
    assert elsewhere.pairs == spec.pairs


def test_what_is_no_secret_or_in_no_variable_is_kept_as_it_is(tmp_path: Path) -> None:
    plain, secret = (
        load_text(tmp_path, GOOD + f"tracking: {{uri: {uri!r}}}\n") for uri in ("http://a:1", URI)
    )
    assert naming_variable(plain, {"A": "http://a:1"}) is plain
    assert naming_variable(secret, {"A": "http://a:1"}) is secret
