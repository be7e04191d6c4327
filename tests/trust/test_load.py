"""Four clients at once: every result's bytes, each client's share, how long jobs take, and days of it in a minute or more."""

from __future__ import annotations

import csv
import os
import random
import signal
import sys
import time
from pathlib import Path

import pytest

from engine.client.session import Session
from tests.server.harness import EngineProcess, picture, until
from tests.trust import load

# How long the soak lasts, and where its table and its plot go (else into the test's own folder).
SOAK_SECONDS = float(os.environ.get("PINCEL_SOAK_SECONDS", "60"))
REPORTS = os.environ.get("PINCEL_REPORTS")


@pytest.fixture
def engine(tmp_path):
    engine = EngineProcess(tmp_path / "load", real=True)
    yield engine
    status, _, said = engine.finish()
    assert (status, said) == (0, "") and engine.faults() == []


def four_clients(engine, photo, distinct, under_way, say, figures=True):
    """Each client asks all of the distinct requests, in an order of its own: so each has the same amount of work."""
    asked = load.requests(photo, distinct)
    load.make_expected(asked)
    with Session.connect("load", "1", environ=engine.environ) as session:  # the worker's start is not what is measured
        session.submit("upscale", {}, {"source": picture()}).wait()
    shares = [random.Random(n).sample(asked, distinct) for n in range(4)]
    began = time.monotonic()
    clients = load.drive(engine.environ, shares, under_way)
    seconds = time.monotonic() - began
    assert [client.wrong for client in clients] == [[]] * 4
    assert [len(client.finished) for client in clients] == [distinct] * 4
    parts = load.fairness(clients)
    if figures:
        say(f"load: {4 * distinct} jobs of 4 clients in {seconds:.0f} s, every byte as in process; shares "
            + ", ".join(f"{100 * part:.1f} %" for part in parts))  # fmt: skip
        say("load: ms from submit to result: " + load.percentiles([s for c in clients for _, s in c.finished]))
        say("load: ms to answer a ping meanwhile: " + load.percentiles([s for c in clients for s in c.pings]))
    return parts


@pytest.mark.slow
def test_some_dozens_of_mixed_jobs_by_four_clients(engine, photo, say):
    parts = four_clients(engine, photo, 12, [4, 4, 4, 4], say, figures=False)
    assert min(parts) > 0.15


@pytest.mark.slow
def test_a_thousand_mixed_jobs_by_four_clients(engine, photo, say):
    """The first is greedy, the others modest: it gets no more than they do."""
    parts = four_clients(engine, photo, 250, [24, 6, 6, 6], say)
    assert max(parts) < 0.28 and min(parts) > 0.22


# ---- the soak -----------------------------------------------------------------------------------------------------


def one_round(engine, asked, dice):
    """What a day brings: good jobs, a refused one, a cancelled one, a client that goes without a word, memory given back."""
    with Session.connect("soak", "1", environ=engine.environ) as session:
        for one in dice.sample(asked, 6):
            made = session.submit(one.task, one.options, one.buffers).wait()
            assert [bytes(pixels.data) for pixels in made] == one.expected
        bad = session.submit("upscale", {"scale": 99.0}, {"source": picture()})
        while not bad.step(0.1):
            pass
        assert bad.error.code == "option.invalid"
        job = session.submit("upscale", {"scale": 16.0}, {"source": picture(90, 90)})
        job.cancel()
        while not job.step(0.1):
            pass
    lost = Session.connect("soak", "1", environ=engine.environ)
    lost.submit("upscale", {}, {"source": picture(60, 60)})
    lost.step(0.02)
    lost._link.dealer.sock.close()  # no goodbye


def drift(values):
    """How much higher the last third is than the middle one, by their medians: warming up is over by then."""
    third = len(values) // 3
    middle, last = sorted(values[third : 2 * third]), sorted(values[2 * third :])
    return last[len(last) // 2] - middle[len(middle) // 2]


def write_report(folder, rows):
    """soak.csv, and soak.png where matplotlib is installed, as with a training's curves."""
    with open(folder / "soak.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    try:
        from engine.train.plots import panels

        curves = {name: ([r["seconds"] for r in rows], [r[name] for r in rows]) for name in rows[0] if " " in name}
        (folder / "soak.png").write_bytes(panels(curves, "seconds"))
    except ImportError:
        pass


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_handles_and_threads_stay_flat(engine, photo, say, tmp_path):
    asked, dice = load.requests(photo, 32, seed=2), random.Random(3)
    load.make_expected(asked)
    folder = Path(REPORTS) if REPORTS else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    rows, rounds = [], 0
    watcher = engine.client()
    one_round(engine, asked, dice)
    # The first message that pyzmq sends without copying starts its three threads for that, once in a process.
    with Session.connect("soak", "1", environ=engine.environ) as session:
        session.submit("upscale", {"scale": 1.0}, {"source": picture(300, 300)}).wait()
    [worker] = until(lambda: [w["pid"] for w in watcher.workers("idle")], "the worker's rest")
    began = time.monotonic()
    while time.monotonic() - began < SOAK_SECONDS or len(rows) < 9:
        one_round(engine, asked, dice)
        rounds += 1
        until(lambda: watcher.workers("idle"), "the worker's rest")
        row = {"seconds": round(time.monotonic() - began, 2), "jobs": 9 * rounds}
        for name, pid in (("broker", engine.process.pid), ("worker", worker)):
            row |= {f"{name} {what}": value for what, value in load.held(pid).items()}
        rows.append(row)
    write_report(folder, rows)
    curves = {name: [row[name] for row in rows] for name in rows[0]}
    drifts = {name: drift(values) for name, values in curves.items() if name not in ("seconds", "jobs")}
    say(f"soak: {9 * rounds} jobs in {rows[-1]['seconds']:.0f} s; from the middle third to the last: "
        + ", ".join(f"{name} {value:+.1f}" for name, value in drifts.items()))  # fmt: skip
    assert [w["pid"] for w in watcher.workers()] == [worker], "the same worker all the time"
    assert drifts["broker memory"] < 4 and drifts["worker memory"] < 16, "MiB"
    for process in ("broker", "worker"):
        assert drifts[f"{process} handles"] <= 2 and drifts[f"{process} threads"] <= 0
    engine.process.send_signal(signal.SIGTERM)
