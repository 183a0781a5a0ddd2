"""Recipe: everything that decides a run (START sections 2 and 3). ``load.py`` reads it from a YAML file.

The resolved recipe goes into ``run.json``; its digest ties a run folder to it.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from selftaught.curation.records import CurateSettings, Rule
from selftaught.errors import ConfigError
from selftaught.hints.places import LEARNED
from selftaught.pipeline.digest import settled
from selftaught.pipeline.options import HintLearning, RolloutOptions, as_probe
from selftaught.problems.decontaminate import Method
from selftaught.problems.sources import ProblemSource
from selftaught.provenance import digest_of
from selftaught.records import Record
from selftaught.runs.condition import LoopModel, loop_names
from selftaught.training.machines import Cluster
from selftaught.training.settings import SftSettings


class Decontaminate(Record):
    """Overlap with the benchmarks, removed before anything is sampled. On by default."""

    enabled: bool = True
    """False leaves the step out."""
    against: list[str] = Field(default_factory=list)
    """Benchmark files or names beside the test problems, which always count."""
    min_share: float = Field(default=0.5, gt=0, le=1)
    """Share of a benchmark problem's 10-word runs that a training problem may not reach."""
    method: Method = Method.OVERLAP
    """``overlap`` by the rules of `decontaminate`; ``exact`` compares whole texts only."""


class Round(Record):
    """One round of Hint-RFT: what to sample, how to curate it, how to train on it."""

    rollout: RolloutOptions = RolloutOptions()
    num_problems: int | None = Field(default=None, ge=1)
    """Sample so many problems of the pool, drawn by a hash of their ids from all parts alike; None: all. Round one takes
    all."""
    curate: CurateSettings
    train: SftSettings


class SeedRound(Round):
    """Round one: greedy without tools beside Hint-infer."""

    greedy: RolloutOptions = RolloutOptions()
    fork: bool = False
    """Sample the greedy pass and the hinted one at once: they share every token up to the first hint, and give the same
    trajectories as apart. Wants the same sampling settings for both."""
    learn: HintLearning = HintLearning()
    size_of: Rule | None = None
    """Take at most as many rows as a data set by this rule would have: selections are compared at equal size."""


def _plain_conditions() -> dict[str, RolloutOptions]:
    """All conditions without options of their own."""
    return {name: RolloutOptions() for name in loop_names()}


class Evaluation(Record):
    """Which conditions to measure, and the curve over end-of-thinking rounds."""

    rollout: RolloutOptions = RolloutOptions()
    conditions: dict[str, RolloutOptions] = Field(default_factory=_plain_conditions)
    scaling_rounds: int = Field(default=4, ge=0)
    """End-of-thinking rounds 0…N recorded for ``base`` and ``start``; 0 leaves the curve out."""
    scaling_hints: str = "end"
    """The policy of these rounds."""


class Serving(Record):
    """A server started for each rollout stage, for models that the local engine cannot hold."""

    command: str
    """Shell words with ``{model}``, ``{port}``, ``{replica}``, ``{gpus}``, ``{host}``."""
    replicas: int = Field(default=1, ge=1)
    """Servers to start."""
    gpus_per_replica: int = Field(default=0, ge=0)
    """Each replica gets so many GPUs of its own (``CUDA_VISIBLE_DEVICES``), host after host; 0: all that its host
    has."""
    first_port: int = 8100
    """Of the first replica; each further one takes the next port."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables for the server's process; ``{replica}`` is filled in, so a replica can be given its GPUs."""
    ready_timeout_s: float = 1800.0
    """Seconds until a server must answer."""


class RayWorkers(Record):
    """Client workers of rollouts, each with its own sandbox, placed by Ray."""

    workers: int = Field(default=2, ge=1)
    """Worker processes in the whole cluster."""
    address: str | None = None
    """Of a running cluster (``auto``: the one that this machine belongs to); None starts Ray on this machine."""
    lot_size: int = Field(default=16, ge=1)
    """Problems that a worker takes at a time; what it has of them is lost when it dies."""


class Launch(Record):
    """How training processes are started. ``command`` empty: in this process."""

    command: str = ""
    """Shell words put before ``-m selftaught.training.launch``, e.g. ``torchrun --nproc-per-node 8``. With ``{rank}``
    among them (also ``{num_hosts}``, ``{first_host}``) they are run on each host of ``cluster``."""
    environment: dict[str, str] = Field(default_factory=dict)
    """Variables for the training processes."""


class Estimates(Record):
    """What a plan's hours and bytes rest on. Stated by the recipe, never measured by the plan itself."""

    rollout_tokens_per_s: float = 2500.0
    """Sampled tokens a second over all replicas."""
    train_tokens_per_s: float = 4000.0
    """Trained tokens a second over all processes."""
    tokens_per_rollout: int = 250
    """Mean sampled tokens of a trajectory."""
    right_share: float = Field(default=0.5, gt=0, le=1)
    """Share of pool problems that a data set keeps when nothing else limits it."""
    seed_share: float | None = Field(default=None, gt=0, le=1)
    """Share of pool problems that fail without hints and are right with them: D_seed; None: as ``right_share``."""
    vocabulary: int = Field(default=1536, ge=1)
    """Entries of the vocabulary: the logits of a long row take much of the training memory."""
    parameters_b: float | None = Field(default=None, gt=0)
    """Parameters in thousands of millions, when the model is not here to be counted."""
    num_gpus: int = Field(default=0, ge=0)
    """GPUs of a training stage; 0 for a CPU."""
    gpu_memory_gb: float = Field(default=80.0, gt=0)
    """Memory of one GPU, in GB."""
    pool_size: int | None = Field(default=None, ge=1)
    """Problems in the pool, when it is not here to be counted."""
    test_size: int | None = Field(default=None, ge=1)
    """Problems to test on, when they are not here to be counted."""
    note: str = ""
    """What the figures are based on, for the plan."""
    stage_s: dict[str, float] = Field(default_factory=dict)
    """Seconds of single stages in a reference run: for the plan's hours and the time left on the progress line."""


