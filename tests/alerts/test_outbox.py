import asyncio
import contextlib
import logging
import sqlite3
from pathlib import Path

import msgspec
import pytest

from alerts.receiver import PATH, TOKEN, Post, in_turn, receiver, silence, status
from alerts.sending import DAY, Sending, hook, rows_on_disk
from alerts.told import alert
from budgetd.alerts.backoff import ATTEMPTS, DELAYS, HOUR, MINUTE
from budgetd.alerts.channels.channel import Message, Verdict
from budgetd.alerts.channels.make import MAKE, Make
from budgetd.alerts.settings import ChannelSection
from budgetd.ledger.schema import INSERT_ALERT
from ledger.rows import T0, on_disk

OK, DOWN = status(200), status(503)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


# what goes out


async def test_an_alert_reaches_every_channel_with_one_id(path: Path) -> None:
    async with receiver() as one, receiver() as two, Sending(path, hook("a", one), hook("b", two)) as it:
        it.fire()
        (first,), (second,) = await one.has(1), await two.has(1)
        await it.until(lambda: it.states("a") == it.states("b") == ["delivered"])
        assert first.id == second.id == it.rows()[0]["message_id"]
        assert first.body == second.body == it.rows()[0]["body"].encode()
        assert (first.document["id"], first.document["event"]) == (first.id, "fired")
        assert it.delivered == ["a", "b"] or it.delivered == ["b", "a"]


async def test_a_channel_is_told_what_it_wants_to_hear(path: Path) -> None:
    async with receiver() as there:
        channels = (
            hook("critical", there, severity="critical"),
            hook("caps", there, severity="info", rules=["cap"]),
            hook("quick", there, severity="info", resolved=False),
            hook("off", there, enabled=False),
        )
        async with Sending(path, *channels) as it:
            it.fire(severity="warning")
            it.fire(severity="critical")
            it.fire(rule="cap", severity="info")
            it.fire("resolved", rule="cap", severity="critical", resolved_at=T0)
            await it.quiet()
            told = {
                channel: [row["alert_id"] for row in it.rows(channel)]
                for channel in ["critical", "caps", "quick", "off"]
            }
    assert told == {"critical": [2, 4], "caps": [3, 4], "quick": [1, 2, 3], "off": []}


async def test_word_of_an_alert_is_on_record_with_it_or_not_at_all(path: Path) -> None:
    async with receiver() as there, Sending(path, hook("a", there)) as it:
        it.fire()
        assert (
            on_disk(path, "select count(*) from alerts")
            == on_disk(path, "select count(*) from outbox")
            == [(0,)]
        )
        it.ledger.flush()
        assert (
            on_disk(path, "select count(*) from alerts")
            == on_disk(path, "select count(*) from outbox")
            == [(1,)]
        )
        await there.has(1)


async def test_nothing_is_sent_before_it_is_on_record(path: Path) -> None:
    async def look(post: Post):
        seen.append([row["message_id"] for row in rows_on_disk(path)] == [post.id])
        return await OK(post)

    seen: list[bool] = []
    async with receiver(look) as there, Sending(path, hook("a", there)) as it:
        it.fire()
        await there.has(1)
        await it.quiet()
    assert seen == [True]


async def test_the_short_form_is_a_channel_too(path: Path) -> None:
    async with receiver() as there:
        it = Sending(path)
        it.short_form = there.url
        async with it:
            it.fire()
            await there.has(1)
            (channel,) = it.outbox.channels()
            assert (channel.name, channel.kind, channel.severity) == ("alert_webhook", "webhook", "warning")


async def test_a_message_that_cannot_be_read_any_more_holds_up_no_other(path: Path) -> None:
    async with receiver(in_turn(status(404), OK)) as there, Sending(path, hook("a", there)) as it:
        await it.outbox.stop()
        it.fire()
        it.ledger.write("update outbox set body = 'rubbish'")
        await it.restart()
        await there.has(1)
        it.fire()
        await it.until(lambda: "delivered" in it.states("a"))


