"""FedEx's status codes, with the labels of its API reference guide, "Tracking Status Codes" (57 codes, OW in a later one).

What each one means was decided from its label alone. The list has three groups, of movement, of customs and of possession,
and some codes are in two of them. CA is taken for a cancelled shipment, as the carrier's OpenAPI file and karrio have it.
"""

from recours.carriers.parcel_status import ParcelStatus

_S = ParcelStatus

# latestStatusDetail.code, scanEvents[].derivedStatusCode.
FEDEX_CODES: dict[str, ParcelStatus] = {
    "AA": _S.ON_ITS_WAY,  # At Airport
    "AC": _S.ON_ITS_WAY,  # At Canada Post facility
    "AD": _S.ON_ITS_WAY,  # At Delivery
    "AF": _S.ON_ITS_WAY,  # At local FedEx facility
    "AO": _S.ON_ITS_WAY,  # Shipment arriving On-time
    "AP": _S.ON_ITS_WAY,  # At Pickup
    "AR": _S.ON_ITS_WAY,  # Arrived at FedEx location
    "AX": _S.ON_ITS_WAY,  # At USPS facility
    "BR": _S.ON_ITS_WAY,  # Broker (possession)
    "CA": _S.CANCELLED,  # Shipment Cancelled; Carrier (possession)
    "CC": _S.ON_ITS_WAY,  # Cleared Customs
    "CD": _S.ON_ITS_WAY,  # Clearance Delay
    "CH": _S.ON_ITS_WAY,  # Location Changed
    "CP": _S.ON_ITS_WAY,  # Clearance in Progress
    "CU": _S.ON_ITS_WAY,  # Customs (possession)
    "DD": _S.ON_ITS_WAY,  # Delivery Delay
    "DE": _S.ON_ITS_WAY,  # Delivery Exception
    "DL": _S.DELIVERED,  # Delivered
    "DP": _S.ON_ITS_WAY,  # Departed
    "DR": _S.ON_ITS_WAY,  # Vehicle furnished but not used
    "DS": _S.ON_ITS_WAY,  # Vehicle Dispatched
    "DY": _S.ON_ITS_WAY,  # Delay
    "EA": _S.ON_ITS_WAY,  # Enroute to Airport; Export Approved
    "ED": _S.ON_ITS_WAY,  # Enroute to Delivery
    "EO": _S.ON_ITS_WAY,  # Enroute to Origin Airport
    "EP": _S.ON_ITS_WAY,  # Enroute to Pickup
    "FD": _S.ON_ITS_WAY,  # At FedEx Destination
    "HL": _S.AT_A_POINT,  # Hold at Location
    "HP": _S.AT_A_POINT,  # Ready for Recipient Pickup
    "IT": _S.ON_ITS_WAY,  # In Transit
    "IX": _S.ON_ITS_WAY,  # In transit (see Details)
    "LO": _S.ON_ITS_WAY,  # Left Origin
    "LP": _S.UNCLEAR,  # Return label link cancelled by shipment originator
    "OC": _S.ON_ITS_WAY,  # Order Created
    "OD": _S.ON_ITS_WAY,  # Out for Delivery
    "OF": _S.ON_ITS_WAY,  # At FedEx origin facility
    "OW": _S.ON_ITS_WAY,  # On the way
    "OX": _S.ON_ITS_WAY,  # Shipment information sent to USPS
    "PD": _S.ON_ITS_WAY,  # Pickup Delay
    "PF": _S.ON_ITS_WAY,  # Plane in Flight
    "PL": _S.ON_ITS_WAY,  # Plane Landed
    "PM": _S.ON_ITS_WAY,  # In Progress
    "PU": _S.ON_ITS_WAY,  # Picked Up
    "PX": _S.ON_ITS_WAY,  # Picked up (see Details)
    "RC": _S.UNCLEAR,  # CDO Cancelled; Recipient (possession)
    "RD": _S.UNCLEAR,  # Return label link expired
    "RG": _S.ON_ITS_WAY,  # Return label link expiring soon
    "RM": _S.ON_ITS_WAY,  # CDO Modified
    "RP": _S.ON_ITS_WAY,  # Return label link emailed to return sender
    "RR": _S.ON_ITS_WAY,  # CDO requested
    "RS": _S.GOING_BACK,  # Return to Shipper
    "SE": _S.ON_ITS_WAY,  # Shipment Exception
    "SF": _S.ON_ITS_WAY,  # At Sort Facility
    "SH": _S.UNCLEAR,  # Shipper (possession)
    "SP": _S.UNCLEAR,  # Split Status
    "TP": _S.ON_ITS_WAY,  # Transfer Partner (possession)
    "TR": _S.ON_ITS_WAY,  # Transfer
}
