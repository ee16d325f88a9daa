"""Colissimo's event codes: what each of them says of a parcel. Data only.

Source, unless said otherwise: the list of 320 codes with their labels in the carrier's own WooCommerce module
(lpc_colissimo_status.php), each decided by hand from its French label. 16 codes more, COMCFM and LIVREO among them, and what
CHGCFM means, are of an older table with labels in a public client (AnyBlok). No code is in two sets.
"""

from recours.carriers.parcel_status import ParcelStatus

# Handed over: "livré", to whomever the recipient's address or order names. LIVBPO lies in the recipient's own box.
_DELIVERED = frozenset(
    {
        "LIVACC", "LIVBAL", "LIVBPO", "LIVCFM", "LIVCGA", "LIVDIV", "LIVGAR", "LIVRCA", "LIVRCC", "LIVRTI",
        "LIVVOI",
    }
)  # fmt: skip

# Back at its sender, or sent back under another number (SCCEXP), of which there will be no more events. LIVVPC is labelled
# as a delivery: by the carrier's Magento module it is one to the mail-order sender.
_RETURNED = frozenset(
    {
        "LIVEXP", "LIVREO", "LIVVPC", "SCCEXP",
    }
)  # fmt: skip

# On its way back, or about to be: "retourné à l'expéditeur", "sera retourné", "renvoyé". It may be redirected yet.
_RETURNING = frozenset(
    {
        "AACEDI", "ECHANN", "ECHCEX", "ECHDID", "ECHMQT", "ECHNCF", "FENRET", "PABRET", "RCDABS", "RCDCPE",
        "RCDDES", "RCDDOC", "RCDNPA", "RCDPDS", "RCDREA", "RCDREL", "RCDRET", "REFALI", "REFCEX", "REFDEX",
        "RENALI", "RENAVA", "RENBEC", "RENDES", "RENDIA", "RENDID", "RENDIV", "RENDOC", "RENEDI", "RENEMB",
        "RENEXP", "RENHER", "RENNPA", "RENOUV", "RENRPE", "RENRPP", "RENSHD", "RENSNC", "RENSRB", "RENTAR",
        "RENTAX", "RENXXX", "SOLREI", "SOLREO",
    }
)  # fmt: skip

# "Saisi par les autorités douanières, il ne sera pas livré".
_SEIZED = frozenset(
    {
        "SOLDDR",
    }
)  # fmt: skip

# "Le contenu est prohibé, il ne pourra pas être livré".
_PROHIBITED = frozenset(
    {
        "DOUPRO", "RSTPRO",
    }
)  # fmt: skip

# On its way, held, or waiting to be collected: not delivered yet.
_TRANSIT = frozenset(
    {
        "AACALI", "AARAVI", "AARBPR", "AARBRX", "AARCFM", "AARDES", "AARDOU", "AARDVY", "AAREXP", "AARIMP",
        "AARJPO", "AARREL", "AARREX", "AARRLX", "AARRTG", "AARTER", "AARTRA", "ACKNAD", "AEC", "AEC128",
        "AECCFM", "AECCOU", "AECEXC", "AECEXP", "AECIMP", "AECIND", "AECMAN", "AECPIS", "AECPNC", "AECPRE",
        "AECS3C", "AECSEC", "AECTRC", "AECTRI", "CHGCFM", "COMCFM", "DCHCFM", "DCHDDT", "DEPCDR", "DEPGUI",
        "DEPHLD", "DEPIMP", "DEPREL", "DEPSIO", "DOUAGV", "DOUCOI", "DOUCOM", "DOUCRR", "DOUDDI", "DOUDDM",
        "DOUDOU", "DOUDVR", "DOUEOR", "DOUEXI", "DOUEXP", "DOUFAC", "DOUFCI", "DOUFCM", "DOUIDD", "DOUIIR",
        "DOUNIR", "DOUPAR", "DOURES", "DOUTAX", "DOUVIS", "ECHCFM", "ECHCLI", "EMLCFM", "ENEAVA", "ENEDAF",
        "ENEDOC", "ENEMQT", "ENENCF", "EXPCFM", "FENDES", "LIVAVI", "LIVCIT", "LIVREL", "LIVRLI", "MLVARS",
        "MLVEXP", "MLVIMP", "MLVTRA", "MLVTRD", "NADDES", "PABDES", "PCH128", "PCHBOR", "PCHCEI", "PCHCEX",
        "PCHCFM", "PCHCLI", "PCHDFT", "PCHDIS", "PCHEXC", "PCHEXP", "PCHEXT", "PCHIMP", "PCHIND", "PCHINJ",
        "PCHJPO", "PCHMAN", "PCHMQT", "PCHPDS", "PCHPIS", "PCHPNC", "PCHPRE", "PCHREC", "PCHREN", "PCHS3C",
        "PCHSEC", "PCHSVI", "PCHTRI", "PRELIV", "QDICFM", "RCDDVY", "RDVABS", "RDVAIN", "RDVCFM", "RDVCR1",
        "RDVCR2", "RDVCR3", "RDVDEM", "RDVINC", "RDVINS", "RDVLDF", "RDVMA1", "RDVMA2", "RDVMA3", "RDVPRI",
        "RDVREP", "RDVSEC", "RDVTER", "RECALI", "REFCDS", "REFDDS", "REFINS", "REFISO", "RENACO", "RENACP",
        "RENAEP", "RENAIN", "RENAPR", "RENARV", "RENAVI", "RENCAD", "RENCRV", "RENDET", "RENECO", "RENFCO",
        "RENGUI", "RENINC", "RENLNA", "RENNRV", "RENPPL", "RENRDV", "RENREF", "RENREL", "RENRES", "RENREX",
        "RENRPR", "RENVOL", "RSDBPI", "RSDCNI", "RSDCNS", "RSDNRV", "RSDREL", "RSTACP", "RSTAVI", "RSTBRT",
        "RSTCAD", "RSTDIF", "RSTNCG", "RSTRES", "RSTTAF", "RSTZNL",
    }
)  # fmt: skip

