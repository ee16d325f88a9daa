"""Fixed facts about carriers, and the catalog that finds the carrier and account for a claim."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from recours.core.accounts import DEFAULT_ACCOUNT, AccountKey, carrier_of
from recours.core.claim import Delivery
from recours.core.quota import Capability, Limit, parse_limits
from recours.core.text import clean, nearest, plain


class Option(NamedTuple):
    """A setting of one carrier other than its credentials."""

    name: str
    default: str
    form: re.Pattern[str]
    description: str  # of the allowed form; follows "must be" in messages

    def parse(self, text: str) -> str:
        """Return the text unchanged. Raises ValueError if it does not match the option's form."""
        if text != self.default and not self.form.fullmatch(text):
            raise ValueError(f"it must be {self.description}")
        return text


@dataclass(frozen=True)
class CarrierSpec:
    """A carrier's fixed facts. The carrier's module names their sources."""

    key: str  # canonical, lower case, as in the database
    name: str  # as people write it
    limits: Mapping[Capability | None, str]  # default limits, in the form of the QUOTA_ settings
    credentials: tuple[tuple[str, ...], ...]  # alternative sets of setting names, best first
    base_url: str
    number_form: re.Pattern[str]  # matches upper-case numbers without spaces
    number_example: str  # a typical number, as people know it
    calls: Mapping[Capability, int]  # the maximum number per fetch, without token calls
    sample_number: str  # has the carrier's form but belongs to no parcel; used to check credentials
    spellings: tuple[str, ...] = ()  # other than `name` and `key`
    options: tuple[Option, ...] = ()
    issues_documents: bool = True  # False: only tracking exists, so no document is requested
    # The document is part of the tracking answer or linked there, so tracking is called even if the delivery is known.
    tracks_always: bool = False
    # Matches numbers whose document can be requested without tracking the parcel first; None: no number.
    untracked_form: re.Pattern[str] | None = None
    # The carrier deletes a parcel's data after this many days; None: not known.
    evidence_days: int | None = None
    # The maximum number of parcels in one tracking call; other calls are for one parcel. Must be 1 if `tracks_always`.
    numbers_per_call: int = 1
    # Returns whether a number's check digit is correct. Numbers with a wrong digit are doubtful, but are still fetched.
    check_digit_fits: Callable[[str], bool] | None = None

    @property
    def prefix(self) -> str:
        """The prefix of the carrier's settings."""
        return self.key.upper()

    @property
    def base_url_setting(self) -> str:
        """The setting that replaces scheme, host and port of the carrier's URL."""
        return f"{self.prefix}_BASE_URL"

    @property
    def document_first_setting(self) -> str:
        """The setting to request a new claim's document before tracking its parcel, if the carrier allows that."""
        return f"{self.prefix}_DOCUMENT_FIRST"

    @property
    def credential_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for names in self.credentials for name in names))

    def complete_credentials(self, present: Collection[str]) -> tuple[str, ...] | None:
        """Return the first set of credentials whose settings are all present; None if no set is complete."""
        return next((names for names in self.credentials if set(names) <= set(present)), None)

    def missing_credentials(self, present: Collection[str]) -> list[list[str]]:
        """Return the missing settings of each partly configured set, or of every set if nothing is configured."""
        incomplete = [names for names in self.credentials if set(names) & set(present)] or self.credentials
        return [[name for name in names if name not in present] for names in incomplete]

    def calls_for(self, delivery: Delivery | None) -> dict[Capability, int]:
        """Return the calls that a fetch may need. A parcel known to be delivered is not tracked again."""
        skipped = {Capability.TRACKING} if delivery and not self.tracks_always else set()
        return {kind: count for kind, count in self.calls.items() if kind not in skipped}

    def calls_for_bundle(self, deliveries: Sequence[Delivery | None]) -> list[dict[Capability, int]]:
        """Return the calls that each of several fetches may need. A tracking call covers `numbers_per_call` fetches."""
        calls_of_each = [self.calls_for(delivery) for delivery in deliveries]
        tracking = [calls for calls in calls_of_each if Capability.TRACKING in calls]
        for place, calls in enumerate(tracking):
            if place % self.numbers_per_call:
                del calls[Capability.TRACKING]
        return calls_of_each

    def is_doubtful(self, number: str) -> bool:
        """Return whether a number of the right form has a wrong check digit."""
        return self.check_digit_fits is not None and not self.check_digit_fits(number)

    @property
    def limitable(self) -> list[Capability | None]:
        """The capabilities that limits can be set for; None: all calls."""
        return [None, *sorted({kind for kind in (*self.calls, *self.limits) if kind is not None})]

    def limits_of(self, kind: Capability | None, text: str, account: str = "") -> tuple[Limit, ...]:
        """Parse limits in the form of the QUOTA_ settings. `account`: its key; "": the default account.

        Raises ValueError if the text is invalid or a limit is too small for a single claim.
        """
        usual = self.limits.get(kind) or self.limits.get(None, "")
        zone = usual.rpartition("@")[2].split(",")[0] if "@" in usual else "UTC"
        limits = parse_limits(text, account or self.key, kind, zone) if text else ()
        token_call = {Capability.TOKEN: 1} if Capability.TOKEN in self.limits else {}
        for limit in limits:
            units = limit.units({**self.calls, **token_call})
            if not limit.window.is_short and limit.number < units:
                token = ", one of them for a token" if units > limit.units(dict(self.calls)) else ""
                raise ValueError(
                    f"'{limit}' is not enough for even one claim, which needs up to {units} calls{token}"
                )
        return limits

    def limits_of_client(self, account: str, overrides: Mapping[str, str] | None) -> tuple[Limit, ...]:
        """Return the limits of a client's account: its own by capability ("": all calls), else the carrier's defaults.

        Raises ValueError.
        """
        overrides = overrides or {}
        if overrides.keys() - {kind or "" for kind in self.limitable}:
            kinds = ", ".join(kind for kind in self.limitable if kind)
            raise ValueError(f"limits can be set for all calls (100/day) or for one of {kinds} (…=100/day)")
        return tuple(
            limit
            for kind in self.limitable
            for limit in self.limits_of(kind, overrides.get(kind or "", self.limits.get(kind, "")), account)
        )


