"""The promises, in our words."""

from __future__ import annotations

from tools.guarantees.table import Promise

__all__ = ["PROMISES"]

_ORDERS = "test_oms_orders::"

_ORDER_PATH = (
    Promise(
        1,
        "One intent, one order",
        "For one idempotency key at most one order ever lives at the venue, whatever is repeated, "
        "redelivered, killed or restarted, also where the venue does not notice a second one.",
        "a real market.",
        (
            _ORDERS + "test_the_same_key_is_the_same_order_for_ever",
            _ORDERS + "test_two_submits_of_one_key_at_once_make_one_order",
            "test_oms_recovery::test_every_crash_point_leads_to_the_same_state_and_the_same_events",
            "test_replay_survives::test_kill_9_of_each_service_in_turn",
        ),
        figures=("sim_sweep", "sim_mutants", "chaos"),
    ),
    Promise(
        2,
        "Nothing is lost in silence",
        "An intent that was acknowledged ends with the venue's evidence, or stays visibly UNKNOWN, "
        "with its exposure reserved and somebody told.",
        "how fast the alert reaches a person.",
        (
            "test_oms_doubt::test_l3_l5_the_venue_is_asked_ever_less_often_and_somebody_is_told",
            "test_riskengine_engine::test_an_unknown_order_keeps_its_reservation",
            "test_oms_recovery::test_an_order_that_never_arrived_is_sent_by_recovery",
        ),
        figures=("sim_sweep", "chaos"),
    ),
    Promise(
        3,
        "Fills count exactly once",
        "A position is the sum of the venue's distinct executions: told twice, late, early, out of "
        "order or too many, all are booked, once; a bust leaves no trace in the sums.",
        "one execution under two ids where the venue's history does not go back far enough.",
        (
            "test_oms_corrections::test_b8_whatever_the_order_of_telling_the_books_are_the_same",
            "test_oms_reconcile::test_b2_an_execution_under_two_ids_converges_to_the_venue",
            "test_oms_fills::test_a_fill_told_twice_is_booked_once",
            "test_oms_fills::test_a_late_fill_after_a_confirmed_cancel_is_booked",
            "test_oms_fills::test_an_overfill_is_booked_in_full_and_quarantines_the_strategy",
            "test_oms_ledger::test_the_sub_books_sum_to_the_position_of_the_venue",
            "test_oms_ledger::test_no_cash_appears_or_vanishes",
        ),
        figures=("sim_sweep",),
    ),
    Promise(
        4,
        "Silence is not rejection",
        "No answer never becomes REJECTED or CANCELED: that takes the query by key, the open "
        "orders, the fills, and as much time as the venue may show orders late.",
        "a venue whose own answers are wrong.",
        (
            "test_oms_venues::test_a14_an_answer_without_sense_is_silence_and_the_venue_is_asked",
            "test_oms_doubt::"
            "test_a10_what_a_venue_shows_late_counts_from_the_wire_not_from_the_record",
            "test_oms_transitions::test_silence_never_ends_an_order",
            _ORDERS + "test_silence_of_the_venue_is_not_a_rejection",
            "test_oms_doubt::"
            "test_a10_c3_what_a_slow_venue_does_not_show_yet_is_neither_absent_nor_cancelled",
        ),
        figures=("sim_sweep",),
    ),
    Promise(
        5,
        "Recover first, then trade",
        "After a crash no new order leaves before orders, positions and cash agree with the venue; "
        "a restored backup is noticed, and sends nothing twice.",
        "a venue that needs minutes to answer; a backup of the whole home, witness included; what "
        "has ended since a backup; algorithms are cancelled by a restore.",
        (
            "test_oms_restored_terms::test_d7_a_change_since_the_backup_is_taken_over_and_told",
            "test_oms_reconcile::"
            "test_d7_what_the_venue_has_open_tells_of_a_loss_that_the_witness_never_saw",
            "test_oms_reconcile::test_d7_a_forgotten_key_is_looked_for_before_it_is_sent",
            "test_oms_reconcile::test_d7_what_was_told_before_the_order_was_found_again_is_its_own",
            "test_oms_reconcile::"
            "test_d7_algorithms_are_cancelled_for_somebody_may_have_done_it_since",
            "test_riskengine_agreement::test_what_the_oms_has_lost_is_given_back_and_stays_so",
            _ORDERS + "test_a_closed_gate_takes_no_order",
            "test_oms_recovery::test_the_gate_stays_closed_on_a_difference_and_says_which",
            "test_oms_recovery::test_nothing_leaves_while_an_order_in_doubt_can_not_be_looked_up",
        ),
        figures=("recovery",),
    ),
    Promise(
        6,
        "A cancel, and a change, tell the truth",
        "A cancel or a change is confirmed, too late or unknown, never a guess; an order whose "
        "cancel is unknown still counts, and one whose change is unknown at the larger quantity.",
        "venues that change an order by cancelling it and taking another.",
        (
            "test_oms_replaces::test_a_crash_anywhere_in_a_change_leaves_one_truth",
            "test_oms_replaces::test_a_silent_change_is_unknown_until_the_venue_shows_it",
            "test_oms_fills::test_a_cancel_without_an_answer_is_unknown_and_stays_pending",
            "test_oms_fills::test_a_cancel_that_crosses_a_fill_books_the_fill",
            "test_oms_fills::test_cancel_all_takes_one_scope_and_lists_what_is_left",
        ),
    ),
    Promise(
        7,
        "Replay is identity",
        "The same tape gives the same state, to the last digit, over another bus, in another "
        "process layout, and after kills in the midst of it.",
        "a live mode to compare with; other versions of Python in one run.",
        (
            "test_replay_is_identity::test_another_run_ends_in_the_same_state",
            "test_replay_survives::test_kill_9_of_each_service_in_turn",
            "test_replay_survives::test_an_interrupted_run_goes_on_over_the_local_bus",
        ),
        ("make paper",),
    ),
    Promise(
        8,
        "Breaks are found",
        "A difference between our books and the venue's closes the gate and is named; where there "
        "is none nobody is told of one.",
        "a statement of a clearer; quiet hours of a real venue.",
        (
            "test_oms_recovery::test_the_gate_stays_closed_on_a_difference_and_says_which",
            "test_oms_recovery::test_a_foreign_trade_at_the_venue_closes_the_gate",
            "test_oms_sim::test_p8_nobody_is_told_of_anything_while_nothing_happens_after_every_fault",
        ),
        figures=("breaks",),
    ),
)

