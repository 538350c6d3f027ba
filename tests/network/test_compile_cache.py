"""A folder for what XLA compiles: used by later processes, and by nobody else."""

import os
import stat

import pytest

from helpers import run_python
from sklearn_lstmae.network import _compile_cache
from sklearn_lstmae.network._compile_cache import FLAG, VARIABLE, use_compile_cache

posix = pytest.mark.skipif(os.name != "posix", reason="Windows has no such modes")


@pytest.fixture
def folder_of(monkeypatch, tmp_path):
    """A function of a version: the folder that its flag names."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("TF_XLA_FLAGS", "")

    def use(version="2.21.0"):
        use_compile_cache(version)
        flag, path = os.environ["TF_XLA_FLAGS"].split("=", 1)
        assert flag == FLAG
        return path.strip('"')

    return use


def test_nothing_is_kept_unasked(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=0")
    use_compile_cache("2.21.0")
    assert os.environ["TF_XLA_FLAGS"] == "--tf_xla_auto_jit=0"


@posix
def test_the_folder_is_made_for_its_owner_alone(folder_of):
    folder = folder_of()
    for path in (folder, os.path.dirname(folder)):
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    assert folder_of() == folder  # another process


def test_each_version_processor_flag_and_number_of_threads_has_its_own(folder_of, monkeypatch):
    folders = [folder_of("2.20.0"), folder_of("2.21.0")]
    for name, value in {"XLA_FLAGS": "--xla_dump_to=x", "TF_NUM_INTRAOP_THREADS": "7"}.items():
        monkeypatch.setenv(name, value)
        folders.append(folder_of())
    monkeypatch.setattr(_compile_cache.platform, "machine", lambda: "riscv64")
    folders.append(folder_of())
    assert len(set(folders)) == 5


def test_other_flags_stay_and_those_of_a_parent_are_replaced(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_XLA_FLAGS", "--tf_xla_auto_jit=0")
    for name in ("of a parent", 'with "quotes"', "last"):
        monkeypatch.setenv(VARIABLE, str(tmp_path / name))
        use_compile_cache("2.21.0")
    flags = os.environ["TF_XLA_FLAGS"]
    assert flags.startswith(f'--tf_xla_auto_jit=0 {FLAG}="{tmp_path / "last"}')
    assert flags.count(FLAG) == 1


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o722])
@pytest.mark.parametrize("inner", [True, False])
def test_a_folder_that_others_can_write_to_is_refused(folder_of, mode, inner):
    folder = folder_of()
    os.chmod(folder if inner else os.path.dirname(folder), mode)
    with pytest.raises(ValueError, match="can write to it, and what is in it is executed"):
        folder_of()


@posix
def test_a_folder_of_another_user_is_refused(folder_of, monkeypatch):
    folder_of()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(ValueError, match="another user owns"):
        folder_of()


def test_what_is_no_folder_is_refused(folder_of, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        monkeypatch.setenv(VARIABLE, str(path))
        with pytest.raises(ValueError, match="is no folder to keep compiled networks in"):
            folder_of()


def test_a_folder_that_cannot_be_written_is_refused(folder_of, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ValueError, match="cannot be read and written"):
        folder_of()


COMPILE = """
    import os, sys
    os.environ["SKLEARN_LSTMAE_CACHE"] = sys.argv[1]
    from sklearn_lstmae.network._tensorflow import tf
    print(float(tf.function(lambda x: tf.tanh(x) + x, jit_compile=True)(tf.ones([]))))
"""


@pytest.mark.tensorflow
def test_a_second_process_compiles_nothing(tmp_path):
    """It writes no file, and computes the same."""
    cache = tmp_path / "a cache"
    first, _ = run_python(COMPILE, cache)
    [file] = cache.rglob("*.pb")
    written = file.stat().st_mtime_ns
    second, _ = run_python(COMPILE, cache)
    assert second == first
    assert [each.stat().st_mtime_ns for each in cache.rglob("*.pb")] == [written]
