from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.completion.scripted import AT, TEXT, Desk


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """A service with a scripted engine; after the test, none of its generations may be left."""
    desk = Desk(monkeypatch, TEXT, AT)
    yield desk
    await desk.service.close()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in left if "Generation" in repr(task)]