# trying again


async def test_a_failing_message_is_tried_on_schedule_and_then_given_up(path: Path) -> None:
    async with receiver(DOWN) as there, Sending(path, hook("a", there)) as it:
        it.fire()
        await it.quiet()
        for attempt, delay in enumerate(DELAYS[1:], 2):
            (row,) = it.rows()
            assert row["due_at"] == it.now + delay * it.chance
            await it.pass_time(delay * it.chance - 1)
            assert len(there.posts) == attempt - 1
            await it.pass_time(1)
            assert len(there.posts) == attempt
        (row,) = it.rows()
        assert (row["state"], row["attempts"], row["error"]) == ("dead", ATTEMPTS, "answered 503")
        assert it.failed == [("a", "answered 503")]
        assert len({post.id for post in there.posts}) == 1
        assert len({post.headers["webhook-timestamp"] for post in there.posts}) == ATTEMPTS
        await it.pass_time(30 * DAY)
        assert len(there.posts) == ATTEMPTS


async def test_the_time_that_a_receiver_asks_for_is_given(path: Path) -> None:
    busy = status(429, Retry_After="3600")
    async with receiver(in_turn(busy, OK)) as there, Sending(path, hook("a", there)) as it:
        it.fire()
        await it.quiet()
        await it.pass_time(3599)
        assert len(there.posts) == 1
        await it.pass_time(1)
        assert it.states("a") == ["delivered"]
        (row,) = it.rows()
        assert (row["attempts"], row["error"], row["delivered_at"]) == (2, "", it.now)


async def test_first_attempts_keep_their_order_and_a_failing_message_holds_up_no_other(path: Path) -> None:
    async def odd_fail(post: Post):
        return await (DOWN if post.alert_id % 2 else OK)(post)

    async with receiver(odd_fail) as there, Sending(path, hook("a", there)) as it:
        ids = [it.fire() for _ in range(20)]
        await it.quiet()
        assert [post.alert_id for post in there.posts] == ids
        assert it.states("a") == ["pending", "delivered"] * 10
        there.answer = OK
        await it.pass_time(MINUTE)
        assert it.states("a") == ["delivered"] * 20


async def test_a_new_alert_goes_before_those_that_failed(path: Path) -> None:
    async with receiver(DOWN) as there, Sending(path, hook("a", there)) as it:
        failing = [it.fire() for _ in range(3)]
        await it.quiet()
        there.posts.clear()
        it.now += MINUTE
        new = it.fire()
        await it.quiet()
        assert [post.alert_id for post in there.posts] == [new, *failing]


async def test_a_channel_that_hangs_holds_up_no_other(path: Path) -> None:
    async with (
        receiver(silence) as stuck,
        receiver() as well,
        Sending(path, hook("stuck", stuck, timeout_seconds=60), hook("well", well)) as it,
    ):
        it.fire()
        it.fire()
        await it.until(lambda: it.states("well") == ["delivered", "delivered"])
        assert len(stuck.posts) <= 1


async def test_a_clock_that_was_set_back_puts_nothing_off(path: Path) -> None:
    async with receiver(in_turn(DOWN, OK)) as there, Sending(path, hook("a", there)) as it:
        it.now = T0 + 365 * DAY
        it.fire()
        await it.quiet()
        it.now = T0
        it.outbox.wake()
        await it.until(lambda: it.states("a") == ["delivered"])


