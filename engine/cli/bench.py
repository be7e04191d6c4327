"""pincel bench: how fast Pincel is on this machine."""

from __future__ import annotations

import typer


def add_to(app: typer.Typer) -> None:
    app.command(
        "bench",
        help="Measure speed and memory on this machine: `pincel bench --help`.",
        context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
    )(bench)


def bench(context: typer.Context) -> None:
    from engine.bench.command import main

    main(list(context.args), "pincel bench")
