from __future__ import annotations

from lsp_server.evaluation.published import CHUNKS_SHOWN, PublishedContext


def test_each_text_is_shown_once_and_no_more_than_five() -> None:
    needle = "needle = haystack.find(thread)\n" * 10
    files = {f"copy_{number}.py": needle + "same = 0\n" for number in range(9)}
    files |= {f"other_{number}.py": needle + f"other = {number}\n" for number in range(9)}
    found = PublishedContext(files).best("main.py", "needle = haystack")
    assert len(found) == len({chunk.text for chunk in found}) == CHUNKS_SHOWN
    assert [chunk.text for chunk in found].count("same = 0\n") == 1


def test_the_file_itself_is_not_shown() -> None:
    retriever = PublishedContext({"a.py": "needle = 1\n", "b.py": "other = 2\n"})
    assert [chunk.path for chunk in retriever.best("a.py", "needle = 1\n")] == ["b.py"]
