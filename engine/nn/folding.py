"""Networks that only infer, made of fewer layers that give the same numbers."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from engine.nn.branched import Branched


def folded(network: nn.Module) -> nn.Module:
    """The network, in evaluation mode, changed in place: batch norms become part of their convolutions, branches one.

    A module says by FOLDS which of its children are such pairs: ((convolution, norm), ...), the second applied right to the
    first's output.
    """
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, Branched):
                setattr(module, name, child.merged())
        for layer_name, norm_name in getattr(module, "FOLDS", ()):
            layer, norm = getattr(module, layer_name), getattr(module, norm_name)
            if isinstance(norm, nn.BatchNorm2d):
                transposed = isinstance(layer, nn.ConvTranspose2d)
                setattr(module, layer_name, fuse_conv_bn_eval(layer, norm, transpose=transposed))
                setattr(module, norm_name, nn.Identity())
    return network
