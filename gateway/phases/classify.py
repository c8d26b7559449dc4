"""What is the call for, and does it look like misuse? Judged inline, at bounded cost, and held against the policy."""

from classifiers.base import Classifier
from gateway.errors import IntentNotAllowed, InvalidRequest, MisuseBlocked
from gateway.exchange import Action, ModelCall, Principal, Task, Verdict
from gateway.policy import Policy


def classify(call: ModelCall, task: Task | None, classifier: Classifier, policy: Policy) -> Verdict | None:
    """The verdict, or None with every rule off. Raises nothing: `enforce` refuses, once the verdict is on record."""
    return policy.decide(classifier.judge(call.turns), task) if policy.needs_classifier else None


def enforce(verdict: Verdict | None) -> None:
    """Refuse what the policy blocks."""
    if verdict is None or not verdict.enforced or verdict.action is not Action.BLOCK:
        return
    if verdict.rule == "intent":
        label = verdict.judgement.intent.label
        raise IntentNotAllowed(f"This task does not allow calls for {label!r}.", param="task_id")
    raise MisuseBlocked("This call was blocked by the organisation's misuse policy.")


def check_task(call: ModelCall, who: Principal) -> Task | None:
    """The task the call names. Raises InvalidRequest for one that isn't the caller's."""
    if call.task_id is None:
        return None
    task = who.tasks.get(call.task_id)
    if task is None:
        raise InvalidRequest(f"There is no task {call.task_id} that you may use.", param="task_id")
    return task
