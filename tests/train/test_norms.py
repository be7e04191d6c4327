"""Batch norms of an averaged net are its own, and the training does not notice that they were measured."""

import copy

import torch
from torch import nn

from engine.train.norms import measured_anew


class Net(nn.Module):
    """One norm that every pass reaches, twice, and one that none does."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.unreached = nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.BatchNorm2d(4)

    def forward(self, x):
        return self.norm(self.conv(x))


def test_the_statistics_are_the_means_of_what_the_average_sees():
    torch.manual_seed(0)
    live, average = Net().train(), Net().eval()
    average.unreached.running_mean.fill_(7)
    live(torch.randn(8, 3, 5, 5))  # statistics of its own
    before = copy.deepcopy(live.state_dict())
    batches = [torch.randn(8, 3, 5, 5) + n for n in range(3)]

    def lesson(number):
        live(batches[number][:4])  # two passes a step, as a discriminator's and a generator's turn have
        live(batches[number][4:])

    assert measured_anew(average, {"generator": live}, lesson, 3)
    seen = [average.conv(half) for batch in batches for half in batch.split(4)]
    means = torch.stack([x.mean((0, 2, 3)) for x in seen])
    variances = torch.stack([x.var((0, 2, 3)) for x in seen])
    # Of the two passes of a step the later one counts for 1 and the earlier one for 0.9, by the norms' momentum.
    weight = torch.tensor([0.9, 1.0] * 3).view(-1, 1) / (3 * 1.9)
    assert torch.allclose(average.norm.running_mean, (means * weight).sum(0), atol=1e-5)
    assert torch.allclose(average.norm.running_var, (variances * weight).sum(0), atol=1e-5)
    assert (average.unreached.running_mean == 7).all()
    assert all(torch.equal(value, before[name]) for name, value in live.state_dict().items())


def test_a_net_without_norms_costs_nothing():
    net = nn.Conv2d(3, 3, 1)
    assert not measured_anew(net, {"generator": net}, lambda number: 1 / 0)
