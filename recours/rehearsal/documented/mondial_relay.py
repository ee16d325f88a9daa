"""Mondial Relay. Source: the service's WSDL, and a published real answer for the form of dates."""

from recours.carriers import mondial_relay
from recours.rehearsal.forms import TEXT, Documented, code, soap_operation, time

_EVENT = {
    "Libelle?": TEXT,
    "Date?": time("a day such as 05/10/26", r"[0-9]{2}/[0-9]{2}/(?:[0-9]{2}|[0-9]{4})"),
    "Heure?": time("a time of day such as 10:31", r"[0-9]{2}:[0-9]{2}"),
    **dict.fromkeys(("Emplacement?", "Relais_Num?", "Relais_Pays?"), TEXT),
}

DOCUMENTED = Documented(
    (
        soap_operation(
            "WSI2_TracingColisDetaille",
            "/Web_Services.asmx",
            {
                "WSI2_TracingColisDetailleResult": {
                    "STAT": code({mondial_relay.DELIVERED, *mondial_relay.STATS}),
                    **dict.fromkeys(("Libelle01?", "Libelle02?", "Relais_Libelle?", "Relais_Num?"), TEXT),
                    "Tracing?": {"ret_WSI2_sub_TracingColisDetaille?": [_EVENT, ...]},
                }
            },
        ),
    )
)
