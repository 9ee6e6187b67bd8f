"""Owners, locks and the places of servers, on the real operating system."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from onetape.supervisor import child

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


def test_a_lock_has_one_owner_until_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "owner.lock"
    first = child.try_lock(path)
    assert first is not None
    assert child.try_lock(path) is None
    os.close(first)
    second = child.try_lock(path)
    assert second is not None
    os.close(second)


def test_a_lock_is_not_inherited_by_a_child_process(tmp_path: Path) -> None:
    lock = child.try_lock(tmp_path / "owner.lock")
    assert lock is not None
    program = [sys.executable, "-c", "print('runs', flush=True); input()"]
    sleeper = subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, close_fds=False)
    assert sleeper.stdout is not None
    assert sleeper.stdout.readline() == b"runs\n"
    os.close(lock)
    again = child.try_lock(tmp_path / "owner.lock")
    assert again is not None
    os.close(again)
    sleeper.communicate(b"\n")


def test_a_private_file_is_for_its_owner_alone_and_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("old")
    child.write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_short_folder_is_its_own_socket_folder_and_a_long_one_gets_a_link() -> None:
    assert child.socket_folder(Path("/run/x")) == Path("/run/x")
    with tempfile.TemporaryDirectory() as name:
        deep = Path(name) / ("d" * 100)
        deep.mkdir()
        link = child.socket_folder(deep)
        assert len(os.fsencode(link)) <= child.LONGEST_SOCKET
        assert link.resolve() == deep.resolve()
        assert child.socket_folder(deep) == link
        link.unlink()


def test_a_process_is_known_by_the_folder_it_stands_in(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, cwd=tmp_path)
    assert child.is_running_in(process.pid, tmp_path)
    assert not child.is_running_in(process.pid, tmp_path.parent)
    assert process.stdin
    process.stdin.close()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # ended, but not yet reaped: a zombie
    assert not child.is_running_in(process.pid, tmp_path)
    process.wait()
    assert not child.is_running_in(process.pid, tmp_path)
    assert not child.is_running_in(2**31, tmp_path)


@pytest.fixture
def program() -> Iterator[Path]:
    """An installation in a folder that only we may enter: `install/bin/hello`, beside it a library folder."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "package" / "install"
        (root / "bin").mkdir(parents=True)
        (root / "bin" / "hello").write_text("#!/bin/sh\necho hello\n")
        (root / "bin" / "hello").chmod(0o700)
        (Path(name) / "package.libs").mkdir()
        (Path(name) / "package.libs" / "x.so").write_text("x")
        yield root


@as_root
def test_a_program_out_of_reach_is_copied_once_to_a_public_place(
    program: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = child.User(65534, 65534)
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        monkeypatch.setattr(child, "PUBLIC", Path(name) / "public")
        libs = program.parent.parent / "package.libs"
        path = child.runnable(program, "bin/hello", nobody, [libs])
        assert path.is_relative_to(name)
        assert path.stat().st_uid == 0  # the service user may run it, not change it
        assert (path.parents[3] / "package.libs" / "x.so").read_text() == "x"
        assert child.runnable(program, "bin/hello", nobody, [libs]) == path
        assert len(list((Path(name) / "public").iterdir())) == 1
        assert stat.S_IMODE(program.parent.parent.stat().st_mode) == 0o700  # ours stays closed


def test_a_program_runs_from_its_own_place_for_ourselves(program: Path) -> None:
    assert child.runnable(program, "bin/hello", None) == program / "bin" / "hello"


@as_root
def test_root_hands_servers_to_the_owner_of_the_folder_or_a_service_user(tmp_path: Path) -> None:
    assert child.service_user(tmp_path / "new") not in (None, child.User(0, 0))
    os.chown(tmp_path, 12345, 54321)
    assert child.service_user(tmp_path) == child.User(12345, 54321)


def test_a_normal_user_runs_servers_as_himself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert child.service_user(tmp_path) is None
