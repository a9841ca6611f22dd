"""Real processes are kept running, stop in order, and never outlive their supervisor."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import deploy_children
import pytest
from deploy_children import FAILS, WAITS, MakeSupervisor, begun, events, gone, is_running
from mts1b_deploy import AlreadyRunning, Process, Supervisor
from mts1b_deploy import supervisor as supervisor_module
from mts1b_deploy.lock import owner_of

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child")


async def _own_process(home: Path, *names: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, deploy_children.__file__, str(home), *names
    )


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is waited for sets no event of ours
            await asyncio.sleep(0.02)


async def test_a_killed_process_is_started_again(
    tmp_path: Path, make_supervisor: MakeSupervisor
) -> None:
    supervisor = make_supervisor("a", "b")
    await supervisor.start()
    await begun(tmp_path, 2)
    first, other = supervisor.pid_of("a"), supervisor.pid_of("b")
    assert first is not None
    os.kill(first, signal.SIGKILL)
    await begun(tmp_path, 3)
    assert supervisor.pid_of("a") not in (None, first)
    assert supervisor.pid_of("b") == other
    announced = json.loads((tmp_path / "run" / "supervisor.json").read_text())
    assert announced["pid"] == os.getpid()
    async with asyncio.timeout(10):
        while announced["processes"]["a"] == first:
            await asyncio.sleep(0.02)
            announced = json.loads((tmp_path / "run" / "supervisor.json").read_text())
    assert announced["processes"] == {"a": supervisor.pid_of("a"), "b": other}


@pytest.mark.parametrize("folder", ["logs", "run"])
async def test_what_can_not_be_started_again_yet_is_started_later(
    tmp_path: Path,
    make_supervisor: MakeSupervisor,
    folder: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A full disk takes neither log nor record for a while; a file stands in for it here."""
    monkeypatch.setattr(supervisor_module, "_AGAIN_S", 0.05)
    supervisor = make_supervisor("a")
    await supervisor.start()
    (first,) = await begun(tmp_path, 1)
    (tmp_path / folder).rename(tmp_path / "aside")
    (tmp_path / folder).touch()
    os.kill(first, signal.SIGKILL)
    await _until(lambda: "a can not be started again yet" in capsys.readouterr().err)
    (tmp_path / folder).unlink()
    (tmp_path / "aside").rename(tmp_path / folder)
    second = (await begun(tmp_path, 2))[1]
    record = tmp_path / "run" / "supervisor.json"
    await _until(lambda: json.loads(record.read_text())["processes"] == {"a": second})
    assert second not in (None, first)


async def test_processes_stop_in_reverse_and_none_is_left(
    tmp_path: Path, make_supervisor: MakeSupervisor
) -> None:
    supervisor = make_supervisor("a", "b", "c")
    await supervisor.start()
    pids = await begun(tmp_path, 3)
    await supervisor.stop()
    assert [name for word, name, _ in events(tmp_path) if word == "end"] == ["c", "b", "a"]
    assert not any(is_running(pid) for pid in pids)
    assert not (tmp_path / "run" / "supervisor.json").exists()
    assert owner_of(tmp_path) is None


async def test_nothing_is_started_during_a_stop(
    tmp_path: Path, make_supervisor: MakeSupervisor
) -> None:
    supervisor = make_supervisor("slow", "a")
    await supervisor.start()
    await begun(tmp_path, 2)
    killed = supervisor.pid_of("a")
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    await gone(killed)
    await supervisor.stop()  # "a" would be back before "slow" has ended
    assert sorted(word for word, *_ in events(tmp_path)) == ["begin", "begin", "end"]
    assert supervisor.pid_of("a") is None
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_ends_again_and_again_is_given_up_with_its_last_words(
    tmp_path: Path, make_supervisor: MakeSupervisor
) -> None:
    supervisor = make_supervisor("oms", script=FAILS)
    await supervisor.start()
    assert supervisor.failed is not None
    error = await asyncio.wait_for(supervisor.failed, 30)
    assert "oms ended 8 times within 30 s (last exit code 3)" in str(error)
    assert "the port oms is taken; see " in str(error)
    assert str(error).endswith("logs/oms.out")
    assert error.exit_code == 4
    record = tmp_path / "run" / "given-up.json"
    assert json.loads(record.read_text()) == {"process": "oms", "message": str(error)}
    await supervisor.stop()
    assert record.exists()  # who comes later is told why nothing runs
    await make_supervisor("a").start()
    assert not record.exists()


