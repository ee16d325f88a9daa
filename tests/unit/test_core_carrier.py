"""Carriers found by whatever name a claims database holds."""

import pytest

from recours.core.carrier import Catalog, fold
from recours.core.claim import Delivery
from recours.core.quota import Capability
from tests.fakes.carriers import CATALOG, CHRONOPOST, DHL


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("chronopost", "chronopost"),
        ("CHRONOPOST", "chronopost"),
        ("Chronopost", "chronopost"),
        (" Chrono ", "chronopost"),
        ("DHL Express", "dhl_express"),
        ("dhl_express", "dhl_express"),
        ("DHL-EXPRESS", "dhl_express"),
        ("DHL", None),
        ("", None),
        ("UPS", None),
    ],
)
def test_a_carrier_is_found_however_it_is_spelt(name: str, key: str | None) -> None:
    assert CATALOG.resolve(name) == key


def test_accents_and_signs_do_not_tell_names_apart() -> None:
    assert fold("Móndial-Relay (FR)") == "mondialrelayfr"


def test_names_are_for_people() -> None:
    assert CATALOG.names == ["Chronopost", "DHL Express"]
    assert CATALOG.name_of("dhl_express") == "DHL Express"
    assert CATALOG.name_of("heppner", "Heppner") == "Heppner"
    assert CATALOG.name_of(None, "(none)") == "(none)"
    assert CATALOG.name_of(None) == ""


def test_names_are_sorted_whatever_the_order_of_the_specs() -> None:
    catalog = Catalog([DHL, CHRONOPOST])
    assert catalog.names == ["Chronopost", "DHL Express"]
    assert (catalog.resolve("Chrono"), catalog.resolve("dhl express")) == ("chronopost", "dhl_express")


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("Chronopst", "Chronopost"),
        ("CRHONO", "Chronopost"),
        ("dhl expres", "DHL Express"),
        ("zzz", None),
        ("", None),
    ],
)
def test_a_misspelt_name_finds_the_nearest(name: str, nearest: str | None) -> None:
    assert CATALOG.nearest(name) == nearest


def test_what_the_settings_of_a_carrier_are_called() -> None:
    assert CHRONOPOST.base_url_setting == "CHRONOPOST_BASE_URL"
    assert DHL.prefix == "DHL_EXPRESS"
    assert DHL.base_url_setting == "DHL_EXPRESS_BASE_URL"


def test_the_tracking_of_a_parcel_known_to_be_delivered_is_not_paid_for_again() -> None:
    assert CHRONOPOST.calls_for(None) == {Capability.TRACKING: 1, Capability.POD: 1}
    assert CHRONOPOST.calls_for(Delivery()) == {Capability.POD: 1}
    assert DHL.calls_for(Delivery()) == {Capability.POD: 1}
