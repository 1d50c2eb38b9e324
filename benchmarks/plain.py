"""The network of one plan with ReLU, as somebody writes it in plain PyTorch: the yardstick of a training step."""

from __future__ import annotations

from torch import Tensor, nn

from spikenas.snn import Network

CELL = "0-1:conv3x3 0-2:skip 0-3:skip 1-2:conv3x3 1-3:skip 2-3:conv3x3"


class _Cell(nn.Module):
    """Three convolutions, each behind a ReLU and before a BatchNorm, with the skips of `CELL`."""

    def __init__(self, layers: nn.ModuleDict, name: str) -> None:
        super().__init__()
        self.convs = nn.ModuleList(layers[f"{name}_op{n}_conv"] for n in (1, 2, 3))
        self.bns = nn.ModuleList(layers[f"{name}_op{n}_bn"] for n in (1, 2, 3))
        self.relu = nn.Hardtanh(0.0, 6.0)

    def _op(self, number: int, x: Tensor) -> Tensor:
        y: Tensor = self.bns[number](self.convs[number](self.relu(x)))
        return y

    def forward(self, x: Tensor) -> Tensor:
        one = self._op(0, x)
        two = x + self._op(1, one)
        return x + one + self._op(2, two)


class PlainNetwork(nn.Module):
    """Two such cells, with the weights of a `Network` of the neuron `relu`."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        layers = network.layers
        self.stem = nn.Sequential(layers["stem_conv"], layers["stem_bn"])
        self.cell1, self.cell2 = _Cell(layers, "cell1"), _Cell(layers, "cell2")
        self.reduction = nn.Sequential(
            layers["reduction1_bn"],
            nn.Hardtanh(0.0, 6.0),
            layers["reduction1_conv"],
            layers["reduction1_bn2"],
            layers["reduction1_pool"],
        )
        self.head = nn.Sequential(layers["head_bn"], nn.Hardtanh(0.0, 6.0), layers["head_pool"], layers["head_linear"])

    def forward(self, x: Tensor) -> Tensor:
        """Return the class scores, [B, classes], of images, [B, C, H, W]."""
        scores: Tensor = self.head(self.cell2(self.reduction(self.cell1(self.stem(x)))))
        return scores
