"""What is said to people, in French and English: what happened, what it means, what the reader can do.

Markers in braces are filled in when a mail is rendered; whatever comes from outside is escaped there.
"""

from dataclasses import dataclass

from recours.core.errors import ErrorKind


@dataclass(frozen=True)
class Advice:
    """What an error means to a client, and what to do about it."""

    happened: str
    means: str
    do: str


@dataclass(frozen=True)
class MailTexts:
    """The texts of one language; of two forms, the first is for one thing."""

    language: str
    subject_failed: tuple[str, str]
    subject_retrieved: tuple[str, str]
    subject_summary: tuple[str, str]
    hello: str
    hello_nobody: str
    failed: str
    retrieved: str
    summary: str
    number: str
    none: str
    carrier: str
    happened: str
    means: str
    do: str
    detail: str
    signed_by: str
    delivered: str
    see_claim: str
    attempts: tuple[str, str]
    account: str
    run: str
    gave_up: tuple[str, str]
    gave_up_final: str  # a persistent error: its turns passed without a call
    expired: tuple[str, str]
    expired_happened: tuple[str, str]  # of days
    expired_do: str
    claims: str
    more: str
    closing: str
    automatic: str
    unknown_service: str
    no_number: Advice  # that number is missing
    advice: dict[ErrorKind | None, Advice]


FRENCH = MailTexts(
    language="fr",
    subject_failed=(
        "Preuve de livraison introuvable : dossier {reference}",
        "Preuve de livraison introuvable : {count} dossiers",
    ),
    subject_retrieved=(
        "Preuve de livraison obtenue : dossier {reference}",
        "Preuve de livraison obtenue : {count} dossiers",
    ),
    subject_summary=(
        "Preuves de livraison : {count} point à regarder",
        "Preuves de livraison : {count} points à regarder",
    ),
    hello="Bonjour {name},",
    hello_nobody="Bonjour,",
    failed="Nous n'avons pas pu obtenir la preuve de livraison :",
    retrieved="Nous avons obtenu la preuve de livraison :",
    summary="À vérifier :",
    number="Numéro de suivi",
    none="(aucun)",
    carrier="Transporteur",
    happened="Ce qui s'est passé",
    means="Ce que cela signifie",
    do="Ce que vous pouvez faire",
    detail="Détail technique",
    signed_by="Signataire",
    delivered="Livré le",
    see_claim="Voir le dossier",
    attempts=("obtenue après {count} tentative", "obtenue après {count} tentatives"),
    account="Compte du transporteur",
    run="Erreur interne de recours :",
    gave_up=("Abandonné après {count} tentative", "Abandonné après {count} tentatives"),
    gave_up_final="Abandonné : l'erreur est définitive, aucun autre appel n'a été fait",
    expired=(
        "{count} dossier abandonné : échéance dépassée",
        "{count} dossiers abandonnés : échéance dépassée",
    ),
    expired_happened=(
        "La date limite de réponse est dépassée depuis plus de {count} jour : le transporteur n'est plus interrogé.",
        "La date limite de réponse est dépassée depuis plus de {count} jours : le transporteur n'est plus interrogé.",
    ),
    expired_do="Si la preuve est encore utile, relancez la recherche : recours reopen {reference}",
    claims="Dossiers",
    more=" et {count} de plus",
    closing="Cordialement,",
    automatic="Ce message est envoyé automatiquement.",
    unknown_service="Le service des réclamations",
    no_number=Advice(
        "Le dossier n'a pas de numéro de suivi.",
        "Sans ce numéro, nous ne pouvons pas demander la preuve de livraison au transporteur.",
        "Indiquez dans le dossier le numéro qui figure sur l'étiquette ou la confirmation d'expédition : la recherche "
        "reprend d'elle-même.",
    ),
    advice={
        ErrorKind.INVALID_TRACKING: Advice(
            "Le numéro de suivi n'est pas valable pour ce transporteur.",
            "Avec ce numéro, le transporteur ne peut pas retrouver le colis.",
            "Vérifiez le numéro sur l'étiquette ou la confirmation d'expédition, et corrigez-le dans le dossier : "
            "la recherche reprend d'elle-même.",
        ),
        ErrorKind.NOT_FOUND: Advice(
            "Le transporteur ne connaît pas ce numéro.",
            "Même au dernier de nos essais, il n'a trouvé aucun colis sous ce numéro de suivi.",
            "Vérifiez le numéro et le transporteur, et corrigez-les dans le dossier : la recherche reprend d'elle-même.",
        ),
        ErrorKind.ACCESS_DENIED: Advice(
            "Le transporteur refuse de nous communiquer cette livraison.",
            "Le transporteur connaît le colis, mais il n'est pas rattaché au contrat avec lequel nous l'interrogeons.",
            "Indiquez-nous le contrat d'expédition, ou demandez vous-même la preuve de livraison au transporteur.",
        ),
        ErrorKind.RETURNED_TO_SENDER: Advice(
            "Le transporteur a retourné le colis à l'expéditeur.",
            "Le destinataire n'a pas reçu ce colis : aucune preuve de livraison à son nom n'existera.",
            "Vérifiez si le colis vous est revenu, et adaptez la réclamation en conséquence.",
        ),
        ErrorKind.POD_NEVER_AVAILABLE: Advice(
            "Le transporteur n'a pas de preuve de livraison pour ce colis.",
            "Il répond qu'il n'en existe pas, ou elle aurait dû arriver depuis longtemps : nous n'en attendons plus.",
            "Joignez au dossier un autre justificatif : suivi du transporteur, échange avec le destinataire, "
            "attestation d'expédition.",
        ),
        None: Advice(
            "La preuve de livraison n'est pas arrivée.",
            "Le dernier de nos essais ne l'a pas obtenue non plus : nous n'en faisons plus.",
            "Vous pouvez la demander directement au transporteur, ou joindre un autre justificatif au dossier.",
        ),
    },
)

