"""What the command says to people, sentence by sentence."""

from __future__ import annotations

from engine.cli.report import Screen


def test_the_forecast_begins_with_a_capital_and_keeps_its_units(capsys):
    Screen().foretold(40, 330_000_000)
    assert capsys.readouterr().err.strip() == "About 40 s, 330 MB"


def test_the_engine_of_another_machine_is_named(capsys):
    Screen().started(1, "service", "workshop")
    Screen().started(1, "service")
    assert capsys.readouterr().err.splitlines() == ["Using the engine on workshop.", "Using the running engine."]
