"""Every public function is held against a truth, met at its edges, and has a law.

A truth is a printed number, a peer, or the definition written out another way; an edge is what is
refused or undefined; a law is a property over random data. The table names the tests; each must
exist and must speak of the function. A function that is new here fails until it has all three.
"""

from __future__ import annotations

import ast
import importlib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
ROOMS = (
    *("covariance", "allocators", "metrics", "cv", "risk", "factors", "cost_models"),
    *("universe_filters", "microstructure", "volatility", "options"),
)
VALUES = {
    *("Allocation", "Frontier", "Posterior", "ShrunkCovariance", "Overfitting", "Fold"),
    *("WalkForwardResult", "SizingMethod", "Verdict", "ComponentVar", "CoverageTest"),
    *("TrafficLight", "GarchForecast", "InformationCoefficient", "FeeTier", "FeeModel"),
    *("SlippageModel", "Impact", "CusumState", "EwmaState", "Greeks"),
}
"""Results, enumerations and protocols: they hold numbers and compute none."""

TRUTHS = {
    "summary::test_a_summary_has_each_metric_of_returns_alone": "metrics.summary",
    "covariance::test_sample_covariance_is_numpys": "covariance.sample_covariance",
    "covariance::test_ewma_covariance_is_pandas_last_block": "covariance.ewma_covariance",
    "covariance::test_biased_identity_target_is_scikit_learns": "covariance.ledoit_wolf",
    "covariance::test_oas_is_scikit_learns_and_the_paper_differs_by_its_small_terms": (
        "covariance.oas"
    ),
    "robust_covariance::test_noise_becomes_flat_and_signal_stays": "covariance.denoised_covariance",
    "robust_covariance::test_by_hand": "covariance.gerber_covariance",
    "robust_covariance::test_semi_covariance_by_hand": "covariance.semi_covariance",
    "robust_covariance::test_the_example_of_higham": "covariance.nearest_psd",
    "arrays::test_returns_from_prices": "covariance.returns_from_prices",
    "allocators::test_hrp_reproduces_the_paper": "allocators.hrp_weights",
    "allocators::test_inverse_variance_reproduces_the_paper": "allocators.inverse_variance",
    "allocators::test_inverse_weights_by_hand": (
        "allocators.inverse_volatility allocators.equal_weights"
    ),
    "papers::test_equal_risk": "allocators.risk_parity",
    "papers::test_least_variance": "allocators.min_variance",
    "papers::test_the_least_variance_at_a_return": "allocators.efficient_return",
    "papers::test_the_turning_points": "allocators.efficient_frontier",
    "papers::test_the_highest_ratio": "allocators.max_sharpe",
    "papers::test_three_views": "allocators.black_litterman",
    "optimisers::test_the_posterior_is_the_information_form": (
        "allocators.black_litterman_posterior"
    ),
    "optimisers::test_scenario_risks": "allocators.min_cvar allocators.min_mad allocators.min_cdar",
    "optimisers::test_max_diversification_of_uncorrelated_assets_is_inverse_volatility": (
        "allocators.max_diversification"
    ),
    "robust_covariance::test_two_clusters_by_hand": "allocators.herc_weights",
    "robust_covariance::test_nco_is_min_variance_where_there_is_one_cluster": (
        "allocators.nco_weights"
    ),
    "metrics::test_growth_by_hand": "metrics.total_return metrics.cagr",
    "metrics::test_bacon_example": "metrics.downside_deviation metrics.kurtosis",
    "papers::test_bacon_two_years": "metrics.skewness metrics.pain_index metrics.ulcer_index",
    "metrics::test_sharpe_and_sortino_by_hand": "metrics.sharpe metrics.sortino",
    "laws::test_volatility_and_mean_variance_are_their_formulas": (
        "metrics.annual_volatility allocators.mean_variance"
    ),
    "laws::test_captures_by_hand": "metrics.capture_ratio metrics.down_capture",
    "laws::test_weights_by_hand": "cv.Sizing",
    "metrics::test_drawdown_starts_at_the_starting_capital": (
        "metrics.max_drawdown metrics.drawdown_series"
    ),
    "metrics::test_average_drawdown_over_periods_and_episodes": "metrics.average_drawdown",
    "metrics::test_calmar_is_cagr_over_the_deepest_drawdown": "metrics.calmar",
    "metrics::test_value_at_risk_methods": "metrics.value_at_risk",
    "metrics::test_expected_shortfall_methods": "metrics.expected_shortfall",
    "metrics_more::test_indices_by_hand": "metrics.conditional_drawdown_at_risk",
    "metrics_more::test_the_table": "metrics.drawdown_table",
    "metrics_more::test_outcomes_by_hand": (
        "metrics.omega metrics.profit_factor metrics.payoff_ratio metrics.win_rate "
        "metrics.tail_ratio metrics.stability metrics.mean_absolute_deviation "
        "metrics.semi_deviation"
    ),
    "metrics_more::test_normal_closed_form": "metrics.entropic_value_at_risk",
    "metrics_more::test_alpha_and_beta_are_the_regression": "metrics.alpha metrics.beta",
    "metrics_more::test_by_hand": (
        "metrics.tracking_error metrics.information_ratio metrics.up_capture "
        "metrics.probability_of_backtest_overfitting"
    ),
    "metrics_more::test_every_metric_equals_itself_on_the_window": "metrics.rolling",
    "metrics_more::test_sharpe_error_of_lo": "metrics.sharpe_standard_error_from_moments",
    "metrics_more::test_annualisation_of_lo": "metrics.annualise_sharpe",
    "metrics_more::test_the_forms_on_returns_agree_with_the_forms_on_moments": (
        "metrics.sharpe_standard_error metrics.probabilistic_sharpe metrics.deflated_sharpe "
        "metrics.min_track_record_length"
    ),
    "papers::test_two_years_of_a_hedge_fund": "metrics.probabilistic_sharpe_from_moments",
    "metrics_more::test_deflated_sharpe_of_the_paper": (
        "metrics.expected_max_sharpe metrics.deflated_sharpe_from_moments"
    ),
    "metrics_more::test_minimum_track_record_of_the_paper": (
        "metrics.min_track_record_length_from_moments"
    ),
    "metrics_more::test_minimum_backtest_length_of_the_paper": "metrics.min_backtest_length",
    "cv::test_rolling": "cv.WalkForward",
    "cv::test_labels_before_the_test_are_purged": "cv.PurgedKFold",
    "cv::test_the_counts_of_the_book": "cv.CombinatorialPurgedKFold",
    "walk_forward::test_one_fold_by_hand": "cv.walk_forward",
    "walk_forward::test_the_documented_verdicts": "cv.verdict",
    "papers::test_its_tail": "risk.value_at_risk_from_moments risk.expected_shortfall_from_moments",
    "risk::test_samples_go_through_their_moments": "risk.value_at_risk risk.expected_shortfall",
    "risk::test_ewma_volatility_follows_the_recursion_and_looks_back_only": "risk.ewma_volatility",
    "garch::test_the_truth_is_found_in_long_data": "risk.garch_forecast",
    "garch::test_hull_one_day_ahead": "risk.GarchParameters",
    "options_and_volatility::test_the_printed_example": "risk.component_var",
    "options_and_volatility::test_the_regions_of_kupiec": "risk.kupiec",
    "options_and_volatility::test_clusters_are_found": (
        "risk.christoffersen risk.conditional_coverage"
    ),
    "options_and_volatility::test_acerbi_szekely": "risk.acerbi_szekely_z2",
    "options_and_volatility::test_basel_table": "risk.basel_traffic_light",
    "cross_sections::test_scores_by_hand": (
        "factors.zscore_cross_sectional factors.rank_cross_sectional"
    ),
    "cross_sections::test_cross_sections_are_the_peers": "factors.winsorize",
    "factor_evaluation::test_coefficients_are_scipys": "factors.information_coefficient",
    "factor_evaluation::test_the_summary": "factors.information_coefficient_summary",
    "factor_evaluation::test_quantiles_by_hand": "factors.quantile_returns",
    "factor_evaluation::test_turnover_by_hand": "factors.turnover",
    "factor_evaluation::test_neutral_scores_know_nothing_of_the_exposure": "factors.neutralize",
    "factors::test_register_keeps_names_honest": "factors.register factors.get",
    "factor_values::test_momentum_skips_the_last_month": "factors.f_momentum_12_1",
    "factor_values::test_regressions_by_scipy": (
        "factors.f_idiosyncratic_vol factors.f_regression_trend"
    ),
    "factor_values::test_the_spread_of_corwin_and_schultz_is_found": "factors.f_low_spread",
    "factor_values::test_seasons_look_at_earlier_years_alone": (
        "factors.f_same_month factors.f_same_weekday"
    ),
    "costs::test_per_share_fee_has_a_floor_and_a_ceiling": "cost_models.PerShareFee",
    "costs::test_bps_and_tiers_by_hand": "cost_models.BpsFee cost_models.TieredFee",
    "costs::test_slippage_is_always_adverse": (
        "cost_models.FixedBpsSlippage cost_models.SpreadSlippage cost_models.SquareRootSlippage"
    ),
    "costs::test_fees_by_venue": "cost_models.VenueFee",
    "costs::test_slippage_learned_from_fills": "cost_models.EwmaSlippage",
    "costs::test_almgren_table_of_examples": "cost_models.almgren_impact",
    "costs::test_average_daily_volume_and_its_filter": (
        "universe_filters.average_daily_volume universe_filters.passes_adv_filter"
    ),
    "microstructure::test_nist_cusum": "microstructure.Cusum",
    "microstructure::test_nist_ewma": "microstructure.EwmaChart",
    "microstructure::test_by_hand": "microstructure.vpin",
    "microstructure::test_a_bar_larger_than_many_buckets": "microstructure.Vpin",
    "laws::test_bulk_classification_is_the_normal_distribution": (
        "microstructure.bulk_buy_fraction"
    ),
    "microstructure::test_amihud_by_hand": "microstructure.amihud_illiquidity",
    "microstructure::test_roll_finds_the_bounce": "microstructure.roll_spread",
    "microstructure::test_cusum_filter_by_hand": "microstructure.cusum_filter",
    "options_and_volatility::test_by_hand": "volatility.parkinson volatility.garman_klass",
    "options_and_volatility::test_without_drift_all_agree": (
        "volatility.realized_volatility volatility.yang_zhang volatility.rogers_satchell"
    ),
    "options_and_volatility::test_hull_prices": "options.bs_price",
    "options_and_volatility::test_hull_greeks": "options.bs_greeks",
    "options_and_volatility::test_the_implied_volatility_gives_the_price_back": (
        "options.implied_volatility"
    ),
}
BY_PANDAS = ("factor_values::test_factors_by_pandas", "factor_values::test_more_factors_by_pandas")
EDGES = {
    "summary::test_a_summary_refuses_what_it_does_not_know": "metrics.summary",
    "laws::test_what_is_refused": (
        "allocators.black_litterman_posterior metrics.sharpe_standard_error_from_moments "
        "metrics.deflated_sharpe_from_moments risk.expected_shortfall_from_moments "
        "cost_models.PerShareFee cost_models.FixedBpsSlippage cost_models.SpreadSlippage"
    ),
    "laws::test_weights_by_hand": "cv.Sizing",
    "metrics_more::test_bad_input_has_a_typed_error": (
        "metrics.annualise_sharpe metrics.probabilistic_sharpe_from_moments "
        "metrics.expected_max_sharpe metrics.min_backtest_length"
    ),
    "metrics_more::test_the_length_that_is_needed_reaches_the_confidence": (
        "metrics.min_track_record_length_from_moments"
    ),
    "cv::test_bad_input": "cv.WalkForward cv.PurgedKFold",
    "cv::test_every_path_tests_every_row_once": "cv.CombinatorialPurgedKFold",
    "walk_forward::test_what_is_refused": "cv.walk_forward",
    "walk_forward::test_verdicts_at_the_edges": "cv.verdict",
    "risk::test_bad_calls_are_refused": "risk.value_at_risk_from_moments",
    "garch::test_missing_and_impossible": "risk.GarchParameters",
    "options_and_volatility::test_bad_input": (
        "risk.basel_traffic_light options.bs_price options.bs_greeks options.implied_volatility"
    ),
    "factors::test_register_keeps_names_honest": "factors.register factors.get",
    "factor_values::test_seasons_look_at_earlier_years_alone": "factors.f_same_month",
    "costs::test_bad_parameters_are_refused": (
        "cost_models.BpsFee cost_models.TieredFee cost_models.SquareRootSlippage "
        "cost_models.almgren_impact"
    ),
    "costs::test_fees_by_venue": "cost_models.VenueFee",
    "costs::test_slippage_learned_from_fills": "cost_models.EwmaSlippage",
    "microstructure::test_bad_input": (
        "microstructure.Cusum microstructure.EwmaChart microstructure.Vpin "
        "microstructure.bulk_buy_fraction"
    ),
}
LAWS = {
    "summary::test_a_summary_does_not_depend_on_order_or_company": "metrics.summary",
    "laws::test_a_view_without_weight_changes_nothing_and_a_certain_one_holds": (
        "allocators.black_litterman_posterior"
    ),
    "metrics_more::test_the_table_and_the_series_tell_one_story": "metrics.drawdown_table",
    "laws::test_moments_move_the_answers_the_right_way": (
        "metrics.sharpe_standard_error_from_moments metrics.probabilistic_sharpe_from_moments "
        "metrics.deflated_sharpe_from_moments metrics.min_track_record_length_from_moments"
    ),
    "laws::test_the_best_of_more_trials_is_better": (
        "metrics.expected_max_sharpe metrics.min_backtest_length"
    ),
    "laws::test_annual_ratios_fall_with_autocorrelation": "metrics.annualise_sharpe",
    "cv::test_training_ends_before_its_test": "cv.WalkForward",
    "cv::test_no_training_label_span_meets_a_test_label_span": "cv.PurgedKFold",
    "cv::test_every_path_tests_every_row_once": "cv.CombinatorialPurgedKFold",
    "walk_forward::test_nothing_after_a_row_changes_what_was_earned_in_it": "cv.walk_forward",
    "walk_forward::test_weights_meet_the_gross": "cv.Sizing",
    "walk_forward::test_more_is_never_judged_worse": "cv.verdict",
    "laws::test_more_confidence_is_more_risk": (
        "risk.value_at_risk_from_moments risk.expected_shortfall_from_moments"
    ),
    "garch::test_no_neighbour_is_likelier": "risk.garch_forecast",
    "laws::test_the_variance_goes_home": "risk.GarchParameters",
    "options_and_volatility::test_parts_sum_to_the_whole": "risk.component_var",
    "laws::test_breaches_are_judged_by_their_number_and_order": (
        "risk.kupiec risk.christoffersen risk.conditional_coverage risk.acerbi_szekely_z2 "
        "risk.basel_traffic_light"
    ),
    "factors::test_register_keeps_names_honest": "factors.register factors.get",
    "factor_values::test_seasons_look_at_earlier_years_alone": "factors.f_same_month",
    "costs::test_decimal_float_and_array_agree": (
        "cost_models.PerShareFee cost_models.BpsFee cost_models.TieredFee "
        "cost_models.SquareRootSlippage cost_models.FixedBpsSlippage cost_models.SpreadSlippage"
    ),
    "costs::test_learned_slippage_stays_among_its_fills": "cost_models.EwmaSlippage",
    "laws::test_a_venue_charges_what_its_model_charges": "cost_models.VenueFee",
    "laws::test_impact_grows_with_size_and_has_its_sign": "cost_models.almgren_impact",
    "microstructure::test_streams_and_batches_agree_to_the_last_bit": (
        "microstructure.Cusum microstructure.EwmaChart"
    ),
    "microstructure::test_streams_and_batches_agree_and_stay_in_range": (
        "microstructure.vpin microstructure.Vpin"
    ),
    "laws::test_bulk_classification_is_the_normal_distribution": (
        "microstructure.bulk_buy_fraction"
    ),
    "options_and_volatility::test_parity_and_derivatives": "options.bs_price options.bs_greeks",
    "options_and_volatility::test_the_implied_volatility_gives_the_price_back": (
        "options.implied_volatility"
    ),
}
EVERY_FACTOR = {
    "edge": "factors::test_a_missing_price_blanks_its_own_asset_alone",
    "market edge": "factors::test_windows_out_of_range_are_refused",
    "law": "factors::test_no_factor_reads_the_future",
}
MARKET = {"factors.f_beta", "factors.f_low_beta", "factors.f_idiosyncratic_vol"}
LAWFUL = {"columns", "rows", "past", "fewer rows", "weights", "square"}


