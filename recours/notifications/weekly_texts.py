"""The words of the weekly report, in French and English. Markers in braces are filled in when it is rendered."""

from collections.abc import Mapping
from dataclasses import dataclass

from recours.core.errors import ErrorKind
from recours.operations.labels import KINDS


@dataclass(frozen=True)
class ReportWords:
    """The texts of one language; of two forms, the first is for one thing."""

    language: str
    subject: str
    subject_nothing: str
    subject_hands: tuple[str, str]
    title: str
    span: str
    day: str  # strftime
    decimal: str
    percent: str
    nothing_tried: str
    rate: str
    rate_means: str
    this_week: str
    better: tuple[str, str]
    worse: tuple[str, str]
    same: str
    no_comparison: str
    week: str
    left: tuple[str, str]
    runs: str
    ran: tuple[str, str]
    all_well: str
    failed: tuple[str, str]
    died: tuple[str, str]
    stopped: tuple[str, str]
    none_ran: str
    errors: str
    no_errors: str
    error: str
    count: str
    before: str
    usage: str
    no_usage: str
    calls: tuple[str, str]
    full: tuple[str, str]
    hands: str
    no_hands: str
    did_not_run: str
    of_runs: Mapping[str, tuple[str, str]]
    hands_of: Mapping[str, tuple[str, str]]
    more: tuple[str, str]
    account: str
    closed: str
    tried_again: str
    windows: dict[str, str]
    capabilities: dict[str, str]
    kinds: Mapping[ErrorKind, str]


FRENCH = ReportWords(
    language="fr",
    subject="Preuves de livraison, semaine {week} : {percent} obtenues",
    subject_nothing="Preuves de livraison, semaine {week} : aucun essai",
    subject_hands=(", {count} point à regarder", ", {count} points à regarder"),
    title="Preuves de livraison : la semaine {week}",
    span="Du {first} au {last}",
    day="%d/%m/%Y",
    decimal=",",
    percent="{number} %",
    nothing_tried="aucun essai",
    rate="Taux de réussite",
    rate_means="Part des essais qui ont rapporté une preuve de livraison.",
    this_week="Cette semaine",
    better=(
        "{count} point de mieux que les quatre semaines précédentes ({percent}).",
        "{count} points de mieux que les quatre semaines précédentes ({percent}).",
    ),
    worse=(
        "{count} point de moins que les quatre semaines précédentes ({percent}).",
        "{count} points de moins que les quatre semaines précédentes ({percent}).",
    ),
    same="Comme les quatre semaines précédentes ({percent}).",
    no_comparison="Rien à comparer : aucun essai dans les quatre semaines précédentes.",
    week="Semaine {week}",
    left=(
        "{count} essai de plus n'a pas compté : quota, compte ou réseau.",
        "{count} essais de plus n'ont pas compté : quota, compte ou réseau.",
    ),
    runs="Exécutions",
    ran=("{count} exécution", "{count} exécutions"),
    all_well="toutes terminées normalement",
    failed=("{count} en échec", "{count} en échec"),
    died=("{count} sans fin", "{count} sans fin"),
    stopped=("{count} arrêtée avant la fin", "{count} arrêtées avant la fin"),
    none_ran="aucune exécution de la semaine",
    errors="Erreurs qui reviennent",
    no_errors="Aucune erreur n'est revenue.",
    error="Erreur",
    count="Nombre",
    before="Semaine d'avant",
    usage="Appels et quotas",
    no_usage="Aucun appel compté cette semaine.",
    calls=(
        "{count} appel ; au plus {most} sur {limit} par {window}",
        "{count} appels ; au plus {most} sur {limit} par {window}",
    ),
    full=("quota épuisé {count} fois", "quota épuisé {count} fois"),
    hands="Ce qui demande votre attention",
    no_hands="Rien : tout suit son cours.",
    did_not_run="{worker} : aucune exécution de la semaine, la tâche planifiée est-elle active ?",
    of_runs={
        "runs_failed": (
            "{worker} : {count} exécution sur {runs} a échoué, son journal dit pourquoi",
            "{worker} : {count} exécutions sur {runs} ont échoué, son journal dit pourquoi",
        ),
        "runs_died": (
            "{worker} : {count} exécution sur {runs} sans fin, tuée ou arrêtée avec la machine",
            "{worker} : {count} exécutions sur {runs} sans fin, tuées ou arrêtées avec la machine",
        ),
    },
    hands_of={
        "given_up": ("{count} dossier abandonné cette semaine", "{count} dossiers abandonnés cette semaine"),
        "deadlines": (
            "{count} dossier attend encore, à moins de 7 jours de son échéance",
            "{count} dossiers attendent encore, à moins de 7 jours de leur échéance",
        ),
        "held": (
            "{count} courriel retenu : « recours mail release » l'envoie",
            "{count} courriels retenus : « recours mail release » les envoie",
        ),
        "undecided": (
            "{count} courriel dont on ne sait s'il est arrivé (logs/email_sender.log)",
            "{count} courriels dont on ne sait s'ils sont arrivés (logs/email_sender.log)",
        ),
        "waiting_mails": (
            "{count} courriel attend le serveur de courriel",
            "{count} courriels attendent le serveur de courriel",
        ),
    },
    more=("et {count} autre", "et {count} autres"),
    account="Compte {carrier} : {reason}",
    closed="{carrier} ne prend pas d'appel : {reason}",
    tried_again="nouvel essai : {moment}",
    windows={"day": "jour", "hour": "heure", "seconds": "{count} secondes"},
    capabilities={"tracking": "suivi", "pod": "preuve", "token": "jeton"},
    kinds=KINDS["fr"],
)

