"""Gradients far longer than usual are left out, by the loop as well; what stays long becomes usual."""

import torch

from engine.train import outliers
from engine.train.outliers import FACTOR, IN_A_ROW, SEEN, Outliers
from tests.train.test_loop import loop_in, store, tensors  # noqa: F401


def test_single_ones_are_left_out_and_many_are_the_new_usual():
    usual = Outliers()
    assert not usual.too_long("net", 1e6)  # of the first ones nothing is known
    for n in range(20 * SEEN):
        assert not usual.too_long("net", 1.0 + n % 3)
    assert not usual.too_long("net", FACTOR)
    assert usual.too_long("net", 3 * FACTOR)
    assert not usual.too_long("net", 2.0)
    again = Outliers()
    again.load_state(usual.state())
    assert [again.too_long("net", 1e3) for _ in range(IN_A_ROW + 2)] == [True] * IN_A_ROW + [False] * 2
    assert not again.too_long("another", 1e9)


def test_a_training_is_as_without_its_odd_batch(tmp_path, store, monkeypatch):  # noqa: F811
    """Its gradient is a million times the usual: nothing of it is in the network, and it is counted."""
    monkeypatch.setattr(outliers, "SEEN", 5)

    def trained(name, factor, at):
        loop = loop_in(tmp_path / name, store)
        step, update = loop.recipe.step, loop._update

        def changed(batch, _, moment):
            scale = factor if moment.step == at else 1.0
            return step(batch, lambda net, loss: update(net, loss * scale), moment)

        loop.recipe.step = changed
        loop.run()
        return loop

    plain, odd, left = trained("plain", 1.0, 12), trained("odd", 1e6, 12), trained("left", float("nan"), 12)
    assert (plain.skipped, odd.skipped, left.skipped) == (0, 1, 1)
    for one, other in zip(tensors(odd.state()["nets"]), tensors(left.state()["nets"]), strict=True):
        assert torch.equal(one, other)
    said = {name: (tmp_path / name / "stats.jsonl").read_text() for name in ("odd", "plain")}
    assert '"skipped": 1' in said["odd"] and "skipped" not in said["plain"]
