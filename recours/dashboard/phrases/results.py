"""What the results say, in English and French."""

from typing import Any

ROWS: dict[str, tuple[Any, Any]] = {
    "by_week": ("Proofs and money secured by week", "Preuves et montants obtenus par semaine"),
    "by_week_means": (
        "A week is that of its Monday. Money secured: the amounts in dispute of the claims whose proof came in that week, fetched or attached.",
        "Une semaine est désignée par son lundi. Montants obtenus : ceux en litige dans les réclamations dont la preuve est venue cette semaine-là, obtenue ou jointe.",
    ),
    "proofs_by_week": ("Proofs by week", "Preuves par semaine"),
    "attempts_by_week": ("Attempts by week", "Tentatives par semaine"),
    "week": ("Week", "Semaine"),
    "week_now": ("{week} (so far)", "{week} (en cours)"),
    "proofs": ("Proofs", "Preuves"),
    "money_secured": ("Money secured", "Montants obtenus"),
    "in_weeks": ("In {count} weeks", "En {count} semaines"),
    "calls_per_proof": ("Calls for each proof", "Appels par preuve"),
    "calls_per_proof_means": (
        "The last {count} days, or the latest 5,000 attempts in them.",
        "Les {count} derniers jours, ou leurs 5 000 dernières tentatives.",
    ),
    "calls_made": ("Calls", "Appels"),
    "each_proof": ("Calls per proof", "Appels par preuve"),
    "calls_in_vain": ("For claims given up", "Pour des réclamations abandonnées"),
    "no_proofs": ("No proof has come in these weeks.", "Aucune preuve n'est venue ces semaines-là."),
    "no_calls": ("No carrier was called in these days.", "Aucun transporteur n'a été appelé ces jours-là."),
}
