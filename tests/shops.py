"""Five shops whose claims the service handles, each with its own accounts at most carriers, and default accounts.

It is known in advance which accounts may call about each parcel. `check_callers` compares every received call with
this.
"""

import base64
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from itertools import product
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select

from recours.accounts.sealing import SETTING, Seals
from recours.carriers.registry import CATALOG
from recours.core.accounts import owner_of
from recours.core.errors import ErrorKind
from recours.core.pauses import DocumentRight
from recours.core.quota import Window
from recours.database.client_accounts import ClientAccounts
from recours.database.engine import Database
from recours.database.quota import QuotaTables
from recours.database.tables import attempts, claims, quota
from recours.sandbox import Call, Parcel, Sandbox, Scenario
from tests.carriers.cases import CASES
from tests.conftest import SERVICE_CLAIMS, SERVICE_CLIENTS, START, Kind, claim_row
from tests.own_rows import joined_rows
from tests.planted import MARK

# Each kind of carrier: tracking that ignores the account, three calls a claim, tokens, bundles, one call a claim.
CARRIERS = ("chronopost", "colissimo", "dhl_express", "gls", "fedex", "dpd")
SHOPS = range(1, 6)
DEFAULT_ACCOUNT = "10000001"
AMPLE = "100000/day@UTC"
_KEY = base64.urlsafe_b64encode(b"a key for tests of this length..").decode()
_DAY = Window(0)
# These carriers report that a parcel is another account's. Others answer as if it had no proof or did not exist.
_DENIED = (ErrorKind.ACCESS_DENIED, ErrorKind.ACCOUNT_DENIED)
SAY_WHOSE = frozenset(key for key in CARRIERS if CASES[key].not_ours in _DENIED)


class Contract(Enum):
    """The contract under which a shop's parcel was sent."""

    OWN = auto()
    DEFAULT = auto()
    OTHER = auto()  # another shop's, which neither the shop's account nor the default account may see


_MIX = (Contract.OWN, Contract.DEFAULT, Contract.OTHER, Contract.OWN, Contract.OWN)
Wanted = tuple[int, str, Contract]


def account_of(shop: int) -> str:
    """The name of the shop's account at the carriers."""
    return f"1000000{shop + 1}"


def has_account(shop: int, carrier: str) -> bool:
    """Return whether the shop has its own account. Each shop has none at one carrier, and uses the default account."""
    return CARRIERS.index(carrier) != shop % len(CARRIERS)