# The label says nothing ("Non affiché", or none), or not whether the parcel goes on: an incident (AARLIB, SOL...), a
# file at the customer service, a new number (SCCDES), a delivery that the module does not take for one (LIVRDV).
# Not delivered yet, as far as anybody can tell.
_UNCLEAR = frozenset(
    {
        "AARALI", "AAREXC", "AARLIB", "AARREM", "ACDBRS", "ACDNPL", "ACDPNT", "ACPINF", "ACPINT", "AECCLI",
        "AECPDS", "ANNULE", "AVOEXT", "CCDSUP", "COMLDF", "COMLNA", "CRBREC", "CRBTRT", "DIFDIL", "DOUANN",
        "DOUFTD", "DSCCLO", "DSCIND", "DSCMAJ", "DSCOUV", "ECHCNS", "ECHRCC", "ECHREL", "EDIMQT", "EDINCG",
        "EMADFT", "EMLCAD", "EMLRES", "EMLVAL", "ENECAD", "ENECNS", "ENEFCO", "ENEFMA", "ENEPRE", "ENEREL",
        "ENERES", "EPCCFM", "EPCCOM", "EPCMQT", "EPCREL", "FENLIB", "IGNORE", "INVEXT", "LCDECP", "LCDEXP",
        "LCDPAE", "LCDSUP", "LCQENC", "LCQENV", "LCQNEC", "LCQNEM", "LCQPER", "LCQREF", "LIVECH", "LIVRDV",
        "MLVDFT", "NADNOK", "PABLIB", "PCHECH", "PREAVI", "PRELIZ", "QINDIV", "QINEXP", "QINNCF", "RDVANN",
        "REFLIB", "REFREN", "REFSTP", "REMTRA", "RENCND", "RENNRZ", "RENSCR", "RENSRV", "RENVLM", "RSDANO",
        "RSDINS", "RSDMQT", "RSTEMP", "RSTREF", "RSTTRI", "SCCDES", "SCCDID", "SCLBRI", "SCLSCL", "SOLDOC",
        "SOLMAR", "SOLMQD", "SOLMQT", "SOLVOL", "TEMTEM", "TRAINT", "WCDAVA", "WCDENR",
    }
)  # fmt: skip

CODES: dict[str, ParcelStatus] = {
    **dict.fromkeys(_DELIVERED, ParcelStatus.DELIVERED),
    **dict.fromkeys(_RETURNED, ParcelStatus.RETURNED),
    **dict.fromkeys(_RETURNING, ParcelStatus.GOING_BACK),
    **dict.fromkeys(_SEIZED, ParcelStatus.SEIZED),
    **dict.fromkeys(_PROHIBITED, ParcelStatus.PROHIBITED),
    **dict.fromkeys(_TRANSIT, ParcelStatus.ON_ITS_WAY),
    **dict.fromkeys(_UNCLEAR, ParcelStatus.UNCLEAR),
}
