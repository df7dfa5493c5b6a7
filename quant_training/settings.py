"""What all settings share: a mapping from YAML, and a fault in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from quant_training.errors import TrainingError


def read_mapping(path: Path, wanted: str, keys: str) -> dict[Any, Any]:
    """The mapping in a YAML file.

    Raises
    ------
    TrainingError : it cannot be read (the file should be ``wanted``), or is no mapping (it should hold ``keys``).
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text())
    except FileNotFoundError as error:
        raise TrainingError(f"{path}: no such file; give {wanted}") from error
    except RecursionError as error:
        raise TrainingError(f"{path}: cannot be read as YAML: nested too deeply") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TrainingError(f"{path}: cannot be read as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise TrainingError(f"{path}: is not a mapping; give {keys}")
    return values


def one_line(what: str, error: ValidationError, settings: type[BaseModel]) -> str:
    """The first fault in ``settings``, which the message calls ``what``; an unknown key comes with the legal ones."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        nested = len(first["loc"]) > 1
        holder: Any = settings.model_fields[str(first["loc"][0])].annotation if nested else settings
        known = holder.model_fields if isinstance(holder, type) and issubclass(holder, BaseModel) else settings.model_fields
        return f"{what}: unknown key '{where}'; legal keys are {', '.join(known)}"
    if not where:
        return f"{what}: {first['msg'].removeprefix('Value error, ')}"
    return f"{what}: {where} is {first['input']!r}: {first['msg'].lower()}"
