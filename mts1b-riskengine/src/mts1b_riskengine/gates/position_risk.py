"""Limits of what the fund would hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from mts1b_foundation import DenyCode, Order, RiskContext, RiskEnvelope

from mts1b_riskengine.exposure import ExposureProbe
from mts1b_riskengine.gates.card import GateCard
from mts1b_riskengine.gates.inline import InlineGate
from mts1b_riskengine.instruments import InstrumentFacts
from mts1b_riskengine.losses import exact

__all__ = ["CARD", "PositionRiskGate"]

CARD = GateCard(
    gate="position_risk",
    asks="do positions, working and reserved orders stay within the caps with this order?",
    codes=(
        DenyCode.REDUCE_ONLY_WOULD_OPEN,
        DenyCode.NO_NAV,
        DenyCode.MAX_POSITION_PCT,
        DenyCode.MAX_POSITION_USD,
        DenyCode.MAX_GROSS_EXPOSURE,
        DenyCode.MAX_NET_EXPOSURE,
        DenyCode.MAX_ASSET_CLASS,
        DenyCode.MAX_SECTOR,
        DenyCode.MAX_COUNTRY,
    ),
    inputs="positions, reservations, last prices, the fund's NAV, the listed instruments",
    on_failure="a NAV that is not positive denies; below a cap of 1, what has no known sector or "
    "country counts in every one; a reducing order passes",
    source="RTS 6 Art. 15(2) and (4): include orders that are sent; SEC 15c3-5(c)(1)(i)",
    controls=(12, 13, 14, 19, 30),
    facts=("exposure", "nav_usd", "instrument"),
    reducing=False,
)


@dataclass(frozen=True, slots=True)
class _Cap:
    """One cap: a share of the NAV, or an amount in base currency."""

    code: DenyCode | str
    label: str
    measure: str
    share: Decimal | None = None
    usd: Decimal = Decimal(0)


def _caps(envelope: RiskEnvelope, facts: InstrumentFacts) -> tuple[_Cap, ...]:
    """Return the caps; a negative net limit bounds net exposure from above."""
    net = exact(envelope.max_net_exposure_pct)
    gross = exact(envelope.max_gross_exposure_pct)
    asset_class = exact(envelope.max_asset_class_pct)
    caps = [
        _Cap(DenyCode.MAX_POSITION_PCT, "position", "position", exact(envelope.max_position_pct)),
        _Cap(DenyCode.MAX_GROSS_EXPOSURE, "gross", "gross", gross),
        _Cap(DenyCode.MAX_NET_EXPOSURE, "net", "net" if net >= 0 else "net_high", net),
        _Cap(DenyCode.MAX_ASSET_CLASS, "asset class", "asset_class", asset_class),
    ]
    if envelope.max_position_usd is not None:
        usd = envelope.max_position_usd
        caps.insert(1, _Cap(DenyCode.MAX_POSITION_USD, "position", "position", usd=usd))
    sector, country = exact(envelope.max_sector_pct), exact(envelope.max_country_pct)
    caps += _concentration(DenyCode.MAX_SECTOR, "sector", facts.sector, sector)
    caps += _concentration(DenyCode.MAX_COUNTRY, "country", facts.country, country)
    return tuple(caps)


def _concentration(code: DenyCode, kind: str, name: str | None, share: Decimal) -> list[_Cap]:
    """Return the cap of a sector or country; what nobody has told one of may be of any.

    A share of 1 asks for no diversity, so what is not known does not matter to it.
    """
    if share < 1:
        told = f"{kind} {name}" if name else f"{kind} not known: list it in `instruments`;"
        return [_Cap(code, told, f"{kind}_at_worst", share)]
    return [_Cap(code, f"{kind} {name}", kind, share)] if name else []


_CapKey = tuple[str, str | None, str | None]


@dataclass(frozen=True)
class PositionRiskGate(InlineGate):
    """Deny what would carry the fund over a cap, counting every approved order as if it filled.

    An order that can only shrink its strategy's position always passes; and a cap that the
    order does not bring closer (prices may have carried the fund over it) does not deny it. At
    the limit passes.
    """

    name: str = "position_risk"
    _known: dict[_CapKey, tuple[RiskEnvelope, tuple[_Cap, ...]]] = field(
        init=False, default_factory=dict, repr=False, compare=False
    )

    def decide(self, order: Order, envelope: RiskEnvelope, context: RiskContext) -> bool:
        """Pass a reducing order, or one after which every cap holds."""
        probe: ExposureProbe = context["exposure"]
        if probe.reducing:
            return True
        if order.reduce_only:
            return context.reject(
                DenyCode.REDUCE_ONLY_WOULD_OPEN,
                "a reduce-only order would open or turn the position, open orders included",
                limit=probe.line.quantity,
                value=order.signed_quantity,
            )
        nav = context.need_decimal("nav_usd")
        if nav <= 0:
            return context.reject(DenyCode.NO_NAV, "NAV is not positive", limit=0, value=nav)
        return self._within_caps(probe, envelope, context, nav)

    def _within_caps(
        self, probe: ExposureProbe, envelope: RiskEnvelope, context: RiskContext, nav: Decimal
    ) -> bool:
        after = probe.measure_after()
        for cap in self._caps_of(envelope, context["instrument"]):
            limit = cap.share * nav if cap.share is not None else cap.usd
            value: Decimal = getattr(after, cap.measure)
            if value > limit and value > getattr(probe.measure_before(), cap.measure):
                return context.reject(
                    cap.code,
                    f"{cap.label} exposure in USD, open orders included",
                    limit=limit,
                    value=value,
                )
        return True

    def _caps_of(self, envelope: RiskEnvelope, facts: InstrumentFacts) -> tuple[_Cap, ...]:
        """Return the caps; they are made anew only when the envelope is another."""
        key = (envelope.fund_id, facts.sector, facts.country)
        known = self._known.get(key)
        if known is not None and known[0] is envelope:
            return known[1]
        caps = _caps(envelope, facts)
        self._known[key] = (envelope, caps)
        return caps