ENGLISH = ReportWords(
    language="en",
    subject="Proofs of delivery, week {week}: {percent} obtained",
    subject_nothing="Proofs of delivery, week {week}: nothing tried",
    subject_hands=(", {count} thing to look at", ", {count} things to look at"),
    title="Proofs of delivery: week {week}",
    span="From {first} to {last}",
    day="%d %b %Y",
    decimal=".",
    percent="{number}%",
    nothing_tried="nothing tried",
    rate="Success rate",
    rate_means="The part of the attempts that brought a proof of delivery.",
    this_week="This week",
    better=(
        "{count} point better than the four weeks before ({percent}).",
        "{count} points better than the four weeks before ({percent}).",
    ),
    worse=(
        "{count} point worse than the four weeks before ({percent}).",
        "{count} points worse than the four weeks before ({percent}).",
    ),
    same="As in the four weeks before ({percent}).",
    no_comparison="Nothing to compare with: no attempt in the four weeks before.",
    week="Week {week}",
    left=(
        "{count} more attempt did not count: quota, account or network.",
        "{count} more attempts did not count: quota, account or network.",
    ),
    runs="Runs",
    ran=("{count} run", "{count} runs"),
    all_well="all went well",
    failed=("{count} failed", "{count} failed"),
    died=("{count} never ended", "{count} never ended"),
    stopped=("{count} stopped", "{count} stopped"),
    none_ran="no run in this week",
    errors="Errors that recur",
    no_errors="No error came twice.",
    error="Error",
    count="Count",
    before="Week before",
    usage="Calls and quotas",
    no_usage="No call was counted this week.",
    calls=(
        "{count} call; at most {most} of {limit} per {window}",
        "{count} calls; at most {most} of {limit} per {window}",
    ),
    full=("used up {count} time", "used up {count} times"),
    hands="What needs a hand",
    no_hands="Nothing: everything is taking its course.",
    did_not_run="{worker}: no run in this week: is the scheduled job enabled?",
    of_runs={
        "runs_failed": (
            "{worker}: {count} run of {runs} failed, its log says why",
            "{worker}: {count} runs of {runs} failed, its log says why",
        ),
        "runs_died": (
            "{worker}: {count} run of {runs} never ended, it was killed or the machine went down",
            "{worker}: {count} runs of {runs} never ended, they were killed or the machine went down",
        ),
    },
    hands_of={
        "given_up": ("{count} claim given up this week", "{count} claims given up this week"),
        "deadlines": (
            "{count} claim still waits, less than 7 days before its deadline",
            "{count} claims still wait, less than 7 days before their deadline",
        ),
        "held": (
            "{count} mail held: 'recours mail release' sends it",
            "{count} mails held: 'recours mail release' sends them",
        ),
        "undecided": (
            "{count} mail of which nobody knows whether it arrived (logs/email_sender.log)",
            "{count} mails of which nobody knows whether they arrived (logs/email_sender.log)",
        ),
        "waiting_mails": ("{count} mail waits for the mail server", "{count} mails wait for the mail server"),
    },
    more=("and {count} more", "and {count} more"),
    account="The account at {carrier}: {reason}",
    closed="{carrier} takes no call: {reason}",
    tried_again="tried again: {moment}",
    windows={"day": "day", "hour": "hour", "seconds": "{count} seconds"},
    capabilities={"tracking": "tracking", "pod": "proof", "token": "token"},
    kinds=KINDS["en"],
)

REPORT_WORDS = {"fr": FRENCH, "en": ENGLISH}
