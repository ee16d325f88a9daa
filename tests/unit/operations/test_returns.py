"""What calls to carriers bring."""

from typing import Any

from recours.operations.returns import CallReturn, Spent, call_returns


def spent(carrier: str = "chronopost", calls: int = 2, **more: Any) -> Spent:
    return Spent(carrier, calls, **({"brought_proof": False} | more))


def test_calls_proofs_and_money_are_those_of_each_carrier() -> None:
    found = call_returns(
        [
            spent(brought_proof=True, amount=100.25, currency="EUR"),
            spent(brought_proof=True, amount=50.5, currency="EUR"),
            spent(brought_proof=True, amount=10, currency="CHF"),
            spent(brought_proof=True),  # the service knows no amount
            spent(calls=1, amount=999, currency="EUR"),
            spent(carrier="ups", calls=3),
            spent(carrier="Pigeon", calls=0),
        ]
    )
    assert found == [
        CallReturn("chronopost", 9, 4, {"CHF": 10, "EUR": 150.75}),
        CallReturn("ups", 3, 0, {}),
    ]