class Recipe(Record):
    """The whole START loop for one base model."""

    name: str
    """Of the recipe and its run."""
    description: str = ""
    """One line for lists."""
    ablation: bool = False
    """Leaves out something that START is made of, on purpose: then round one may select by another rule."""
    base_model: str
    """Folder, hub id, ``toy``, or a server's URL."""
    model_name: str | None = None
    """Name of the model on a server."""
    seed: int = 0
    """Of sampling and hints, where a rollout names none of its own."""
    pool: ProblemSource
    test: ProblemSource | None = None
    decontaminate: Decontaminate = Decontaminate()
    defaults: RolloutOptions = RolloutOptions()
    """Rollout settings shared by all stages."""
    seed_round: SeedRound
    start_round: Round
    control: Round | None = None
    """``base-rft``: the base sampled without tools on the same problems, trained the same way."""
    evaluate: Evaluation | None = None
    parallel_stages: int = Field(default=1, ge=1)
    """Stages that may run side by side when neither waits for the other."""
    cluster: Cluster = Cluster()
    """Machines for serving and training."""
    serving: Serving | None = None
    ray: RayWorkers | None = None
    """Spread the clients of rollouts over Ray workers; None: they run on this machine."""
    launch: Launch = Launch()
    estimates: Estimates = Estimates()

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        if self.seed_round.curate.rule is not Rule.D_SEED and not self.ablation:
            raise ValueError(
                "seed_round.curate.rule: expected d_seed; another rule wants `ablation: true` beside `name`"
            )
        self._check_gpus()
        if self.learns_hints:
            self._check_learning()
        elif self.seed_round.learn != HintLearning():
            raise ValueError(f"seed_round.learn: expected only beside seed_round.rollout.hints: {LEARNED}")
        if self.seed_round.fork:
            self._check_fork()
        if self.seed_round.num_problems is not None:
            raise ValueError("seed_round.num_problems: expected none; round one samples the whole pool")
        if self.evaluate:
            unknown = set(self.evaluate.conditions) - set(loop_names())
            if unknown:
                raise ValueError(
                    f"evaluate.conditions: {sorted(unknown)[0]!r}; expected some of {', '.join(loop_names())}"
                )
            control = LoopModel.CONTROL.label
            if control in self.evaluate.conditions and self.control is None:
                raise ValueError(f"evaluate.conditions: {control} wants a control section")
            if self.test is None:
                raise ValueError("evaluate wants a test section that says on which problems")
        return self

    def _check_gpus(self) -> None:
        """Replicas that share GPUs unknowingly run out of memory an hour later."""
        serving, hosts = self.serving, max(1, len(self.cluster.hosts))
        if serving is None or not serving.gpus_per_replica:
            return
        per_host = self.cluster.gpus_per_host // serving.gpus_per_replica
        if serving.replicas > hosts * per_host:
            raise ValueError(
                f"serving: {serving.replicas} replicas of {serving.gpus_per_replica} GPUs; {hosts} hosts of "
                f"{self.cluster.gpus_per_host} GPUs hold {hosts * per_host}. Name more cluster.hosts, or fewer replicas"
            )

    @property
    def learns_hints(self) -> bool:
        """Whether round one learns its hint policy from a probe."""
        return self.seed_options.value("hints") == LEARNED

    @property
    def seed_options(self) -> RolloutOptions:
        """Options of round one's hinted rollout."""
        return self.seed_round.rollout.over(self.defaults)

    def _check_learning(self) -> None:
        """What a probe cannot do is seen before anything is sampled."""
        from selftaught.uplift.probe import check_probe

        learn, options = self.seed_round.learn, self.seed_options
        if self.ray is not None:
            raise ValueError(f"seed_round.rollout.hints: expected no {LEARNED} with ray, whose workers do not fork")
        if options.value("record_rounds"):
            raise ValueError(f"seed_round.rollout.record_rounds: expected false with hints: {LEARNED}")
        if self.seed_round.size_of is not None and learn.random_insertion != "none":
            raise ValueError("seed_round.size_of and seed_round.learn.random_insertion both limit D_seed; drop one")
        try:
            check_probe(as_probe(options.settings()), learn.probe)
        except ConfigError as error:
            what = str(error).removeprefix("try: ")  # the name of the option on the command line
            raise ValueError(f"seed_round.learn: {what}") from None

    def _check_fork(self) -> None:
        """Both passes must draw from the same distributions as far as they share tokens."""
        from selftaught.rollouts.plain import check_plain

        if self.ray is not None:
            raise ValueError("seed_round.fork: expected false with ray, whose workers do not fork")
        first = self.seed_round
        hinted, greedy = (one.over(self.defaults).settings() for one in (first.rollout, first.greedy))
        try:
            check_plain(hinted, greedy)
        except ConfigError as error:
            raise ValueError(f"seed_round.fork: {error}") from None

    def digest(self) -> str:
        """First 16 hex digits of a SHA-256 over everything that changes results (not names, speed or estimates)."""
        return digest_of(settled(self))