_RISK_AND_HALT = (
    Promise(
        9,
        "No order without an approval",
        "The gateway alone reaches a venue, and it sends only what risk has signed: every field "
        "bound, once, for two seconds, in one halt epoch and under one lease.",
        "an attacker who holds risk's private key; with HMAC in one process the OMS holds it too.",
        (
            "test_riskengine_token_attack::test_p9_no_attack_of_any_kind_is_accepted",
            "test_riskengine_approval::test_each_field_is_bound_by_the_signature",
            _ORDERS + "test_an_approval_is_good_for_one_order_once",
            _ORDERS + "test_a_consumed_approval_is_refused_in_the_transaction_of_the_send",
            "test_venue_door::test_a_send_outside_the_gateway_is_caught",
        ),
        ("make tokens COUNT=10000000",),
        ("tokens",),
    ),
    Promise(
        10,
        "Limits hold when orders come at once",
        "Working orders and approvals on their way count against every cap, so no order of events "
        "carries the book beyond one.",
        "several risk engines at once: there is one.",
        (
            "test_riskengine_campaigns::test_no_interleaving_overshoots_a_cap",
            "test_riskengine_campaigns::test_a_missing_cap_is_found_out",
            "test_riskengine_engine::test_no_interleaving_of_checks_overshoots_a_cap",
        ),
        ("python -m mts1b_riskengine.campaigns interleavings",),
        ("interleavings",),
    ),
    Promise(
        11,
        "Every gate fails closed",
        "A gate that lacks data, has stale data, raises, hangs or answers nonsense denies, with a "
        "code. The controls are listed in [risk-controls.md](risk-controls.md).",
        "the correctness of what an installed plugin's gate lets pass.",
        (
            "test_riskengine_fail_closed::test_every_gate_fails_closed",
            "test_riskengine_pipeline::test_a_gate_that_hangs_denies_within_its_budget",
        ),
    ),
    Promise(
        12,
        "Halt means halt",
        "Once the halt is on record no order in its scope reaches the wire of a sender that reads "
        "the record. A sender elsewhere learns of it with its next lease, or stops when the lease "
        "of two seconds ends. Open orders are cancelled until the venue shows none; what is left "
        "is named. Cancelling stays possible, and reducing too where the halt allows it. A record "
        "that can not be written or read halts everything.",
        "an adapter that itself waits between the call and its wire (the races find a planted one, "
        "and the conformance kit is where an author learns of it); the venue's own timer, for the "
        "death of the whole host; 50 ms for a sender on another machine, which takes up to the "
        "renewal of its lease; how long a thousand open orders take to cancel.",
        (
            "test_halt_races::test_h3_h5_no_order_reaches_the_wire_under_a_halt",
            "test_halt_races::test_an_adapter_that_waits_between_fence_and_wire_is_found",
            "test_halt_processes::test_h5_h6_the_socket_halts_without_nats_and_a_zombie_is_fenced",
            "test_halt_processes::test_e8_h5_cut_off_from_operations_the_lease_ends_it",
            "test_halt_catalogue::"
            "test_control_30_cancel_and_reduce_are_possible_when_new_risk_is_denied",
        ),
        ("make halts RACES=10000 RUNS=100",),
        ("halt_races", "halt_latency"),
    ),
    Promise(
        13,
        "A halt survives, and a resume is deliberate",
        "A halt outlives restarts and a restored record. It ends by an operator's signature; a "
        "halt of the firm by those of two.",
        "a whole home restored from before the halt: nothing in it knows of the halt.",
        (
            "test_operations_halt::test_a_halt_is_sticky_over_restarts",
            "test_operations_halt::test_who_may_not_resume",
            "test_operations_halt::test_scopes_are_lifted_one_by_one",
            "test_halt_catalogue::test_h8_a_restored_record_does_not_forget_a_halt",
            "test_platform_halt::test_what_can_not_be_read_halts_everything",
        ),
    ),
    Promise(
        14,
        "Alerts in time",
        "A watchdog raises its alert in the transaction of the event that breached it.",
        "watchdogs of the watchdogs, the escalation of an alert that nobody acknowledges, and how "
        "long a message takes to a person.",
        (
            "test_operations_service::test_watchdogs_alert_in_the_log_and_on_their_subject",
            "test_operations_watchdogs::test_an_alert_comes_again_only_after_calm",
        ),
    ),
)

