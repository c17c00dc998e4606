"""Reads plans.toml: which radios a guest gets and who hears whom."""

import tomllib
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

TABLE = Path(__file__).with_name("plans.toml")


@dataclass(frozen=True)
class Plan:
    name: str
    about: str
    controllers: str
    adapters: int
    hears: tuple[tuple[int, int], ...] = ()
    domains: tuple[int, ...] = ()

    @property
    def adapter_names(self) -> str:
        return ",".join(f"hci{index}" for index in range(self.adapters))

    @property
    def pairs_in_range(self) -> str:
        pairs, first = list(self.hears), 0
        for count in self.domains:
            pairs += combinations(range(first, first + count), 2)
            first += count
        return ",".join(f"hci{a}-hci{b}" for a, b in pairs)


def load() -> dict[str, Plan]:
    table = tomllib.loads(TABLE.read_text())
    plans = {}
    for name, row in table.items():
        hears = tuple((a, b) for a, b in row.pop("hears", []))
        domains = tuple(row.pop("domains", []))
        plan = Plan(name=name, hears=hears, domains=domains, **row)
        if plan.controllers not in ("bumble", "btvirt", "none"):
            raise ValueError(f"plan {name}: unknown controllers {plan.controllers!r}")
        if plan.controllers == "btvirt" and sum(domains) != plan.adapters:
            raise ValueError(f"plan {name}: its domains do not add up to its adapters")
        if any(max(pair) >= plan.adapters for pair in hears):
            raise ValueError(f"plan {name}: a pair names an adapter it does not have")
        plans[name] = plan
    return plans
