"""What the rules, the settings and the queue know of a carrier without calling it."""

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
    """A setting of one carrier beside its credentials."""

    name: str
    default: str
    form: re.Pattern[str]
    description: str  # of the form, after "must be"

    def parse(self, text: str) -> str:
        """Raises ValueError if it is not of the form."""
        if text != self.default and not self.form.fullmatch(text):
            raise ValueError(f"it must be {self.description}")
        return text


@dataclass(frozen=True)
class CarrierSpec:
    """A carrier's fixed facts. Their sources stand in its module."""

    key: str  # canonical, lower case: what the database holds
    name: str  # as people write it
    limits: Mapping[Capability | None, str]  # default limits, in the form of the QUOTA_ settings
    credentials: tuple[tuple[str, ...], ...]  # names of settings: sets of which any is enough, the best first
    base_url: str
    number_form: re.Pattern[str]  # of an upper-case number without blanks
    number_example: str  # one of that form, as people know it
    calls: Mapping[Capability, int]  # the most a fetch may need, beside a token
    sample_number: str  # of the carrier's form, and of no parcel: to try credentials with
    spellings: tuple[str, ...] = ()  # beside `name` and `key`
    options: tuple[Option, ...] = ()
    issues_documents: bool = True  # else its tracking alone can be asked, and a delivery ends the asking
    # The document comes with the tracking, or by way of it: that is asked even about a parcel known to be delivered.
    tracks_always: bool = False
    # Numbers whose document can be asked for though the parcel was never tracked; None: of no number.
    untracked_form: re.Pattern[str] | None = None
    evidence_days: int | None = None  # after so many days it forgets a parcel; None: not known to
    # How many parcels one call for the tracking may be about; the calls that follow it are each about one. Not more than
    # one where it `tracks_always`.
    numbers_per_call: int = 1
    # Whether a number's check digit fits; a wrong one makes it doubtful, and is never a reason not to ask.
    check_digit_fits: Callable[[str], bool] | None = None

    @property
    def prefix(self) -> str:
        """What the names of its settings begin with."""
        return self.key.upper()

    @property
    def base_url_setting(self) -> str:
        """The setting that replaces scheme, host and port."""
        return f"{self.prefix}_BASE_URL"

    @property
    def document_first_setting(self) -> str:
        """The setting that has a new claim's document asked for before it is tracked, where the carrier allows that."""
        return f"{self.prefix}_DOCUMENT_FIRST"

    @property
    def credential_names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for names in self.credentials for name in names))

    def complete_credentials(self, present: Collection[str]) -> tuple[str, ...] | None:
        """The first set whose names are all present; None if there is none."""
        return next((names for names in self.credentials if set(names) <= set(present)), None)

    def missing_credentials(self, present: Collection[str]) -> list[list[str]]:
        """What is missing of each set that was begun, or of each set if none was."""
        incomplete = [names for names in self.credentials if set(names) & set(present)] or self.credentials
        return [[name for name in names if name not in present] for names in incomplete]

    def calls_for(self, delivery: Delivery | None) -> dict[Capability, int]:
        """The calls a fetch may need: the tracking is not asked again once the parcel is known to be delivered."""
        skipped = {Capability.TRACKING} if delivery and not self.tracks_always else set()
        return {kind: count for kind, count in self.calls.items() if kind not in skipped}

    def calls_for_bundle(self, deliveries: Sequence[Delivery | None]) -> list[dict[Capability, int]]:
        """The calls that each of several fetches may need, in their order: the first that tracks does so for all."""
        calls_of_each = [self.calls_for(delivery) for delivery in deliveries]
        tracking = [calls for calls in calls_of_each if Capability.TRACKING in calls]
        for place, calls in enumerate(tracking):
            if place % self.numbers_per_call:
                del calls[Capability.TRACKING]
        return calls_of_each

    def is_doubtful(self, number: str) -> bool:
        """Return whether a number of the right form has a check digit that does not fit."""
        return self.check_digit_fits is not None and not self.check_digit_fits(number)

    @property
    def limitable(self) -> list[Capability | None]:
        """The kinds of calls that limits can be set for; None: calls of any kind."""
        return [None, *sorted({kind for kind in (*self.calls, *self.limits) if kind is not None})]

    def limits_of(self, kind: Capability | None, text: str, account: str = "") -> tuple[Limit, ...]:
        """The limits that a text in the form of the QUOTA_ settings sets for an account, by its key; "": the default account.

        Raises ValueError, also for a limit that no claim could be fetched within.
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
                    f"'{limit}' can never be enough for one claim, which needs up to {units} calls{token}"
                )
        return limits

    def limits_of_client(self, account: str, overrides: Mapping[str, str] | None) -> tuple[Limit, ...]:
        """The limits of a client's account: its own, by the kind of call ("": of any), else the carrier's defaults.

        Raises ValueError.
        """
        overrides = overrides or {}
        if overrides.keys() - {kind or "" for kind in self.limitable}:
            kinds = ", ".join(kind for kind in self.limitable if kind)
            raise ValueError(
                f"what can be limited is all calls together (100/day) or one of {kinds} (…=100/day)"
            )
        return tuple(
            limit
            for kind in self.limitable
            for limit in self.limits_of(kind, overrides.get(kind or "", self.limits.get(kind, "")), account)
        )


class Substitute(NamedTuple):
    """A carrier's claims may be served by another one's account, if we have credentials for that."""

    claimed: str  # the carrier that the claim names
    served_by: str
    numbers: re.Pattern[str] | None = None  # only claims with such a number
    preferred: bool = False  # even if the claimed carrier has credentials of its own
    names: tuple[str, ...] = ()  # only claims that write the carrier's name so


class Catalog:
    """The carriers there are, found by whatever name a claims database holds."""

    def __init__(
        self,
        specs: Iterable[CarrierSpec],
        substitutes: Iterable[Substitute] = (),
        configured: Collection[str] = (),
        of_clients: Mapping[Any, Mapping[str, int]] | None = None,
    ) -> None:
        """Know these carriers.

        `configured`: the keys of those with a default account. `of_clients`: of each client that has accounts of
        its own, their numbers by the carrier's key.
        """
        self.specs = {spec.key: spec for spec in specs}
        self.substitutes = tuple(substitutes)
        self.configured = frozenset(configured)
        self.of_clients = {} if of_clients is None else of_clients
        self._numbers = frozenset(
            number for numbers in self.of_clients.values() for number in numbers.values()
        )
        self.keys_by_name = {  # by `fold`
            fold(name): spec.key
            for spec in self.specs.values()
            for name in (spec.key, spec.name, *spec.spellings)
        }

    def with_accounts(
        self, configured: Collection[str], of_clients: Mapping[Any, Mapping[str, int]] | None = None
    ) -> "Catalog":
        return Catalog(self.specs.values(), self.substitutes, configured, of_clients)

    @property
    def names(self) -> list[str]:
        return sorted(spec.name for spec in self.specs.values())

    @property
    def evidence_days(self) -> dict[str, int]:
        """After how many days carriers forget a parcel, by the keys of those that do."""
        return {spec.key: spec.evidence_days for spec in self.specs.values() if spec.evidence_days}

    def resolve(self, name: str, number: str | None = None, client_id: Any = None) -> str | None:
        """The key of the carrier whose account serves a claim; None if `name` is no carrier that recours knows."""
        for substitute in self._substitutes_of(name, self._configured_for(client_id)):
            if substitute.numbers is None or substitute.numbers.fullmatch(number or ""):
                return substitute.served_by
        return self.keys_by_name.get(fold(name))

    def resolve_again(
        self, served: str | None, name: str, number: str | None, client_id: Any = None
    ) -> str | None:
        """Like `resolve`, for a claim that the carrier `served` has served: it passes to another only with credentials for it.

        Credentials that are missing for a run, as while a file is being replaced, must not start claims over.
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
        """The number of the account that serves a client's claim at a carrier: the client's own, else the default account.

        `remembered`: the account that worked for this claim. `assessed`: the key of the account that it was assessed for;
        a number that is not known here is newer than what is, and holds: another run has read it.
        """
        if remembered == DEFAULT_ACCOUNT and carrier in self.configured:
            return DEFAULT_ACCOUNT
        number = self.of_clients.get(client_id, {}).get(carrier or "")
        if number is None and carrier_of(assessed) == carrier != assessed:
            number = AccountKey.parse(assessed).account
            return DEFAULT_ACCOUNT if number in self._numbers else number
        return DEFAULT_ACCOUNT if number is None else number

    def _configured_for(self, client_id: Any) -> Collection[str]:
        """The keys of the carriers with a default account, or one of this client's."""
        accounts = self.of_clients.get(client_id)
        return self.configured.union(accounts) if accounts else self.configured

    def keys_of(self, name: str) -> tuple[str, ...]:
        """The carriers' keys that claims of this carrier may be under; none if `name` is no carrier that recours knows."""
        key = self.keys_by_name.get(fold(name))
        if key is None:
            return ()
        keys: list[str] = []
        for configured in {
            self.configured,
            *(self.configured.union(accounts) for accounts in self.of_clients.values()),
        }:
            substitutes = self._substitutes_of(name, configured)
            served_by_itself = all(substitute.numbers for substitute in substitutes)
            keys += [
                *([key] if served_by_itself else []),
                *(substitute.served_by for substitute in substitutes),
            ]
        return tuple(sorted(set(keys), key=lambda served_by: (served_by != key, served_by)))

    def accounts_of(self, carriers: Collection[str]) -> list[str]:
        """The keys of all accounts of these carriers, by the carriers' keys: the default account, and those of clients."""
        of_clients = (
            AccountKey(*account) for accounts in self.of_clients.values() for account in accounts.items()
        )
        return [*carriers, *(str(key) for key in of_clients if key.carrier in carriers)]

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
        """The carrier of an account's key; None if that is none."""
        return self.specs.get(carrier_of(key))

    def name_of(self, key: str | None, otherwise: str = "") -> str:
        """The carrier's name for people, by its key or an account's; `otherwise` if it is none."""
        spec = self.spec_of(key or "")
        return spec.name if spec else otherwise

    def label_of(self, key: str) -> str:
        """The same with the account's number where it is a client's: `UPS (account 17)`; "" if it is no key."""
        name = self.name_of(key)
        return (
            f"{name} (account {AccountKey.parse(key).account})" if name and key != carrier_of(key) else name
        )

    def no_such(self, name: str) -> str:
        """The error for a name that does not exist: with the nearest one, or all there are."""
        nearest_name = nearest(fold(name), self.keys_by_name)
        suggestion = (
            f"Did you mean {self.specs[self.keys_by_name[nearest_name]].name}?" if nearest_name else ""
        )
        return f"there is no carrier '{clean(name, 60)}'. {suggestion or 'Known: ' + ', '.join(self.names) + '.'}"


@lru_cache(maxsize=1024)  # asked for every claim that is read, and there are few names
def fold(name: str) -> str:
    """`DHL Express`, `dhl_express` and `DHL-EXPRESS` are one name."""
    return "".join(c for c in plain(name) if c.isalnum())
