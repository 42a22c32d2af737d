"""Cancels that a gateway does not take."""

from typing import Any

from fleet_tui.core.tasks.evidence import LostReason, Unknown
from tests.support.fake_gateway import ORDER, FakeGateway, Refuse, at_work


async def test_a_gateway_that_drains_takes_no_cancel_and_its_run_stays_known() -> None:
    gateway = FakeGateway()

    def drains(_params: dict[str, Any]) -> None:
        raise Refuse(code="UNAVAILABLE", details={"reason": "gateway-suspending"})

    gateway.handlers["sessions.abort"] = drains
    async with at_work(gateway) as subject:
        said = await subject.cancel(ORDER)
    assert isinstance(said, Unknown)
    assert said.reason is LostReason.CANNOT_CANCEL


async def test_a_cancel_that_is_refused_for_another_reason_is_unknown() -> None:
    gateway = FakeGateway()

    def refuses(_params: dict[str, Any]) -> None:
        raise Refuse(code="INTERNAL", details={})

    gateway.handlers["sessions.abort"] = refuses
    async with at_work(gateway) as subject:
        said = await subject.cancel(ORDER)
    assert isinstance(said, Unknown)
    assert said.reason is LostReason.REFUSED