async def test_a_channel_that_stumbles_over_itself_is_tried_again(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        target = "broken"
        attempts = 0

        async def deliver(self, message: Message, now: float) -> Verdict:
            self.attempts += 1
            raise RuntimeError(TOKEN)

    broken = Broken()
    make: dict[str, Make] = {**MAKE, "desktop": lambda section: broken}
    async with Sending(path, ChannelSection(name="screen", kind="desktop"), make=make) as it:
        it.fire()
        await it.quiet()
        await it.pass_time(5)
        assert broken.attempts == 2
        assert it.rows()[0]["error"] == "budgetd stumbled over it: RuntimeError"
        (outcome,) = await it.outbox.test()
        assert (outcome.delivered, outcome.detail) == (False, "budgetd stumbled over it: RuntimeError")
    assert TOKEN not in caplog.text


async def test_word_goes_out_though_the_disk_is_full(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiver() as there, Sending(path, hook("a", there)) as it:

        def full(*, everything: bool) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(it.ledger, "_transact", full)
            it.fire()
            await there.has(1)
            await it.until(lambda: it.delivered)
        assert it.states("a") == ["delivered"]
        assert len(there.posts) == 1


# a restart, a kill


async def test_a_restart_goes_on_where_it_was(path: Path) -> None:
    async with receiver(in_turn(OK, DOWN)) as there, Sending(path, hook("a", there)) as it:
        it.fire()
        it.fire()
        await it.quiet()
        before = it.rows()
        await it.restart()
        await it.pass_time(1)
        assert it.rows() == before
        assert len(there.posts) == 2
        there.answer = OK
        await it.pass_time(5)
        assert it.states("a") == ["delivered", "delivered"]
        assert [post.alert_id for post in there.posts] == [1, 2, 2]


async def test_what_a_kill_cut_off_is_sent_again_with_the_same_id_and_first(path: Path) -> None:
    async with receiver(silence) as there, Sending(path, hook("a", there)) as it:
        it.fire()
        it.fire()
        await there.has(1)
        await it.kill()
        there.answer = OK
        it.open()
        await it.until(lambda: it.states("a") == ["delivered", "delivered"])
        assert [post.alert_id for post in there.posts] == [1, 1, 2]
        assert there.posts[0].id == there.posts[1].id


async def test_a_stop_gives_an_attempt_time_to_end(path: Path) -> None:
    going = asyncio.Event()

    async def slow(post: Post):
        await going.wait()
        return await OK(post)

    async with receiver(slow) as there, Sending(path, hook("a", there)) as it:
        it.fire()
        it.fire()
        await there.has(1)
        stopping = asyncio.create_task(it.outbox.stop())
        await asyncio.sleep(0)
        going.set()
        await stopping
        assert it.states("a") == ["delivered", "pending"]
        it.outbox.configure(it.settings)


# given up, and sent again


async def test_what_was_given_up_on_is_sent_again_when_asked(path: Path) -> None:
    async with (
        receiver(status(404, "who?")) as there,
        receiver() as other,
        Sending(path, hook("a", there), hook("b", other)) as it,
    ):
        it.fire()
        it.fire()
        await it.quiet()
        assert it.states("a") == ["dead", "dead"]
        assert it.rows("a")[0]["error"] == "answered 404: who?"
        there.answer = OK
        assert it.outbox.redeliver("b") == 0
        assert it.outbox.redeliver("a") == 2
        await it.quiet()
        assert it.states("a") == ["delivered", "delivered"]
        assert [post.alert_id for post in there.posts] == [1, 2, 1, 2]
        assert there.posts[0].id == there.posts[2].id
        assert len(other.posts) == 2
        assert it.outbox.redeliver() == 0


async def test_a_receiver_that_was_down_for_a_day_gets_everything_when_asked(path: Path) -> None:
    async with receiver(DOWN) as there, Sending(path, hook("a", there)) as it:
        it.chance = 0.999
        for _ in range(24):
            it.fire()
            for _ in range(4):
                await it.pass_time(HOUR / 4)
        assert "dead" in it.states("a")
        assert "pending" in it.states("a")
        there.answer = OK
        there.posts.clear()
        await it.pass_time(DAY)
        it.outbox.redeliver()
        await it.quiet()
        assert it.states("a") == ["delivered"] * 24
        assert sorted(post.alert_id for post in there.posts) == [*range(1, 25)]


async def die(it: Sending, count: int = 1) -> list[int]:
    """Alerts whose messages are given up on for lack of an answer."""
    ids = [it.fire() for _ in range(count)]
    for delay in DELAYS:
        await it.pass_time(delay)
    return ids


async def test_once_a_channel_answers_what_was_given_up_on_is_tried_again_by_itself_and_after_what_is_new(
    path: Path,
) -> None:
    async with receiver(DOWN) as there, Sending(path, hook("a", there)) as it:
        dead = await die(it, 3)
        assert it.states("a") == ["dead"] * 3
        there.answer = OK
        await it.pass_time(2 * DAY)
        assert it.states("a") == ["dead"] * 3
        there.posts.clear()
        new = [it.fire(), it.fire()]
        await it.quiet()
        assert it.states("a") == ["delivered"] * 5
        assert [post.alert_id for post in there.posts] == [*new, *dead]
        assert {row["attempts"] for row in it.rows()[:3]} == {ATTEMPTS + 1}


async def test_a_message_has_two_rounds_of_attempts_by_itself_and_no_more(path: Path) -> None:
    async def refuse_the_first(post: Post):
        return await (DOWN if post.alert_id == 1 else OK)(post)

    async with receiver(refuse_the_first) as there, Sending(path, hook("a", there)) as it:
        await die(it)
        for _ in range(5):
            it.fire()
            for delay in DELAYS:
                await it.pass_time(delay)
        assert it.states("a") == ["dead"] + ["delivered"] * 5
        assert len([post for post in there.posts if post.alert_id == 1]) == 2 * ATTEMPTS
        assert it.failed == [("a", "answered 503")] * 2
        there.answer = OK
        assert it.outbox.redeliver("a") == 1
        await it.quiet()
        assert it.states("a") == ["delivered"] * 6


async def test_another_round_is_for_what_was_not_answered_in_the_last_three_days(path: Path) -> None:
    async with receiver(DOWN) as there, Sending(path, hook("a", there)) as it:
        await die(it)
        await it.pass_time(3 * DAY)
        await die(it)
        there.answer = status(404)
        it.fire()
        await it.quiet()
        await it.restart()
        there.answer = OK
        it.fire()
        await it.quiet()
        assert it.states("a") == ["dead", "delivered", "dead", "delivered"]


async def test_what_was_refused_at_its_last_attempt_does_not_get_another_round(path: Path) -> None:
    answers = [DOWN] * (ATTEMPTS - 1) + [status(404), OK]
    async with receiver(in_turn(*answers)) as there, Sending(path, hook("a", there)) as it:
        await die(it)
        it.fire()
        await it.quiet()
        assert it.states("a") == ["dead", "delivered"]
        assert it.rows()[0]["attempts"] == ATTEMPTS


async def test_a_test_that_arrives_tells_that_a_channel_answers_again(path: Path) -> None:
    async with receiver(DOWN) as there, Sending(path, hook("a", there)) as it:
        await die(it)
        await it.outbox.test()
        assert it.states("a") == ["dead", "dead"]
        there.answer = OK
        await it.outbox.test()
        await it.quiet()
        assert it.states("a") == ["delivered", "dead", "delivered"]


async def test_what_was_delivered_or_given_up_on_is_let_go_of_after_ninety_days(path: Path) -> None:
    async with receiver() as there, receiver(status(404)) as lost:
        channels = hook("a", there), hook("b", lost, rules=["cap"])
        async with Sending(path, *channels) as it:
            it.fire(rule="cap")
            it.fire(rule="cap")
            it.fire()
            await it.quiet()
            await it.pass_time(89 * DAY)
            there.answer = DOWN
            it.fire()
            await it.pass_time(2 * DAY)
            assert [(row["channel"], row["alert_id"]) for row in it.rows()] == [
                ("a", 1), ("b", 1), ("a", 2), ("b", 2), ("a", 3), ("a", 4)
            ]  # fmt: skip
            it.fire()
            await it.restart()
            assert [(row["channel"], row["alert_id"]) for row in it.rows()] == [
                ("b", 2), ("a", 4), ("a", 5)
            ]  # fmt: skip


async def test_a_quiet_channel_still_tells_when_it_delivered_last(path: Path) -> None:
    async with receiver() as there, Sending(path, hook("a", there)) as it:
        it.fire()
        await it.quiet()
        it.now += 200 * DAY
        await it.restart()
        assert it.outbox.channels()[0].delivered_at == T0


async def test_there_is_nothing_to_send_again_to_a_channel_that_is_not_there(path: Path) -> None:
    async with receiver() as there, Sending(path, hook("off", there, enabled=False)) as it:
        for name in ("off", "never"):
            with pytest.raises(KeyError):
                it.outbox.redeliver(name)
        assert it.outbox.redeliver() == 0


# 410


async def test_410_disables_a_channel_until_a_person_enables_it(path: Path) -> None:
    async with (
        receiver(in_turn(DOWN, status(410, "moved away"))) as there,
        Sending(path, hook("a", there)) as it,
    ):
        it.fire()
        await it.quiet()
        it.fire()
        await it.quiet()
        assert it.states("a") == ["dead", "dead"]
        assert it.failed == [("a", "answered 410: moved away")]
        await it.restart()
        it.fire()
        await it.pass_time(DAY)
        assert len(there.posts) == 2
        (channel,) = it.outbox.channels()
        assert (channel.disabled_at, channel.disabled_reason) == (T0, "answered 410: moved away")
        assert it.states("a") == ["dead"] * 3
        assert it.rows()[2]["error"] == "the channel is disabled: answered 410: moved away"

        there.answer = OK
        assert it.outbox.redeliver("a") == 3
        await it.quiet()
        assert it.states("a") == ["delivered"] * 3
        assert it.outbox.channels()[0].disabled_at is None
        await it.restart()
        assert it.outbox.channels()[0].disabled_at is None


@pytest.mark.parametrize("restarted", [False, True])
async def test_another_url_enables_a_channel(path: Path, restarted: bool) -> None:
    async with receiver(status(410)) as gone, receiver() as new, Sending(path, hook("a", gone)) as it:
        it.fire()
        await it.quiet()
        it.configure(hook("a", gone, timeout_seconds=3))
        assert it.outbox.channels()[0].disabled_at is not None
        it.settings = msgspec.structs.replace(it.settings, channels=[hook("a", new)])
        if restarted:
            await it.restart()
        else:
            it.configure(hook("a", new))
        assert it.outbox.channels()[0].disabled_at is None
        it.fire()
        await it.quiet()
        assert [post.alert_id for post in new.posts] == [2]
        assert on_disk(path, "select count(*) from channels") == [(0,)]


# fallbacks


async def test_a_fallback_gets_a_message_that_failed_so_often_once_and_with_its_id(path: Path) -> None:
    async with (
        receiver(DOWN) as down,
        receiver() as spare,
        Sending(
            path, hook("a", down, fallback="b", fallback_after=3), hook("b", spare, severity="critical")
        ) as it,
    ):
        it.fire()
        await it.quiet()
        await it.pass_time(5)
        assert spare.posts == []
        await it.pass_time(5 * MINUTE)
        (post,) = await spare.has(1)
        assert post.id == down.posts[0].id
        assert post.body == down.posts[0].body
        for _ in range(10):
            await it.pass_time(12 * HOUR)
        assert len(spare.posts) == 1
        assert it.states("a") == ["dead"]
        (row,) = it.rows("b")
        assert (row["alert_id"], row["event"], row["state"]) == (1, "fired", "delivered")


async def test_a_fallback_gets_at_once_what_is_given_up_at_once(path: Path) -> None:
    async with (
        receiver(status(301)) as moved,
        receiver() as spare,
        Sending(path, hook("a", moved, fallback="b"), hook("b", spare, severity="critical")) as it,
    ):
        it.fire()
        (post,) = await spare.has(1)
        assert post.id == moved.posts[0].id


async def test_while_a_channel_is_disabled_its_fallback_gets_everything(path: Path) -> None:
    async with receiver(status(410)) as gone, receiver() as spare:
        channels = hook("a", gone, fallback="b"), hook("b", spare, severity="critical")
        async with Sending(path, *channels) as it:
            it.fire()
            await it.quiet()
            it.fire()
            await it.restart()
            it.fire()
            await it.quiet()
            assert [post.alert_id for post in spare.posts] == [1, 2, 3]


async def test_a_fallback_that_has_the_message_already_does_not_get_it_twice(path: Path) -> None:
    async with (
        receiver(status(404)) as lost,
        receiver() as spare,
        Sending(path, hook("a", lost, fallback="b"), hook("b", spare)) as it,
    ):
        for _ in range(5):
            it.fire()
        await it.quiet()
        assert it.states("a") == ["dead"] * 5
        assert len(it.rows("b")) == len(spare.posts) == 5


async def test_fallbacks_are_followed_to_the_last(path: Path) -> None:
    async with receiver(status(404)) as lost, receiver(status(410)) as gone, receiver() as spare:
        more = {"severity": "critical"}
        channels = (
            hook("a", lost, fallback="b"),
            hook("b", gone, fallback="c", **more),
            hook("c", spare, **more),
        )
        async with Sending(path, *channels) as it:
            it.fire()
            it.fire()
            await it.quiet()
            assert [post.alert_id for post in spare.posts] == [1, 2]


# other channels in force


async def test_what_waits_for_a_channel_that_is_gone_is_given_up_on_and_kept(path: Path) -> None:
    async with receiver(DOWN) as there, Sending(path, hook("a", there)) as it:
        for takes_away, why in (
            (lambda: it.configure(), "the channel is not configured any more"),
            (lambda: it.configure(hook("a", there, enabled=False)), "the channel is switched off"),
            (lambda: it.configure(hook("a", there), enabled=False), "[alerts] says enabled = false"),
        ):
            there.answer = DOWN
            it.fire()
            await it.quiet()
            takes_away()
            it.fire()
            assert it.states("a")[-1] == "dead"
            assert it.rows("a")[-1]["error"] == why
            there.answer = OK
            it.configure(hook("a", there))
            assert it.outbox.redeliver("a") == 1
            await it.quiet()
        assert it.states("a") == ["delivered"] * 3
    assert it.failed == []


async def test_channels_are_swapped_while_a_message_is_under_way(path: Path) -> None:
    going = asyncio.Event()

    async def slow(post: Post):
        await going.wait()
        return await DOWN(post)

    async with receiver(slow) as old, receiver() as new, Sending(path, hook("a", old)) as it:
        it.fire()
        await old.has(1)
        it.configure(hook("b", new), hook("a", new))
        it.fire()
        going.set()
        await it.quiet()
        await it.pass_time(5)
        assert it.states("a") == ["delivered", "delivered"]
        assert it.states("b") == ["delivered"]
        assert len(old.posts) == 1
        assert [channel.name for channel in it.outbox.channels()] == ["b", "a"]


# a channel that fails is news, but not to itself


async def test_word_that_a_channel_fails_does_not_go_to_that_channel(path: Path) -> None:
    async with receiver() as one, receiver() as two, Sending(path, hook("a", one), hook("b", two)) as it:
        it.fire(rule="delivery", subject="a")
        await it.quiet()
        assert (len(one.posts), len(two.posts)) == (0, 1)


async def test_a_failure_to_tell_of_a_failure_is_no_news(path: Path) -> None:
    async with receiver(status(404)) as there, Sending(path, hook("a", there)) as it:
        it.fire(rule="delivery", subject="b")
        await it.quiet()
        assert it.states("a") == ["dead"]
        assert it.failed == []


# tests of channels


async def test_a_test_is_sent_to_one_or_all_and_says_what_happened(path: Path) -> None:
    async with receiver() as well, receiver(status(403, "no")) as wrong:
        channels = (
            hook("well", well, severity="critical"),
            hook("wrong", wrong),
            hook("off", well, enabled=False),
        )
        async with Sending(path, *channels) as it:
            outcomes = await it.outbox.test()
            assert [msgspec.structs.astuple(each) for each in outcomes] == [
                ("well", True, "answered 200"),
                ("wrong", False, "answered 403: no"),
            ]
            (off,) = await it.outbox.test("off")
            assert off.delivered
            with pytest.raises(KeyError):
                await it.outbox.test("never")
            assert well.posts[0].document["alert"]["rule"] == "test"
            assert [(row["event"], row["state"]) for row in it.rows("wrong")] == [("test", "dead")]
            assert it.outbox.redeliver() == 0
            assert [channel.dead for channel in it.outbox.channels()] == [0, 0, 0]
            assert it.failed == []
            assert it.delivered == ["well"]


async def test_a_test_of_a_disabled_channel_says_how_to_enable_it(path: Path) -> None:
    async with receiver(in_turn(status(410), OK)) as there, Sending(path, hook("a", there)) as it:
        it.fire()
        await it.quiet()
        (outcome,) = await it.outbox.test("a")
        assert outcome.delivered
        assert outcome.detail == "answered 200; it stays disabled until `budgetd alerts redeliver a`"


# how it stands


async def test_channels_and_deliveries_are_shown_as_they_stand(path: Path) -> None:
    async with receiver(in_turn(OK, DOWN)) as there, Sending(path, hook("a", there, severity="info")) as it:
        it.fire()
        it.fire()
        await it.quiet()
        (channel,) = it.outbox.channels()
        assert channel.target == there.url.removesuffix(PATH)
        assert (channel.severity, channel.pending, channel.dead) == ("info", 1, 0)
        assert (channel.delivered_at, channel.error) == (T0, "answered 503")
        newest, oldest = it.outbox.deliveries()
        assert (newest.alert_id, newest.state, newest.attempts) == (2, "pending", 1)
        assert (newest.due_at, newest.error) == (T0 + 2.5, "answered 503")
        assert (oldest.state, oldest.delivered_at) == ("delivered", T0)
        assert [each.id for each in it.outbox.deliveries(alert_id=1)] == [oldest.id]
        there.answer = OK
        await it.pass_time(5)
        assert it.outbox.channels()[0].error == ""


async def test_no_token_is_logged_kept_or_shown(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def tell(post: Post):
        return await status(404, f"{post.path} is not here")(post)

    caplog.set_level(logging.DEBUG)
    async with receiver(tell) as lost, receiver(DOWN) as down, receiver(status(410)) as gone:
        it = Sending(path, hook("a", lost, fallback="b"), hook("b", down), hook("c", gone))
        it.short_form = f"http://127.0.0.1:1/{TOKEN}"
        async with it:
            it.fire()
            await it.quiet()
            await it.outbox.test()
            shown = [repr(it.outbox.channels()), repr(it.outbox.deliveries()), repr(it.failed)]
            it.ledger.flush()
            with contextlib.closing(sqlite3.connect(path)) as db:
                kept = "\n".join(db.iterdump())
    assert dict(it.failed) == {"a": "answered 404: … is not here", "c": "answered 410"}
    for text in (caplog.text, kept, *shown):
        assert TOKEN not in text


def test_an_alert_can_be_put_where_no_channel_is(path: Path) -> None:
    async def run() -> None:
        async with Sending(path) as it:
            it.ledger.add(INSERT_ALERT, msgspec.structs.astuple(alert(1)))
            it.outbox.put(alert(1), "fired", T0)
            assert it.rows() == []

    asyncio.run(run())