def alternate(count: int) -> Iterator[Wanted]:
    """Claims of all shops, carriers and contracts. Five denials in a row would make a run suspect an account."""
    pairs = [*product(SHOPS, CARRIERS)]
    for n in range(count):
        shop, carrier = pairs[n % len(pairs)]
        contract = _MIX[(n // len(pairs) + shop) % len(_MIX)]
        is_default = contract is Contract.OWN and not has_account(shop, carrier)
        yield shop, carrier, Contract.DEFAULT if is_default else contract


@dataclass(frozen=True)
class ShopsClaim:
    shop: int
    carrier: str
    number: str
    contract: Contract

    @property
    def account(self) -> str:
        """The account of the first call: the shop's, or else the default account."""
        return account_of(self.shop) if has_account(self.shop, self.carrier) else DEFAULT_ACCOUNT

    @property
    def ends_with(self) -> ErrorKind | None:
        """The claim's expected failure, or None for a proof."""
        owner = {Contract.OWN: self.account, Contract.DEFAULT: DEFAULT_ACCOUNT, Contract.OTHER: ""}[
            self.contract
        ]
        if owner == self.account or (owner == DEFAULT_ACCOUNT and self.carrier in SAY_WHOSE):
            return None
        return ErrorKind.ACCESS_DENIED if self.carrier in SAY_WHOSE else CASES[self.carrier].not_ours


@dataclass
class Shops:
    """The shops in a database, with their parcels in a sandbox.

    `but`: shops and carriers without an account and without claims. `limits`: the accounts' limits by shop and carrier,
    as in QUOTA_ settings. `wrong`: accounts whose password in recours is wrong.
    """

    database: Database
    box: Sandbox
    limits: Mapping[tuple[int, str], Mapping[str, str]] = field(default_factory=dict)
    wrong: Collection[tuple[int, str]] = ()
    but: Collection[tuple[int, str]] = ()
    claims: dict[str, ShopsClaim] = field(default_factory=dict, init=False)  # by number

    def __post_init__(self) -> None:
        for shop in SHOPS:
            self.box.accounts[account_of(shop)] = f"{MARK}-{shop}"
        with self.database.write() as connection:
            rows = [{"id": shop, "email": f"shop{shop}@example.com"} for shop in SHOPS]
            connection.execute(insert(SERVICE_CLIENTS), rows)
        rows_of_accounts = [
            (shop, carrier, self._sealed(shop, carrier), self._limits(shop, carrier))
            for shop in SHOPS
            for carrier in CARRIERS
            if has_account(shop, carrier) and (shop, carrier) not in self.but
        ]
        accounts = ClientAccounts(self.database)
        assert accounts.put_all(rows_of_accounts, "the tests", START) is None
        self.keys = {(one.carrier, account_of(one.client_id)): one.key for one in accounts.all()}
        self.keys |= {(carrier, DEFAULT_ACCOUNT): carrier for carrier in CARRIERS}
        quotas = QuotaTables(self.database)
        for key in self.keys.values():  # all have received documents, so a denial concerns the parcel
            quotas.set_documents(key, DocumentRight(fetched_at=datetime.now(UTC)))

    def _sealed(self, shop: int, carrier: str) -> str:
        values = self.box.credentials(carrier, account_of(shop))
        if (shop, carrier) in self.wrong:
            secret = self.box.accounts[account_of(shop)]
            values = {name: text.replace(secret, "mistyped") for name, text in values.items()}
        return Seals([_KEY]).seal(values, owner_of(shop, carrier))

    def _limits(self, shop: int, carrier: str) -> dict[str, str]:
        return {"": AMPLE, **self.limits.get((shop, carrier), {})}

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a run: the default accounts with ample limits, and the key for the shops' accounts."""
        ample = {f"QUOTA_{CATALOG.specs[key].prefix}": AMPLE for key in CARRIERS}
        return self.box.environment(*CARRIERS) | ample | {SETTING: _KEY}

    def add(self, wanted: Iterable["Wanted"], due_at: datetime) -> None:
        """Add claims of these shops at these carriers, with parcels sent under these contracts."""
        rows, failed = [], {name: due_at - timedelta(hours=2) for name in ("created_at", "updated_at")}
        for n, (shop, carrier, contract) in enumerate(wanted):
            if (shop, carrier) in self.but:
                continue
            number = self.box.example(carrier, "99", n)
            of_shop = {"client_id": shop, "carrier": CATALOG.specs[carrier].name, "tracking_number": number}
            rows.append(claim_row(n) | failed | of_shop)
            self.claims[number] = ShopsClaim(shop, carrier, number, contract)
            owners = {Contract.DEFAULT: DEFAULT_ACCOUNT, Contract.OTHER: account_of(shop % len(SHOPS) + 1)}
            owner = owners.get(contract, account_of(shop))
            self.box.parcels[number] = Parcel((Scenario.DELIVERED,), owner=owner)
        with self.database.write() as connection:
            connection.execute(insert(SERVICE_CLAIMS), rows)

    # ---------------------------------------------------------------- results

    def ended(self) -> dict[str, str]:
        """The result of each claim that has used an attempt, by number: "success" or a kind of failure."""
        with self.database.read() as connection:
            tried = set(connection.scalars(select(attempts.c.claim_id).where(attempts.c.used)))
        return {
            row["tracking_number"]: "success" if row["pod_fetch_status"] == "success" else row["kind"]
            for row in joined_rows(self.database)
            if row["id"] in tried
        }

    def check_ends(self, *, but: Collection[tuple[int, str]] = ()) -> None:
        """Check that each claim has its expected result. Claims in `but` may also have no attempt yet."""
        ended = self.ended()
        for number, claim in self.claims.items():
            if number in ended or (claim.shop, claim.carrier) not in but:
                assert ended.get(number) == (claim.ends_with or "success"), claim

    # ---------------------------------------------------------------- invariants

    def check_callers(self) -> Counter[str]:
        """Check that each call used the claim's account, or the default account after a denial.

        Return the number of calls of each account.
        """
        denied: set[str] = set()
        calls_by_account: Counter[str] = Counter()
        for call in list(self.box.calls):
            assert call.operation != "?", f"the carrier did not understand {call}"
            calls_by_account[call.account] += 1
            for number in filter(None, call.number.split(",")):
                if number == CATALOG.specs[call.carrier].sample_number or not call.account:
                    continue
                claim = self.claims[number]
                if call.account != claim.account:
                    assert (call.account, number in denied) == (DEFAULT_ACCOUNT, True), f"{claim}: {call}"
                elif call.scenario is Scenario.NOT_OURS and claim.carrier in SAY_WHOSE:
                    denied.add(number)
        return calls_by_account

    def calls_of(self, carrier: str, account: str, *, but: Iterable[str] = ()) -> list[Call]:
        """The calls that a carrier received from an account, without token calls and the operations in `but`."""
        left_out = {"token", *but}
        return [
            call
            for call in self.box.calls
            if (call.carrier, call.account) == (carrier, account) and call.operation not in left_out
        ]

    def maximum_per_day(self, carrier: str, account: str) -> int:
        """The maximum number of these calls in a day, as the carrier counts them."""
        days = Counter(_DAY.around(call.at)[0] for call in self.calls_of(carrier, account))
        return max(days.values(), default=0)

    def check_counts(self, *, killed: bool = False) -> None:
        """Check that each account's calls are counted under its own key, and that no claim is leased.

        `killed`: runs were killed, so some counted calls may not have been made and some claims may still be leased.
        """
        with self.database.read() as connection:
            used_units = Counter(
                dict(
                    connection.execute(
                        select(quota.c.limit_key, func.sum(quota.c.taken)).group_by(quota.c.limit_key)
                    ).all()
                )
            )
            leased = connection.scalar(select(func.count()).where(claims.c.lease_token.is_not(None)))
        assert killed or leased == 0, f"{leased} claims are held"
        counted = {of: used_units[f"{key}/*/day@UTC"] for of, key in self.keys.items()}
        received = Counter((call.carrier, call.account) for call in self.box.calls)
        # Chronopost's tracking calls do not name the account.
        for found in (counted, received):
            found["chronopost", ""] = sum(found.pop(of) for of in [*found] if of[0] == "chronopost")
        for of, count in counted.items():
            fits = received[of] <= count if killed else received[of] == count
            assert fits, f"{of}: {received[of]} calls received, {count} counted"


@contextmanager
def shops_in(folder: Path, kind: Kind, box: Sandbox | None = None, **more: Any) -> Iterator[Shops]:
    """Shops in a separate database, deleted afterwards. The carriers' clock shows the real time."""
    folder.mkdir()
    url = kind.ready(folder)
    with box or Sandbox() as sandbox, closing(Database(url)) as database:
        yield Shops(database, sandbox, **more)
    kind.drop(url)
