"""What a person could do about each kind of error, in a sentence or two."""

from recours.core.errors import Actor, ErrorKind

WHO_CAN_ACT = {
    Actor.CLIENT: "The client, or the person who corrects the claim for them.",
    Actor.OPERATOR: "The operator of recours.",
    Actor.CARRIER: "The carrier. Most of the time it passes by itself.",
    Actor.NOBODY: "Nothing to do: it is retried automatically.",
}

ADVICE = {
    ErrorKind.INVALID_TRACKING: (
        "Ask the client for the right tracking number and correct the claim: the next run starts afresh with it."
    ),
    ErrorKind.POD_NEVER_AVAILABLE: (
        "{carrier} will give no proof for this parcel: ask the client, or the carrier's customer service, for another one."
    ),
    ErrorKind.ACCESS_DENIED: (
        "The parcel is not on our contract with {carrier}: check that the number is the client's; the sender can ask for "
        "the proof with an account of their own."
    ),
    ErrorKind.RETURNED_TO_SENDER: (
        "{carrier} took the parcel back to its sender, so the recipient never received it and no proof of that exists. Ask "
        "the client whether the parcel came back."
    ),
    ErrorKind.UNSUPPORTED_CARRIER: (
        "Correct the carrier's name in the claim; 'recours carriers' lists those that there are."
    ),
    ErrorKind.NOT_FOUND: (
        "Compare the number and the carrier with the client's papers, and correct the claim if they differ: the next run "
        "starts afresh."
    ),
    ErrorKind.NOT_DELIVERED_YET: "Nothing to do as long as the parcel may still arrive: recours asks again automatically.",
    ErrorKind.POD_NOT_AVAILABLE_YET: (
        "Nothing to do: the parcel is delivered, and the carrier files its proof later. recours asks again automatically."
    ),
    ErrorKind.SERVER_ERROR: "Nothing to do unless it lasts: {carrier} is unavailable. 'recours status' shows whether its other claims get an answer.",
    ErrorKind.TIMEOUT: "Nothing to do unless it lasts: {carrier} answers too slowly.",
    ErrorKind.NETWORK: (
        "Nothing to do unless it lasts; then check that this machine reaches {carrier} ('recours carriers check')."
    ),
    ErrorKind.BAD_RESPONSE: (
        "Nothing to do unless it lasts: {carrier} sent no proof, or an answer that recours cannot read. The log says what "
        "it sent."
    ),
    ErrorKind.RATE_LIMITED: "Nothing to do: it goes on when the limit resets. 'recours status' shows the quotas.",
    ErrorKind.AUTH_FAILED: (
        "Correct the credentials of {carrier}, then try them with 'recours carriers check'. No attempt is used up meanwhile."
    ),
    ErrorKind.ACCOUNT_DENIED: (
        "The account at {carrier} is known but may not use this service. Ask {carrier} to enable it (or to list this "
        "machine's address), then run 'recours carriers check'. No attempt is used up meanwhile."
    ),
    ErrorKind.NOT_CONFIGURED: (
        "Set the credentials of {carrier}, then try them with 'recours carriers check'. No attempt is used up meanwhile."
    ),
    ErrorKind.INTERNAL_ERROR: (
        "This is an error in recours: the traceback is in the log of that run. Please report it with those lines."
    ),
}
