"""The process that reads one file: ``python -m apps_registry.datasets.reading.worker DESCRIPTOR``.

Libraries that read what strangers made can be led to end their process, to take all memory, or never to end; here
that harms nobody. It gets the job on its standard input, the file as an open descriptor, and answers on its standard
output.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.abc import MetaPathFinder
from math import ceil
from pathlib import Path
from typing import Any

from ...exceptions import BadData, NoRoom, TooBig
from ..limits import Limits


class WithoutPandas(MetaPathFinder):
    """Keeps Arrow from importing pandas where there is one: it is not needed, and takes longer than most files."""

    def find_spec(self, name: str, path: object, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name=name)


def main() -> None:
    """Do one job, and tell what came of it."""
    told = json.load(sys.stdin)
    parent, target = told.pop("parent"), Path(told.pop("target"))
    limits = Limits(**told.pop("limits"))
    _restrain(limits)
    sys.meta_path.insert(0, WithoutPandas())
    answer = _answer(int(sys.argv[1]), {**told, "target": target, "limits": limits})
    if os.getppid() != parent:
        # Whoever wanted the file is gone, so nobody else takes it away
        target.unlink(missing_ok=True)
    json.dump(answer, sys.stdout)
    sys.stdout.flush()
    # All is written and closed; Arrow's threads, when the interpreter ends around them, may abort the process
    os._exit(0)


def _answer(descriptor: int, job: Mapping[str, Any]) -> dict[str, Any]:
    from .converting import Job, convert

    try:
        with open(descriptor, "rb") as source:
            return asdict(convert(source, Job(**job)))
    except BadData as error:
        place = {"row": error.row, "column": error.column}
        return {"error": "BadData", "message": error.what, "detail": error.detail, **place}
    except (TooBig, NoRoom) as error:
        return {"error": type(error).__name__, "message": str(error), "detail": error.detail}


def _restrain(limits: Limits) -> None:
    """Take no more memory and processor time than allowed, and leave no image of the memory behind."""
    for what, most in (
        (resource.RLIMIT_DATA, limits.memory),
        (resource.RLIMIT_CPU, ceil(limits.seconds)),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


if __name__ == "__main__":
    main()
