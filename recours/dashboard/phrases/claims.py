"""The claims."""

from typing import Any

ROWS: dict[str, tuple[Any, Any]] = {
    "search_anywhere": ("Reference, number, order or customer", "Référence, numéro, commande ou client"),
    "any": ("all", "tous"),
    "several": ("several", "plusieurs"),
    "filters": ("Filters", "Filtres"),
    "filter": ("Filter", "Filtrer"),
    "clear_filters": ("Clear all filters", "Retirer tous les filtres"),
    "without": ("without", "Retirer"),
    "kind": ("Reason", "Motif"),
    "kind_": ("none", "aucun"),
    "unknown_filter": (
        "The address names {value}, which is no {name}; it was left out.",
        "L'adresse nomme {value}, qui n'existe pas comme {name} ; cela a été ignoré.",
    ),
    "problem": ("Problem", "Problème"),
    "problem_over": (
        "The problem that these claims had is over.",
        "Le problème de ces réclamations est résolu.",
    ),
    "not_of_problem": ("Show other claims too", "Voir aussi les autres réclamations"),
    "age": ("Age", "Âge"),
    "next_try_column": ("Next try", "Prochain essai"),
    "choose_claim": ("Choose {reference}", "Choisir {reference}"),
    "choose_page": ("Choose all on this page", "Choisir toute la page"),
    "all_that_match": ("all {count} that match", "les {count} qui correspondent"),
    "chosen": ("{count} chosen", "{count} choisie{s}"),
    "none_chosen": (
        "Choose claims first: tick their boxes, or all that match.",
        "Choisissez d'abord des réclamations : cochez-les, ou toutes celles qui correspondent.",
    ),
    "retry": ("Retry now", "Relancer"),
    "exclude_chosen": ("Exclude the chosen claims", "Exclure les réclamations choisies"),
    "exclude_chosen_means": (
        "No run works on them any more, until they are enrolled again.",
        "Plus aucune exécution ne s'en occupe, jusqu'à ce qu'on les reprenne en charge.",
    ),
    "why_needed": ("Why (kept in the claim's history)", "Motif (gardé dans l'historique)"),
    "all_more": (
        "{count} more claims match: they were left as they are. Do it again for the rest.",
        "{count} autres réclamations correspondent : elles sont restées telles quelles. Recommencez pour la suite.",
    ),
    "shown_of": ("{first}–{last} of {count}", "{first}–{last} sur {count}"),
    "more_than": ("more than {count}", "plus de {count}"),
}
