"""The two workers: `PODFetchWorker` fetches new claims for the first time, `PODRetryScheduler` failed ones when they are due."""

from datetime import datetime, timedelta

from recours.core.assessment import assess, go_on, with_possible_time
from recours.core.claim import Claim, Stage, State
from recours.core.decision import Action, Decision, give_up, next_action, pass_retry
from recours.core.text import format_minute
from recours.runs.log import log
from recours.runs.summary import waiting_line
from recours.runs.worker import Worker


class PODFetchWorker(Worker):
    """The run of every 30 minutes."""

    name = "pod_fetch_worker"
    stage = Stage.NEW
    schedule = timedelta(minutes=30)
    usual_batch = 50
    set_aside_texts = "new claim not fetched", "new claims not fetched"
    head = "POD FETCH WORKER - Starting\nBatch size: {batch_size}"

    def say_found(self, ready: int) -> None:
        log.info(f"Found {ready} claim(s) to fetch" if ready else "No pending PODs to fetch")


class PODRetryScheduler(Worker):
    """The hourly run."""

    name = "pod_retry_scheduler"
    stage = Stage.READY
    schedule = timedelta(hours=1)
    usual_batch = 30
    set_aside_texts = "failed claim not retried", "failed claims not retried"
    head = "POD AUTO-RETRY SCHEDULER - Starting\nBatch size: {batch_size} | Max retries: {max_retries}"

    def say_found(self, ready: int) -> None:
        """How many are due; if none, how many wait and until when."""
        if ready:
            log.info(f"Found {ready} claim(s) to retry")
        else:
            log.info("No failed PODs eligible for retry")
            log.info(waiting_line(self.deps.claims.waiting(), self.local))

    def maintain_own(self, now: datetime) -> None:
        """Claims that resume after a raised limit, impossible times, retries that pass.

        A run for some claims, or for some carriers', says nothing of how often the others may be tried: those are left
        to the scheduled runs.
        """
        if self.options.claims:
            return
        maintenance, policy, carriers = self.deps.maintenance, self.policy, self.options.carriers
        limit = policy.max_retries
        for _ in maintenance.revive_exhausted(limit, lambda claim: self._go_on(claim, now), now, carriers):
            pass
        horizon = policy.horizon(now)
        for claim in maintenance.repair_times(
            horizon, lambda claim: with_possible_time(claim, now, policy), now
        ):
            at = format_minute(claim.state.next_at, self.local)
            log.warning(f"{claim.reference}: its next try ({at}) cannot come from the backoff; recomputed")
        due_until = policy.due_until(now)
        for claim, decision in maintenance.pass_retries(
            due_until, lambda claim: self._pass(claim, now), now, carriers
        ):
            self._recorder.say_passed(claim, decision)

    def _go_on(self, claim: Claim, now: datetime) -> State:
        if self.policy.sets_aside(claim):
            return assess(claim, now, self.policy)
        return go_on(claim, now, self.policy)

    def _pass(self, claim: Claim, now: datetime) -> Decision | None:
        action = next_action(claim, now, self.policy)
        if action is Action.SHELVE:
            return None
        decide = give_up if action is Action.GIVE_UP else pass_retry
        return decide(claim, now, self.policy)


PODFetchWorker.other = PODRetryScheduler
PODRetryScheduler.other = PODFetchWorker
# Where runs of both begin at the same time, in this order: it matters for the calls that each leaves to the other.
WORKERS: dict[str, type[Worker]] = {worker.name: worker for worker in (PODFetchWorker, PODRetryScheduler)}
