"""What a run needs beforehand: packages, a venv, an initramfs, the tests."""

import gzip
import hashlib
import json
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CHECKOUT = HERE.parent.parent
WORK = CHECKOUT / "target" / "bench-vm"
VENV = WORK / "venv"
PYTHON = VENV / "bin" / "python"

DEBIAN_PACKAGES = [
    "qemu-system-x86", "linux-image-amd64", "bluez", "bluez-test-tools",
    "busybox-static", "cpio", "kmod", "dbus", "iproute2", "nftables",
]
GUEST_MODULES = [
    "virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_rng", "virtio_console",
    "sha512_generic", "ctr", "drbg",
    "ecb", "cmac", "ecdh_generic", "algif_hash", "algif_skcipher",
    "bluetooth", "hci_uart", "hci_vhci", "uhid",
    "veth", "nf_tables", "nft_chain_nat", "nft_ct", "nft_masq", "nft_objref", "sch_netem", "sch_tbf",
]
# What people host who want a relay of their own; apart from the checkout's own dependencies.
RELAY, RELAY_VERSION = "iroh-relay", "1.4.1"


class Missing(Exception):
    """Something a run needs is not there and could not be got."""


def debian_packages() -> None:
    missing = [name for name in DEBIAN_PACKAGES if not _installed(name)]
    if not missing:
        return
    if os.geteuid() != 0:
        raise Missing("as root: apt-get install " + " ".join(missing))
    WORK.mkdir(parents=True, exist_ok=True)
    log = WORK / "apt.log"
    print("installing " + " ".join(missing), flush=True)
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with log.open("w") as out:
        for step in (["update"], ["install", "-y", "--no-install-recommends", *missing]):
            done = subprocess.run(["apt-get", "-q", *step], stdin=subprocess.DEVNULL,
                                  stdout=out, stderr=out, env=environment)
            if done.returncode != 0:
                raise Missing(f"apt-get {step[0]} failed, see {log}")


def _installed(package: str) -> bool:
    asked = subprocess.run(["dpkg-query", "-W", "-f", "${db:Status-Status}", package],
                           capture_output=True, text=True)
    return asked.stdout == "installed"


def venv() -> None:
    requirements = HERE / "requirements.txt"
    wanted = hashlib.sha256(requirements.read_bytes()).hexdigest()
    stamp = VENV / "requirements.sha256"
    if stamp.exists() and stamp.read_text() == wanted and PYTHON.exists():
        return
    print("making the Python environment", flush=True)
    shutil.rmtree(VENV, ignore_errors=True)
    log = WORK / "pip.log"
    WORK.mkdir(parents=True, exist_ok=True)
    with log.open("w") as out:
        for step in ([sys.executable, "-m", "venv", str(VENV)],
                     [str(PYTHON), "-m", "pip", "install", "-r", str(requirements)]):
            if subprocess.run(step, stdout=out, stderr=out).returncode != 0:
                raise Missing(f"no Python environment, see {log}")
    stamp.write_text(wanted)


@dataclass(frozen=True)
class Kernel:
    version: str
    image: Path


def kernel() -> Kernel:
    """The newest installed kernel that has the virtual Bluetooth driver."""
    found = []
    for image in Path("/boot").glob("vmlinuz-*"):
        version = image.name.removeprefix("vmlinuz-")
        drivers = Path("/lib/modules") / version / "kernel/drivers/bluetooth"
        if any(drivers.glob("hci_vhci.ko*")):
            numbers = [int(number) for number in re.findall(r"\d+", version)]
            found.append((numbers, Kernel(version, image)))
    if not found:
        raise Missing("no kernel with hci_vhci under /boot and /lib/modules")
    return max(found, key=lambda entry: entry[0])[1]


def initramfs(chosen: Kernel) -> Path:
    """busybox, the modules in load order, and guest/init."""
    image = WORK / "initramfs.cpio"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "bin").mkdir()
        (root / "modules").mkdir()
        shutil.copy(shutil.which("busybox") or "/bin/busybox", root / "bin/busybox")
        shutil.copy(HERE / "guest/init", root / "init")
        order = []
        for path in _module_files(chosen.version):
            name = re.sub(r"\.(xz|gz)$", "", path.name)
            (root / "modules" / name).write_bytes(_unpacked(path))
            order.append(name + "\n")
        (root / "modules/order").write_text("".join(order))
        names = "\n".join(str(p.relative_to(root)) for p in sorted(root.rglob("*")))
        with image.open("wb") as out:
            subprocess.run(["cpio", "-o", "-H", "newc", "--quiet"], cwd=root,
                           input=names.encode(), stdout=out, check=True)
    return image


def _module_files(version: str) -> list[Path]:
    files: dict[Path, None] = {}
    modprobe = shutil.which("modprobe") or "/sbin/modprobe"
    for module in GUEST_MODULES:
        lines = subprocess.run([modprobe, "-S", version, "--show-depends", module],
                               capture_output=True, text=True, check=True).stdout
        for line in lines.splitlines():
            if line.startswith("insmod "):
                files[Path(line.split()[1])] = None
    return list(files)


def _unpacked(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(content)
    if path.suffix == ".gz":
        return gzip.decompress(content)
    return content


def hw_tests() -> list[Path]:
    """Builds the hw-tests package; the paths of its test executables."""
    tests = [Path(built["executable"])
             for built in _cargo("test", "-p", "hw-tests", "--no-run")
             if built.get("executable") and built.get("profile", {}).get("test")]
    if not tests:
        raise Missing("the hw-tests package has no test executables")
    return sorted(tests)


def node_program() -> Path | None:
    """Builds the node itself, for tests that start it as a process."""
    for built in _cargo("build", "--bins"):
        if built.get("executable") and built["target"]["name"] == "hopline":
            return Path(built["executable"])
    return None


def relay_program() -> Path:
    """Builds an iroh relay, once: for what a network is tested with, speed does not matter."""
    root = WORK / f"{RELAY}-{RELAY_VERSION}"
    program = root / "bin" / RELAY
    if program.exists():
        return program
    print(f"building {RELAY} {RELAY_VERSION}", flush=True)
    WORK.mkdir(parents=True, exist_ok=True)
    log, build = WORK / "relay.log", root / "build"
    command = ["cargo", "install", "--locked", "--debug", "--no-track", "--root", str(root),
               "--target-dir", str(build), "--features", "server", f"{RELAY}@{RELAY_VERSION}"]
    environment = os.environ | {"CARGO_PROFILE_DEV_DEBUG": "0"}
    with log.open("w") as out:
        if subprocess.run(command, stdout=out, stderr=out, env=environment).returncode != 0:
            raise Missing(f"no {RELAY}, see {log}")
    shutil.rmtree(build, ignore_errors=True)
    return program


def _cargo(*arguments: str) -> list[dict]:
    command = ["cargo", *arguments, "--message-format=json-render-diagnostics"]
    done = subprocess.run(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise Missing("failed: " + " ".join(command))
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [message for message in messages if message.get("reason") == "compiler-artifact"]
