from __future__ import annotations

from collections.abc import Iterator

import pytest

from lsp_server.endpoints import STATE_VARIABLE


@pytest.fixture(autouse=True, scope="session")
def own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing that runs in tests is found by the user's own processes, or counted as theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STATE_VARIABLE, str(tmp_path_factory.mktemp("state")))
        yield
