"""pincel serve, status and stop: the running engine."""

from __future__ import annotations

import json
import sys
from typing import Annotated, Any

import typer

from engine import __version__
from engine.cli import pair
from engine.client.errors import EngineNotRunning

Json = Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")]


def add_to(app: typer.Typer) -> None:
    app.command("serve", help="Run the engine that editors and scripts share, until it is stopped.")(serve)
    app.command("status", help="What the running engine is doing. Exit status 6 if there is none.")(status)
    app.command("stop", help="Stop the running engine; its jobs end with an error.")(stop)
    app.add_typer(pair.app, name="pair")


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="A loopback address; others are refused.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 0,
    ipc: Annotated[str | None, typer.Option(metavar="PATH", help="A Unix socket instead of a port.")] = None,
    remote: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Let in machines that are paired there too, encrypted: see pincel pair."
        ),
    ] = None,
    device: Annotated[
        list[str] | None, typer.Option(help="cpu, cuda:0, mps, openvino; repeat it for several. Else what there is.")
    ] = None,
    keep_alive: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="An idle worker is ended after this, its memory returns.")
    ] = 300.0,
    idle_exit: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="An idle engine ends after this; 0: never.")
    ] = 0.0,
    max_bytes: Annotated[
        int | None, typer.Option(min=2**18, metavar="BYTES", help="The largest message that is accepted.")
    ] = None,
    show_unit: Annotated[
        bool,
        typer.Option("--unit", help="Print a systemd user unit that serves with the other options; serve nothing."),
    ] = False,
) -> None:
    from engine.store import devices

    for name in device or ():
        if name != "auto":  # what there is: the workers find out
            devices.check(name)
    if show_unit:
        from engine.cli.unit import unit

        print(unit(_given(context)), end="")
        return
    from engine.server.serve import serve as run
    from engine.server.settings import Settings

    settings = Settings(host=host, port=port, ipc=ipc, remote=remote, keep_alive=keep_alive, idle_exit=idle_exit)
    if device:
        settings.devices = list(device)
    if max_bytes is not None:
        settings.max_bytes = max_bytes
    raise typer.Exit(run(settings) or 0)


def _given(context: typer.Context) -> list[str]:
    """The options that stand on the command line, without --unit."""
    words = []
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name != "show_unit" and source is not None and source.name == "COMMANDLINE":
            value = context.params[option.name or ""]
            for one in value if isinstance(value, list | tuple) else [value]:
                words += [option.opts[0], str(one)]
    return words


def status(as_json: Json = False) -> None:
    from engine.client.session import Session

    try:
        with Session.connect("pincel", __version__, start=False) as session:
            state = session.status()
    except EngineNotRunning as error:
        if as_json:
            print(json.dumps({"running": False}))
        else:
            print(f"No engine is running. {error.remedy}", file=sys.stderr)
        raise typer.Exit(error.exit_status) from None
    if as_json:
        print(json.dumps({"running": True, **state}))
        return
    print("The engine is running.")
    for name, value in state.items():
        print(f"  {name}: {in_words(value, name)}")


def in_words(value: Any, name: str = "") -> str:
    """A value of the engine's state, or of what doctor found, for people. name: what it is called there."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "; ".join(in_words(v) for v in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{k} {in_words(v, k)}" for k, v in value.items())
    if name == "memory" and isinstance(value, int):
        return f"{value / 2**20:.0f} MiB"
    if name in ("uptime", "keep_alive"):
        return f"{value:.0f} s"
    return f"{value:.1f}" if isinstance(value, float) else "none" if value is None else str(value)


def stop() -> None:
    from engine.client.session import Session

    try:
        with Session.connect("pincel", __version__, start=False) as session:
            session.stop()
    except EngineNotRunning:
        print("No engine is running.", file=sys.stderr)
        return
    print("The engine was asked to stop.", file=sys.stderr)
