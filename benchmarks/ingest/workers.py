"""Ingest workers of a bench as separate processes, and their resources."""

import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.ingest.parts import Parts, wait
from verkehrspuls.storage.database import Connection


@contextmanager
def start_workers(
    parts: Parts, *, bulk: bool = True, workers: int = 1, queue: int = 40_000
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run workers until the block ends; several share the load."""
    with ExitStack() as stack:
        processes = []
        for slot in range(workers):
            process = subprocess.Popen(
                [sys.executable, "-m", "verkehrspuls", "ingest", "run"],
                env={
                    "VERKEHRSPULS_DATABASE__URL": parts.login,
                    "VERKEHRSPULS_BROKER__URL": parts.broker,
                    "VERKEHRSPULS_INGEST__BULK": str(bulk),
                    "VERKEHRSPULS_INGEST__QUEUE_MESSAGES": str(queue),
                    "VERKEHRSPULS_INGEST__SLOT": str(slot),
                    "VERKEHRSPULS_INGEST__SHARE": "bench" if workers > 1 else "",
                    "VERKEHRSPULS_LOG__LEVEL": "error",
                },
                stdout=subprocess.PIPE,
            )
            stack.callback(_end, process)
            processes.append(process)
        yield processes


def ready(processes: list[subprocess.Popen[bytes]]) -> None:
    """Wait until the broker has answered all workers."""
    for process in processes:
        process.stdout.readline()  # type: ignore[union-attr]  # a pipe


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    process.communicate()


def hold(processes: list[subprocess.Popen[bytes]], connection: Connection) -> None:
    """Pause each worker as soon as it has its slot, until all have theirs."""
    held: set[int] = set()

    def missing() -> str:
        for (slot,) in connection.execute(
            "select objid::int from pg_locks "
            "where locktype = 'advisory' and granted and objsubid = 2"
        ).fetchall():
            if slot not in held:
                processes[slot].send_signal(signal.SIGSTOP)
                held.add(slot)
        left = len(processes) - len(held)
        return f"{left} workers with their slots" if left else ""

    wait(missing)


def rss_mb(pid: int) -> float:
    """Return the memory of a process in MB (Linux)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def cpu_s(pids: dict[str, int]) -> dict[str, float]:
    """Return the CPU seconds of processes and of all that they started."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # ended in the meantime
            continue
        parents[int(folder.name)] = int(fields[1]), _cpu_seconds(fields)
    used = dict.fromkeys(pids, 0.0)
    for pid, (_, seconds) in parents.items():
        ancestor = pid
        while ancestor in parents and ancestor not in pids.values():
            ancestor = parents[ancestor][0]
        for name, root in pids.items():
            if ancestor == root:
                used[name] += seconds
    return used


def _cpu_seconds(fields: list[str]) -> float:
    """Return the CPU seconds of a process and of its ended children."""
    # utime, stime, cutime and cstime, in ticks of 1/100 s
    return sum(map(int, fields[11:15])) / 100


def cpu_us(
    before: dict[str, float], after: dict[str, float], messages: float
) -> dict[str, float]:
    """Return the CPU microseconds per message of each part; workers are added up."""
    spent: defaultdict[str, float] = defaultdict(float)
    for name, seconds in after.items():
        spent[f"cpu_us_{name.split()[0]}"] += seconds - before[name]
    return {name: round(s / messages * 1e6, 1) for name, s in spent.items()}
