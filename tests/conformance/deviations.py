"""Where Google's emulators differ from what production documents: the one table.

Measured on Pub/Sub emulator 0.8.20 and Firestore emulator 1.19.9. Keys are test functions, or
one parametrised case with `*` for the engine: `test_a_limit[*-bytes]`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Deviation:
    """What the emulator does instead, and where production's behaviour is documented.

    run: whether the case may be tried at all; some deviations hang for a minute.
    """

    does: str
    source: str
    run: bool = True


_DOCS = "https://cloud.google.com/pubsub/docs/"
_RPC = _DOCS + "reference/rpc/google.pubsub.v1#"
_QUOTAS = "https://cloud.google.com/pubsub/quotas#resource_limits"

_FILTER = Deviation("Ignores filters.", _DOCS + "subscription-message-filter")
_UNCHECKED = Deviation("Does not check it.", _RPC + "google.pubsub.v1.Subscription")
_ATTRIBUTES = Deviation("Does not check attributes.", _QUOTAS)
_OIDC = Deviation("Sends no token.", _DOCS + "authenticate-push-subscriptions")
_FLOW = Deviation("Sends more than the first window.", _RPC + "streamingpullrequest")
_FIRST_RETRY = Deviation(
    "Delivers again at once the first time.", _DOCS + "handling-failures#retry_policy"
)
_ORDERED_DEATH = Deviation(
    "A subscription with ordering and a dead-letter policy stalls for ever.",
    _DOCS + "dead-letter-topics",
    run=False,
)
_ORDERED_SEEK = Deviation("Refuses to seek on ordered subscriptions.", _DOCS + "ordering")
_CONFIRMATION = Deviation(
    "Sends no confirmation on the stream.", _RPC + "streamingpullresponse", run=False
)
_DETACH = Deviation("Does not implement it.", _RPC + "detachsubscriptionrequest")
_KEY_BYTES = Deviation("Does not check the length.", _DOCS + "ordering")
_UPDATE = "test_an_update_changes_what_its_mask_names"
_BEYOND = "test_subscriptions_beyond_the_limit_are_refused"

PUBSUB: dict[str, Deviation] = {
    "test_only_what_matches_is_delivered": _FILTER,
    "test_a_malformed_filter_is_refused": _FILTER,
    "test_a_filter_has_at_most_256_bytes": _FILTER,
    "test_what_does_not_match_never_comes_back": _FILTER,
    "test_a_filter_holds_for_pushes": _FILTER,
    "test_subscriptions_of_a_topic_filter_for_themselves": _FILTER,
    "test_a_wrapped_push_counts_attempts_under_a_dead_letter_policy": Deviation(
        "Sends no deliveryAttempt.", _DOCS + "handling-failures#track-delivery-attempts"
    ),
    "test_a_wrapped_push_names_the_ordering_key": Deviation(
        "Sends no orderingKey.", _DOCS + "push#receive_push"
    ),
    "test_the_ordering_key_of_an_unwrapped_push_is_a_header": Deviation(
        "Sends no such header.", _DOCS + "payload-unwrapping"
    ),
    "test_a_push_is_authenticated": _OIDC,
    "test_the_audience_of_a_push_is_its_endpoint": _OIDC,
    "test_success_acknowledges_a_push[*-accepted]": Deviation(
        "Takes 202 for a refusal.", _DOCS + "push#receive_push"
    ),
    "test_any_other_status_does_not_acknowledge[*-changed]": Deviation(
        "Takes 203 for an acknowledgement.", _DOCS + "push#receive_push", run=False
    ),
    "test_a_pulled_message_comes_again_after_the_back_off": _FIRST_RETRY,
    "test_a_streamed_message_comes_again_after_the_back_off": _FIRST_RETRY,
    "test_others_do_not_wait_for_a_message_that_backs_off": _FIRST_RETRY,
    "test_a_message_of_an_ordered_subscription_dies_too": _ORDERED_DEATH,
    "test_a_dead_letter_does_not_stall_its_ordering_key": _ORDERED_DEATH,
    "test_order_survives_seeking_back": _ORDERED_SEEK,
    "test_a_stream_confirms_acknowledgements": _CONFIRMATION,
    "test_a_stream_names_acknowledgements_that_failed": _CONFIRMATION,
    "test_no_more_messages_are_outstanding_than_the_stream_allows": _FLOW,
    "test_no_more_bytes_are_outstanding_than_the_stream_allows": _FLOW,
    "test_a_detached_subscription_gets_nothing_more": _DETACH,
    "test_only_a_subscription_that_is_there_is_detached": _DETACH,
    "test_a_stream_ends_when_its_subscription_is_detached": _DETACH,
    "test_attributes_beyond_the_limit_are_refused": _ATTRIBUTES,
    "test_an_ordering_key_has_at_most_a_kilobyte": _KEY_BYTES,
    "test_a_request_of_more_than_ten_megabytes_is_refused": Deviation(
        "Accepts it, or hangs where one message is that long.", _QUOTAS
    ),
    "test_subscriptions_up_to_the_limit_are_made[*-longest-retention]": Deviation(
        "Retains a week at most.", _RPC + "subscription"
    ),
    f"{_BEYOND}[*-short-deadline]": _UNCHECKED,
    f"{_BEYOND}[*-early-expiry]": _UNCHECKED,
    f"{_BEYOND}[*-labels]": Deviation(
        "Does not count labels.", _DOCS + "create-subscription#subscription_properties"
    ),
    "test_a_pull_asks_for_at_least_one[*--1]": Deviation(
        "Waits as if for one.", _RPC + "pullrequest"
    ),
    "test_a_lease_ends_within_ten_minutes[*-601]": Deviation(
        "Accepts any length.", _RPC + "modifyackdeadlinerequest"
    ),
    "test_a_retaining_topic_feeds_a_subscription_that_seeks_back": Deviation(
        "Topics retain nothing.", _DOCS + "topic-properties#message_retention", run=False
    ),
    "test_a_snapshot_can_be_read": Deviation("Loses the labels.", _RPC + "createsnapshotrequest"),
    "test_the_labels_of_a_snapshot_change": Deviation(
        "Does not implement UpdateSnapshot.", _RPC + "updatesnapshotrequest"
    ),
    "test_an_unused_subscription_expires_after_a_month": Deviation(
        "Shows no expiration policy.", _RPC + "expirationpolicy"
    ),
    f"{_UPDATE}[*-labels-to]": Deviation(
        "Does not know the field.", _RPC + "updatesubscriptionrequest"
    ),
    f"{_UPDATE}[*-expiration_policy-to]": Deviation(
        "Does not support the change.", _RPC + "updatesubscriptionrequest"
    ),
    "test_the_labels_of_a_topic_change": Deviation(
        "Does not know the field.", _RPC + "updatetopicrequest"
    ),
    "test_nothing_is_listed_of_a_missing_topic": Deviation(
        "Lists nothing without a word.", _DOCS + "reference/error-codes"
    ),
}

_FIRESTORE = "https://firebase.google.com/docs/firestore/"
_FIRESTORE_RPC = "https://cloud.google.com/firestore/docs/reference/rpc/google.firestore.v1#"
_FIRESTORE_QUOTAS = _FIRESTORE + "quotas#limits"

_RESERVED = Deviation("Accepts four underscores.", _FIRESTORE_QUOTAS)
_CONTENTION = Deviation(
    "Lets both wait for two seconds and aborts one of them, or both, again and again.",
    "https://cloud.google.com/firestore/docs/transaction-data-contention",
    run=False,
)

FIRESTORE: dict[str, Deviation] = {
    "test_a_malformed_aggregation_is_refused[*-six]": Deviation(
        "Answers with an unknown error.", _FIRESTORE_RPC + "structuredaggregationquery"
    ),
    "test_a_document_of_another_database_is_refused": Deviation(
        "Looks into that database.", _FIRESTORE_RPC + "batchgetdocumentsrequest"
    ),
    "test_a_request_holds_ten_mebibytes": Deviation("Takes 4 MiB.", _FIRESTORE_QUOTAS),
    "test_document_ids_against_the_rules_are_refused[*-reserved-of-nothing]": _RESERVED,
    "test_collection_ids_against_the_rules_are_refused[*-reserved-of-nothing]": _RESERVED,
    "test_field_names_against_the_rules_are_refused[*-reserved-of-nothing]": _RESERVED,
    "test_a_field_is_transformed_500_times": Deviation(
        "Transforms without end.", _FIRESTORE_QUOTAS
    ),
    "test_a_vector_may_be_nested": Deviation(
        "Finds nothing in nested fields.", _FIRESTORE + "vector-search"
    ),
    "test_a_malformed_condition_is_refused[*-empty-and]": Deviation(
        "Takes it for no filter.", _FIRESTORE_RPC + "compositefilter"
    ),
    "test_eight_contending_writers_lose_nothing": _CONTENTION,
    "test_a_deadlock_ends": _CONTENTION,
    "test_of_two_transactions_that_crossed_one_aborts": _CONTENTION,
}

GOOGLE = PUBSUB | FIRESTORE
