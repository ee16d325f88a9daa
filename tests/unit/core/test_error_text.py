"""What other software's error texts are taken for: French and English, with and without accents."""

import pytest

from recours.core.errors import is_persistent
from recours.core.sentences import classify

SAID = {
    "rate_limited": [
        "Rate limit exceeded",
        "API rate-limit reached, try again tomorrow",
        "429 Client Error: Too Many Requests for url: https://api.example.org/track",
        "Trop de requêtes, veuillez réessayer plus tard",
        "Quota journalier dépassé",
        "Limite de requêtes atteinte",
        "Limite d’appels atteinte pour aujourd’hui",
        "Limite quotidienne atteinte",
        "Daily limit reached for Chronopost",
        "Request was throttled.",
    ],
    "not_configured": [
        "Credentials missing for Chronopost",
        "API key not configured",
        "No API key for UPS",
        "Clé API manquante",
        "Identifiants DHL non configurés",
        "Aucun identifiant pour Colissimo",
        "Configuration Chronopost absente",
        "Carrier is not configured",
    ],
    "auth_failed": [
        "401 Client Error: Unauthorized",
        "Authentication failed",
        "Échec de l'authentification",
        "Échec de l’authentification auprès de Chronopost",
        "Invalid credentials",
        "Wrong password",
        "Mot de passe incorrect",
        "Identifiants invalides",
        "Identifiant erroné",
        "Expired token",
        "Jeton expiré",
    ],
    "access_denied": [
        "403 Forbidden",
        "Access denied",
        "Accès refusé",
        "Accès non autorisé à ce colis",
        "This parcel is not on your contract",
        "Le colis n’est pas rattaché à votre compte",
        "Ce colis n'appartient pas à votre contrat",
        "Not authorized to view this shipment",
        "Permission denied for this shipment",
    ],
    "returned_to_sender": [
        "Returned to sender",
        "Return to shipper completed",
        "Retour à l'expéditeur",
        "Colis retourné à l’expéditeur",
        "Renvoyé à l'expéditeur",
    ],
    "unsupported_carrier": [
        "Unsupported carrier: Relais Colis",
        "Carrier 'Heppner' is not supported",
        "Transporteur non supporté : Ciblex",
        "Transporteur inconnu",
        "Le transporteur Heppner n’est pas pris en charge",
        "Unknown carrier",
    ],
    "pod_never_available": [
        "No signature required for this shipment",
        "Delivered without signature available",
        "Signature not required",
        "Livré sans signature",
        "POD is never available for this product",
        "La preuve de livraison n’existe pas pour ce produit",
        "Proof of delivery does not exist",
    ],
    "pod_not_available_yet": [
        "POD not available",
        "POD not yet available, try again later",
        "Proof of delivery not ready",
        "Preuve de livraison pas encore disponible",
        "Preuve de livraison indisponible",
        "Le justificatif n’est pas encore disponible",
        "Signature image not found",
        "Aucune preuve de livraison",
        "Document en attente",
        "No proof yet",
    ],
    "not_delivered_yet": [
        "Package not delivered yet",
        "Parcel has not been delivered",
        "Shipment in transit",
        "Colis en transit",
        "Colis pas encore livré",
        "Le colis n’a pas encore été livré",
        "Colis non livré",
        "Colis en cours de livraison",
        "En cours d’acheminement",
        "Out for delivery",
    ],
    "invalid_tracking": [
        "Invalid tracking number",
        "Invalid tracking number: XY123",
        "Tracking number is malformed",
        "Tracking number has wrong format",
        "No tracking number",
        "Missing tracking number",
        "Malformed parcel number",
        "Skybill number invalid",
        "Numéro de suivi invalide",
        "Numéro de colis incorrect",
        "N° de suivi erroné",
        "Le numéro de suivi est manquant",
        "Format du numéro incorrect",
        "NUMÉRO DE SUIVI INVALIDE",
        "Nume\u0301ro de suivi invalide",
    ],
    "not_found": [
        "Tracking number not found",
        "404 Client Error: Not Found",
        "Unknown parcel",
        "Colis introuvable",
        "Numéro de suivi inconnu",
        "No tracking info for this number",
        "Shipment does not exist",
        "Ce numéro n’existe pas",
        "Aucun colis ne correspond",
        "Envoi pas trouvé",
    ],
    "timeout": [
        "API timeout",
        "Read timed out. (read timeout=30)",
        "The request timed out",
        "Délai dépassé",
        "Délai d’attente dépassé",
        "504 Gateway",
        "Deadline exceeded",
    ],
    "network": [
        "Connection refused",
        "Connection reset by peer",
        "Erreur de connexion",
        "Network is down",
        "Erreur réseau",
        "DNS lookup failed",
        "Temporary failure in name resolution",
        "Serveur injoignable",
        "SSL: CERTIFICATE_VERIFY_FAILED",
    ],
    "bad_response": [
        "Invalid JSON",
        "Unexpected response from carrier",
        "Réponse invalide du transporteur",
        "Réponse vide",
        "XML parsing error",
        "Could not decode PDF",
    ],
    "server_error": [
        "500 Internal Server Error",
        "HTTP 503",
        "502 Bad Gateway",
        "Erreur du serveur",
        "Service temporairement indisponible",
        "Service Unavailable",
        "Site en maintenance",
        "Erreur interne",
        "Quelque chose a mal tourné",
        "oops",
    ],
}


