"""DHL Express' event codes, with the labels of the vendor's list of them (44 codes).

What each one means was decided from its label alone. The four numbers are statuses of a whole shipment; nobody has seen
them as codes of events. PD: a part of the shipment is delivered, so the shipment is not. DD in a label: details of the
delivery; the code DD itself is a delivery of something damaged.
"""

from recours.carriers.parcel_status import ParcelStatus

_S = ParcelStatus

# events[].typeCode.
DHL_EXPRESS_CODES: dict[str, ParcelStatus] = {
    "101": _S.DELIVERED,  # delivered
    "102": _S.ON_ITS_WAY,  # transit
    "103": _S.UNCLEAR,  # failure
    "104": _S.ON_ITS_WAY,  # pre-transit
    "AD": _S.ON_ITS_WAY,  # Agreed delivery
    "AF": _S.ON_ITS_WAY,  # Arrived facility
    "AR": _S.ON_ITS_WAY,  # Arrival in delivery facility
    "BA": _S.ON_ITS_WAY,  # Bad address
    "BN": _S.ON_ITS_WAY,  # Customer broker notified
    "BR": _S.ON_ITS_WAY,  # Broker release
    "CA": _S.ON_ITS_WAY,  # Closed on arrival
    "CC": _S.AT_A_POINT,  # Awaiting cnee collection
    "CD": _S.ON_ITS_WAY,  # Controllable clearance delay
    "CM": _S.ON_ITS_WAY,  # Customer moved
    "CR": _S.ON_ITS_WAY,  # Clearance release
    "CS": _S.UNCLEAR,  # Closed shipment
    "DD": _S.DELIVERED,  # Delivered damaged
    "DF": _S.ON_ITS_WAY,  # Depart facility
    "DS": _S.DESTROYED,  # Destroyed / disposal
    "FD": _S.ON_ITS_WAY,  # Forward destination (DD's expected)
    "HP": _S.ON_ITS_WAY,  # Held for payment
    "IC": _S.ON_ITS_WAY,  # In clearance processing
    "MC": _S.ON_ITS_WAY,  # Miscode
    "MD": _S.ON_ITS_WAY,  # Missed delivery cycle
    "MS": _S.ON_ITS_WAY,  # Mis-sort
    "ND": _S.ON_ITS_WAY,  # Not delivered
    "NH": _S.ON_ITS_WAY,  # Not home
    "OH": _S.ON_ITS_WAY,  # On hold
    "OK": _S.DELIVERED,  # Delivery
    "PD": _S.ON_ITS_WAY,  # Partial delivery
    "PL": _S.ON_ITS_WAY,  # Processed at location
    "PU": _S.ON_ITS_WAY,  # Shipment pick up
    "RD": _S.ON_ITS_WAY,  # Refused delivery
    "RR": _S.ON_ITS_WAY,  # Response received
    "RT": _S.RETURNED,  # Returned to consignor
    "SA": _S.ON_ITS_WAY,  # Shipment acceptance
    "SC": _S.ON_ITS_WAY,  # Service changed
    "SS": _S.UNCLEAR,  # Shipment stopped
    "TP": _S.UNCLEAR,  # Forwarded to 3rd party - no DD's
    "TR": _S.ON_ITS_WAY,  # Record of transfer
    "UD": _S.ON_ITS_WAY,  # Uncontrollable clearance delay
    "WC": _S.ON_ITS_WAY,  # With delivering courier
    "PY": _S.ON_ITS_WAY,  # Payment
    "SM": _S.ON_ITS_WAY,  # Scheduled for movement
}