ENGLISH = MailTexts(
    language="en",
    subject_failed=("No proof of delivery: claim {reference}", "No proof of delivery: {count} claims"),
    subject_retrieved=(
        "Proof of delivery obtained: claim {reference}",
        "Proof of delivery obtained: {count} claims",
    ),
    subject_summary=(
        "Proofs of delivery: {count} thing to look at",
        "Proofs of delivery: {count} things to look at",
    ),
    hello="Hello {name},",
    hello_nobody="Hello,",
    failed="We could not obtain the proof of delivery:",
    retrieved="We have obtained the proof of delivery:",
    summary="To check:",
    number="Tracking number",
    none="(none)",
    carrier="Carrier",
    happened="What happened",
    means="What it means",
    do="What you can do",
    detail="Technical detail",
    signed_by="Signed by",
    delivered="Delivered on",
    see_claim="See the claim",
    attempts=("obtained after {count} attempt", "obtained after {count} attempts"),
    account="The carrier's account",
    run="recours itself failed:",
    gave_up=("Given up after {count} attempt", "Given up after {count} attempts"),
    gave_up_final="Given up: the error is final, so no further call was made",
    expired=("{count} claim given up: deadline passed", "{count} claims given up: deadline passed"),
    expired_happened=(
        "The response deadline passed more than {count} day ago: the carrier is not asked any more.",
        "The response deadline passed more than {count} days ago: the carrier is not asked any more.",
    ),
    expired_do="If a proof is still of use, have the claim start afresh: recours reopen {reference}",
    claims="Claims",
    more=" and {count} more",
    closing="Kind regards,",
    automatic="This message is sent automatically.",
    unknown_service="The claims service",
    no_number=Advice(
        "The claim has no tracking number.",
        "Without this number we cannot ask the carrier for the proof of delivery.",
        "Enter the number that is on the label or the shipping confirmation in the claim: the search then goes on by "
        "itself.",
    ),
    advice={
        ErrorKind.INVALID_TRACKING: Advice(
            "The tracking number is not valid for this carrier.",
            "With this number the carrier cannot find the parcel.",
            "Check the number on the label or the shipping confirmation, and correct it in the claim: "
            "the search then goes on by itself.",
        ),
        ErrorKind.NOT_FOUND: Advice(
            "The carrier does not know this number.",
            "Even at the last of our tries it found no parcel under this tracking number.",
            "Check the number and the carrier, and correct them in the claim: the search then goes on by itself.",
        ),
        ErrorKind.ACCESS_DENIED: Advice(
            "The carrier refuses to tell us about this parcel.",
            "The carrier knows the parcel, but it does not belong to the contract with which we ask.",
            "Tell us the contract that it was sent with, or ask the carrier for the proof of delivery yourself.",
        ),
        ErrorKind.RETURNED_TO_SENDER: Advice(
            "The carrier took the parcel back to its sender.",
            "The recipient did not receive this parcel, so no proof of delivery to them will exist.",
            "Check whether the parcel came back to you, and adapt the claim accordingly.",
        ),
        ErrorKind.POD_NEVER_AVAILABLE: Advice(
            "The carrier has no proof of delivery for this parcel.",
            "It answers that there is none, or it should have come long ago: we expect none any more.",
            "Add another piece of evidence to the claim: the carrier's tracking, what the recipient wrote, a proof of "
            "posting.",
        ),
        None: Advice(
            "The proof of delivery has not come.",
            "The last of our tries did not bring it either: we make no more.",
            "You can ask the carrier for it directly, or add another piece of evidence to the claim.",
        ),
    },
)

WORDS = {"fr": FRENCH, "en": ENGLISH}
