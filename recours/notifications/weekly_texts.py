"""The words of the weekly report, in French and English. Markers in braces are filled in when it is rendered."""

from collections.abc import Mapping
from dataclasses import dataclass

from recours.core.errors import ErrorKind
from recours.desk.words import KINDS


@dataclass(frozen=True)
class ReportWords:
    """The texts of one language; of two forms, the first is for one thing."""

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
    better: str
    worse: str
    same: str
    no_comparison: str
    week: str
    left: tuple[str, str]
    runs: str
    ran: tuple[str, str]
    all_well: str
    runs_failed: tuple[str, str]
    runs_died: tuple[str, str]
    did_not_run: str
    errors: str
    no_errors: str
    error: str
    count: str
    before: str
    usage: str
    no_usage: str
    calls: str
    full: tuple[str, str]
    hands: str
    no_hands: str
    given_up: tuple[str, str]
    deadlines: tuple[str, str]
    more: tuple[str, str]
    account: str
    closed: str
    tried_again: str
    held: tuple[str, str]
    undecided: tuple[str, str]
    waiting_mails: tuple[str, str]
    windows: dict[str, str]
    capabilities: dict[str, str]
    kinds: Mapping[ErrorKind, str]


FRENCH = ReportWords(
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
    better="{points} points de mieux que les quatre semaines précédentes ({percent}).",
    worse="{points} points de moins que les quatre semaines précédentes ({percent}).",
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
    runs_failed=("{count} en échec", "{count} en échec"),
    runs_died=("{count} interrompue sans fin", "{count} interrompues sans fin"),
    did_not_run="aucune exécution de la semaine : la tâche planifiée est-elle active ?",
    errors="Erreurs qui reviennent",
    no_errors="Aucune erreur n'est revenue.",
    error="Erreur",
    count="Nombre",
    before="Semaine d'avant",
    usage="Appels et quotas",
    no_usage="Aucun appel compté cette semaine.",
    calls="{used} appels ; au plus {most} sur {limit} par {window}",
    full=("quota épuisé {count} fois", "quota épuisé {count} fois"),
    hands="Ce qui demande votre attention",
    no_hands="Rien : tout suit son cours.",
    given_up=("{count} dossier abandonné cette semaine", "{count} dossiers abandonnés cette semaine"),
    deadlines=(
        "{count} dossier attend encore, à moins de 7 jours de son échéance",
        "{count} dossiers attendent encore, à moins de 7 jours de leur échéance",
    ),
    more=("et {count} autre", "et {count} autres"),
    account="Compte {carrier} : {reason}",
    closed="{carrier} ne prend pas d'appel : {reason}",
    tried_again="nouvel essai : {moment}",
    held=(
        "{count} courriel retenu : « recours mail release » l'envoie",
        "{count} courriels retenus : « recours mail release » les envoie",
    ),
    undecided=(
        "{count} courriel dont on ne sait s'il est arrivé (logs/email_sender.log)",
        "{count} courriels dont on ne sait s'ils sont arrivés (logs/email_sender.log)",
    ),
    waiting_mails=("{count} courriel attend le serveur", "{count} courriels attendent le serveur"),
    windows={"day": "jour", "hour": "heure", "seconds": "{count} secondes"},
    capabilities={"tracking": "suivi", "pod": "preuve", "token": "jeton"},
    kinds=KINDS["fr"],
)

ENGLISH = ReportWords(
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
    better="{points} points better than the four weeks before ({percent}).",
    worse="{points} points worse than the four weeks before ({percent}).",
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
    runs_failed=("{count} failed", "{count} failed"),
    runs_died=("{count} never ended", "{count} never ended"),
    did_not_run="no run in this week: is the scheduled job enabled?",
    errors="Errors that recur",
    no_errors="No error came twice.",
    error="Error",
    count="Count",
    before="Week before",
    usage="Calls and quotas",
    no_usage="No call was counted this week.",
    calls="{used} calls; at most {most} of {limit} per {window}",
    full=("used up {count} time", "used up {count} times"),
    hands="What needs a hand",
    no_hands="Nothing: all takes its course.",
    given_up=("{count} claim given up this week", "{count} claims given up this week"),
    deadlines=(
        "{count} claim still waits, less than 7 days before its deadline",
        "{count} claims still wait, less than 7 days before their deadline",
    ),
    more=("and {count} more", "and {count} more"),
    account="The account at {carrier}: {reason}",
    closed="{carrier} takes no call: {reason}",
    tried_again="tried again: {moment}",
    held=(
        "{count} mail held: 'recours mail release' sends it",
        "{count} mails held: 'recours mail release' sends them",
    ),
    undecided=(
        "{count} mail of which nobody knows whether it arrived (logs/email_sender.log)",
        "{count} mails of which nobody knows whether they arrived (logs/email_sender.log)",
    ),
    waiting_mails=("{count} mail waits for the server", "{count} mails wait for the server"),
    windows={"day": "day", "hour": "hour", "seconds": "{count} seconds"},
    capabilities={"tracking": "tracking", "pod": "proof", "token": "token"},
    kinds=KINDS["en"],
)

REPORT_WORDS = {"fr": FRENCH, "en": ENGLISH}
