"""What the page of one claim says."""

from typing import Any

ROWS: dict[str, tuple[Any, Any]] = {
    "find_claim": ("Find a claim", "Chercher une réclamation"),
    "find_hint": ("Reference, number …", "Référence, numéro …"),
    # Who, what, how much, until when.
    "about": ("The claim", "La réclamation"),
    "dispute": ("Dispute", "Litige"),
    "dispute_lost": ("lost parcel", "colis perdu"),
    "dispute_late_delivery": ("late delivery", "livraison tardive"),
    "dispute_damaged": ("damaged parcel", "colis endommagé"),
    "dispute_invalid_pod": ("contested proof of delivery", "preuve de livraison contestée"),
    "claim_status_pending": ("pending", "en cours"),
    "claim_status_submitted": ("submitted", "déposée"),
    "claim_status_accepted": ("accepted", "acceptée"),
    "claim_status_rejected": ("rejected", "refusée"),
    "claim_status_paid": ("paid", "payée"),
    "claim_status_refunded": ("refunded", "remboursée"),
    "claim_status_closed": ("closed", "close"),
    "order": ("Order", "Commande"),
    "customer": ("Recipient", "Destinataire"),
    "created": ("Created", "Créée"),
    "retries_used": ("Retries used", "Essais utilisés"),
    "used_of": ("{used} of {most}", "{used} sur {most}"),
    "evidence_until": ("Evidence kept until", "Données conservées jusqu'au"),
    "fetched_at": ("Fetched", "Obtenue le"),
    "no_deadline": ("none", "aucune"),
    "deadline_over": ("{day}, over", "{day}, dépassée"),
    "unreadable": ("Cannot be read", "Illisible"),
    "stopped_since": ("Paused since {at} by {who}{why}.", "En pause depuis le {at}, par {who}{why}."),
    # What can be done.
    "correct": ("Correct …", "Corriger …"),
    "correct_title": ("Correct the number or the carrier", "Corriger le numéro ou le transporteur"),
    "correct_help": (
        "The claim starts afresh with what is corrected.",
        "La recherche repart de zéro avec ce qui est corrigé.",
    ),
    "exclude_title": ("Exclude the claim", "Exclure la réclamation"),
    "exclude_help": (
        "No run works on it any more, until somebody enrolls it again.",
        "Plus aucune exécution ne s'en occupe, jusqu'à ce que quelqu'un la reprenne en charge.",
    ),
    "attach": ("Attach a file …", "Joindre un fichier …"),
    "attach_title": ("Attach a proof that you have", "Joindre une preuve que vous avez"),
    "attach_help": (
        "PDF, image or web page, at most {mb} MB. It is examined, and refused if it proves nothing or is another parcel's.",
        "PDF, image ou page web, {mb} Mo au plus. Le fichier est examiné, et refusé s'il ne prouve rien ou concerne un autre colis.",
    ),
    "file": ("File", "Fichier"),
    "what_it_is": ("What it is", "Ce que c'est"),
    "signed_by_label": (
        "Signed by (if the file does not say it)",
        "Signée par (si le fichier ne le dit pas)",
    ),
    "delivered_label": (
        "Delivered on (if the file does not say it)",
        "Livrée le (si le fichier ne le dit pas)",
    ),
    "no_file": ("Choose a file first.", "Choisissez d'abord un fichier."),
    "too_large": ("{file} is larger than {mb} MB.", "{file} dépasse {mb} Mo."),
    "bad_day": ("'{text}' is no date.", "« {text} » n'est pas une date."),
    "pause_carrier": ("Pause {carrier} …", "Mettre {carrier} en pause …"),
    "pause_help": (
        "No run calls {carrier} for any claim until somebody resumes it.",
        "Plus aucune exécution n'appelle {carrier}, pour aucune réclamation, jusqu'à la reprise.",
    ),
    "resume_carrier": ("Resume {carrier}", "Reprendre {carrier}"),
    "do_correct": ("Correct", "Corriger"),
    "do_exclude": ("Exclude", "Exclure"),
    "do_attach": ("Attach", "Joindre"),
    "no_claim": ("There is no such claim", "Cette réclamation n'existe pas"),
    # The proof.
    "pod_page": ("Page {page} of {pages} of the document", "Page {page} sur {pages} du document"),
    "pod_page_failed": (
        "This page cannot be drawn here: download the document.",
        "Cette page ne peut pas être affichée ici : téléchargez le document.",
    ),
    "pod_more_pages": (
        "Only the first {shown} of {pages} pages are shown: download the document.",
        "Seules les {shown} premières pages sur {pages} sont affichées : téléchargez le document.",
    ),
    "pod_changed": (
        "The file is not the one that was stored: its content has changed since. 'recours verify' says more.",
        "Le fichier n'est pas celui qui a été déposé : son contenu a changé depuis. « recours verify » en dit plus.",
    ),
    "pod_gone": ("This document is not on record.", "Ce document n'est pas enregistré."),
    "pod_record": (
        "What the carrier's tracking said, written down by recours.",
        "Ce que le suivi du transporteur a dit, consigné par recours.",
    ),
    "piece_shown": ("shown here", "affiché ici"),
    "piece_open": ("Show", "Afficher"),
    # What happened.
    "history": ("History", "Historique"),
    "alike": ("{count} × {what}", "{count} × {what}"),
    "each": ("Each of them", "Une par une"),
    "mail_about": ("Mail {what}", "Courriel : {what}"),
    # Why a mail was not written; the keys end in what is stored.
    "told_its claim was mended before anybody was told": (
        "not written: the claim was corrected first",
        "pas écrit : la réclamation a été corrigée avant",
    ),
    "told_not wanted by the client": ("not wanted by the client", "le client n'en veut pas"),
    "told_the client is not known": ("not written: unknown client", "pas écrit : client inconnu"),
    "told_the client is not active": ("not written: inactive client", "pas écrit : client inactif"),
    "told_the client's address is not one": (
        "not written: the client's address is invalid",
        "pas écrit : adresse du client non valable",
    ),
    "told_there was no ADMIN_EMAIL": (
        "not written: ADMIN_EMAIL was empty",
        "pas écrit : ADMIN_EMAIL était vide",
    ),
}
