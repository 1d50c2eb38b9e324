import numpy as np
import pytest
import torch
import torch.nn.functional as F

from spikenas._util.errors import RunError
from spikenas.config import NetworkConfig
from spikenas.data import Split, Statistics
from spikenas.snn import Network, SpikeTrain
from spikenas.space import Genotype, InputSpec, make_plan
from spikenas.training.checkpoint import Model
from spikenas.training.evaluation import evaluate
from spikenas.training.tally import MISTAKES

INPUT = InputSpec(1, 9, 7, 3)
STATISTICS = Statistics((0.5,), (0.1,))


def model(genotype: str, **settings: object) -> Model:
    config = NetworkConfig(channels=4, neuron="lif", timesteps=3).but(settings)
    return Model(Network(make_plan(Genotype.parse(genotype), config, INPUT)), ("a", "b", "c"), STATISTICS)


def split(count: int = 11) -> Split:
    rng = np.random.default_rng(0)
    return Split(rng.integers(0, 3, count), rng.integers(0, 256, (count, 1, 9, 7), dtype=np.uint8))


def spikes_of(one: Model, images: Split) -> list[SpikeTrain]:
    record: list[SpikeTrain] = []
    with torch.no_grad():
        one.network.eval()((torch.from_numpy(images.items).float() / 255 - 0.5) / 0.1, record)
    return record


def test_accuracy_and_confusion_do_not_depend_on_the_batch() -> None:
    one = model("0-1:conv3x3 1-3:conv3x3 / 0-3:skip")
    images = split()
    whole, parts = evaluate(one, images), evaluate(one, images, batch=4)
    assert whole.confusion == parts.confusion
    assert whole.firing_rates == pytest.approx(parts.firing_rates)
    confusion = np.array(whole.confusion)
    assert confusion.sum() == whole.images == 11
    assert confusion.sum(1).tolist() == np.bincount(images.labels, minlength=3).tolist()
    assert whole.accuracy == confusion.trace() / 11


def test_firing_rates_are_spikes_per_neuron_and_timestep() -> None:
    one, images = model("0-1:conv3x3 1-3:conv3x3 / 0-3:conv1x1"), split()
    rates = evaluate(one, images).firing_rates
    assert rates == pytest.approx({train.name: float(train.spikes.mean()) for train in spikes_of(one, images)})
    assert 0 < max(rates.values()) < 1


