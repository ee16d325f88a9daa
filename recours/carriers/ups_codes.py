"""UPS's status codes, with the labels of the vendor's list "UPS Status/Description Codes" (160 codes).

What each one means was decided from its label alone; most of them were not seen in real answers. "On the way" is meant
of every code that more scans follow, attempts and requests among them. A voided label is taken for a cancelled shipment.
"""

from zoneinfo import ZoneInfo

from recours.carriers.parcel_status import ParcelStatus

_S = ParcelStatus

# currentStatus.code, activity[].status.statusCode.
UPS_CODES: dict[str, ParcelStatus] = {
    "000": _S.UNCLEAR,  # Status Not Available
    "003": _S.ON_ITS_WAY,  # Shipment Ready for UPS
    "005": _S.ON_ITS_WAY,  # On the Way
    "006": _S.ON_ITS_WAY,  # Out for Delivery
    "007": _S.CANCELLED,  # Shipment Information Voided
    "010": _S.ON_ITS_WAY,  # On the Way
    "011": _S.DELIVERED,  # Delivered
    "012": _S.ON_ITS_WAY,  # Clearance in Progress
    "013": _S.ON_ITS_WAY,  # Exception
    "014": _S.ON_ITS_WAY,  # Clearance Completed
    "016": _S.ON_ITS_WAY,  # In Warehouse
    "017": _S.AT_A_POINT,  # Held for Customer Pickup
    "018": _S.ON_ITS_WAY,  # Delivery Change Requested: Hold for Pickup
    "019": _S.ON_ITS_WAY,  # Held for Future Delivery
    "020": _S.ON_ITS_WAY,  # Held for Future Delivery Requested
    "021": _S.ON_ITS_WAY,  # Out for Delivery
    "022": _S.ON_ITS_WAY,  # First Attempt Made
    "023": _S.ON_ITS_WAY,  # Second Delivery Attempted
    "024": _S.ON_ITS_WAY,  # Final Attempt Made
    "025": _S.ON_ITS_WAY,  # On the Way
    "026": _S.DELIVERED,  # Delivered by Local Post Office
    "027": _S.ON_ITS_WAY,  # Delivery Address Change Requested
    "028": _S.ON_ITS_WAY,  # Delivery Address Changed
    "029": _S.ON_ITS_WAY,  # Exception: Action Required
    "030": _S.ON_ITS_WAY,  # Local Post Office Exception
    "032": _S.ON_ITS_WAY,  # Adverse Weather May Cause Delay
    "033": _S.ON_ITS_WAY,  # Return to Sender Requested
    "034": _S.RETURNED,  # Returned to Sender
    "035": _S.GOING_BACK,  # Returning to Sender
    "036": _S.GOING_BACK,  # Returning to Sender: In Transit
    "037": _S.ON_ITS_WAY,  # Out for Delivery
    "038": _S.ON_ITS_WAY,  # Picked Up by UPS
    "039": _S.ON_ITS_WAY,  # On the Way
    "040": _S.AT_A_POINT,  # Ready for Customer Pickup
    "041": _S.ON_ITS_WAY,  # Service Upgrade Requested
    "042": _S.ON_ITS_WAY,  # Service Upgraded
    "043": _S.ON_ITS_WAY,  # Voided Pickup
    "044": _S.ON_ITS_WAY,  # On the Way to UPS
    "045": _S.ON_ITS_WAY,  # On the Way to UPS
    "046": _S.ON_ITS_WAY,  # Delay
    "047": _S.ON_ITS_WAY,  # On the Way
    "048": _S.ON_ITS_WAY,  # Delay
    "049": _S.ON_ITS_WAY,  # Delay: Action Required
    "050": _S.ON_ITS_WAY,  # Address Information Required
    "051": _S.ON_ITS_WAY,  # Delay: Emergency Situation or Severe Weather
    "052": _S.ON_ITS_WAY,  # Delay: Severe Weather
    "053": _S.ON_ITS_WAY,  # Delay: Severe Weather
    "054": _S.ON_ITS_WAY,  # Delivery Change Requested
    "055": _S.ON_ITS_WAY,  # Rescheduled Delivery
    "056": _S.ON_ITS_WAY,  # Service Upgrade Requested
    "057": _S.ON_ITS_WAY,  # On the Way to a Local UPS Access Point
    "058": _S.ON_ITS_WAY,  # Clearance Information Required
    "059": _S.UNCLEAR,  # Damage Reported
    "060": _S.ON_ITS_WAY,  # Delivery Attempted
    "061": _S.ON_ITS_WAY,  # Delivery Attempted: Adult Signature Required
    "062": _S.ON_ITS_WAY,  # Delivery Attempted: Funds Required
    "063": _S.ON_ITS_WAY,  # Delivery Change Completed
    "064": _S.ON_ITS_WAY,  # Delivery Refused
    "065": _S.ON_ITS_WAY,  # Pickup Attempted
    "066": _S.ON_ITS_WAY,  # Post Office Delivery Attempted
    "067": _S.RETURNED,  # Returned to Sender by Post Office
    "068": _S.UNCLEAR,  # Sent to Lost and Found
    "069": _S.UNCLEAR,  # Unable to Deliver
    "070": _S.ON_ITS_WAY,  # Package not at UPS Access Point yet
    "071": _S.ON_ITS_WAY,  # Preparing for Delivery
    "072": _S.ON_ITS_WAY,  # Loaded on Delivery Vehicle
    "073": _S.ON_ITS_WAY,  # In Transit to UPS Delivery Partner
    "074": _S.ON_ITS_WAY,  # UPS Delivery Partner has Shipment
    "075": _S.ON_ITS_WAY,  # Scheduled for Delivery
    "076": _S.ON_ITS_WAY,  # UPS Delivery Partner Exception
    "077": _S.ON_ITS_WAY,  # Scheduled for Pickup Today
    "078": _S.ON_ITS_WAY,  # Your Driver is Arriving Soon!
    "079": _S.ON_ITS_WAY,  # Order Processed: In Transit to UPS
    "080": _S.ON_ITS_WAY,  # Order Processed: Ready for UPS
    "081": _S.RETURNED,  # Returned - Damage Reported
    "082": _S.ON_ITS_WAY,  # Delivery Instructions Received
    "083": _S.ON_ITS_WAY,  # Held
    "084": _S.ON_ITS_WAY,  # Cleared
    "085": _S.ON_ITS_WAY,  # Held for COD Payment
    "086": _S.ON_ITS_WAY,  # Delay
    "087": _S.ON_ITS_WAY,  # On the Way
    "088": _S.UNCLEAR,  # Test
    "089": _S.ON_ITS_WAY,  # Out for Delivery
    "090": _S.ON_ITS_WAY,  # Delay
    "091": _S.ON_ITS_WAY,  # Out for Delivery
    "092": _S.ON_ITS_WAY,  # Customs Clearance in Progress
    "093": _S.ON_ITS_WAY,  # Premier Recovery In Progress
    "094": _S.UNCLEAR,  # Premier Recovery Completed
    "095": _S.ON_ITS_WAY,  # Additional Attempt Requested
    "096": _S.ON_ITS_WAY,  # Address Change Confirmed
    "097": _S.ON_ITS_WAY,  # Address Change Requested
    "098": _S.ON_ITS_WAY,  # Deliver to Original Address Requested
    "099": _S.ON_ITS_WAY,  # Deliver to Original Address Confirmed
    "100": _S.ON_ITS_WAY,  # Hold at UPS Access Point Confirmed
    "101": _S.ON_ITS_WAY,  # Hold at UPS Access Point Requested
    "102": _S.ON_ITS_WAY,  # Hold for Courier Requested
    "103": _S.ON_ITS_WAY,  # Hold for Courier Confirmed
    "104": _S.ON_ITS_WAY,  # Hold for Instructions Confirmed
    "105": _S.ON_ITS_WAY,  # Hold for Instructions Requested
    "106": _S.ON_ITS_WAY,  # Hold for Pickup Confirmed
    "107": _S.ON_ITS_WAY,  # Hold for Pickup Requested
    "108": _S.ON_ITS_WAY,  # Hold for Pickup Today Confirmed
    "109": _S.ON_ITS_WAY,  # Hold for Pickup Today Requested
    "110": _S.ON_ITS_WAY,  # Refrigeration Confirmed
    "111": _S.ON_ITS_WAY,  # Refrigeration Requested
    "112": _S.ON_ITS_WAY,  # Re-Ice Confirmed
    "113": _S.ON_ITS_WAY,  # Re-Ice Requested
    "114": _S.UNCLEAR,  # Request Canceled
    "115": _S.ON_ITS_WAY,  # Reschedule Delivery Confirmed
    "116": _S.ON_ITS_WAY,  # Reschedule Delivery Requested
    "117": _S.UNCLEAR,  # Return by Saturday Confirmed
    "118": _S.ON_ITS_WAY,  # Return to Sender Confirmed
    "119": _S.ON_ITS_WAY,  # Return to Sender Requested
    "120": _S.ON_ITS_WAY,  # Saturday Delivery Confirmed
    "121": _S.ON_ITS_WAY,  # Saturday Delivery Requested
    "122": _S.ON_ITS_WAY,  # Upgrade Confirmed
    "123": _S.ON_ITS_WAY,  # Pending Release From Non-UPS Broker
    "124": _S.ON_ITS_WAY,  # Clearance Information Needed
    "125": _S.ON_ITS_WAY,  # Clearance Information Needed
    "126": _S.ON_ITS_WAY,  # Pending Government Agency Release
    "127": _S.UNCLEAR,  # Investigation Closed
    "128": _S.UNCLEAR,  # Investigation Canceled
    "129": _S.UNCLEAR,  # Investigation Opened
    "130": _S.UNCLEAR,  # Claim in Progress
    "131": _S.ON_ITS_WAY,  # Final Pickup Attempted
    "132": _S.ON_ITS_WAY,  # Airport Security Delay
    "133": _S.UNCLEAR,  # Return Label Left With Customer
    "134": _S.ON_ITS_WAY,  # Cleared Import Customs
    "135": _S.ON_ITS_WAY,  # Second Pickup Attempted
    "136": _S.ON_ITS_WAY,  # Delivery Rescheduled for Saturday
    "137": _S.ON_ITS_WAY,  # Transferred to UPS Delivery Partner
    "138": _S.ON_ITS_WAY,  # Awaiting Scheduled Departure
    "139": _S.ON_ITS_WAY,  # Security Access Required
    "140": _S.UNCLEAR,  # Claim Paid - Claim Payment Has Been Processed.
    "141": _S.ON_ITS_WAY,  # Incomplete Documentation Received
    "142": _S.UNCLEAR,  # Claim Voided
    "143": _S.AT_A_POINT,  # Delivered to Agent
    "144": _S.AT_A_POINT,  # Delivered to Post Office for Pickup
    "145": _S.ON_ITS_WAY,  # Delivery Attempted
    "146": _S.ON_ITS_WAY,  # Out for Delivery
    "147": _S.SEIZED,  # Seized by Law Enforcement, No Longer in UPS possession
    "148": _S.UNCLEAR,  # Package Information Unavailable
    "149": _S.DESTROYED,  # Prohibited Contents, Package Destroyed No Longer in UPS possession
    "153": _S.ON_ITS_WAY,  # Updated Delivery Time
    "154": _S.ON_ITS_WAY,  # Updated Delivery Date
    "155": _S.UNCLEAR,  # Delivery Photo
    "156": _S.UNCLEAR,  # Commercial Inside Release
    "157": _S.ON_ITS_WAY,  # Shipment Ready for UPS
    "158": _S.ON_ITS_WAY,  # On the Way
    "159": _S.ON_ITS_WAY,  # On the Way
    "160": _S.ON_ITS_WAY,  # We Have Your Package
    "161": _S.AT_A_POINT,  # Delivered to UPS Access Point
    "162": _S.ON_ITS_WAY,  # Out for Delivery
    "163": _S.UNCLEAR,  # Package Information Unavailable
    "164": _S.ON_ITS_WAY,  # On the Way
    "165": _S.ON_ITS_WAY,  # On the Way
    "166": _S.ON_ITS_WAY,  # Shipment Ready for Roadie
    "167": _S.ON_ITS_WAY,  # Dropped off at UPS Store by Customer
    "168": _S.ON_ITS_WAY,  # Dropped off at Retail Location by Customer
    "169": _S.ON_ITS_WAY,  # Dropped off at a UPS Access Point by Customer
}


