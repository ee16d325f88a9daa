"""What the forecast says, in English and French."""

from typing import Any

ROWS: dict[str, tuple[Any, Any]] = {
    "forecast_hours": ("The next {hours} hours", "Les {hours} prochaines heures"),
    "forecast_made": ("Simulated at {at}.", "Simulée le {at}."),
    "forecast_fails": (
        "The runs to come are simulated with the limits as they are, and as if no try brought a proof: so nothing can take longer.",
        "Les exécutions à venir sont simulées avec les limites actuelles, comme si aucun essai n'aboutissait : rien ne peut donc durer plus longtemps.",
    ),
    "due_by_hour": ("Still due at the end of each hour", "Reste à traiter à la fin de chaque heure"),
    "calls_by_hour": ("Calls in each hour", "Appels de chaque heure"),
    "others": ("others", "autres"),
    "by_hour": ("By hour", "Heure par heure"),
    "hour": ("Hour", "Heure"),
    "calls_made": ("Calls", "Appels"),
    "tries": ("Tries", "Essais"),
    "still_due": ("Still due", "Reste à traiter"),
    "empty_at": ("Nothing due any more", "Plus rien à traiter"),
    "not_in_time": ("not in {hours} h", "pas en {hours} h"),
    "nothing_due": ("nothing is due", "rien à traiter"),
    "days_left": ("{count} more days at this pace", "encore {count} jours à ce rythme"),
    "late_claims": ("Deadlines that will be missed", "Échéances qui seront manquées"),
    "late_none": (
        "No deadline and no evidence is lost in these hours.",
        "Aucune échéance ni preuve n'est perdue pendant ces heures.",
    ),
    "late_more": ("{count} more are not listed.", "{count} autres ne sont pas affichées."),
    "late_claim": ("Claim", "Réclamation"),
    "late_what": ("What is missed", "Ce qui est manqué"),
    "late_deadline": ("deadline {at}", "échéance {at}"),
    "late_evidence": ("evidence at the carrier, until {at}", "données du transporteur, jusqu'au {at}"),
    "late_next": ("Tried", "Essai"),
    "late_about": ("about {at}", "vers {at}"),
    "late_never": ("not foreseen", "pas prévu"),
    "late_turn": ("its next try comes later", "son prochain essai vient plus tard"),
    "late_number": ("it has no tracking number", "elle n'a pas de numéro de suivi"),
    "late_quota": ("the carrier's limit is used up", "la limite du transporteur est épuisée"),
    "late_reserved": (
        "the calls left are kept for more urgent claims",
        "les appels restants sont réservés à des réclamations plus urgentes",
    ),
    "late_stopped": ("the worker does not run", "le programme ne tourne pas"),
    "late_carrier": ("the carrier takes no calls", "le transporteur ne prend aucun appel"),
    "late_batch": (
        "the runs are full of more urgent claims",
        "les exécutions sont pleines de réclamations plus urgentes",
    ),
}
