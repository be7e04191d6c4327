"""Imitation beside the game: the encoder, what its vectors may say, and the critic on frozen features."""

import pytest
import torch

from engine.generators import progan
from engine.nn import critic
from engine.nn.imitation import Encoder, information
from engine.train.recipe import Moment, Phase
from tests.nn.test_perceptual import own_file


def test_the_encoder_gives_a_distribution_for_each_picture():
    net = Encoder(32, 7).eval()
    mean, spread = net(torch.rand(3, 3, 32, 32))
    assert mean.shape == spread.shape == (3, 7) and float(spread.detach().abs().max()) <= 8


def test_information_is_the_divergence_from_a_normal_distribution():
    mean, spread = torch.tensor([[0.0, 0.0], [1.0, 2.0]]), torch.tensor([[0.0, 0.0], [0.5, -1.0]])
    one = torch.distributions.Normal(mean, torch.exp(spread / 2))
    wanted = torch.distributions.kl_divergence(one, torch.distributions.Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(information(mean, spread), wanted, atol=1e-6)


@pytest.fixture
def game(tmp_path):
    """A tiny recipe with both judges and imitation, its optimizers in use: what runs one step, and the updates so far."""
    own_file(tmp_path / "net.safetensors")
    torch.manual_seed(0)
    options = {"features": str(tmp_path / "net.safetensors"), "shares": [1, 1, 1], "nats": 5.0}
    recipe = progan.Recipe(progan.Generator(4, 3, 16, 8), options)
    optimizers, updates = recipe.optimizers(recipe.phases()[0]), []

    def update(which, loss):
        optimizers[which].zero_grad(set_to_none=True)
        loss.backward()
        optimizers[which].step()
        updates.append(which)

    def step(number, progress):
        batch = {"real": torch.rand(4, 3, 32, 32), "latent": torch.randn(4, 100, 1, 1)}
        return recipe.step(batch, update, Moment(Phase("train"), number, progress, progress))

    return recipe, step, updates


def test_small_pictures_are_imitated_and_large_ones_judged_by_features(game):
    recipe, step, updates = game
    small = step(0, 0.0)
    assert updates == ["generator", "encoder"] and {"error", "nats"} <= set(small) and "accuracy" not in small
    updates.clear()
    recipe.accuracy = 0.5
    large = step(1, 0.9)
    assert updates == ["critic", "generator", "encoder"]
    assert {"error", "nats", "critic", "generator", "accuracy"} <= set(large)
    assert all(bool(torch.isfinite(value).all()) for value in large.values())
    assert all(p.requires_grad for p in recipe.critic.parameters())


def test_the_critic_rests_while_it_is_ahead(game):
    recipe, step, updates = game
    recipe.accuracy, recipe.options["rest"] = 1.0, 0.5
    step(0, 0.9)
    assert updates == ["generator", "encoder"]


def test_the_price_of_a_nat_follows(game):
    recipe, step, _ = game
    recipe.options["nats"] = 1e-3
    before = recipe.price
    step(0, 0.0)
    assert recipe.price > before
    recipe.options["nats"] = 1e6
    before = recipe.price
    step(1, 0.0)
    assert recipe.price < before
    other = progan.Recipe(recipe.generator, recipe.options)
    other.load_state(recipe.state())
    assert other.price == recipe.price


def test_a_critic_sees_every_size_enlarged_and_has_a_head_for_each_map(tmp_path):
    own_file(tmp_path / "net.safetensors")
    judge = critic.Critic(tmp_path / "net.safetensors")
    assert [critic.seen_side(side) for side in (32, 48, 64, 128)] == [64, 72, 96, 192]
    assert [logits.shape[:2] for logits in judge(torch.rand(2, 1, 32, 32))] == [(2, 1)] * 4
    trained = {name.split(".")[0] for name, _ in judge.named_parameters()}
    assert trained == {"heads"} and not any("net." in name for name in judge.state_dict())


def test_held_out_pictures_are_compared_with_as_many_drawn(game):
    recipe, _, _ = game

    class Store:
        def __len__(self):
            return 5

        def crops(self, count, side, rng, flip, which):
            assert (count, flip, which.tolist()) == (5, "none", [0, 1, 2, 3, 4])
            return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=rng)

    with torch.no_grad():
        recipe.generator.grow(2, 1.0)
        found = recipe.score(recipe.generator, Store())
    assert found["side"] == 16 and found["frechet"] > 0 and found["chroma_truth"] > 0