def public() -> set[str]:
    """Return every public function and class, as room.name."""
    found: set[str] = set()
    for room in ROOMS:
        module = importlib.import_module(f"mts1b_quantkit.{room}")
        callables = {name for name in module.__all__ if callable(getattr(module, name))}
        found |= {f"{room}.{name}" for name in callables - VALUES}
    return found


def parsed(module: str) -> ast.Module:
    return ast.parse((HERE / f"{module}.py").read_text(encoding="utf-8"))


def constants_of(tree: ast.Module) -> dict[str, list[str]]:
    """Return what each constant holds, also those of the modules beside it that it imports."""
    found: dict[str, list[str]] = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("quantkit_"):
            found |= constants_of(parsed(str(node.module)))
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {name.id: words(node) for name in targets if isinstance(name, ast.Name)}
    return found


@cache
def spoken_in(stem: str) -> dict[str, list[str]]:
    """Return what each test of a file speaks of: one list for each test of that name."""
    tree = parsed(f"test_quantkit_{stem}")
    constants = constants_of(tree)
    found: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            spoken = words(node)
            for _ in range(2):  # a table may be made of tables
                named = set(spoken) & set(constants)
                spoken = [*spoken, *(word for name in named for word in constants[name])]
            found[node.name] = [*found.get(node.name, []), *spoken]
    return found


