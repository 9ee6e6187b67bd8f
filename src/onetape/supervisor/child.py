"""Servers that belong to one data directory: who owns them, as whom they run, how they start, end and leave no orphan.

Knows only the operating system. The owner of a directory holds a `flock` on it for as long as it lives; its servers
die with it (PR_SET_PDEATHSIG), so neither a crash nor `kill -9` leaves a server behind. Started by root, a server runs
as an existing service user: it works from inside its own folder, so no parent folder has to be opened to that user.
"""

from __future__ import annotations

import asyncio
import ctypes
import dataclasses
import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

SERVICE_USERS: Final = ("postgres", "valkey", "redis", "daemon", "nobody")
LONGEST_SOCKET: Final = 92  # bytes of a folder for sockets: the whole path must stay below 104 on every system
PUBLIC: Final = Path("/var/lib/onetape")  # programs copied for a service user who cannot read our own installation
SELF: Final = Path("/proc/self/cwd")  # "where I stand": reached without passing the parent folders
_PR_SET_PDEATHSIG: Final = 1


class Recovering(Exception):
    """A server answers that it is still making up for a crash: it will serve, however long that takes."""


class ChildError(Exception):
    """A server did not start or ended at once. The text says which, and what it wrote last."""


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    uid: int
    gid: int


def service_user(folder: Path) -> User | None:
    """As whom servers run: None is as ourselves. Only root needs another one: the owner of `folder` if it is there."""
    if os.geteuid() != 0:
        return None
    if folder.exists() and (owner := folder.stat()).st_uid != 0:
        return User(owner.st_uid, owner.st_gid)
    for name in SERVICE_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(entry.pw_uid, entry.pw_gid)
    raise ChildError("root may not run the database, and none of the users postgres, daemon, nobody exists")


def own_folder(folder: Path, user: User | None) -> None:
    """Makes a folder that only `user` (None: ourselves) may enter."""
    folder.mkdir(parents=True, exist_ok=True)
    if user:
        os.chown(folder, user.uid, user.gid)
    folder.chmod(0o700)


def try_lock(path: Path) -> int | None:
    """The lock of an owner as a file descriptor to keep open, or None when another process has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def write_private(path: Path, text: str) -> None:
    """A file of mode 0600 that appears whole or not at all."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def socket_folder(folder: Path) -> Path:
    """A path to `folder` short enough for the name of a socket: itself, or a link in the folder for temporary files."""
    if len(os.fsencode(folder)) <= LONGEST_SOCKET:
        return folder
    short = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    link = Path(tempfile.gettempdir()) / f"onetape-{os.geteuid()}-{short}"
    if link.is_symlink() and link.lstat().st_uid == os.geteuid() and link.readlink() == folder:
        return link
    link.unlink(missing_ok=True)
    link.symlink_to(folder)
    return link


def runnable(root: Path, program: str, user: User | None, also: Sequence[Path] = ()) -> Path:
    """The path of `root/program` for `user`. Where that user cannot run it, `root` and `also` are copied once."""
    own = root / program
    if user is None or _runs(own, user):
        return own
    copy = PUBLIC / f"{root.parent.name}-{_fingerprint(own)}"
    try:
        if not copy.is_dir():
            _publish(root.parent.parent, (root, *also), copy)
    except OSError as problem:
        raise ChildError(f"{own} is out of reach of user {user.uid} and cannot be copied: {problem}") from problem
    path = copy / own.relative_to(root.parent.parent)
    if not _runs(path, user):
        raise ChildError(f"{path} cannot be run by user {user.uid}, and root may not run it")
    return path


def _publish(origin: Path, trees: Sequence[Path], copy: Path) -> None:
    """Copies `trees` of `origin` into the folder `copy`, readable for all; it appears whole or not at all."""
    PUBLIC.mkdir(parents=True, exist_ok=True, mode=0o755)
    draft = Path(tempfile.mkdtemp(dir=PUBLIC))
    for tree in trees:
        if tree.is_dir():
            shutil.copytree(tree, draft / tree.relative_to(origin), symlinks=True)
    _open_to_all(draft)
    try:
        draft.rename(copy)
    except OSError:
        shutil.rmtree(draft)
        if not copy.is_dir():  # else another process was faster
            raise


