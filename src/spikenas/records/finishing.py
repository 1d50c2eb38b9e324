"""Records of what comes after the search: integers, evaluation, firmware."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Literal, NotRequired

from pydantic import AfterValidator, Field, with_config
from typing_extensions import TypedDict

from spikenas._util.json_file import JsonFile
from spikenas._util.run_files import EVALUATION, EXPORTED, FIRMWARE, FOOTPRINT, QUANTISATION
from spikenas.records.kinds import CLOSED, Bits, Count, Digest, ModelName, NotNegative, Share


@with_config(CLOSED)
class MadeOf(TypedDict):
    """What the integers depend on."""

    model_sha256: Digest | None
    weight_bits: Bits | None
    epochs: Count | None
    lr: float
    train_epochs: Count
    train_time: NotRequired[NotNegative | None]


@with_config(CLOSED)
class Quantisation(TypedDict):
    """What quantise.json says of the integers; the epochs of fine-tuning are 0 where that did harm."""

    weight_bits: Bits
    epochs: Count
    tuning_did_harm: bool
    validation_accuracy: Share
    validation_accuracy_in_floating_point: Share
    clipped: dict[str, Share]
    model: ModelName
    made_of: MadeOf
    quantised_sha256: Digest


@with_config(CLOSED)
class MistakeRecord(TypedDict):
    """An image that is classified wrongly: a `Mistake`."""

    excess: float
    index: Count
    label: Count
    predicted: Count
    file: str


@with_config(CLOSED)
class ClassRecord(TypedDict):
    """The figures of a class: a `ClassFigures`."""

    name: str
    items: Count
    said: Count
    right: Count
    recall: Share | None
    precision: Share | None


@with_config(CLOSED)
class FiguresRecord(TypedDict):
    """What follows from a confusion: a `Figures`."""

    accuracy: Share
    interval: list[Share]
    confidence: Share
    balanced_accuracy: Share
    largest_class_share: Share
    never_said: list[str]
    classes: list[ClassRecord]


def _square(counts: list[list[int]]) -> list[list[int]]:
    if not counts or any(len(row) != len(counts) for row in counts):
        raise ValueError("expected as many columns as rows, at least one")
    return counts


Confusion = Annotated[list[list[Count]], AfterValidator(_square)]


@with_config(CLOSED)
class EvaluationRecord(TypedDict):
    """What evaluation.json says: an `Evaluation`, and what the integers do where there are any.

    `active_shares` is there where a neuron may send several spikes, `synops` is None where none are sent.
    """

    test_accuracy: Share
    figures: FiguresRecord
    images: Annotated[int, Field(ge=1)]
    firing_rates: dict[str, NotNegative]
    active_shares: NotRequired[dict[str, Share]]
    synops: NotNegative | None
    synops_by_layer: dict[str, NotNegative]
    macs: NotNegative
    confusion: Confusion
    mistakes: list[MistakeRecord]
    seconds: NotNegative
    model_sha256: Digest
    quantised_test_accuracy: NotRequired[Share]
    quantised_figures: NotRequired[FiguresRecord]
    quantised_confusion: NotRequired[Confusion]
    quantised_mistakes: NotRequired[list[MistakeRecord]]
    weight_bits: NotRequired[Bits]
    quantised_sha256: NotRequired[Digest]


QUANTISED_KEYS = (
    *("quantised_test_accuracy", "quantised_figures", "quantised_confusion", "quantised_mistakes"),
    *("weight_bits", "quantised_sha256"),
)


def _evaluated_whole(found: EvaluationRecord) -> None:
    classes = len(found["confusion"])
    mistakes = [*found["mistakes"], *found.get("quantised_mistakes", [])]
    if any(max(one["label"], one["predicted"]) >= classes for one in mistakes):
        raise ValueError(f"expected mistakes among the {classes} classes of the confusion")
    if len(found.get("quantised_confusion", found["confusion"])) != classes:
        raise ValueError("expected confusions of as many classes")
    _together(found, *QUANTISED_KEYS)


@with_config(CLOSED)
class Memory(TypedDict):
    """Flash and RAM, in bytes."""

    flash_bytes: Count
    ram_bytes: Count


@with_config(CLOSED)
class Predicted(TypedDict):
    """Flash and RAM, in bytes, and the instructions of an inference; None where they are not known."""

    flash_bytes: Count
    ram_bytes: Count
    instructions: Count | None


@with_config(CLOSED)
class Limits(TypedDict):
    """What a device has for a network, and what an inference may take; None where nothing is said."""

    flash_bytes: Count | None
    ram_bytes: Count | None
    instructions: Count | None
    seconds: NotNegative | None
    joules: NotNegative | None


@with_config(CLOSED)
class OperationsRecord(TypedDict):
    """What an inference computes, as the literature compares networks; `integers.operations` says what each is."""

    footprint_bytes: Count
    connection_sparsity: Share
    activation_sparsity: Share
    dense: NotNegative
    effective_acs: NotNegative
    effective_macs: NotNegative
    literature_joules: NotNegative
    memory_joules: NotNegative


@with_config(CLOSED)
class VerifiedRecord(TypedDict):
    """Test images that the firmware classified under QEMU, all as the reference does, and the share that is right."""

    images: Annotated[int, Field(ge=1)]
    accuracy: Share
    interval: list[Share]


@with_config(CLOSED)
class FootprintRecord(TypedDict):
    """What footprint.json says of a firmware; from `linked` on where it was built and run.

    `seconds` and `joules` of an inference are None where those of the device's instructions are not known.
    """

    target: str | None
    core: str
    limits: Limits
    predicted: Predicted
    vectors: Count
    quantised_sha256: Digest
    synops: NotNegative | None
    operations: OperationsRecord
    linked: NotRequired[Memory]
    outputs_equal: NotRequired[bool]
    images: NotRequired[Count]
    instructions: NotRequired[Count]
    seconds: NotRequired[NotNegative | None]
    joules: NotRequired[NotNegative | None]
    stack_bytes: NotRequired[Count]
    symbols: NotRequired[dict[str, Count]]
    verified: NotRequired[VerifiedRecord]


@with_config(CLOSED)
class ExportedRecord(TypedDict):
    """What is known of a folder that was exported to.

    `integers` is the digest of their file, empty where it is not known. `files` are the digests that a file may have,
    by its path in the folder; there are several where an export was cut off.
    """

    integers: str
    files: dict[str, list[Digest]]


def _within(found: ExportedRecord) -> None:
    for name in found["files"]:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise ValueError(f"files: expected paths in the folder, not {name!r}")


SIZE_KEYS: tuple[Literal["flash_bytes", "ram_bytes"], ...] = ("flash_bytes", "ram_bytes")


def _measured_whole(found: FootprintRecord) -> None:
    _together(found, "linked", "outputs_equal", "images", "instructions", "seconds", "joules", "stack_bytes", "symbols")


def _together(found: Mapping[str, object], *keys: str) -> None:
    there, missing = [key for key in keys if key in found], [key for key in keys if key not in found]
    if there and missing:
        raise ValueError(f"{there[0]} is there, but {missing[0]} is missing")


QUANTISATION_FILE = JsonFile(QUANTISATION, Quantisation, "quantise")
EXPORTED_FILE = JsonFile(EXPORTED, ExportedRecord, "export", _within)
EVALUATION_FILE = JsonFile(EVALUATION, EvaluationRecord, "evaluate", _evaluated_whole)


def footprint_file(device: str) -> JsonFile[FootprintRecord]:
    """Return the file of the firmware of a device, by the name of its folder."""
    return JsonFile(f"{FIRMWARE}/{device}/{FOOTPRINT}", FootprintRecord, "deploy", _measured_whole)
