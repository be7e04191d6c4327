"""What the command says to people, sentence by sentence."""

from __future__ import annotations

from engine.cli.report import Screen


def test_the_forecast_begins_with_a_capital_and_keeps_its_units(capsys):
    Screen().foretold(40, 330_000_000)
    assert capsys.readouterr().err.strip() == "About 40 s, 330 MB"
