"""What happened to a claim beside its attempts, and what people did to carriers, accounts and mails, in English and French."""

from collections.abc import Mapping
from typing import Any

from recours.core.actions import ActionKind, PastAction
from recours.core.changes import ChangeKind
from recours.core.text import clean
from recours.operations.accounts import CheckVerdict, limits_text
from recours.operations.records import PastChange

_LONGEST_WHY = 300

CHANGES: dict[str, dict[str, str]] = {
    "en": {
        ChangeKind.EDITED: "edited",
        ChangeKind.SET_ASIDE: "set aside",
        ChangeKind.RESUMED: "no longer set aside",
        ChangeKind.REOPENED: "reopened",
        ChangeKind.EXCLUDED: "excluded",
        ChangeKind.ENROLLED: "enrolled",
        ChangeKind.ATTACHED: "attached",
        ChangeKind.ASKED: "fetch asked for",
        ChangeKind.CORRECTED: "corrected",
    },
    "fr": {
        ChangeKind.EDITED: "modifiée",
        ChangeKind.SET_ASIDE: "mise de côté",
        ChangeKind.RESUMED: "reprise",
        ChangeKind.REOPENED: "relancée",
        ChangeKind.EXCLUDED: "exclue",
        ChangeKind.ENROLLED: "prise en charge",
        ChangeKind.ATTACHED: "preuve jointe",
        ChangeKind.ASKED: "recherche demandée",
        ChangeKind.CORRECTED: "corrigée",
    },
}

ACTIONS: dict[str, dict[str, str]] = {
    "en": {
        ActionKind.PAUSED: "paused",
        ActionKind.RESUMED: "resumed",
        ActionKind.CHECKED: "credentials checked",
        ActionKind.ADDED: "credentials entered",
        ActionKind.LIMITED: "limits changed",
        ActionKind.REMOVED: "removed",
        ActionKind.RELEASED: "held mails released",
        ActionKind.TESTED: "mail server tried",
        ActionKind.REPORTED: "weekly report sent",
    },
    "fr": {
        ActionKind.PAUSED: "mis en pause",
        ActionKind.RESUMED: "repris",
        ActionKind.CHECKED: "identifiants vérifiés",
        ActionKind.ADDED: "identifiants saisis",
        ActionKind.LIMITED: "limites modifiées",
        ActionKind.REMOVED: "supprimé",
        ActionKind.RELEASED: "courriels retenus libérés",
        ActionKind.TESTED: "serveur de courriel essayé",
        ActionKind.REPORTED: "rapport de la semaine envoyé",
    },
}

# What a check of credentials showed.
_VERDICTS: dict[str, dict[str, str]] = {
    "en": {
        CheckVerdict.ACCEPTED: "accepted",
        CheckVerdict.KNOWN: "accepted",
        CheckVerdict.REJECTED: "rejected",
        CheckVerdict.DENIED: "accepted, without a right that is needed",
    },
    "fr": {
        CheckVerdict.ACCEPTED: "acceptés",
        CheckVerdict.KNOWN: "acceptés",
        CheckVerdict.REJECTED: "refusés",
        CheckVerdict.DENIED: "acceptés, sans un droit nécessaire",
    },
}

_NAMES = {
    "en": {
        "status": "pod_fetch_status",
        "number": "tracking number",
        "count": "count of retries",
        "deadline": "response_deadline",
        "error": "answer",
    },
    "fr": {
        "status": "pod_fetch_status",
        "number": "numéro de suivi",
        "carrier": "transporteur",
        "count": "nombre d'essais",
        "deadline": "response_deadline",
        "kind": "genre",
        "to": "pour",
        "error": "réponse",
    },
}
_NONE = {"en": "none", "fr": "aucun"}
_QUOTED = {"en": "'{}'", "fr": "« {} »"}
_COLON = {"en": ": ", "fr": " : "}


def change_text(language: str, change: PastChange) -> str:
    """`edited: carrier UPS → DHL, response_deadline none → 2026-03-09`."""
    # Of a claim that is set aside or taken up again, the status is its own.
    is_own = change.what in (ChangeKind.SET_ASIDE, ChangeKind.RESUMED)
    names = _NAMES[language] | ({"status": "status"} if is_own else {})
    return _text(language, CHANGES[language].get(change.what, change.what), change.details, names)


def action_text(language: str, action: PastAction) -> str:
    """`paused: 'strike'`."""
    what = ACTIONS[language].get(action.what, action.what)
    return _text(language, what, action.details, _NAMES[language])


def _text(language: str, what: str, details: Mapping[str, Any], names: Mapping[str, str]) -> str:
    parts = (_detail(language, name, value, names) for name, value in details.items() if value is not None)
    text = ", ".join(parts)
    return f"{what}{_COLON[language]}{text}" if text else what


def _detail(language: str, name: str, value: Any, names: Mapping[str, str]) -> str:
    match name, value:
        case _, [old, new]:
            before, after = (_NONE[language] if one is None else clean(one, 60) for one in (old, new))
            return f"{names.get(name, clean(name, 40))} {before} → {after}"
        case "verdict", str() if value in _VERDICTS[language]:
            return _VERDICTS[language][value]
        case "mails", int():
            return str(value)
        case "limits", Mapping():
            return clean(limits_text(value), 200)
    longest = _LONGEST_WHY if name in ("why", "error") else 60
    text = _QUOTED[language].format(clean(value, longest))
    return text if name == "why" else f"{names.get(name, clean(name, 40))} {text}"
