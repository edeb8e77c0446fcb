"""Has a file read by another process (``worker``), and tells what came of it in the same words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from ...exceptions import BadData, NoRoom, TooBig, VizserverError
from ..formats import FORMATS
from .converting import Job, Written, too_much_memory

#: Other systems cannot hand over an open file.
ISOLATED = os.name == "posix"
_ERRORS: dict[str, type[VizserverError]] = {kind.__name__: kind for kind in (BadData, TooBig, NoRoom)}
#: Reading takes a whole processor.
_PLACES = threading.BoundedSemaphore(os.cpu_count() or 1)
#: What the process gets of the environment: where programs and libraries are, and no secrets.
_KEPT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_SET = {
    # Memory from the system is what its limit counts
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "MALLOC_ARENA_MAX": "2",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "OPENPYXL_LXML": "False",
    "PYTHONUTF8": "1",
}


def convert_apart(source: BinaryIO, job: Job) -> Written:
    """``convert`` in a process of its own, within the memory and the time of ``job.limits``. Raises the same."""
    with _PLACES, _started(source) as process:
        try:
            answer, errors = process.communicate(_told(job), timeout=job.limits.seconds)
        except BaseException as error:
            process.kill()
            if isinstance(error, subprocess.TimeoutExpired):
                raise _too_long(job) from None
            raise
    return _outcome(process.returncode, answer, errors, job)


def _started(source: BinaryIO) -> subprocess.Popen[bytes]:
    descriptor = source.fileno()
    source.flush()
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", "-W", "ignore", "-m", f"{__package__}.worker", str(descriptor)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=[descriptor],
        env=_environment(),
        # An interrupt from the keyboard is for this process, which then ends the other
        start_new_session=True,
    )


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    path = os.pathsep.join(str(Path(entry).absolute()) for entry in sys.path)
    return {**kept, **_SET, "PYTHONPATH": path}


def _told(job: Job) -> bytes:
    told = {**asdict(job), "target": str(job.target.absolute()), "parent": os.getpid()}
    return json.dumps(told).encode()


def _outcome(code: int, answer: bytes, errors: bytes, job: Job) -> Written:
    """What the process says, or what its end tells."""
    if code == 0:
        told = json.loads(answer)
        if "error" in told:
            raise _ERRORS[told.pop("error")](told.pop("message"), **told)
        return Written(**told)
    if code == -signal.SIGXCPU:
        raise _too_long(job)
    if code == -signal.SIGKILL:
        raise too_much_memory(job.limits)
    if code < 0:
        title = FORMATS[job.format].title
        raise BadData(
            f"The file is damaged, or not in the {title} format.",
            detail=f"The reader ended with signal {-code}.",
        )
    raise VizserverError(detail=errors.decode(errors="replace"))


def _too_long(job: Job) -> TooBig:
    return TooBig(f"Reading the file takes longer than {job.limits.seconds:g} seconds.")
