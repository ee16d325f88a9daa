"""Simulates the carriers on loopback, for the demo and the tests. Nothing leaves the machine."""

from recours.sandbox.mail import MailSandbox
from recours.sandbox.scenarios import BY_DIGITS, Parcel, Scenario, SimulatedClock, scenario_table
from recours.sandbox.server import Call, Sandbox

__all__ = [
    "BY_DIGITS",
    "Call",
    "MailSandbox",
    "Parcel",
    "Sandbox",
    "Scenario",
    "SimulatedClock",
    "scenario_table",
]