class Substitute(NamedTuple):
    """A carrier whose claims can be served by an account at another carrier, if that account has credentials."""

    claimed: str  # the carrier that the claim names
    served_by: str
    numbers: re.Pattern[str] | None = None  # only claims with a matching number
    preferred: bool = False  # even if the claimed carrier has credentials of its own
    names: tuple[str, ...] = ()  # only claims with one of these spellings of the carrier's name


class Catalog:
    """The supported carriers, found by any name that a claims database may contain."""

    def __init__(
        self,
        specs: Iterable[CarrierSpec],
        substitutes: Iterable[Substitute] = (),
        configured: Collection[str] = (),
        client_accounts: Mapping[Any, Mapping[str, int]] | None = None,
    ) -> None:
        """`configured`: the keys of carriers with a default account.

        `client_accounts`: account numbers by carrier key, for each client with accounts.
        """
        self.specs = {spec.key: spec for spec in specs}
        self.substitutes = tuple(substitutes)
        self.configured = frozenset(configured)
        self.client_accounts = {} if client_accounts is None else client_accounts
        self._numbers = frozenset(
            number for numbers in self.client_accounts.values() for number in numbers.values()
        )
        self.keys_by_name = {  # by `fold`
            fold(name): spec.key
            for spec in self.specs.values()
            for name in (spec.key, spec.name, *spec.spellings)
        }

    def with_accounts(
        self, configured: Collection[str], client_accounts: Mapping[Any, Mapping[str, int]] | None = None
    ) -> "Catalog":
        return Catalog(self.specs.values(), self.substitutes, configured, client_accounts)

    @property
    def names(self) -> list[str]:
        return sorted(spec.name for spec in self.specs.values())

    @property
    def evidence_days(self) -> dict[str, int]:
        """The days after which carriers delete a parcel's data, by carrier key, if the number is known."""
        return {spec.key: spec.evidence_days for spec in self.specs.values() if spec.evidence_days}

    def resolve(self, name: str, number: str | None = None, client_id: Any = None) -> str | None:
        """Return the key of the carrier whose account serves a claim; None if `name` is not a supported carrier."""
        for substitute in self._substitutes_of(name, self._configured_for(client_id)):
            if substitute.numbers is None or substitute.numbers.fullmatch(number or ""):
                return substitute.served_by
        return self.keys_by_name.get(fold(name))

    def resolve_again(
        self, served: str | None, name: str, number: str | None, client_id: Any = None
    ) -> str | None:
        """Resolve a claim that carrier `served` has served so far. Keep `served` unless its successor has credentials.

        Otherwise claims would restart if credentials were missing for one run, such as while a file is being replaced.
        """
        key = self.resolve(name, number, client_id)
        if (
            served is None
            or served not in self.specs
            or key is None
            or key in self._configured_for(client_id)
        ):
            return key
        substituted = {
            s.served_by for s in self.substitutes if s.claimed == self.keys_by_name.get(fold(name))
        }
        return served if served in substituted else key

    def account_for(
        self, client_id: Any, carrier: str | None, remembered: int | None, assessed: str = ""
    ) -> int:
        """Return the number of the account for a client's claim: the client's own account, or the default account.

        `remembered`: the account that worked for this claim. `assessed`: the key of the account at the last assessment.
        If this run does not know the assessed account, it keeps the number: a run that read newer accounts chose it.
        """
        if remembered == DEFAULT_ACCOUNT and carrier in self.configured:
            return DEFAULT_ACCOUNT
        number = self.client_accounts.get(client_id, {}).get(carrier or "")
        if number is None and carrier_of(assessed) == carrier != assessed:
            number = AccountKey.parse(assessed).account
            return DEFAULT_ACCOUNT if number in self._numbers else number
        return DEFAULT_ACCOUNT if number is None else number

    def _configured_for(self, client_id: Any) -> Collection[str]:
        """Return the keys of the carriers with a default account or an account of this client."""
        accounts = self.client_accounts.get(client_id)
        return self.configured.union(accounts) if accounts else self.configured

    def keys_of(self, name: str) -> tuple[str, ...]:
        """Return the keys of the carriers that may serve claims with this carrier name; empty if it is unknown."""
        key = self.keys_by_name.get(fold(name))
        if key is None:
            return ()
        keys: list[str] = []
        for configured in {
            self.configured,
            *(self.configured.union(accounts) for accounts in self.client_accounts.values()),
        }:
            substitutes = self._substitutes_of(name, configured)
            served_by_itself = all(substitute.numbers for substitute in substitutes)
            keys += [
                *([key] if served_by_itself else []),
                *(substitute.served_by for substitute in substitutes),
            ]
        return tuple(sorted(set(keys), key=lambda served_by: (served_by != key, served_by)))

    def accounts_of(self, carriers: Collection[str]) -> list[str]:
        """Return the keys of the default accounts and the clients' accounts at these carriers."""
        keys = (
            AccountKey(*account) for accounts in self.client_accounts.values() for account in accounts.items()
        )
        return [*carriers, *(str(key) for key in keys if key.carrier in carriers)]

    def _substitutes_of(self, name: str, configured: Collection[str]) -> list[Substitute]:
        folded = fold(name)
        key = self.keys_by_name.get(folded)
        return [
            substitute
            for substitute in self.substitutes
            if substitute.claimed == key
            and substitute.served_by in configured
            and (substitute.preferred or key not in configured)
            and (not substitute.names or folded in map(fold, substitute.names))
        ]

    def spec_of(self, key: str) -> CarrierSpec | None:
        """Return the carrier for an account's key; None if the carrier is not supported."""
        return self.specs.get(carrier_of(key))

    def name_of(self, key: str | None, otherwise: str = "") -> str:
        """Return the display name for a carrier's or account's key; `otherwise` if the carrier is not supported."""
        spec = self.spec_of(key or "")
        return spec.name if spec else otherwise

    def label_of(self, key: str) -> str:
        """Return the display name, such as `UPS` or `UPS (account 17)`; "" if the carrier is not supported."""
        name = self.name_of(key)
        return (
            f"{name} (account {AccountKey.parse(key).account})" if name and key != carrier_of(key) else name
        )

    def no_such(self, name: str) -> str:
        """Return the error message for an unknown carrier name. It suggests a similar name or lists all names."""
        nearest_name = nearest(fold(name), self.keys_by_name)
        suggestion = (
            f"Did you mean {self.specs[self.keys_by_name[nearest_name]].name}?" if nearest_name else ""
        )
        return f"there is no carrier '{clean(name, 60)}'. {suggestion or 'Supported: ' + ', '.join(self.names) + '.'}"


@lru_cache(maxsize=1024)  # called for every claim, but with few different names
def fold(name: str) -> str:
    """Reduce a name to letters and digits, so that `DHL Express`, `dhl_express` and `DHL-EXPRESS` are equal."""
    return "".join(c for c in plain(name) if c.isalnum())
