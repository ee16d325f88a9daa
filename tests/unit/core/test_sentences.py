"""The sentences about failed fetches: in both languages, with any quoted text, and recognized when read again."""

import re
from itertools import product

import pytest

from recours.core.errors import ErrorKind
from recours.core.outcome import Failure
from recours.core.sentences import (
    MISTYPED,
    OF_CLIENT,
    Sentence,
    SentenceParts,
    carrier_message,
    classify,
    explanation_if_same,
    explanation_in,
    facts_of,
    kind_of,
    sentence,
    stored,
)
from recours.core.translations import LANGUAGES
from tests.rows import row

NAMES = ("UPS", "Chronopost", "Mondial Relay", "DHL Express")
# From carriers, including texts that mention another kind of error.
WORDS = ("", "Erreur 12", "mot de passe incorrect", "429 Too Many Requests", "colis inconnu (404)")
# Stored values: rows contain them, so none may be removed or change its meaning.
STORED = [
    "number_missing",
    "number_malformed",
    "number_rejected",
    "number_rejected_mistyped",
    "number_unknown",
    "number_unknown_mistyped",
    "number_reused",
    "parcel_too_old",
    "parcel_not_ours",
    "parcel_denied",
    "parcel_not_clients",
    "parcel_denied_to_client",
    "returned",
    "return_delivered",
    "destroyed",
    "seized",
    "prohibited",
    "cancelled",
    "carrier_missing",
    "carrier_unsupported",
    "not_delivered",
    "at_pickup_point",
    "proof_pending",
    "proof_untracked",
    "proof_for_parties",
    "proof_link_missing",
    "proof_link_empty",
    "proof_imageless",
    "proof_unsigned",
    "proof_never",
    "proofs_not_issued",
    "proofs_elsewhere",
    "proofs_turned_off",
    "proofs_turned_off_for_client",
    "credentials_rejected",
    "credentials_unchecked",
    "service_denied",
    "address_denied",
    "documents_denied",
    "parcels_denied",
    "not_configured",
    "too_many_calls",
    "limit_reached",
    "unavailable",
    "carrier_error",
    "no_answer",
    "unreachable",
    "bad_certificate",
    "connection_broken",
    "answer_unreadable",
    "code_unknown",
    "request_rejected",
    "proof_unusable",
    "interrupted",
    "internal",
    "expired",
]


def test_the_stored_keys_do_not_change() -> None:
    assert [str(key) for key in Sentence] == STORED


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_is_complete_in_both_languages(language: str) -> None:
    for key in Sentence:
        with row(key):
            bare = sentence(language, SentenceParts(key, "UPS"))
            assert not re.search(r"[{}\[\]]|  |UPS UPS|[.:;,] *$", bare)
            assert bare[0].isupper() or bare.startswith("recours")
            quoted = sentence(language, SentenceParts(key, "UPS", "Le mot"))
            assert quoted.replace("Le mot", "") != quoted
            assert len(quoted) > len(bare)
            assert (
                quoted.endswith(" : « Le mot »")
                or "(" in quoted
                or language == "en"
                or key is Sentence.NOT_CONFIGURED
            )


@pytest.mark.parametrize("key", OF_CLIENT)
def test_every_reader_learns_whose_account_was_used(key: Sentence) -> None:
    own = OF_CLIENT[key]
    assert kind_of(own) is kind_of(key)
    for language, ours, theirs, yours in (
        ("en", "our", "the client's", "your"),
        ("fr", "notre", "du client", "votre"),
    ):
        parts = SentenceParts(own, "UPS", "Le mot")
        assert re.search(rf"\b{ours}\b", sentence(language, SentenceParts(key, "UPS")))
        assert theirs in sentence(language, parts)
        assert not re.search(rf"\b({ours}|{yours})\b", sentence(language, parts))
        assert re.search(rf"\b{yours}\b", sentence(language, parts, to_client=True))
        of_default = SentenceParts(key, "UPS", "Le mot")
        assert sentence(language, of_default, to_client=True) == sentence(language, of_default)
        assert explanation_if_same(sentence(language, parts), stored(str(own), "UPS", "Le mot")) == parts


def test_no_two_sentences_are_alike() -> None:
    for language in LANGUAGES:
        assert len({sentence(language, SentenceParts(key, "UPS")) for key in Sentence}) == len(Sentence)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_kind_of_our_own_sentences_is_recognized(language: str) -> None:
    keys = [key for key in Sentence if key is not Sentence.EXPIRED]
    for key, name, words in product(keys, NAMES, WORDS):
        with row(key, name, words):
            assert classify(sentence(language, SentenceParts(key, name, words))) is kind_of(key)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_expired_claim_has_the_kind_of_its_last_answer(language: str) -> None:
    last = sentence(language, SentenceParts(Sentence.PROOF_NEVER, "UPS"))
    assert (
        classify(sentence(language, SentenceParts(Sentence.EXPIRED, words=last)))
        is ErrorKind.POD_NEVER_AVAILABLE
    )