@pytest.mark.parametrize(
    "genotype", ["0-1:conv5x5 1-3:conv3x3 / 0-3:dwconv3x3", "0-1:conv3x3 1-2:conv1x1 1-3:conv3x3 2-3:skip / 0-3:skip"]
)
def test_synops_count_every_synapse_that_a_spike_reaches(genotype: str) -> None:
    one, images = model(genotype), split()
    plan, wanted = one.network.plan, 0.0
    for train in spikes_of(one, images):
        for reader, _ in plan.readers[train.name]:
            if reader.kind == "conv":
                shape = (reader.shape[0], reader.in_shape[0] // reader.groups, reader.kernel, reader.kernel)
                x = train.spikes.flatten(0, 1)
                wanted += float(F.conv2d(x, torch.ones(shape), padding=reader.kernel // 2, groups=reader.groups).sum())
    assert evaluate(one, images).synops == pytest.approx(wanted / 11, rel=1e-6)


def test_macs_by_hand() -> None:
    stem = 9 * 7 * 9 * 4
    linear = 8 * 3
    assert evaluate(model("0-3:conv3x3 / 0-3:skip"), split()).macs == stem + linear
    pointwise = 3 * (4 * 3) * (8 * 8)
    assert evaluate(model("0-3:skip / 0-3:dwconv3x3"), split()).macs == stem + pointwise + linear


def test_labels_without_an_output() -> None:
    images = split()
    images.labels[0] = 3
    with pytest.raises(RunError, match="labels up to 3, the network 3 classes"):
        evaluate(model("0-3:skip / 0-3:skip"), images)


def test_mistakes_are_the_worst_first() -> None:
    one, images = model("0-3:conv3x3 / 0-3:conv3x3"), split(60)
    found = evaluate(one, images, batch=16)
    with torch.no_grad():
        x = (torch.from_numpy(images.items).float() / 255 - 0.5) / 0.1
        probabilities = one.network.eval()(x).softmax(1).numpy()
    wrong = np.flatnonzero(probabilities.argmax(1) != images.labels)
    excess = probabilities.max(1)[wrong] - probabilities[wrong, images.labels[wrong]]
    assert len(wrong) > MISTAKES
    np.testing.assert_allclose([m.excess for m in found.mistakes], np.sort(excess)[::-1][:MISTAKES], atol=1e-6)
    assert len({m.index for m in found.mistakes}) == MISTAKES
    assert all(m.label == images.labels[m.index] != m.predicted for m in found.mistakes)


def test_synops_by_layer_add_up() -> None:
    found = evaluate(model("0-3:conv3x3 / 0-1:conv3x3 1-3:conv1x1"), split())
    assert sum(found.synops_by_layer.values()) == pytest.approx(found.synops)
    assert found.synops_by_layer.keys() == found.firing_rates.keys()


def test_figures_and_mistakes_name_what_they_are_of() -> None:
    one, images = model("0-3:conv3x3 / 0-3:conv3x3"), split(60)
    found = evaluate(one, images)
    assert [figures.name for figures in found.figures.classes] == ["a", "b", "c"]
    assert found.figures.accuracy == found.accuracy == np.trace(found.confusion) / 60
    assert all(m.file == f"item {m.index}" for m in found.mistakes)
    assert repr(found).startswith(f"Evaluation: {found.accuracy:.2%} of 60 items right (")


def test_nothing_to_evaluate() -> None:
    with pytest.raises(RunError, match="no items to evaluate"):
        evaluate(model("0-3:skip / 0-3:skip"), split(0))


def test_of_counts_rates_are_spikes_and_shares_are_neurons() -> None:
    one, images = model("0-1:conv3x3 1-3:conv3x3 / 0-3:conv1x1", neuron="ilif", levels=3, timesteps=2), split()
    found = evaluate(one, images, batch=4)
    trains = {train.name: train.spikes for train in spikes_of(one, images)}
    assert max(float(spikes.max()) for spikes in trains.values()) > 1
    assert found.firing_rates == pytest.approx({name: float(spikes.mean()) for name, spikes in trains.items()})
    shares = {name: float((spikes > 0).double().mean()) for name, spikes in trains.items()}
    assert found.active_shares == pytest.approx(shares)
    assert found.active_shares != pytest.approx(found.firing_rates)
    assert evaluate(model("0-3:conv3x3 / 0-3:skip"), images).active_shares == {}


def test_synops_count_each_spike_of_a_neuron() -> None:
    one, images = model("0-3:conv3x3 / 0-3:skip", neuron="ilif", levels=3, timesteps=2), split()
    wanted = 0.0
    for train in spikes_of(one, images):
        for reader, _ in one.network.plan.readers[train.name]:
            if reader.kind == "conv":
                shape = (reader.shape[0], reader.in_shape[0], reader.kernel, reader.kernel)
                x = train.spikes.flatten(0, 1)
                wanted += float(F.conv2d(x, torch.ones(shape), padding=reader.kernel // 2).sum())
    assert evaluate(one, images).synops == pytest.approx(wanted / 11, rel=1e-6)


def test_a_network_of_relus_multiplies_and_sends_nothing() -> None:
    found = evaluate(model("0-3:conv3x3 / 0-3:dwconv3x3", neuron="relu", timesteps=1), split())
    assert (found.synops, found.synops_by_layer, found.firing_rates, found.active_shares) == (None, {}, {}, {})
    stem, conv = 9 * 7 * 9 * 4, 9 * 7 * 9 * 4 * 4
    reduction, depthwise, pointwise, linear = 9 * 7 * 9 * 4 * 8, 4 * 3 * 9 * 8, 4 * 3 * 8 * 8, 8 * 3
    assert found.macs == stem + conv + reduction + depthwise + pointwise + linear
    assert repr(found).endswith(f" {found.macs:,.0f} macs an inference")
