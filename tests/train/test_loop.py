"""The loop: length, rates, average, resume to the bit, bad losses, Ctrl-C, and what it leaves in the run's folder."""

import json
import os
import signal

import pytest
import torch
from PIL import Image

from engine.train.data import PictureStore, pictures_in
from engine.train.guard import Guard
from engine.train.loop import Diverged, Loop, Plan
from engine.train.recipe import Moment, Phase
from engine.train.runs import RunFolder, mosaic
from tests.train.toys import ToyNet, ToyRecipe, make_pictures


@pytest.fixture
def store(tmp_path):
    return PictureStore(pictures_in(make_pictures(tmp_path / "pictures")), 8)


def loop_in(folder, store, options=None, heldout=None, **plan):
    torch.manual_seed(0)
    recipe = ToyRecipe(ToyNet(), options)
    plan = {"steps": 20, "batch": 4, "warmup": 2, "bf16": False, "log_every": 5, "sample_every": 10, **plan}
    return Loop(
        recipe,
        store,
        RunFolder(folder, tensorboard=False, plots=False),
        Plan(**plan),
        heldout,
        report=lambda line: None,
    )


def test_a_plan_has_one_length():
    for wrong in ({}, {"steps": 1, "minutes": 1.0}):
        with pytest.raises(ValueError):
            Plan(**wrong)


def test_warming_up_takes_little_of_a_short_training():
    plan, phase = Plan(minutes=1.0, warmup=100), Phase("train")
    rates = [plan.rate(Moment(phase, step, share, share), step) for step, share in enumerate((0.0, 0.02, 0.04))]
    assert rates == pytest.approx([0.01, 0.6, 1.0], abs=0.01)
    assert plan.rate(Moment(phase, 49, 0.001, 0.001), 49) == pytest.approx(0.5, abs=0.01)  # a long one: by steps


def test_phases_and_rates_follow_the_schedule(tmp_path, store):
    loop = loop_in(tmp_path / "run", store)
    loop.run()
    moments, rates = loop.recipe.moments, loop.recipe.rates
    assert [m.phase.name for m in moments] == ["first"] * 5 + ["second"] * 15
    assert [m.step for m in moments] == list(range(20))
    assert rates[0] == pytest.approx(0.5e-2) and max(rates) < 1e-2
    assert rates[7] == pytest.approx(5e-3, rel=0.1)  # the second phase's peak, after its own warm-up
    assert rates[-1] < 1e-4
    assert moments[10].progress == 0.5 and moments[10].phase_progress == pytest.approx(1 / 3)


def test_by_minutes_it_ends(tmp_path, store):
    loop = loop_in(tmp_path / "run", store, steps=None, minutes=0.005)
    loop.run()
    assert loop.progress == 1.0 and loop.step > 0


def test_it_learns_and_the_average_follows(tmp_path, store):
    loop = loop_in(tmp_path / "run", store, heldout=store, steps=300, score_every=100)
    net = loop.run()
    assert not net.training and not any(p.requires_grad for p in net.parameters())
    lines = [json.loads(line) for line in (tmp_path / "run" / "stats.jsonl").read_text().splitlines()]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < 0.2 * losses[0]
    scores = [line["heldout/error"] for line in lines if "heldout/error" in line]
    assert scores[-1] < scores[0]
    assert any(
        not torch.equal(a, b) for a, b in zip(net.parameters(), loop.nets["generator"].parameters(), strict=True)
    )


def test_optimizers_compute_in_full_precision(tmp_path, store):
    """In bfloat16 Muon's iteration is lost: the step itself lies outside autocast, the network inside."""
    loop, seen = loop_in(tmp_path / "run", store, bf16=True, steps=3), []
    optimizers, step = loop.recipe.optimizers, loop.recipe.step

    def watched(phase):
        made = optimizers(phase)
        made["generator"].register_step_pre_hook(lambda *_: seen.append(torch.is_autocast_enabled("cpu")))
        return made

    def inside(*arguments):
        assert torch.is_autocast_enabled("cpu")
        return step(*arguments)

    loop.recipe.optimizers, loop.recipe.step = watched, inside
    loop.run()
    assert seen == [False] * 3


def test_the_average_begins_anew_where_the_net_grew(tmp_path, store):
    loop = loop_in(tmp_path / "run", store)
    loop.step = 5000
    for entered, share in ((0, 9 / 5010), (5000, 0.9), (4990, 9 / 20)):
        for mine, live in zip(loop.ema.parameters(), loop.nets["generator"].parameters(), strict=True):
            mine.zero_()
            live.data.fill_(1.0)
        loop.recipe.entered = entered
        loop._average()
        assert all(torch.allclose(p, torch.full_like(p, share), atol=1e-5) for p in loop.ema.parameters())


