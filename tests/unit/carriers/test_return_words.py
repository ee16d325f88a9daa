"""Labels of events about a return to the sender, and labels of other events."""

import pytest

from recours.carriers.answers import turns_back


@pytest.mark.parametrize(
    "words",
    [
        "The shipment is being returned to the shipper",
        "Return to sender initiated",
        "Delivered to the shipper",
        "L'envoi est retourné à l'expéditeur",
        "Retour vers l’expéditeur",
        "L'envoi a été remis à son expéditeur",
        "Die Sendung wird an den Absender zurückgesendet.",
        "Die Sendung wurde nicht abgeholt und wird zurückgesandt",
        "Die Sendung wurde dem Absender zugestellt",
        "Rücksendung eingeleitet",
        "El envío se devuelve al remitente",
        "Entregado al remitente",
        "La spedizione è stata restituita al mittente",
        "De zending gaat terug naar de afzender",
    ],
)
def test_a_return(words: str) -> None:
    assert turns_back(words)


@pytest.mark.parametrize(
    "words",
    [
        None,
        "",
        "Les données ont été transmises par l'expéditeur",
        "Die Auftragsdaten zu dieser Sendung wurden vom Absender elektronisch an DHL übermittelt",
        "It will be returned to the sender unless it is collected",
        "Sans retrait, retour à l'expéditeur si le délai est dépassé",
        "Returned to the delivery depot",
        "Die Sendung wurde beschädigt und wird zur Nachverpackung in das Paketzentrum zurückgesandt.",
    ],
)
def test_other_words_about_senders_and_returns(words: str | None) -> None:
    assert not turns_back(words)
