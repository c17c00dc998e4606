"""One boot of the guest: radios, qemu, a command, and what it left behind."""

import os
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from . import prepare
from .plans import Plan

HERE = Path(__file__).parent
LOGS = ["session.log", "radios.log", "radios-guest.log", "bluetoothd.log", "dmesg.log",
        "console.log", "qemu.log"]

DIES_WITH_US = ["setpriv", "--pdeathsig", "KILL"]


@dataclass
class Job:
    """A command for the guest. `terminal` is "none" (output only) or "shell"."""

    command: str
    folder: Path
    terminal: str = "none"
    seconds: float | None = None
    environment: dict[str, str] = field(default_factory=dict)


@dataclass
class Outcome:
    """How a boot ended. `status` is None if the command never reported one."""

    status: int | None
    reason: str
    results: Path


def guest_environment(plan: Plan) -> dict[str, str]:
    """What the guest promises to tests, plus HW_* and RUST_LOG of the caller."""
    passed_on = {name: value for name, value in os.environ.items()
                 if name.startswith("HW_") or name == "RUST_LOG"}
    return passed_on | {
        "HW_ADAPTERS": plan.adapter_names,
        "HW_TOPOLOGY": plan.name,
        "HW_IN_RANGE": plan.pairs_in_range,
        "HW_PYTHON": str(prepare.PYTHON),
        "HW_FOREIGN_PEER": str(HERE / "foreign_peer.py"),
        "HW_FOREIGN_PYTHONPATH": str(HERE / "foreign"),
        "HW_RESTART_BLUETOOTHD": str(HERE / "guest/restart-bluetoothd"),
        "HW_NETWORK": "yes",
        "HW_RESULTS": "/run/bench",
        "HOME": "/root",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "LANG": "C.UTF-8",
    }


def boot(plan: Plan, job: Job) -> Outcome:
    results = prepare.WORK / plan.name
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    _write_job(plan, job, results)
    kernel = prepare.kernel()
    initramfs = prepare.initramfs(kernel)
    with tempfile.TemporaryDirectory(prefix="bench-vm-") as sockets:
        radios = _start_radios(plan, Path(sockets), results)
        try:
            reason = _run_guest(plan, job, kernel, initramfs, Path(sockets), results)
        finally:
            if radios is not None:
                radios.kill()
                radios.wait()
    status = results / "status"
    if reason == "" and status.exists():
        return Outcome(int(status.read_text()), "", results)
    return Outcome(None, reason or "the guest went down before the command ended", results)


def _write_job(plan: Plan, job: Job, results: Path) -> None:
    size = shutil.get_terminal_size()
    variables = guest_environment(plan) | job.environment | {
        "BENCH_GUEST": str(HERE / "guest"),
        "BENCH_CONTROLLERS": plan.controllers,
        "BENCH_ADAPTERS": str(plan.adapters),
        "BENCH_DOMAINS": " ".join(str(count) for count in plan.domains),
        "BENCH_FOLDER": str(job.folder),
        "BENCH_PATH": os.environ.get("PATH", ""),
        "BENCH_TERMINAL": job.terminal,
        "BENCH_TRACE": os.environ.get("BENCH_TRACE", ""),
        "BENCH_ROWS": str(size.lines),
        "BENCH_COLUMNS": str(size.columns),
    }
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    (results / "job.env").write_text("".join(lines))
    (results / "command").write_text(job.command + "\n")


def _start_radios(plan: Plan, sockets: Path, results: Path) -> subprocess.Popen | None:
    if plan.controllers != "bumble":
        return None
    command = [*DIES_WITH_US, str(prepare.PYTHON), str(HERE / "radios.py"), str(sockets), str(plan.adapters)]
    command += [f"{a}-{b}" for a, b in plan.hears]
    with (results / "radios.log").open("w") as log:
        radios = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=log, text=True)
    ready, _, _ = select.select([radios.stdout], [], [], 60)
    if not ready or radios.stdout.readline().strip() != "ready":
        radios.kill()
        raise prepare.Missing(f"the radios did not start, see {results / 'radios.log'}")
    return radios


def _run_guest(plan, job, kernel, initramfs, sockets, results) -> str:
    """Runs qemu to its end. Returns why it had to be stopped, or nothing."""
    command = qemu_command(plan, job, kernel, initramfs, sockets, results)
    stdin = None if job.terminal == "shell" else subprocess.DEVNULL
    with (results / "qemu.log").open("w") as log:
        guest = subprocess.Popen(command, stdin=stdin, stderr=log)
        try:
            guest.wait(timeout=job.seconds)
        except subprocess.TimeoutExpired:
            return f"no end after {job.seconds:.0f} s"
        finally:
            guest.kill()
            guest.wait()
            if sys.stdin.isatty() and job.terminal == "shell":
                subprocess.run(["stty", "sane"], check=False)
    if guest.returncode != 0:
        return f"qemu ended with {guest.returncode}"
    if "Kernel panic" in (results / "console.log").read_text(errors="replace"):
        return "the guest's kernel panicked"
    return ""


def qemu_command(plan, job, kernel, initramfs, sockets, results) -> list[str]:
    signals = "off" if job.terminal == "shell" else "on"
    command = [
        *DIES_WITH_US, "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
        "-no-reboot", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "3G",
        "-rtc", "base=utc",
        "-kernel", str(kernel.image), "-initrd", str(initramfs),
        "-append", "console=ttyS0 loglevel=4 panic=-1 mitigations=off audit=0 apparmor=0",
        "-serial", f"file:{results / 'console.log'}",
        "-device", "virtio-rng-pci",
        "-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap",
        "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
        "-fsdev", f"local,id=results,path={results},security_model=none",
        "-device", "virtio-9p-pci,fsdev=results,mount_tag=results",
        "-device", "virtio-serial-pci",
        "-chardev", f"stdio,id=terminal,signal={signals},logfile={results / 'output.log'}",
        "-device", "virtconsole,chardev=terminal",
    ]
    if plan.controllers == "bumble":
        for index in range(plan.adapters):
            command += ["-chardev", f"socket,id=radio{index},path={sockets / f'radio{index}'}",
                        "-device", f"virtconsole,chardev=radio{index}"]
    return command


def print_tails(results: Path, lines: int = 25) -> None:
    """The ends of the logs, for a boot that failed."""
    for name in LOGS:
        log = results / name
        if log.exists() and log.stat().st_size:
            print(f"--- the end of {log}")
            print("\n".join(log.read_text(errors="replace").splitlines()[-lines:]))
    sys.stdout.flush()


class Stopwatch:
    """Prints what each step took."""

    def __init__(self) -> None:
        self.since = time.monotonic()

    def lap(self, step: str) -> None:
        present = time.monotonic()
        print(f"[{present - self.since:6.1f} s] {step}", flush=True)
        self.since = present
