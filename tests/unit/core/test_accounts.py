"""Keys of accounts, and the account for each claim."""

import pytest

from recours.carriers.registry import CATALOG
from recours.core.accounts import DEFAULT_ACCOUNT, AccountKey, carrier_of
from recours.core.claim import Claim
from recours.core.quota import Capability

SHOP, OTHER = 7, 8


@pytest.mark.parametrize(("key", "text"), [(AccountKey("ups"), "ups"), (AccountKey("dhl", 12), "dhl#12")])
def test_account_keys_are_parsed_from_their_text(key: AccountKey, text: str) -> None:
    """The default account's key is only the carrier, as before client accounts existed."""
    assert str(key) == text
    assert AccountKey.parse(text) == key
    assert carrier_of(text) == key.carrier


@pytest.mark.parametrize("text", ["ups#", "ups#0", "ups#-1", "ups#1#2", "ups#x", "ups#²"])
def test_an_invalid_account_key_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="is not an account key"):
        AccountKey.parse(text)


def test_a_claim_is_served_by_its_clients_account_or_the_default_account() -> None:
    catalog = CATALOG.with_accounts({"ups", "chronopost"}, {SHOP: {"ups": 3}})
    assert catalog.account_for(SHOP, "ups", None) == 3
    assert catalog.account_for(SHOP, "chronopost", None) == DEFAULT_ACCOUNT
    assert catalog.account_for(OTHER, "ups", None) == DEFAULT_ACCOUNT
    assert catalog.account_for(SHOP, None, None) == DEFAULT_ACCOUNT


def test_the_default_account_is_used_again_while_it_has_credentials() -> None:
    assert (
        CATALOG.with_accounts({"ups"}, {SHOP: {"ups": 3}}).account_for(SHOP, "ups", DEFAULT_ACCOUNT)
        == DEFAULT_ACCOUNT
    )
    assert CATALOG.with_accounts((), {SHOP: {"ups": 3}}).account_for(SHOP, "ups", DEFAULT_ACCOUNT) == 3


def test_a_removed_account_is_not_used_although_it_worked() -> None:
    assert CATALOG.with_accounts({"ups"}).account_for(SHOP, "ups", 3) == DEFAULT_ACCOUNT


def test_a_client_with_an_account_of_a_substitute_is_served_by_the_substitute() -> None:
    """La Poste serves Colissimo claims only if neither the client nor the settings have a Colissimo account."""
    number = "6A12345678901"
    own = CATALOG.with_accounts({"laposte"}, {SHOP: {"colissimo": 4}})
    assert own.resolve("Colissimo", number, SHOP) == "colissimo"
    assert own.resolve("Colissimo", number, OTHER) == "laposte"
    lesser = CATALOG.with_accounts({"colissimo"}, {SHOP: {"laposte": 4}})
    assert lesser.resolve("Colissimo", number, SHOP) == "colissimo"
    alone = CATALOG.with_accounts((), {SHOP: {"laposte": 4}})
    assert (alone.resolve("Colissimo", number, SHOP), alone.account_for(SHOP, "laposte", None)) == (
        "laposte",
        4,
    )


def test_the_key_of_a_claims_account() -> None:
    assert Claim(1, "CLM-1", carrier="ups", account=3).account_key == "ups#3"
    assert Claim(1, "CLM-1", carrier="ups").account_key == "ups"
    assert Claim(1, "CLM-1", carrier_name="Heppner").account_key == ""


def test_a_clients_limits_are_its_own_or_the_carriers_defaults() -> None:
    spec = CATALOG.specs["fedex"]
    key = str(AccountKey("fedex", 17))
    defaults = spec.limits_of_client(key, None)
    assert {limit.carrier for limit in defaults} == {key}
    assert [str(limit) for limit in defaults] == [
        str(limit) for what in spec.limitable for limit in spec.limits_of(what, spec.limits.get(what, ""))
    ]
    own = spec.limits_of_client(key, {"POD": "7/day"})
    assert {str(limit) for limit in own if limit.capability is Capability.POD} == {"7 per day"}
    others = [limit for limit in defaults if limit.capability is not Capability.POD]
    assert [limit for limit in own if limit.capability is not Capability.POD] == others


@pytest.mark.parametrize(
    ("own", "fault"),
    [
        ({"POD": "many"}, "'many' is not a limit"),
        ({"": "1/day"}, "is not enough for even one claim"),
        ({"PODS": "7/day"}, "limits can be set for all calls"),
    ],
)
def test_limits_that_cannot_be_used_are_refused(own: dict[str, str], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        CATALOG.specs["fedex"].limits_of_client("fedex#17", own)
