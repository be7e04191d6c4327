"""pincel pair: which machines may use the engine here, and which engines of other machines are used from here."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from engine import __version__
from engine.client.errors import OptionError

app = typer.Typer(
    help="Use an engine on another machine: both learn each other's key, once.", invoke_without_command=True
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="What you call that machine.")]
Key = Annotated[str, typer.Argument(metavar="KEY", help="The key that `pincel pair` shows there, in 'quotes'.")]


@app.callback()
def show(
    context: typer.Context, as_json: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False
) -> None:
    """Without a command: this machine's own key, and what it knows."""
    if context.invoked_subcommand is not None:
        return
    from engine.remote import pairs

    known = pairs.load_or_make()
    if as_json:
        print(json.dumps({"key": known.public, "clients": known.clients, "engines": known.engines}))
        return
    print(f"This machine's key: {known.public}")
    for title, entries in (("May use the engine here", known.clients), ("Engines to use", known.engines)):
        print(f"{title}:{'' if entries else ' none'}")
        for name, entry in entries.items():
            print(f"  {name}: {entry if isinstance(entry, str) else ' '.join(entry.values())}")


@app.command("allow", help="On the engine's machine: let another machine use the engine here.")
def allow(name: Name, key: Key) -> None:
    from engine.remote import pairs

    known = pairs.load_or_make()
    known.clients[pairs.checked_name(name)] = pairs.checked_key(key)
    known.save()
    print(f"{name} may use the engine here when it runs with `pincel serve --remote HOST:PORT`.")
    print(f"There, say: pincel pair engine NAME HOST:PORT '{known.public}'")


@app.command("engine", help="On the other machine: the engine at HOST:PORT with that key is called NAME from now on.")
def engine(name: Name, address: Annotated[str, typer.Argument(metavar="HOST:PORT")], key: Key) -> None:
    from engine.remote import pairs

    known = pairs.load_or_make()
    pairs.endpoint(address)
    known.engines[pairs.checked_name(name)] = {"address": address, "key": pairs.checked_key(key)}
    known.save()
    print(f"Use it with --remote {name}, or Engine.connect(remote={name!r}); `pincel pair test {name}` tries it.")
    print(f"There, if not done yet, say: pincel pair allow NAME '{known.public}'")


@app.command("test", help="Whether the engine called NAME answers.")
def test(name: Name) -> None:
    from engine.client.session import Session
    from engine.remote.dealer import Paired

    with Session.connect("pincel-pair", __version__, at=Paired(name)) as session:
        seconds = session.ping()
        tasks = ", ".join(task["name"] for task in session.tasks)
        print(f"{name} answers in {1000 * seconds:.0f} ms: Pincel {session.engine_version}, {tasks}.")


@app.command("forget", help="Forget a machine. Connections that are open stay until the engine ends.")
def forget(name: Name) -> None:
    from engine.remote import pairs

    known = pairs.load()
    if known is None or (known.clients.pop(name, None), known.engines.pop(name, None)) == (None, None):
        raise OptionError(f"No machine called {name!r} is known.", "`pincel pair` shows those that are.")
    known.save()
    print(f"{name} is forgotten.")