def tensors(value):
    """All tensors in nested dicts and lists."""
    if isinstance(value, torch.Tensor):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
    return [t for v in inner for t in tensors(v)]


def test_resuming_is_equal_to_the_bit(tmp_path, store):
    whole = loop_in(tmp_path / "whole", store)
    whole.run()
    for stop in (3, 12):  # in the first phase and in the second
        folder = tmp_path / f"parts{stop}"
        first = loop_in(folder, store)
        step = first.recipe.step

        def stopping(batch, update, moment, first=first, step=step, stop=stop):
            if moment.step == stop - 1:
                first.stopped = True  # as Ctrl-C does
            return step(batch, update, moment)

        first.recipe.step = stopping
        first.run()
        assert first.step == stop
        second = loop_in(folder, store)
        torch.rand(7)  # whatever happened in between
        second.resume()
        second.run()
        assert second.step == 20
        one, other = whole.state(), second.state()
        assert one["recipe"] == other["recipe"] != {"seen": 1.0}
        for part in ("ema", "nets", "optimizers", "rng", "torch_rng"):
            for a, b in zip(tensors(one[part]), tensors(other[part]), strict=True):
                assert torch.equal(a, b)


def test_single_bad_losses_are_skipped_and_many_end_the_training(tmp_path, store):
    loop = loop_in(tmp_path / "run", store, {"poison": (3, 4, 11)})
    loop.run()
    assert loop.skipped == 3 and loop.step == 20
    assert all(p.isfinite().all() for p in loop.ema.parameters())
    bad = loop_in(tmp_path / "bad", store, {"poison": tuple(range(5, 20))}, patience=4)
    with pytest.raises(Diverged):
        bad.run()
    assert not bad.folder.checkpoint.exists()  # nothing worth going on from


def test_each_net_is_given_up_by_its_own_updates():
    """A discriminator that learns well says nothing of a generator that never does."""
    guard, bad = Guard(patience=2), torch.tensor(float("nan"))
    for _ in range(2):
        assert guard.lets("discriminator", torch.tensor(1.0), 7) and not guard.lets("generator", bad, 7)
    assert not guard.calm and not guard.given_up
    with pytest.raises(Diverged, match=r"3 updates of the generator in a row were not finite \(step 7\)"):
        guard.lets("generator", bad, 7)
    assert guard.given_up and guard.skipped == 3


def test_the_last_state_is_saved_although_its_update_was_left_out(tmp_path, store):
    loop = loop_in(tmp_path / "run", store, {"poison": (18, 19)})
    loop.run()
    assert loop.folder.load(torch.device("cpu"))["step"] == 20


def test_a_good_checkpoint_is_not_replaced_by_a_bad_one(tmp_path, store):
    loop, saved = loop_in(tmp_path / "run", store, {"poison": (4, 5)}, save_every_s=-1.0), []
    step, loop.folder.save = loop.recipe.step, lambda state: saved.append(state["step"])

    def broken(batch, update, moment):
        scalars = step(batch, update, moment)
        if moment.step >= 17:  # by whatever means
            next(loop.nets["generator"].parameters()).data.fill_(float("nan"))
        return scalars

    loop.recipe.step = broken
    with pytest.raises(Diverged, match="weights"):
        loop.run()
    assert saved == [1, 2, 3, 4, *range(7, 18)]  # the number of steps made: the fifth and sixth were bad


def test_ctrl_c_saves_and_gives_the_handler_back(tmp_path, store):
    before = signal.getsignal(signal.SIGINT)
    loop = loop_in(tmp_path / "run", store, steps=1000)
    step = loop.recipe.step

    def interrupted(batch, update, moment):
        if moment.step == 6:
            os.kill(os.getpid(), signal.SIGINT)
        return step(batch, update, moment)

    loop.recipe.step = interrupted
    loop.run()
    assert loop.step == 7
    assert loop.folder.load(torch.device("cpu"))["step"] == 7
    assert signal.getsignal(signal.SIGINT) is before