def test_the_last_answer_is_quoted_in_french_and_known_where_older_rows_do_not() -> None:
    expired = sentence("fr", SentenceParts(Sentence.EXPIRED, words="The UPS proof is not one"))
    assert expired.endswith("(dernière réponse : « The UPS proof is not one »)")
    last = sentence("fr", SentenceParts(Sentence.CREDENTIALS_REJECTED, "UPS"))
    older = sentence("fr", SentenceParts(Sentence.EXPIRED, words=last)).replace("« ", "").replace(" »", "")
    assert classify(older) is ErrorKind.AUTH_FAILED


def test_sentences_of_older_versions_keep_their_kinds() -> None:
    assert classify("The claim has no tracking number") is ErrorKind.INVALID_TRACKING
    assert classify("The carrier Heppner is not supported; known: UPS") is ErrorKind.UNSUPPORTED_CARRIER
    assert classify("The parcel has not been delivered yet (En transit)") is ErrorKind.NOT_DELIVERED_YET
    assert classify("UPS does not recognize this tracking number: No such parcel") is ErrorKind.NOT_FOUND


HOSTILE = (
    "\x1b[31mred\n2026-01-01 [ERROR] forged",
    "{carrier} {words} {0} {words!r:>99999999}",
    "z" * 10_000,
    "<script>alert(1)</script> **x** [a](http://b)",
    "» : « \u202e\ud800\x00",
    "%s %(x)s \\1",
)


@pytest.mark.parametrize("hostile", HOSTILE)
@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_texts_are_sanitized_in_sentences(language: str, hostile: str) -> None:
    for key in Sentence:
        for parts in (
            SentenceParts(key, "UPS", hostile),
            SentenceParts(key, hostile, "x"),
            stored(key, "UPS", hostile),
        ):
            assert parts is not None
            text = sentence(language, parts)
            assert text.isprintable()
            assert len(text) < 600
    failure = Failure.of(Sentence.UNAVAILABLE, "UPS", hostile)
    assert failure.message.isprintable()
    assert failure.explanation is not None
    assert len(failure.explanation.words) <= 200
    assert sentence(language, failure.explanation) == sentence(
        language, SentenceParts(Sentence.UNAVAILABLE, "UPS", hostile)
    )


def test_braces_in_words_are_shown_as_they_are() -> None:
    parts = SentenceParts(Sentence.NUMBER_UNKNOWN, "UPS", "{carrier}")
    assert sentence("en", parts) == "UPS does not recognize this tracking number: {carrier}"
    assert sentence("fr", parts) == "Numéro de suivi inconnu chez UPS : « {carrier} »"


def test_a_detail_is_for_the_log() -> None:
    failure = Failure.of(Sentence.UNAVAILABLE, "UPS", "Down", 503, detail="HTTP 503")
    assert (failure.kind, failure.message) == (ErrorKind.SERVER_ERROR, "UPS is unavailable (HTTP 503): Down")
    assert failure.explanation == SentenceParts(Sentence.UNAVAILABLE, "UPS", "Down")


def test_stored_sentences_are_recognized() -> None:
    assert stored(None, "UPS", "x") is None
    assert stored("unavailable", "UPS", None) == SentenceParts(Sentence.UNAVAILABLE, "UPS")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_written_by_others_is_not_ours(language: str) -> None:
    parts = SentenceParts(Sentence.NUMBER_UNKNOWN, "UPS", "No")
    assert explanation_if_same(sentence(language, parts), parts) == parts
    assert explanation_if_same("Le client a rappelé", parts) is None
    # The claim has another carrier now, which did not give this answer.
    assert explanation_if_same(sentence(language, parts), SentenceParts(parts.key, "DPD", "No")) is None
    assert explanation_if_same(sentence(language, parts), None) is None


def test_an_event_stores_the_explanation() -> None:
    parts = SentenceParts(Sentence.NUMBER_UNKNOWN, "UPS", "No")
    assert explanation_in(facts_of(parts), "UPS") == parts
    assert facts_of(None) == {}
    assert explanation_in({}, "UPS") is None


def test_a_wrong_check_digit_does_not_change_the_kind() -> None:
    assert all(kind_of(key) is kind_of(mistyped) for key, mistyped in MISTYPED.items())


def test_the_carriers_text_is_found_in_refusals_of_older_versions() -> None:
    assert carrier_message("Chronopost refused our account: Invalid Password (credentials from .env)") == (
        "Invalid Password"
    )