def words(node: ast.AST) -> list[str]:
    """Return the identifiers and strings below a node."""
    found: list[str] = []
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            found.append(inner.id)
        elif isinstance(inner, ast.Attribute):
            found.append(inner.attr)
        elif isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            found.append(inner.value)
    return found


def speaks_of(test: str, name: str) -> bool:
    """Return whether a test exists and speaks of a function."""
    stem, _, function = test.partition("::")
    return name.rpartition(".")[2] in spoken_in(stem).get(function, [])


def held(table: dict[str, str]) -> set[str]:
    return {name for names in table.values() for name in names.split()}


def factors_by_pandas() -> set[str]:
    return {
        f"factors.{name}"
        for test in BY_PANDAS
        for stem, _, function in [test.partition("::")]
        for name in spoken_in(stem)[function]
        if name.startswith("f_")
    }


@pytest.mark.parametrize("table", [TRUTHS, EDGES, LAWS], ids=["truths", "edges", "laws"])
def test_the_tests_of_the_table_exist_and_speak_of_their_functions(table: dict[str, str]) -> None:
    silent = [
        f"{test} says nothing of {name}"
        for test, names in table.items()
        for name in names.split()
        if not speaks_of(test, name)
    ]
    assert silent == []
    assert held(table) - public() == set()


def test_every_function_has_a_truth() -> None:
    assert public() - held(TRUTHS) - factors_by_pandas() == set()


def test_every_function_is_met_at_its_edges(all_cases: list[Any]) -> None:
    """The cases of ``conftest.py`` meet every edge of ``test_quantkit_everywhere``."""
    known = {case.name for case in all_cases} | held(EDGES)
    for name in sorted(public() - known):
        test = EVERY_FACTOR["market edge" if name in MARKET else "edge"]
        assert name.startswith("factors.f_"), f"{name} is not met at its edges"
        assert speaks_of(test, name), f"{name} is not met at its edges"


def test_every_function_has_a_law(all_cases: list[Any]) -> None:
    lawful = {case.name for case in all_cases if case.degree is not None or case.gives in LAWFUL}
    for name in sorted(public() - lawful - held(LAWS)):
        assert name.startswith("factors.f_"), f"{name} has no law"
        assert speaks_of(EVERY_FACTOR["law"], name), f"{name} has no law"


def test_a_function_without_evidence_is_told() -> None:
    assert not speaks_of("papers::test_equal_risk", "allocators.hrp_weights")
    assert not speaks_of("papers::test_of_nothing", "allocators.risk_parity")