@pytest.mark.parametrize("kind", SAID)
def test_a_text_is_taken_for_what_a_person_would_take_it_for(kind: str) -> None:
    assert {text: classify(text) for text in SAID[kind]} == dict.fromkeys(SAID[kind], kind)


# Words that a hasty pattern takes for others: "unknown" and "Chronopost" hold "no", an API is not a parcel.
LOOK_ALIKES = {
    "Unknown shipment": "not_found",
    "Unknown tracking number": "not_found",
    "Not found: tracking XY": "not_found",
    "No parcel found": "not_found",
    "No shipment found with this number": "not_found",
    "Carrier API error: unknown tracking number": "not_found",
    "Erreur transporteur : colis inconnu": "not_found",
    "Numéro de suivi non trouvé": "not_found",
    "Numéro de suivi inexistant": "not_found",
    "Le numéro n’a pas été trouvé": "not_found",
    "Invalid Chronopost tracking number": "invalid_tracking",
    "Invalid or missing tracking number": "invalid_tracking",
    "Invalid format for tracking number": "invalid_tracking",
    "Numéro de suivi vide": "invalid_tracking",
    "Aucun numéro de suivi": "invalid_tracking",
    "Pas de numéro de suivi": "invalid_tracking",
    "Identifiant client incorrect": "auth_failed",
    "Transporteur « Ciblex » inconnu": "unsupported_carrier",
    "Carrier unknown: Foo": "unsupported_carrier",
    "POD introuvable": "pod_not_available_yet",
    "Invalid JSON from tracking API": "bad_response",
    "Invalid response from shipment service": "bad_response",
    "502 Bad Gateway from tracking API": "server_error",
    "Host not found": "network",
    "Cannot find parcel": "server_error",
    "Chronopost tracking API error": "server_error",
    "Chronopost: tracking service down": "server_error",
    "Chrono POD error": "server_error",
    "No response from tracking API": "server_error",
    "Carrier returned an unknown error": "server_error",
    "Unknown carrier error": "server_error",
    "Le transporteur a renvoyé une erreur inconnue": "server_error",
    "Erreur inconnue": "server_error",
    "Unknown error": "server_error",
}


def test_a_text_is_not_taken_for_one_that_it_resembles() -> None:
    assert {text: classify(text) for text in LOOK_ALIKES} == LOOK_ALIKES


@pytest.mark.parametrize("text", [None, "", " ", "?", "x" * 100_000, "\x00\ud800"])
def test_what_no_pattern_knows_is_temporary(text: str | None) -> None:
    assert classify(text) == "server_error"
    assert not is_persistent(classify(text))


@pytest.mark.parametrize("text", ["Order 4290 failed", "Réf. 14041, 55032, 15020", "Ticket 40312 / 24011"])
def test_a_status_code_inside_a_longer_number_means_nothing(text: str) -> None:
    assert classify(text) == "server_error"


def test_a_word_far_behind_in_a_huge_text_is_not_looked_for() -> None:
    assert classify("." * 2000 + "invalid tracking number") == "server_error"
    assert classify("." * 1900 + "invalid tracking number") == "invalid_tracking"


@pytest.mark.parametrize("apostrophe", ["'", "\u2019"])
def test_either_apostrophe_will_do(apostrophe: str) -> None:
    assert classify(f"Le colis n{apostrophe}est pas sur notre contrat") == "access_denied"


def test_a_wait_that_a_carrier_asked_for_is_never_taken_for_a_bad_number() -> None:
    assert classify("429 Too Many Requests: invalid tracking number lookups") == "rate_limited"
