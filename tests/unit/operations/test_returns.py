"""What calls to carriers bring."""

from typing import Any

from recours.operations.returns import Spent, call_returns


def spent(carrier: str = "chronopost", calls: int = 2, **more: Any) -> Spent:
    return Spent(carrier, calls, **({"brought_proof": False, "gave_up": False} | more))


def test_calls_proofs_and_money_are_those_of_each_carrier() -> None:
    found = call_returns(
        [
            spent(brought_proof=True, amount=100.25, currency="EUR"),
            spent(brought_proof=True, amount=50.5, currency="EUR"),
            spent(brought_proof=True, amount=10, currency="CHF"),
            spent(brought_proof=True),  # the service knows no amount
            spent(calls=1, gave_up=True, amount=999, currency="EUR"),
            spent(carrier="ups", calls=3, gave_up=True),
            spent(carrier="Pigeon", calls=0),
        ]
    )
    assert [each.as_json() for each in found] == [
        {
            "carrier": "chronopost",
            "calls": 9,
            "proofs": 4,
            "calls_per_proof": 2.2,
            "calls_in_vain": 1,
            "secured": {"CHF": 10, "EUR": 150.75},
        },
        {
            "carrier": "ups",
            "calls": 3,
            "proofs": 0,
            "calls_per_proof": None,
            "calls_in_vain": 3,
            "secured": {},
        },
    ]
