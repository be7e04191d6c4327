"""The commands, put together."""

from __future__ import annotations

import io
import os
import sys
from typing import Annotated, cast

import typer

from engine import __version__
from engine.cli import bench, doctor, install, models, pictures, service
from engine.client.errors import OptionError, PincelError
from engine.client.options import TASKS

# Of the exceptions for a wrong command line typer exports the one for a parameter alone; their parent is its first base.
_UsageError = cast("type[typer.BadParameter]", typer.BadParameter.__mro__[1])

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
    given = pictures.normalised(sys.argv[1:] if arguments is None else arguments)
    _any_name_can_be_printed()
    try:
        return _dispatched(given)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except BrokenPipeError:  # whoever reads, `head` for one, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more at its end
        return 128 + 13
    except PincelError as error:
        if given[:1] and given[0] in TASKS and "--json" in given:
            from engine.cli.report import Lines

            return pictures.refused(Lines(), error)
        print(f"{error.sentence} ({error.code})\n  {error.remedy}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130


def _any_name_can_be_printed() -> None:
    """Names of files that stdout's encoding lacks, or that are none in this system's, must not end a batch.

    In UTF-8 such a name leaves as the bytes that it is, for the next program; elsewhere with escapes.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape" if sys.stdout.encoding == "utf-8" else "backslashreplace")


def _dispatched(arguments: list[str]) -> int:
    """Run the command that the arguments name; its exit status. What they say wrongly is an OptionError."""
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    try:
        status = app(arguments, prog_name="pincel", standalone_mode=False)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except _UsageError as error:
        command, sentence = error.ctx.command_path if error.ctx else "pincel", error.format_message()
        # Another name that typer keeps to itself: nothing was asked, and the message is the help.
        if type(error).__name__ == "NoArgsIsHelpError":
            print(sentence, file=sys.stderr)
            return OptionError.exit_status
        sentence += "" if sentence.endswith((".", "?")) else "."
        remedy = f"See `{command} --help` for the options and their ranges."
        if error.ctx and command == "pincel":
            remedy = "A command comes first, then its options: `pincel --help` lists the commands."
        raise OptionError(sentence, remedy) from None
    return status if isinstance(status, int) else 0
