"""Networks that only infer, made of fewer layers that give the same numbers."""

from __future__ import annotations

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

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
            mean, variance = getattr(norm, "running_mean", None), getattr(norm, "running_var", None)
            if isinstance(norm, nn.BatchNorm2d) and mean is not None and variance is not None:
                # In place of fuse_conv_bn_eval, which copies the layer first.
                layer.weight, layer.bias = fuse_conv_bn_weights(
                    layer.weight,
                    layer.bias,
                    mean,
                    variance,
                    norm.eps,
                    norm.weight,
                    norm.bias,
                    transpose=isinstance(layer, nn.ConvTranspose2d),
                )
                setattr(module, norm_name, nn.Identity())
    return network