def _runs(path: Path, user: User) -> bool:
    try:
        done = subprocess.run(
            [path, "--version"],
            user=user.uid,
            group=user.gid,
            extra_groups=[],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=30,
        )
    except OSError:
        return False
    return done.returncode == 0


def _fingerprint(path: Path) -> str:
    facts = path.stat()
    return hashlib.sha256(f"{path}:{facts.st_size}:{facts.st_mtime_ns}".encode()).hexdigest()[:12]


def _open_to_all(tree: Path) -> None:
    tree.chmod(0o755)
    for path in tree.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def seen_from_inside(folder: Path, user: User | None) -> Path:
    """How a server that was started in `folder` names it: its path, or `SELF` where `user` cannot pass a parent."""
    closed = user and not all(parent.stat().st_mode & 0o001 for parent in folder.parents)
    return SELF if closed else folder


def spawn(
    args: Sequence[str | Path], *, folder: Path, user: User | None, death: signal.Signals, output: Path
) -> subprocess.Popen[bytes]:
    """Starts a server inside `folder`; it gets `death` when this process dies. Call it from the main thread.

    It has a session of its own, so that Ctrl-C reaches only its owner, and writes to the file `output`.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("a server must be started by the main thread: it dies with the thread that started it")
    with output.open("wb") as file:
        return subprocess.Popen(
            [str(arg) for arg in args],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=dies_with_parent(death),  # noqa: PLW1509 - one system call, which takes no lock
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            user=user.uid if user else None,
            group=user.gid if user else None,
            extra_groups=[] if user else None,
        )


def dies_with_parent(death: signal.Signals) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None  # there an orphan is found and ended at the next start
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    parent = os.getpid()

    def before_exec() -> None:
        prctl(_PR_SET_PDEATHSIG, int(death))
        if os.getppid() != parent:  # it died in between
            os._exit(1)

    return before_exec


def is_running_in(pid: int, folder: Path) -> bool:
    """Whether `pid` is a live process (no zombie) that stands in `folder`; process numbers are used again."""
    try:
        os.kill(pid, 0)
        if not SELF.parent.exists():  # no Linux: the folder stands in the server's arguments
            shown = subprocess.run(
                ["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
            )
            return str(folder) in shown.stdout
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[0]
        return state not in "ZX" and Path(f"/proc/{pid}/cwd").readlink() == folder.resolve()
    except (OSError, ValueError, OverflowError):
        return False


def running_in(folder: Path, program: str) -> list[int]:
    """The live processes of that name that stand in `folder`; none where there is no /proc."""
    found = []
    for note in SELF.parent.parent.glob("[0-9]*/comm"):
        with suppress(OSError):
            if note.read_text(encoding="utf-8", errors="replace").strip() == program:
                found.append(int(note.parent.name))
    return [pid for pid in found if is_running_in(pid, folder)]


async def end_orphan(pid: int, folder: Path, how: signal.Signals, limit: float) -> None:
    """Ends a server that its owner left behind, and waits until it is gone. Raises ChildError after `limit` s."""
    give_up = time.monotonic() + limit
    if is_running_in(pid, folder):
        os.kill(pid, how)
    while is_running_in(pid, folder):
        if time.monotonic() > give_up:
            raise ChildError(f"process {pid} still works on {folder} and does not end")
        await asyncio.sleep(0.02)


async def ended(process: subprocess.Popen[bytes], look_every: float = 0.01) -> int:
    """Its exit code, when it has ended by itself; it is looked at every so many seconds."""
    while True:
        if (code := process.poll()) is not None:
            return code
        await asyncio.sleep(look_every)


async def stop(process: subprocess.Popen[bytes], how: signal.Signals, limit: float) -> None:
    """Asks the server to end and waits; it is never killed, because that would cost a recovery at the next start."""
    if process.poll() is None:
        process.send_signal(how)
    give_up = time.monotonic() + limit
    while process.poll() is None:
        if time.monotonic() > give_up:
            raise ChildError(f"process {process.pid} did not end within {limit:g} s")
        await asyncio.sleep(0.01)


def last_lines(path: Path, n: int = 5) -> str:
    """What a server wrote last, on one line."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return " | ".join(lines[-n:])