_EVIDENCE = (
    Promise(
        15,
        "Acknowledged is on disk",
        "What was acknowledged survives a kill and a loss of power.",
        "a disk that lies about its sync.",
        (
            "test_platform_store::test_sqlite_commits_are_on_disk",
            "test_brokers_client::test_kill_9_loses_nothing_that_was_acknowledged",
        ),
        figures=("powercut",),
    ),
    Promise(
        16,
        "Tampering shows",
        "A log that was changed, cut, reordered or rewritten fails its verification at the first "
        "bad entry.",
        "a witness on another machine; an attacker who holds the log's signing key.",
        (
            "test_operations_chain::test_tampering_is_found_at_its_first_index",
            "test_operations_chain::"
            "test_without_the_witness_a_full_rewrite_is_found_by_the_signed_root",
            "test_operations_chain::test_a_forged_checkpoint_is_refused",
            "test_operations_proof::test_no_part_of_a_proof_can_be_changed",
        ),
    ),
    Promise(
        17,
        "The evidence is complete",
        "Every order, fill, decision, halt and resume is an entry of the audit log.",
        "a set comparison after every simulated seed; logins, of which there are none.",
        (
            "test_operations_service::test_every_event_becomes_one_entry_at_its_business_time",
            "test_operations_chain::test_five_thousand_entries_in_batches_verify",
        ),
    ),
)

