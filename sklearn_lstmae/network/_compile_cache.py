"""A folder for what XLA compiles, if the user names one, so that later processes load it.

XLA loads a file only if the network in it is equal, operation by operation, and moves finished
files into place, so that processes may share a folder. It compares neither versions of TensorFlow
nor processors, flags and threads: each combination of these has a folder of its own.
"""

import hashlib
import os
import platform
import re
import stat
from pathlib import Path

VARIABLE = "SKLEARN_LSTMAE_CACHE"
FLAG = "--tf_xla_persistent_cache_directory"


def use_compile_cache(version):
    """Let this version of TensorFlow, which has not computed yet, keep what XLA compiles.

    Raises
    ------
    ValueError
        If the folder that the environment variable names cannot be used.
    """
    name = os.environ.get(VARIABLE)
    if not name:
        return
    base = Path(name).expanduser().absolute()
    folder = base / f"tensorflow-{version}-{platform.machine()}-{_surroundings()}"
    try:
        for path in (base, folder):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            _check_private(path)
            if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
                raise PermissionError(f"{path} cannot be read and written")
    except OSError as error:
        raise ValueError(
            f"{VARIABLE}={name!r} is no folder to keep compiled networks in: {error}."
        ) from error
    # A parent process may have set it, with threads or flags of its own.
    others = re.sub(rf'{FLAG}=("(\\.|[^"\\])*"|\S*)', "", os.environ.get("TF_XLA_FLAGS", ""))
    quoted = str(folder).replace("\\", "\\\\").replace('"', '\\"')
    os.environ["TF_XLA_FLAGS"] = f'{others.strip()} {FLAG}="{quoted}"'.strip()


def _check_private(folder):
    """Raise if another user can put files there, which would be executed; Windows is not asked."""
    if os.name != "posix":
        return
    status = folder.stat()
    if status.st_uid != os.geteuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ValueError(
            f"{VARIABLE}: another user owns {folder} or can write to it, and what is in it is "
            f"executed. Choose a folder of your own, or run `chmod 700 {folder}`."
        )


def _surroundings():
    """What a compiled network depends on besides itself and TensorFlow: eight letters."""
    parts = [os.environ.get("XLA_FLAGS", ""), os.environ.get("TF_NUM_INTRAOP_THREADS", "")]
    if hasattr(os, "sched_getaffinity"):
        parts.append(str(len(os.sched_getaffinity(0))))
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:  # not Linux
        parts.append(platform.processor())
    else:
        # On Intel and AMD, then on ARM.
        names = ("vendor_id", "cpu family", "model\t", "flags", "CPU implementer", "Features")
        parts += sorted({line for line in lines if line.startswith(names)})
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
