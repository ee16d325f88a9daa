"""Every view of the page, by name, over the claims of `conftest`."""

VIEWS = {
    "overview": "/",
    "claims": "/claims",
    "claims chosen by filters": "/claims?carrier=ups&stage=given_up&sort=age&order=desc",
    "claims of a problem": "/claims?problem=unknown_carrier",
    "no claims": "/claims?text=nothing-like-that",
    "claims from a file": "/claims/file",
    "claim with a PDF": "/claim?reference=CLM-2026-000",
    "claim with a picture": "/claim?reference=CLM-2026-001",
    "claim with a web page": "/claim?reference=UPS-1",
    "claim that waits": "/claim?reference=CLM-2026-006",
    "claim that gave up": "/claim?reference=GONE-1",
    "claim without a number": "/claim?reference=NEW-1",
    "claim whose proof lies elsewhere": "/claim?reference=ELSE-1",
    "claim that there is not": "/claim?reference=CLM-2026-0O7",
    "carriers": "/carriers",
    "account": "/account?number=1",
    "account that is refused": "/account?number=3",
    "mails": "/mails",
    "mail": "/mail?number=1",
    "no such page": "/nothing",
}
