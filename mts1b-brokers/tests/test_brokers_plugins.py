"""Adapters of other packages: one of a name, importable, callable as the OMS calls them."""

import json
import sys

import pytest
from mts1b_brokers import BrokerConfigError, PaperClient, UnknownBroker
from mts1b_brokers.cli import app
from mts1b_brokers.registry import GROUP, create_simulated, known_brokers
from mts1b_brokers.shape import misfits
from mts1b_platform.clock import SystemClock
from mts1b_platform.config import Settings
from mts1b_platform.ids import SequentialIds
from mts1b_platform.plugins import PluginBroken
from typer.testing import CliRunner

VENUE = """
class Venue:
    name = "acme"
    async def submit(self, order): return order
    async def cancel(self, order_id): return True
    async def get_open_orders(self): return []
    async def get_positions(self): return []
    async def stream_fills(self):
        if False: yield
    async def on_bars(self, bars): pass
    def set_time(self, now): pass
"""
CREATE = "def create(settings, *, home, clock, ids): return Venue()\n"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a package with one adapter on the path, as an installer would."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def put(package, source, *, offers="acme"):
        (tmp_path / f"{package}.py").write_text(source)
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[{GROUP}]\n{offers} = {package}:create\n")

    yield put
    for module in set(sys.modules) - before:
        del sys.modules[module]


def _create(tmp_path, name="acme"):
    clock, ids = SystemClock(), SequentialIds()
    return create_simulated(name, Settings(), home=tmp_path, clock=clock, ids=ids)


def test_an_adapter_that_fits_is_made(install, tmp_path):
    install("acme_fits", VENUE + CREATE)
    assert _create(tmp_path).name == "acme"
    assert "acme" in known_brokers()


def test_a_package_can_not_take_the_name_of_the_paper_venue(install, tmp_path):
    install("acme_thief", VENUE + CREATE, offers="paper")
    with pytest.raises(PluginBroken, match="two packages offer 'paper'"):
        _create(tmp_path, "paper")


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("raise RuntimeError('no licence')", r"acme_broken:create.*RuntimeError: no licence"),
        ("other = 1", "has no attribute 'create'"),
    ],
)
def test_an_adapter_that_can_not_be_imported_is_named(install, tmp_path, source, told):
    install("acme_broken", source)
    with pytest.raises(PluginBroken, match=told):
        _create(tmp_path)


@pytest.mark.parametrize(
    "create",
    ["def create(settings): return Venue()\n", "create = 7\n"],
)
def test_an_entry_point_that_can_not_be_called_so_is_refused(install, tmp_path, create):
    install("acme_factory", VENUE + create)
    with pytest.raises(BrokerConfigError, match=r"acme: .*\(settings, \*, home, clock, ids\)"):
        _create(tmp_path)


def test_an_adapter_that_raises_is_named(install, tmp_path):
    body = "    import os\n    return Venue(os.environ['ACME_KEY_OF_NOBODY'])\n"
    install("acme_raises", f"{VENUE}def create(settings, *, home, clock, ids):\n{body}")
    with pytest.raises(BrokerConfigError, match="acme could not be made: KeyError: 'ACME_KEY"):
        _create(tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("async def submit", "def submit", "submit must be `async def`"),
        ("async def cancel(self, order_id)", "async def cancel(self)", "cancel must take"),
        ("async def cancel", "async def revoke", "cancel is missing"),
        ("        if False: yield", "        return []", "stream_fills must be `async def` with"),
        ("    async def stream_fills", "    def stream_fills", "stream_fills must be `async def`"),
        ("async def on_bars", "def on_bars", "on_bars must be `async def`"),
        ("def set_time", "async def set_time", "set_time must be a plain `def`"),
        ("return True", "return True\n    def cancel_all(self): return []", "cancel_all must be"),
        ('    name = "acme"\n', "", "name is missing"),
    ],
)
def test_a_venue_that_the_oms_could_not_call_is_refused(install, tmp_path, before, after, told):
    changed = VENUE.replace(before, after, 1)
    assert changed != VENUE
    install("acme_near", changed + CREATE)
    with pytest.raises(BrokerConfigError, match=told):
        _create(tmp_path)


def test_an_adapter_that_makes_nothing_is_refused(install, tmp_path):
    install("acme_nothing", "def create(settings, *, home, clock, ids): pass\n")
    with pytest.raises(BrokerConfigError, match=r"NoneType.*submit is missing"):
        _create(tmp_path)


def test_the_paper_venue_and_one_that_hands_on_fit():
    class Router:
        def __init__(self, inner):
            self.name = "router"
            self._inner = inner

        def __getattr__(self, name):
            return getattr(self._inner, name)

        def stream_fills(self):
            return self._inner.stream_fills()

    assert misfits(PaperClient()) == []
    assert misfits(Router(PaperClient())) == []


def test_the_list_command_imports_no_adapter(install):
    install("acme_explodes", "raise SystemError('imported')")
    rows = json.loads(CliRunner().invoke(app, ["list", "--json"]).stdout)["items"]
    assert {"broker": "acme", "from": "acme_explodes", "code": "acme_explodes:create"} in rows


def test_an_unknown_adapter_lists_the_known(tmp_path):
    with pytest.raises(UnknownBroker, match=r"'nowhere'.*paper"):
        _create(tmp_path, "nowhere")