def test_what_a_run_leaves(tmp_path, store):
    loop_in(tmp_path / "run", store).run()
    left = sorted(str(p.relative_to(tmp_path / "run")) for p in (tmp_path / "run").rglob("*"))
    samples = ["samples", "samples/0000010.png", "samples/0000020.png"]
    assert left == ["checkpoint.pt", "epochs.jsonl", *samples, "stats.jsonl"]
    with Image.open(tmp_path / "run" / "samples" / "0000020.png") as sheet:
        assert sheet.size == (5 * 16, 5 * 8)  # 25 examples, picture and result side by side


def test_a_mosaic_is_laid_out_row_by_row():
    pictures = torch.linspace(0, 1, 6).view(6, 1, 1, 1).expand(6, 3, 2, 4)
    grid = mosaic(pictures, 5)
    assert grid.shape == (4, 20, 3)
    assert [int(v) for v in grid[0, ::4, 0]] == [0, 51, 102, 153, 204]
    assert [int(v) for v in grid[2, ::4, 0]] == [255, 255, 255, 255, 255]  # the sixth, then white


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_losses_are_averaged_and_counts_added_up(tmp_path, store):
    loop = loop_in(tmp_path / "run", store, {"poison": (3,)}, batch=2)
    step, seen = loop.recipe.step, []

    def counting(batch, update, moment):
        scalars = step(batch, update, moment)
        seen.append(float(scalars["loss"]))
        return {**scalars, "confusion/real_real": torch.tensor(2.0), "confusion/fake_real": torch.tensor(1)}

    loop.recipe.step = counting
    loop.run()
    stats, epochs = lines(tmp_path / "run" / "stats.jsonl"), lines(tmp_path / "run" / "epochs.jsonl")
    assert [line["step"] for line in stats] == [5, 10, 15, 20]
    assert stats[0]["loss"] == pytest.approx(sum(seen[i] for i in (0, 1, 2, 4)) / 4, abs=2e-6)  # not the poisoned one
    assert stats[1]["confusion/real_real"] == 10 and stats[1]["confusion/fake_real"] == 5
    assert [line["epoch"] for line in epochs] == list(range(1, 11))  # three pictures, two a step
    assert epochs[2]["loss"] == pytest.approx(sum(seen[4:6]) / 2, abs=2e-6) and epochs[2]["confusion/real_real"] == 4
    assert loop._counts["whole"] == {"confusion/real_real": 40, "confusion/fake_real": 20}
    assert sorted(p.name for p in (tmp_path / "run" / "confusion").iterdir()) == ["0000010.png", "0000020.png"]


def test_a_recipes_own_state_is_kept(tmp_path, store):
    loop = loop_in(tmp_path / "run", store)
    loop.recipe.state = lambda: {"accuracy": 0.75, "seen": torch.arange(3)}
    loop.recipe.load_state = lambda state: None
    loop.run()
    again, taken = loop_in(tmp_path / "run", store), {}
    again.recipe.load_state = taken.update
    again.resume()
    assert taken["accuracy"] == 0.75 and taken["seen"].tolist() == [0, 1, 2]


def test_what_was_logged_behind_the_checkpoint_is_logged_once(tmp_path, store):
    loop = loop_in(tmp_path / "run", store)
    loop.run()
    state = {**loop.state(), "step": 8}  # as if it had crashed after step 20 with a checkpoint of step 8
    loop.folder.save(state)
    loop_in(tmp_path / "run", store).resume()
    assert [line["step"] for line in lines(tmp_path / "run" / "stats.jsonl")] == [5]
    assert [line["step"] for line in lines(tmp_path / "run" / "epochs.jsonl")] == list(range(1, 9))


@pytest.mark.parametrize("torn", ['{"step": 20, "lo', '{"step": 20, "loss": 0.5}'])
def test_a_line_that_a_crash_cut_off_is_gone_with_a_resume(tmp_path, store, torn):
    loop = loop_in(tmp_path / "run", store)
    loop.run()
    path = tmp_path / "run" / "stats.jsonl"
    whole = path.read_text()
    path.write_text(whole + torn)
    again = loop_in(tmp_path / "run", store)
    again.resume()
    again.folder.log(21, {"loss": 0.25})
    assert [line["step"] for line in lines(path)][-2:] == [20, 21] and path.read_text().startswith(whole)


def test_a_resume_takes_the_rate_that_is_asked_for_now(tmp_path, store):
    loop_in(tmp_path / "run", store).run()
    again = loop_in(tmp_path / "run", store)
    again.recipe.optimizers = lambda phase: {"generator": torch.optim.Adam(again.recipe.generator.parameters(), lr=0.3)}
    again.resume()
    assert [group["peak"] for group in again._optimizers["generator"].param_groups] == [0.3]
