"""What is done about a judgement. Pure: (Judgement, Task) in, Verdict out; the table is data, from `guardflow.yaml`."""

from dataclasses import dataclass

from classifiers.base import Intent, Judgement
from gateway.config import Mode, PoliciesConfig
from gateway.exchange import Action, Task, Verdict


@dataclass(frozen=True, slots=True)
class Rule:
    """From `threshold` on, `action`."""

    name: str
    threshold: float
    action: Action


@dataclass(frozen=True, slots=True)
class Policy:
    """`misuse_rules` are ordered from the strictest action down: the first that applies is the verdict's."""

    misuse_mode: Mode
    misuse_rules: tuple[Rule, ...]
    intent_mode: Mode
    intent_min_confidence: float

    @property
    def needs_classifier(self) -> bool:
        return self.misuse_mode != "off" or self.intent_mode != "off"

    def decide(self, judgement: Judgement, task: Task | None = None) -> Verdict:
        deviation = _deviation(judgement.intent, task)
        for rule in self.misuse_rules if self.misuse_mode != "off" else ():
            if judgement.misuse.score >= rule.threshold:
                enforced = self.misuse_mode == "enforce"
                return Verdict(judgement, deviation, rule.action, rule.name, enforced)
        if self.intent_mode != "off" and self._is_off_task(judgement.intent, task):
            return Verdict(judgement, deviation, Action.BLOCK, "intent", self.intent_mode == "enforce")
        return Verdict(judgement, deviation, Action.ALLOW, None, False)

    def _is_off_task(self, intent: Intent, task: Task | None) -> bool:
        """A label that is unsure refuses nobody."""
        if task is None or not task.allowed_intents or intent.label in task.allowed_intents:
            return False
        return intent.confidence >= self.intent_min_confidence


def make_policy(config: PoliciesConfig, recommended: dict[str, float]) -> Policy:
    """`recommended` are the classifier's own thresholds (`flag`, `block`), used where the file names none."""
    wanted = (
        (Action.BLOCK, config.misuse.block if config.misuse.block is not None else recommended.get("block")),
        (Action.THROTTLE, config.misuse.throttle),
        (Action.FLAG, config.misuse.flag if config.misuse.flag is not None else recommended.get("flag")),
    )
    rules = tuple(Rule(f"misuse.{action}", at, action) for action, at in wanted if at is not None)
    return Policy(
        misuse_mode=config.misuse.mode or config.mode,
        misuse_rules=rules,
        intent_mode=config.intent.mode or config.mode,
        intent_min_confidence=config.intent.min_confidence,
    )


def _deviation(intent: Intent, task: Task | None) -> float | None:
    """How much of the probability lies outside what the task is for."""
    if task is None or not task.allowed_intents:
        return None
    probability = intent.probabilities.get
    return max(0.0, 1.0 - sum([probability(label, 0.0) for label in task.allowed_intents]))
