"""The scenarios of the catalogue around orders: A to D."""

from __future__ import annotations

from tools.guarantees.table import Scenario

__all__ = ["ORDER_SCENARIOS"]

_ORDERS = "test_oms_orders::"
_FILLS = "test_oms_fills::"
_RECOVERY = "test_oms_recovery::"

_SUBMISSION = (
    Scenario(
        "A1",
        "the OMS dies after the intent is on record, before it sends",
        (
            _RECOVERY + "test_every_crash_point_leads_to_the_same_state_and_the_same_events",
            _RECOVERY + "test_an_order_that_never_arrived_is_sent_by_recovery",
        ),
        ("crash.",),
    ),
    Scenario(
        "A2",
        "it dies after it sent, before the answer is on record",
        (_RECOVERY + "test_an_order_that_arrived_before_the_crash_is_adopted_not_sent_again",),
    ),
    Scenario("A3", "the venue is silent, and took the order", counters=("A3 executed",)),
    Scenario("A4", "the venue is silent, and never saw the order", counters=("A4 not executed",)),
    Scenario("A5", "the answer comes by the stream while a repetition is due"),
    Scenario(
        "A6",
        "a repetition after the fill, at a venue that forgets keys of finished orders",
        (_ORDERS + "test_the_same_key_is_the_same_order_for_ever",),
    ),
    Scenario(
        "A7",
        "one key, two economics",
        (_ORDERS + "test_a_key_with_other_economics_is_refused",),
        ("A7 key reuse refused",),
    ),
    Scenario(
        "A8",
        "two keys, one economics, within moments",
        ("test_riskengine_blocks::test_an_override_ends_and_is_not_spent_by_a_denial",),
    ),
    Scenario("A9", "two OMS are started"),
    Scenario("A10", "the venue shows an order late", counters=("A10 shown late",)),
    Scenario(
        "A11",
        "an HTTP error or a broken connection at any byte",
        (
            "test_platform_outside::test_a_refusal_is_evidence_and_holds_no_secret",
            "test_platform_outside::test_no_meaningful_answer_is_not_a_refusal",
            _ORDERS + "test_silence_of_the_venue_is_not_a_rejection",
        ),
        ("A11 order refused by the limit on messages",),
    ),
    Scenario("A12", "the venue accepts, then rejects"),
    Scenario("A13", "a batch fails as a whole"),
    Scenario("A14", "a success that makes no sense"),
    Scenario(
        "A15",
        "rounding to tick and lot changes the size",
        ("test_oms_commands::test_a_routed_price_is_rounded_to_the_safe_side",),
    ),
)

_EXECUTIONS = (
    Scenario(
        "B1",
        "one fill told twice",
        (_FILLS + "test_a_fill_told_twice_is_booked_once",),
        ("B1 told again",),
    ),
    Scenario("B2", "one execution under two ids"),
    Scenario(
        "B3",
        "a fill before the acknowledgement",
        (_FILLS + "test_an_early_fill_opens_the_order_and_the_acknowledgement_follows",),
    ),
    Scenario(
        "B4",
        "a fill after the cancel",
        (
            _FILLS + "test_a_late_fill_after_a_confirmed_cancel_is_booked",
            "test_oms_doubt::"
            "test_b4_a_cancel_is_confirmed_when_every_execution_before_it_is_booked",
        ),
        ("B4 fill after the end",),
    ),
    Scenario(
        "B5",
        "a fill after a rejection",
        (_FILLS + "test_a_fill_after_a_venue_rejection_is_booked_and_quarantines",),
    ),
    Scenario(
        "B6",
        "more is filled than was ordered",
        (_FILLS + "test_an_overfill_is_booked_in_full_and_quarantines_the_strategy",),
        ("B6 overfill",),
    ),
    Scenario(
        "B7",
        "parts out of order",
        (_FILLS + "test_parts_in_any_order_give_one_exact_average",),
        ("B7 out of order",),
    ),
    Scenario("B8", "a bust or a correction, also before its fill"),
    Scenario(
        "B9",
        "fills missed while disconnected",
        ("test_brokers_client::test_must_6_the_stream_survives_a_restart",),
        ("venue.late_fill",),
    ),
    Scenario("B10", "the venue's history is shorter than the outage"),
    Scenario("B11", "a fee in another currency, or none yet"),
    Scenario(
        "B12",
        "somebody trades by hand in our account",
        (_FILLS + "test_a_fill_of_no_order_of_ours_is_external_and_counted",),
        ("B12 order by hand",),
    ),
)

_CANCELS = (
    Scenario(
        "C1",
        "a cancel crosses the whole fill",
        (
            _FILLS + "test_cancelling_a_filled_order_is_too_late",
            _FILLS + "test_a_cancel_that_crosses_a_fill_books_the_fill",
        ),
    ),
    Scenario(
        "C2",
        "the answer to a cancel is lost",
        (_FILLS + "test_a_cancel_without_an_answer_is_unknown_and_stays_pending",),
        ("C2 cancel executed", "C2 cancel not executed"),
    ),
    Scenario(
        "C3",
        "a cancel of an id that the venue does not show",
        (
            "test_oms_doubt::"
            "test_a10_c3_what_a_slow_venue_does_not_show_yet_is_neither_absent_nor_cancelled",
        ),
    ),
    Scenario(
        "C4",
        "a part fill, then a cancel",
        (_FILLS + "test_a_part_filled_order_keeps_its_fill_when_cancelled",),
    ),
    Scenario("C5", "a replace crosses a part fill"),
    Scenario("C6", "the venue changes the id on a replace"),
    Scenario("C7", "a replace is refused and the old leg is gone"),
    Scenario("C8", "a snapshot shows the cancelled half of a replace"),
    Scenario(
        "C9",
        "a storm of cancels meets the message limit",
        counters=("C9 cancel refused by the limit on messages",),
    ),
    Scenario(
        "C10",
        "a cancel twice, or of what has ended",
        ("test_brokers_matching::test_cancel_is_true_once_by_either_id_and_no_fill_follows",),
    ),
    Scenario("C11", "both legs of a bracket fill"),
)

_RESTART = (
    Scenario(
        "D1",
        "a crash during reconciliation, again and again",
        (_RECOVERY + "test_a_crash_in_the_recovery_from_a_crash_changes_nothing",),
    ),
    Scenario(
        "D2",
        "a restart with an open position",
        (_RECOVERY + "test_a_restart_keeps_books_peaks_and_prices",),
    ),
    Scenario("D3", "working orders, while fills do not rebuild the position"),
    Scenario("D4", "two reconciliations of equal input differ"),
    Scenario(
        "D5",
        "the query of positions fails",
        (_RECOVERY + "test_books_that_can_not_be_read_are_not_empty_books",),
        ("D5 query failed",),
    ),
    Scenario("D6", "one page of three, doubled rows, a stale answer"),
    Scenario(
        "D7",
        "yesterday's store is restored",
        counters=("D7 backup of oms restored", "D7 backup of riskengine restored"),
    ),
    Scenario(
        "D8",
        "two strategies own one netted position",
        ("test_oms_ledger::test_the_sub_books_sum_to_the_position_of_the_venue",),
    ),
    Scenario(
        "D9",
        "the position moves without an order",
        counters=(
            "D9 money without an order",
            "D9 split without an order",
            "D9 transfer without an order",
            "D9 adjustment booked",
        ),
    ),
    Scenario("D10", "reconciliation races a fill"),
)

ORDER_SCENARIOS = (*_SUBMISSION, *_EXECUTIONS, *_CANCELS, *_RESTART)