# ---------------------------------------------------------------- the clock of a country
# For moments that a carrier tells in the local time of a place. From `zone.tab` of the IANA time zone database (2025): the
# countries with one zone, and those whose zones have kept the same time since 2025. Of the others (the United States, Spain
# with the Canary Islands ...) a country tells no time. Overseas departments and territories have codes of their own (`GP`,
# `MQ`, `RE` ...), so `FR` is Paris.


_TABLE = """
AD=Europe/Andorra AE=Asia/Dubai AF=Asia/Kabul AG=America/Antigua AI=America/Anguilla AL=Europe/Tirane
AM=Asia/Yerevan AO=Africa/Luanda AR=America/Argentina/Buenos_Aires AS=Pacific/Pago_Pago AT=Europe/Vienna
AW=America/Aruba AX=Europe/Mariehamn AZ=Asia/Baku BA=Europe/Sarajevo BB=America/Barbados BD=Asia/Dhaka
BE=Europe/Brussels BF=Africa/Ouagadougou BG=Europe/Sofia BH=Asia/Bahrain BI=Africa/Bujumbura
BJ=Africa/Porto-Novo BL=America/St_Barthelemy BM=Atlantic/Bermuda BN=Asia/Brunei BO=America/La_Paz
BQ=America/Kralendijk BS=America/Nassau BT=Asia/Thimphu BW=Africa/Gaborone BY=Europe/Minsk
BZ=America/Belize CC=Indian/Cocos CF=Africa/Bangui CG=Africa/Brazzaville CH=Europe/Zurich
CI=Africa/Abidjan CK=Pacific/Rarotonga CM=Africa/Douala CO=America/Bogota CR=America/Costa_Rica
CU=America/Havana CV=Atlantic/Cape_Verde CW=America/Curacao CX=Indian/Christmas CY=Asia/Nicosia
CZ=Europe/Prague DE=Europe/Berlin DJ=Africa/Djibouti DK=Europe/Copenhagen DM=America/Dominica
DO=America/Santo_Domingo DZ=Africa/Algiers EE=Europe/Tallinn EG=Africa/Cairo EH=Africa/El_Aaiun
ER=Africa/Asmara ET=Africa/Addis_Ababa FI=Europe/Helsinki FJ=Pacific/Fiji FK=Atlantic/Stanley
FO=Atlantic/Faroe FR=Europe/Paris GA=Africa/Libreville GB=Europe/London GD=America/Grenada
GE=Asia/Tbilisi GF=America/Cayenne GG=Europe/Guernsey GH=Africa/Accra GI=Europe/Gibraltar
GM=Africa/Banjul GN=Africa/Conakry GP=America/Guadeloupe GQ=Africa/Malabo GR=Europe/Athens
GS=Atlantic/South_Georgia GT=America/Guatemala GU=Pacific/Guam GW=Africa/Bissau GY=America/Guyana
HK=Asia/Hong_Kong HN=America/Tegucigalpa HR=Europe/Zagreb HT=America/Port-au-Prince HU=Europe/Budapest
IE=Europe/Dublin IL=Asia/Jerusalem IM=Europe/Isle_of_Man IN=Asia/Kolkata IO=Indian/Chagos
IQ=Asia/Baghdad IR=Asia/Tehran IS=Atlantic/Reykjavik IT=Europe/Rome JE=Europe/Jersey JM=America/Jamaica
JO=Asia/Amman JP=Asia/Tokyo KE=Africa/Nairobi KG=Asia/Bishkek KH=Asia/Phnom_Penh KM=Indian/Comoro
KN=America/St_Kitts KP=Asia/Pyongyang KR=Asia/Seoul KW=Asia/Kuwait KY=America/Cayman KZ=Asia/Almaty
LA=Asia/Vientiane LB=Asia/Beirut LC=America/St_Lucia LI=Europe/Vaduz LK=Asia/Colombo LR=Africa/Monrovia
LS=Africa/Maseru LT=Europe/Vilnius LU=Europe/Luxembourg LV=Europe/Riga LY=Africa/Tripoli
MA=Africa/Casablanca MC=Europe/Monaco MD=Europe/Chisinau ME=Europe/Podgorica MF=America/Marigot
MG=Indian/Antananarivo MH=Pacific/Majuro MK=Europe/Skopje ML=Africa/Bamako MM=Asia/Yangon MO=Asia/Macau
MP=Pacific/Saipan MQ=America/Martinique MR=Africa/Nouakchott MS=America/Montserrat MT=Europe/Malta
MU=Indian/Mauritius MV=Indian/Maldives MW=Africa/Blantyre MY=Asia/Kuala_Lumpur MZ=Africa/Maputo
NA=Africa/Windhoek NC=Pacific/Noumea NE=Africa/Niamey NF=Pacific/Norfolk NG=Africa/Lagos
NI=America/Managua NL=Europe/Amsterdam NO=Europe/Oslo NP=Asia/Kathmandu NR=Pacific/Nauru NU=Pacific/Niue
OM=Asia/Muscat PA=America/Panama PE=America/Lima PH=Asia/Manila PK=Asia/Karachi PL=Europe/Warsaw
PM=America/Miquelon PN=Pacific/Pitcairn PR=America/Puerto_Rico PS=Asia/Gaza PW=Pacific/Palau
PY=America/Asuncion QA=Asia/Qatar RE=Indian/Reunion RO=Europe/Bucharest RS=Europe/Belgrade
RW=Africa/Kigali SA=Asia/Riyadh SB=Pacific/Guadalcanal SC=Indian/Mahe SD=Africa/Khartoum
SE=Europe/Stockholm SG=Asia/Singapore SH=Atlantic/St_Helena SI=Europe/Ljubljana SJ=Arctic/Longyearbyen
SK=Europe/Bratislava SL=Africa/Freetown SM=Europe/San_Marino SN=Africa/Dakar SO=Africa/Mogadishu
SR=America/Paramaribo SS=Africa/Juba ST=Africa/Sao_Tome SV=America/El_Salvador SX=America/Lower_Princes
SY=Asia/Damascus SZ=Africa/Mbabane TC=America/Grand_Turk TD=Africa/Ndjamena TF=Indian/Kerguelen
TG=Africa/Lome TH=Asia/Bangkok TJ=Asia/Dushanbe TK=Pacific/Fakaofo TL=Asia/Dili TM=Asia/Ashgabat
TN=Africa/Tunis TO=Pacific/Tongatapu TR=Europe/Istanbul TT=America/Port_of_Spain TV=Pacific/Funafuti
TW=Asia/Taipei TZ=Africa/Dar_es_Salaam UG=Africa/Kampala UY=America/Montevideo UZ=Asia/Samarkand
VA=Europe/Vatican VC=America/St_Vincent VE=America/Caracas VG=America/Tortola VI=America/St_Thomas
VN=Asia/Ho_Chi_Minh VU=Pacific/Efate WF=Pacific/Wallis WS=Pacific/Apia YE=Asia/Aden YT=Indian/Mayotte
ZA=Africa/Johannesburg ZM=Africa/Lusaka ZW=Africa/Harare
"""
_ZONES: dict[str, str] = dict(entry.split("=") for entry in _TABLE.split())


def zone_of(country: str | None) -> ZoneInfo | None:
    """The zone of a country by its ISO 3166 code; None where its places do not keep the same time, or it is unknown."""
    name = _ZONES.get((country or "").strip().upper())
    return ZoneInfo(name) if name else None
