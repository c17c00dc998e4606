"""Commands of tools/bench-vm."""

import argparse
import os
import re
import shlex
import signal
import sys
from pathlib import Path

from . import machine, plans, prepare

DESCRIPTION = """\
Real BlueZ on a machine without Bluetooth: boots a small virtual machine over
this machine's own files, gives it virtual radios, and runs things in it."""

EPILOGUE = """\
plans:
{plans}

examples:
  tools/bench-vm                                   all plans, all hardware tests
  tools/bench-vm test line --filter relay          one plan, tests named *relay*
  tools/bench-vm check                             the radios, without any test
  tools/bench-vm run --plan line bluetoothctl list
  tools/bench-vm shell domains

Logs and results of a plan's last boot are in target/bench-vm/PLAN/. The guest
sees the host's files as they are; what it writes outside /run/bench (which is
that folder) is gone when it stops. The first run installs Debian packages, as
root, and a Python environment under target/."""


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    table = plans.load()
    options = _parser(table).parse_args(sys.argv[1:] or ["test"])
    try:
        if options.action == "test":
            return test([table[name] for name in options.plans or table], options)
        prepare.debian_packages()
        prepare.venv()
        if options.action == "check":
            return check([table[name] for name in options.plans or table if table[name].adapters])
        if options.action == "shell":
            job = machine.Job("unset NO_COLOR; exec bash -i", Path.cwd(), terminal="shell",
                              environment={"TERM": os.environ.get("TERM", "vt100")})
        else:
            job = machine.Job(shlex.join(options.command), Path.cwd(), seconds=options.seconds)
        return _report(machine.boot(table[options.plan], job))
    except prepare.Missing as missing:
        print(f"bench-vm: {missing}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser(table: dict[str, plans.Plan]) -> argparse.ArgumentParser:
    rows = "\n".join(f"  {plan.name:9} {plan.about} ({plan.controllers})"
                     for plan in table.values())
    parser = argparse.ArgumentParser(
        prog="tools/bench-vm", description=DESCRIPTION, epilog=EPILOGUE.format(plans=rows),
        formatter_class=argparse.RawDescriptionHelpFormatter)

    def plan_name(name: str) -> str:
        if name not in table:
            raise argparse.ArgumentTypeError(f"no plan {name!r}, there are {', '.join(table)}")
        return name

    actions = parser.add_subparsers(dest="action", metavar="{test,check,run,shell}")

    tests = actions.add_parser("test", help="run the hardware tests (the default)")
    tests.add_argument("plans", nargs="*", metavar="PLAN", type=plan_name,
                       help="plans to run, all if none is named")
    tests.add_argument("--filter", default="", help="only tests whose name contains this")
    tests.add_argument("--attempts", type=int, default=1, choices=range(1, 4),
                       help="how often a plan that fails is booted afresh; default: 1")
    tests.add_argument("--seconds", type=float, default=720,
                       help="longest a plan may take (default 720)")

    checks = actions.add_parser("check", help="check the radios themselves, without any test")
    checks.add_argument("plans", nargs="*", metavar="PLAN", type=plan_name,
                        help="plans to check, all if none is named")

    run = actions.add_parser("run", help="run a command in the guest")
    run.add_argument("--plan", default="pair", choices=table, help="default: pair")
    run.add_argument("--seconds", type=float, default=None, help="longest it may take")
    run.add_argument("command", nargs=argparse.REMAINDER, metavar="CMD…")

    shell = actions.add_parser("shell", help="an interactive shell in the guest")
    shell.add_argument("plan", nargs="?", default="pair", choices=table)
    return parser


def _report(outcome: machine.Outcome) -> int:
    if outcome.status is None:
        print(f"bench-vm: {outcome.reason}", file=sys.stderr)
        machine.print_tails(outcome.results)
        return 2
    return outcome.status


def check(chosen: list[plans.Plan]) -> int:
    worst, watch = 0, machine.Stopwatch()
    command = shlex.join([str(prepare.PYTHON), str(machine.HERE / "guest/check.py")])
    for plan in chosen:
        print(f"=== {plan.name}: {plan.about}", flush=True)
        worst = max(worst, _report(
            machine.boot(plan, machine.Job(command, prepare.CHECKOUT, seconds=300))))
        watch.lap(f"plan {plan.name}")
    return worst


def test(chosen: list[plans.Plan], options: argparse.Namespace) -> int:
    watch = machine.Stopwatch()
    prepare.debian_packages()
    prepare.venv()
    watch.lap("packages")
    tests = prepare.hw_tests()
    node = prepare.node_program()
    watch.lap(f"built {len(tests)} test executables")
    environment = {"HW_NODE": str(node)} if node else {}
    if any(plan.controllers == "none" for plan in chosen):
        environment["HW_IROH_RELAY"] = str(prepare.relay_program())
        watch.lap("built the relay")
    failed, repeated = [], []
    for plan in chosen:
        for attempt in range(1, options.attempts + 1):
            print(f"\n=== {plan.name}: {plan.about}", flush=True)
            job = machine.Job(test_script(tests, options.filter), prepare.CHECKOUT,
                              seconds=options.seconds, environment=environment)
            outcome = machine.boot(plan, job)
            complaint = judge(outcome, len(tests))
            watch.lap(f"plan {plan.name}, attempt {attempt}: {complaint or 'ok'}")
            if not complaint:
                break
            machine.print_tails(outcome.results)
            repeated.append(plan.name)
        else:
            failed.append(plan.name)
    if repeated:
        print(f"\nnot ok at the first attempt: {', '.join(repeated)}")
    if failed:
        print(f"\nfailed: {', '.join(failed)}; logs under {os.path.relpath(prepare.WORK)}")
    return 1 if failed else 0


def test_script(tests: list[Path], name_filter: str) -> str:
    lines = ["worst=0"]
    for test in tests:
        command = shlex.join([str(test), "--ignored", "--test-threads=1",
                              *([name_filter] if name_filter else [])])
        lines += [f"echo; echo '     Running {test.name}'",
                  f"{command} || worst=$?"]
    return "\n".join([*lines, "exit $worst"])


SUMMARY = re.compile(r"^test result: \S+ (\d+) passed; (\d+) failed;", re.MULTILINE)


def judge(outcome: machine.Outcome, executables: int) -> str:
    """What is wrong with a plan's tests; empty if nothing is."""
    if outcome.status is None:
        return outcome.reason
    output = (outcome.results / "output.log").read_text(errors="replace")
    summaries = SUMMARY.findall(output)
    passed = sum(int(count) for count, _ in summaries)
    failures = sum(int(count) for _, count in summaries)
    if len(summaries) != executables:
        return f"{len(summaries)} of {executables} test executables ran to their end"
    if outcome.status != 0 or failures:
        return f"{failures} tests failed"
    if passed == 0:
        return "no test ran"
    return ""
