"""Numbers that carriers and public projects have published as theirs: each is asked about, and none is refused as malformed."""

import pytest

from recours.carriers.registry import CATALOG
from recours.core.claim import tidy_number
from recours.runs.attempt import malformed

# Carrier, where they were published, the numbers.
PUBLISHED: list[tuple[str, str, str]] = [
    (
        "ups",
        "jkeen/tracking_number_data test_numbers.valid",
        """
        1Z5R89390357567127 1Z879E930346834440 1Z410E7W0392751591 1Z8V92A70367203024 1ZXX3150YW44070023
        K1506235620 K2479825491 J4603636537 V0490119172 V0431105627
        """,
    ),
    (
        "ups",
        "mediocre/bloodhound UPS forms",
        """
        H9205817377 M0000000001 F0000000001 W0000000001 Q0000000001
        """,
    ),
    (
        "fedex",
        "jkeen/tracking_number_data test_numbers.valid",
        """
        986578788855 477179081230 799531274483 1001921334250001000300779017972697
        1195271874060007521100871140316925 32971514560102447849175802862014
        33810799560000004380417923803212 041441760228964 568283610012000 00012345000000000027
        9611020987654312345672 9622001900000000000000776632517510 9632001560123456789900794808390594
        """,
    ),
    (
        "fedex",
        "FedEx API-Reference-Guide.html mock numbers",
        """
        449044304137821 149331877648230 020207021381215 403934084723025 920241085725456 568838414941
        039813852990618 231300687629630 797806677146 377101283611590 852426136339213 797615467620
        957794015041323 076288115212522 581190049992 122816215025810 843119172384577 070358180009382
        713062653486 02394653001023698293 61292701078443410536 61292700726653585070
        02394653018047202719
        """,
    ),
    (
        "dhl_express",
        "jkeen/tracking_number_data test_numbers.valid",
        """
        3318810025 73891051146 8487135506 1099255990 3821724944
        """,
    ),
    (
        "dhl_express",
        "jkeen/tracking_number_data test_numbers.valid (piece ids)",
        """
        JJD0099999999 JVGL0999999990
        """,
    ),
    (
        "dhl_express",
        "MyDHL 3.1.1 test waybills",
        """
        9356579890 4818240420 5584773180 5786694550 2449648740 5980622760
        """,
    ),
    (
        "gls",
        "ecitrackandtrace.yaml",
        """
        36301917596 42249018928 93835330599 93835330600 93835368025 ZX61QJIX
        """,
    ),
    (
        "gls",
        "ecitrackandtrace.yaml test parcels",
        """
        QAS_0000001 QAS_0000008
        """,
    ),
    (
        "gls",
        "gls schema example (karrio)",
        """
        12345678901234567890
        """,
    ),
    (
        "dpd",
        "jkeen/tracking_number_data test_numbers.valid",
        """
        09980000020033F 09980000020034D 008182709980000020033350276C
        """,
    ),
    (
        "dpd",
        "a shop module whose numbers have the prefix 250",
        """
        25012345678901234
        """,
    ),
    (
        "chronopost",
        "karrio, observed",
        """
        89108749065090 XT123456785TS XT8452370122486 13199341485349X
        """,
    ),
    (
        "colissimo",
        "observed",
        """
        7R00486500704 6Y11138937441 EY926652383FR EW112720413FR 8R12345678901
        """,
    ),
    (
        "laposte",
        "karrio, observed",
        """
        EW112720413FR 6Y11138937441 13199341485349
        """,
    ),
    (
        "mondial_relay",
        "observed",
        """
        31231652
        """,
    ),
]


@pytest.mark.parametrize(("carrier", "source", "numbers"), PUBLISHED)
def test_published_numbers_are_asked_about(carrier: str, source: str, numbers: str) -> None:
    spec = CATALOG.specs[carrier]
    refused = [number for number in numbers.split() if malformed(tidy_number(number) or "", spec)]
    assert refused == [], source


def test_check_digits_fit_the_numbers_that_were_published_as_good() -> None:
    """Those of test systems do not keep to them."""
    for carrier, source, numbers in PUBLISHED:
        if source.startswith("jkeen"):
            spec = CATALOG.specs[carrier]
            assert [n for n in numbers.split() if spec.is_doubtful(n)] == [], source
