"""Name the files of a run folder."""

CONFIG = "config.toml"
DATA = "data.json"
SPACE = "space.json"
ENHANCE = "enhance"  # folder of what the decisions in it were made from
ASKED = f"{ENHANCE}/{CONFIG}"  # what was set before anything was decided
ANALYSIS = f"{ENHANCE}/analysis/analysis.json"
STATISTICS = "statistics.json"
TRIALS = "trials.db"
BEST = "best.json"
FRONT = "front.csv"
MODEL = "model.safetensors"
CHECKPOINT = "checkpoint.safetensors"
LOG = "train.csv"
TRAININGS = "trainings"  # folder of those set aside
TUNING = "tuning"  # folder of fine-tunings
QUANTISED = "quantised.safetensors"
QUANTISATION = "quantise.json"
EVALUATION = "evaluation.json"
MISTAKES = "mistakes.png"
FIRMWARE = "firmware"  # folder of a folder for each device
NIR = "network.nir"
FOOTPRINT = "footprint.json"  # in the folder of a device
FOOTPRINTS = f"{FIRMWARE}/[!.]*/{FOOTPRINT}"
HISTORY = "history.jsonl"
REPORT = "report.html"
