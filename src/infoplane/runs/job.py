"""Everything that one run computes: one plan, or one for each combination of a sweep, and their groups."""

import dataclasses
import itertools
from functools import cached_property

from infoplane.errors import ConfigError
from infoplane.runs.config import MAX_RECORD_BYTES, Config
from infoplane.runs.plan import Plan
from infoplane.runs.sweep import Combination, Label, combinations


@dataclasses.dataclass(frozen=True)
class Job:
    """A run's configuration with all that follows from it; groups are numbered through all combinations."""

    config: Config

    @cached_property
    def combinations(self) -> list[Combination]:
        """The combinations of the sweep; without one the configuration itself."""
        return combinations(self.config)

    @cached_property
    def plans(self) -> list[Plan]:
        """The plan of each combination; equal data sets are made once."""
        datasets = {}
        return [Plan(one.config, datasets) for one in self.combinations]

    @cached_property
    def groups(self) -> list[tuple[Plan, int]]:
        """Every group of members: its plan, and its number within the plan."""
        return [(plan, group) for plan in self.plans for group, _ in enumerate(plan.config.groups)]

    def groups_of(self, plan: Plan) -> range:
        """Numbers that the groups of one plan have in the run."""
        ends = list(itertools.accumulate((len(one.config.groups) for one in self.plans), initial=0))
        at = next(index for index, one in enumerate(self.plans) if one is plan)
        return range(ends[at], ends[at + 1])

    def labels_of(self, number: int) -> dict[str, Label]:
        """Values of the sweep's keys at a group of the run."""
        at = next(index for index, plan in enumerate(self.plans) if number in self.groups_of(plan))
        return self.combinations[at].labels

    @property
    def unit(self) -> str:
        """What progress counts."""
        return "net-updates" if any(plan.config.schedule.unit == "updates" for plan in self.plans) else "net-epochs"

    @property
    def net_epochs(self) -> int:
        """Epochs (or updates, where a schedule counts those) to train, counted over members."""
        return sum(plan.config.members * plan.last for plan in self.plans)

    @property
    def data(self) -> dict[str, str]:
        """SHA-256 of every data set by what decides it."""
        return {plan.data_key: plan.data_sha256 for plan in self.plans}

    def check(self) -> None:
        """Refuse what only the data or the whole of a sweep can tell is wrong, before anything is computed.

        Raises:
            ConfigError: see `Plan.check`; also when all combinations together need too much memory.
        """
        for plan, combination in zip(self.plans, self.combinations, strict=True):
            try:
                plan.check()
            except ConfigError as error:
                labels = combination.labels
                where = f"variant {labels['variant']}: " if [*labels] == ["variant"] else f"sweep at {labels}: "
                raise ConfigError(f"{where if labels else ''}{error}") from None
        needed = sum(plan.record_bytes for plan in self.plans)
        if needed > MAX_RECORD_BYTES:
            amounts = f"{needed / 2**30:.3g} GiB, above {MAX_RECORD_BYTES / 2**30:.0f} GiB"
            raise ConfigError(f"sweep: what {len(self.plans)} combinations measure needs {amounts}; name fewer values")
