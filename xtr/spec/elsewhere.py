"""This is where it is known what other tools call the keys of a sweep file, for who brings their words along.

native("per_device_train_batch_size")   -> "batch_size"
native("target.lr")                     -> "target.learning_rate"
native("epochs")                        -> "epochs"
"""

from __future__ import annotations

from collections.abc import Mapping

CALLED_ELSEWHERE: Mapping[str, str] = {
    # Hugging Face: TrainingArguments and the example scripts
    "lr": "learning_rate",
    "train_batch_size": "batch_size",
    "per_device_train_batch_size": "batch_size",
    "per_device_eval_batch_size": "batch_size",
    "num_train_epochs": "epochs",
    "num_epochs": "epochs",
    "max_epochs": "epochs",
    "n_epochs": "epochs",
    "max_seq_length": "max_length",
    "warmup_ratio": "warmup_fraction",
    "max_train_samples": "max_rows",
    "max_eval_samples": "max_rows",
    "train_size": "examples",
    "num_examples": "examples",
    "model_name_or_path": "model",
    "lr_scheduler_type": "schedule",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "target_modules": "modules",
    "save_steps": "checkpoint_every_steps",
    "fp16": "precision",
    "bf16": "precision",
    # Ray and Optuna: how much is searched, and where it runs
    "trials": "trials_per_pair",
    "n_trials": "trials_per_pair",
    "max_trials": "trials_per_pair",
    "num_trials": "trials_per_pair",
    "num_samples": "trials_per_pair",
    "n_startup_trials": "startup_trials",
    "max_concurrent": "concurrent_trials",
    "n_jobs": "concurrent_trials",
    "search_space": "space",
    "param_space": "space",
    "num_workers": "workers",
    "num_cpus": "CPU",
    "num_gpus": "GPU",
    "gpus": "GPU",
    "n_seeds": "seeds",
    "num_seeds": "seeds",
    # Ray and Optuna: kinds of dimensions
    "categorical": "choice",
    "grid_search": "choice",
    "values": "choice",
    "uniform": "float",
    "quniform": "float",
    "loguniform": "log_float",
    "log_uniform": "log_float",
    "qloguniform": "log_float",
    "randint": "int",
    "int_uniform": "int",
}
"""By their word, what the sweep file calls it."""


def native(name: str) -> str:
    """Say a name in the sweep file's own word; a dimension's stage stays before it."""
    stage, dot, last = name.rpartition(".")
    return f"{stage}{dot}{CALLED_ELSEWHERE.get(last.casefold(), last)}"
