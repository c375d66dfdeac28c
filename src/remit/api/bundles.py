"""Routes of bundles: those that have been in force, what differs between two, and how far the next one is."""

from typing import Annotated

from fastapi import APIRouter, Query

from remit.api.answers_bundles import BetweenAnswer, BundleAnswer, BundlesAnswer, ProgressAnswer
from remit.api.guard import ByReader, GuardedRoute, With
from remit.api.moments import instant
from remit.api.requests import BundleName, Limit
from remit.api.views import change_view

router = APIRouter(route_class=GuardedRoute, tags=["bundles"])


@router.get("/bundles")
async def list_bundles(services: With, _: ByReader, limit: Limit = 20) -> BundlesAnswer:
    """The last bundles that were in force, the latest first."""
    return BundlesAnswer(
        items=[
            BundleAnswer(
                bundle=bundle.digest,
                since=instant(bundle.since_ms),
                until=None if bundle.until_ms is None else instant(bundle.until_ms),
                by=bundle.by,
                policies=bundle.policies,
                tools=bundle.tools,
                agents=bundle.agents,
                record=bundle.record,
                records=bundle.records,
            )
            for bundle in await services.runtime.bundles(limit)
        ]
    )


@router.get("/bundles/diff")
async def between(
    services: With,
    _: ByReader,
    before: Annotated[BundleName, Query()],
    after: Annotated[BundleName | None, Query()] = None,
) -> BetweenAnswer:
    """What turns the bundle `before` into `after`, or into the running one."""
    old, new, changes = await services.runtime.between(before, after)
    return BetweenAnswer(before=old, after=new, changes=[change_view(change) for change in changes])


@router.get("/bundles/progress")
async def progress(services: With, _: ByReader) -> ProgressAnswer:
    """How far the bundle is that is being made."""
    progress = services.runtime.progress()
    if progress is None:
        return ProgressAnswer(making=False, done=0, total=0)
    return ProgressAnswer(making=True, done=progress.done, total=progress.total)
