"""Valid numbers and carriers of a claim, and the reasons against others, in both languages."""

from typing import Any

import pytest

from recours.carriers.registry import CATALOG
from recours.core.claim import Claim
from recours.runs.eligibility import Correction, correction_of
from recours.runs.refusals import ClaimsRefusedError

CONFIGURED = CATALOG.with_accounts(["chronopost", "ups", "dhl"])
CLAIM = Claim(1, "CLM-1", carrier_name="chrono post", number="XY000000001FR", fetch_status="failed")
UPS = "1Z999AA10123456784"


@pytest.mark.parametrize(
    ("number", "carrier", "correction"),
    [
        (" xy 000000002 fr ", None, Correction(number="XY000000002FR")),
        (UPS, "ups", Correction(number=UPS, carrier="UPS")),
        ("XY000000002FR", "CHRONOPOST", Correction(number="XY000000002FR")),
        ("1Z999AA10123456785", "UPS", Correction("1Z999AA10123456785", "UPS", doubtful=True)),
    ],
)
def test_a_valid_correction_is_normalized(number: str, carrier: str | None, correction: Correction) -> None:
    assert correction_of(CLAIM, number, carrier, CONFIGURED) == correction


def test_a_carrier_is_written_in_a_spelling_that_the_column_accepts() -> None:
    names = ["dhl", "ups", "united parcel service"]
    assert correction_of(CLAIM, UPS, "UPS", CONFIGURED, names) == Correction(number=UPS, carrier="ups")
    assert correction_of(CLAIM, UPS, "UPS", CONFIGURED, ["dhl"]) == Correction(number=UPS, carrier="UPS")


def test_old_and_new_values_are_recorded() -> None:
    correction = correction_of(CLAIM, UPS, "ups", CONFIGURED)
    assert correction.details(CLAIM) == {"number": ["XY000000001FR", UPS], "carrier": ["chrono post", "UPS"]}


@pytest.mark.parametrize(
    ("number", "carrier", "english", "french"),
    [
        ("12", None, '"12" is not a Chronopost tracking number', "« 12 » n'est pas un numéro de suivi Chronopost"),
        (None, "UPS", '"XY000000001FR" is not a UPS tracking number', "n'est pas un numéro de suivi UPS"),
        (UPS, "Pigeon Post", "There is no carrier 'Pigeon Post'. Supported carriers: ", "Le transporteur « Pigeon Post » n'existe pas"),
        ("XY000000001FR", None, "CLM-1 already has this tracking number", "CLM-1 a déjà ce numéro de suivi"),
        (None, "Chronopost", "CLM-1 already has this tracking number", "CLM-1 a déjà ce numéro de suivi"),
        ("  ", None, "A tracking number must have 1 to 60 characters.", "Un numéro de suivi compte de 1 à 60 caractères"),
        ("X" * 61, None, "1 to 60 characters", "1 à 60 caractères"),
        ("XY\0", None, "1 to 60 characters", "1 à 60 caractères"),
        ("\udcff", None, "1 to 60 characters", "1 à 60 caractères"),
    ],
)  # fmt: skip
def test_invalid_corrections_are_rejected_in_both_languages(
    number: str | None, carrier: str | None, english: str, french: str
) -> None:
    with pytest.raises(ClaimsRefusedError) as refused:
        correction_of(CLAIM, number, carrier, CONFIGURED)
    assert english in str(refused.value)
    assert french in refused.value.sentences("fr")


def test_a_claim_with_a_proof_is_not_corrected() -> None:
    done = Claim(1, "CLM-1", carrier_name="UPS", number=UPS, fetch_status="success")
    with pytest.raises(ClaimsRefusedError, match="CLM-1 already has its proof of delivery"):
        correction_of(done, "1Z999AA10123456785", None, CONFIGURED)


@pytest.mark.parametrize("carrier", ["", "Pigeon Post"])
def test_any_number_is_accepted_for_an_unknown_carrier(carrier: str) -> None:
    claim = Claim(1, "CLM-1", carrier_name=carrier, number=None, fetch_status="pending")
    assert correction_of(claim, "a 1", None, CONFIGURED) == Correction(number="A1")


def test_a_number_is_checked_against_the_carrier_that_serves_it() -> None:
    """DHL claims with a DHL Express number are fetched there, if there is an account."""
    claim: Any = Claim(1, "CLM-1", carrier_name="DHL", number="JJD00012345678901234", fetch_status="failed")
    express = CATALOG.with_accounts(["dhl_express"])
    number = CATALOG.specs["dhl_express"].number_example.replace(" ", "")
    assert correction_of(claim, number, None, express).number == number