async def test_the_last_words_are_the_error_without_the_log_before_it(
    make_supervisor: MakeSupervisor,
) -> None:
    """A traceback in the log before it made four thousand letters of one line."""
    words = "print('{\"exception\": \"a traceback\"}'); print('error: no thesis', flush=True)"
    supervisor = make_supervisor("oms", script=f"{words}\nraise SystemExit(70)\n")
    await supervisor.start()
    assert supervisor.failed is not None
    error = await asyncio.wait_for(supervisor.failed, 30)
    assert "(last exit code 70): error: no thesis; see " in str(error)


async def test_what_misses_a_disk_or_a_port_is_tried_on_while_the_others_run(
    tmp_path: Path, make_supervisor: MakeSupervisor, capsys: pytest.CaptureFixture[str]
) -> None:
    """A full disk ended one service eight times, and its supervisor stopped all the others."""
    misses = "if sys.argv[1] == 'full': note('begin'); print('no room', flush=True); sys.exit(4)\n"
    script = WAITS.replace('note("begin")', misses + 'note("begin")')
    supervisor = make_supervisor("full", "oms", script=script)
    supervisor._window_s, supervisor._pause_s = 0.4, 0.1
    await supervisor.start()
    pids = await begun(tmp_path, 12)
    assert supervisor.failed is not None
    assert not supervisor.failed.done()
    assert len(set(pids)) == 12
    assert supervisor.pid_of("oms") is not None
    told = capsys.readouterr().err
    assert told.count("trying on") == 1
    assert "full ends again and again (last exit code 4): no room" in told


async def test_a_replay_gives_up_what_ends_slowly_again_and_again(
    make_supervisor: MakeSupervisor,
) -> None:
    supervisor = make_supervisor("oms", script=FAILS)
    supervisor._window_s = 180.0
    await supervisor.start()
    assert supervisor.failed is not None
    error = await asyncio.wait_for(supervisor.failed, 30)
    assert "oms ended 8 times within 180 s" in str(error)


async def test_what_can_not_be_started_leaves_nothing_behind(tmp_path: Path) -> None:
    missing = str(tmp_path / "no-such-program")
    supervisor = Supervisor(tmp_path, [Process("a", ())], os.environ, command=[missing])
    with pytest.raises(FileNotFoundError):
        await supervisor.start()
    assert owner_of(tmp_path) is None


async def test_a_second_supervisor_is_refused_and_harms_nothing(
    tmp_path: Path, make_supervisor: MakeSupervisor
) -> None:
    first, second = make_supervisor("a"), make_supervisor("b")
    await first.start()
    (pid,) = await begun(tmp_path, 1)
    with pytest.raises(AlreadyRunning, match=rf"\(pid {os.getpid()}\).*`mts down`"):
        await second.start()
    await second.stop()
    assert is_running(pid)
    assert owner_of(tmp_path) == os.getpid()
    assert (tmp_path / "run" / "supervisor.json").exists()


@linux
async def test_processes_end_with_a_supervisor_that_is_killed(
    tmp_path: Path, make_supervisor: MakeSupervisor
) -> None:
    parent = await _own_process(tmp_path, "a", "b")
    pids = await begun(tmp_path, 2)
    assert owner_of(tmp_path) == parent.pid
    parent.kill()
    await parent.wait()
    await gone(*pids)
    assert sorted(name for word, name, _ in events(tmp_path) if word == "end") == ["a", "b"]
    assert owner_of(tmp_path) is None


@linux
async def test_the_next_supervisor_waits_until_the_old_processes_have_ended(
    tmp_path: Path, make_supervisor: MakeSupervisor
) -> None:
    parent = await _own_process(tmp_path, "a")
    (old,) = await begun(tmp_path, 1)
    os.kill(old, signal.SIGSTOP)  # it can not end yet
    parent.kill()
    await parent.wait()
    successor = make_supervisor("a")
    starting = asyncio.create_task(successor.start())
    done, _ = await asyncio.wait({starting}, timeout=0.3)
    assert (done, successor.pid_of("a")) == (set(), None)
    os.kill(old, signal.SIGCONT)
    await starting
    assert (await begun(tmp_path, 2))[-1] == successor.pid_of("a")
    assert [word for word, *_ in events(tmp_path)] == ["begin", "end", "begin"]
