"""What stands behind the figures of a report, in a sentence each."""

from __future__ import annotations

from spikenas.reporting.saved import SavedRun

_REJECTION = (
    "how much the spikes of the untrained network follow the differences between images, over how much they follow "
    "what all images have in common"
)
_SCORES = {
    "capacity": "capacity: what a network of these sizes can learn, against how far it comes in the time that there "
    "is, in points of accuracy",
    "cmrr": f"cmrr: {_REJECTION}, in decibels",
    "cmrr-params": f"cmrr-params: {_REJECTION}, times its number of parameters, in decibels",
    "sahd": "sahd: how different the spikes of the untrained network are from image to image, the logarithm of a "
    "determinant",
}
_FIGURES = {
    "width": "channels of the cells; where it is one number, of the first, doubled at each reduction",
    "synaptic operations an inference": "synops: additions that spikes cause in one inference, over all T timesteps; "
    "fewer take less energy",
    "multiplications an inference": "of weights with activations, in one inference; there are no spikes",
    "balanced test accuracy": "mean of the recalls of the classes, so that each class counts the same",
    "95 % interval of the accuracy": "the accuracy on all images of this kind, by as many test images as there are",
    "instructions an inference": "of the processor, counted in the emulator",
    "instructions expected": "of the processor, if neurons send as often as in trained networks",
    "time an inference": "the instructions, at the device's clock and mean cycles an instruction",
    "energy an inference": "that time, at the power that the data sheet says of the running processor",
    "energy by operations": "as papers compare networks, not of a device: 0.9 pJ an addition and 4.6 pJ a "
    "multiplication; and with what they read and write, after Lemaire et al. 2022",
    "validation accuracy": "on training images held out, by which the weights were chosen",
}


_T = "T is the number of timesteps over which each image is shown"
_NEURONS: dict[str, str] = {
    "lif": f"a lif neuron sends one spike or none in a timestep; {_T}",
    "ilif": "an ilif neuron sends 0 to D spikes in a timestep, each an addition of the same weight, and was trained "
    f"with their number as its value; {_T}",
    "relu": "the twin of a spiking network: the same layers with neurons that do not spike, for comparison",
}


def explained(run: SavedRun, name: str) -> str:
    """Return a sentence about a figure of `SavedRun.summary`; empty where it needs none."""
    if name == "neurons, T":
        return _NEURONS[run.config.network.neuron]
    if name != "score":
        return _FIGURES.get(name, "")
    said = _SCORES.get(run.best["score_name"] if run.best else "", "a score of the untrained network")
    return f"{said}; higher is better, it only ranks candidates and says nothing of the accuracy"
