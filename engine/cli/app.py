"""The commands, put together."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from engine import __version__
from engine.cli import bench, doctor, install, models, pictures, service
from engine.client.errors import PincelError

app = typer.Typer(
    name="pincel",
    help="Colour and resolution for pictures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        print(f"pincel {__version__}")
        raise typer.Exit


@app.callback()
def _pincel(
    version: Annotated[
        bool, typer.Option("--version", help="Say the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


pictures.add_to(app)
app.add_typer(models.app, name="models")
service.add_to(app)
doctor.add_to(app)
install.add_to(app)
bench.add_to(app)


@app.command(
    "train",
    help="Train a generator from folders of pictures: `pincel train --help`.",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def _train(context: typer.Context) -> None:
    from engine.train.__main__ import main

    main(list(context.args), "pincel train")


@app.command(
    "evaluate",
    help="Measure a generator on pictures that it was never trained on: `pincel evaluate --help`.",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def _evaluate(context: typer.Context) -> None:
    from engine.train.evaluate import main

    main(list(context.args), "pincel evaluate")


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit status. arguments: None takes the process's own."""
    try:
        app(pictures.normalised(sys.argv[1:] if arguments is None else arguments), prog_name="pincel")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except PincelError as error:
        print(f"{error.sentence} ({error.code})\n  {error.remedy}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    return 0