_SURFACE = (
    Promise(
        18,
        "Least privilege on the bus",
        "Each service, and the operator, is a user of the bus with a secret of its own, and may "
        "publish, serve, read and ask what one table says; what the bus refuses is an alarm.",
        "a server of somebody else, which has one token for all; a key that is used for what its "
        "role may do; whoever can read all files of the home.",
        (
            "test_platform_bus_roles::test_no_role_can_shape_a_stream_or_read_one_that_it_writes",
            "test_platform_bus_roles::test_k4_a_key_publishes_what_its_role_says_and_nothing_else",
            "test_operations_bus_access::test_k4_a_stolen_key_books_nothing_and_raises_an_alarm",
            "test_platform_eventbus_contract::test_a_connection_without_the_token_is_refused",
        ),
    ),
    Promise(
        19,
        "The public interface only reads",
        "It answers GET and HEAD, and takes signed signals where they are configured; it limits "
        "each peer, and no header bends the limit.",
        "a fuzzing campaign, and the effect of a flood on orders.",
        (
            "test_operations_api::test_nothing_but_reading",
            "test_operations_api::test_the_limit_is_per_peer_and_no_header_bends_it",
        ),
    ),
    Promise(
        20,
        "Secrets stay in",
        "Secrets are masked in log lines, settings and errors.",
        "a search for planted secrets in every sink after the whole suite.",
        (
            "test_platform_logging::test_secrets_never_reach_a_line",
            "test_platform_config::test_passwords_are_never_shown",
        ),
    ),
    Promise(
        21,
        "Webhooks can not be forged",
        "A signal from outside is signed with HMAC-SHA256 over time and body, fresh, and one "
        "signal for ever by its id; nothing is written of what is refused. It is sized at our own "
        "price, and risk decides.",
        "a sender whose secret is stolen; a sender's own mistakes.",
        (
            "test_operations_signals::test_k2_a_bad_signature_is_401_and_writes_nothing",
            "test_operations_signals::test_every_byte_of_body_and_timestamp_is_signed",
            "test_operations_signals::test_k2_a_replay_and_four_resends_are_one_signal",
            "test_operations_signals::test_k2_what_is_late_or_early_is_refused",
            "test_signals_from_outside::"
            "test_k2_k4_signals_are_traded_once_risk_decides_and_a_stolen_key_books_nothing",
        ),
    ),
    Promise(
        22,
        "Only listed code runs",
        "Dependencies are locked by hash; plugins are listed without being imported, and two of "
        "one name are refused.",
        "signed provenance, a bill of materials, bit-identical builds.",
        (
            "test_platform_plugins::test_names_are_listed_without_importing",
            "test_platform_plugins::test_two_packages_of_one_name_are_refused",
            "test_brokers_plugins::test_a_package_can_not_take_the_name_of_the_paper_venue",
            "test_wheels::test_the_lock_names_no_host_and_no_package_of_the_workspace",
        ),
    ),
)

_SPEED = (
    Promise(
        23,
        "Latency",
        "Speed is measured from the intended time of each order, in an open loop.",
        "machines other than the one that measured.",
        ("test_riskengine_engine::test_latency_is_told_per_stage_and_gate",),
        figures=("load", "gate_chain"),
    ),
    Promise(
        24,
        "Throughput",
        "What is sustained is measured with the latency at which it is sustained.",
        "that new risk is shed before cancels under overload.",
        figures=("load",),
    ),
    Promise(
        25,
        "Endurance",
        "A system that runs for days is the one that was started.",
        "everything: no run of three days has been made.",
    ),
    Promise(
        26,
        "Self-assessment on demand",
        "`mts risk report` lists every pre-trade control with its gate, source and state, and this "
        "page lists the promises; both are compared with the code by a test.",
        "owners and dates of last runs in one report that is signed.",
        (
            "test_riskengine_report::test_the_page_is_what_the_code_says",
            "test_riskengine_report::test_every_control_of_the_minimum_has_a_gate",
        ),
    ),
)

PROMISES = (*_ORDER_PATH, *_RISK_AND_HALT, *_EVIDENCE, *_SURFACE, *_SPEED)
"""P1 to P26."""
