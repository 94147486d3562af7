"""Makes the picture of ghost text for the extension's README: real VS Code, real default model.

python -m tests.editors.vscode_screenshot
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from . import install_vscode
from .vscode import VSCode

PICTURE = install_vscode.EXTENSION / "images" / "ghost-text.png"
BEFORE = '''\
class Basket:
    """What a customer wants to buy."""

    def __init__(self) -> None:
        self.items: dict[str, int] = {}

    def add(self, name: str, count: int = 1) -> None:
        """Put so many of an article into the basket."""
        self.items[name] = self.items.get(name, 0) + count

'''
TYPED = '''\
    def remove(self, name: str, count: int = 1) -> None:
"""Take so many of an article out of the basket."""
'''


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "shop" / "basket.py"
        file.parent.mkdir()
        file.write_text(BEFORE)
        command = [
            "/usr/bin/env",
            f"CODER_LSP_STATE={folder}/model-server",
            str(Path(sys.executable).with_name("coder-lsp")),
        ]
        editor = VSCode(
            playwright,
            install_vscode.vscode(),
            install_vscode.extension(),
            Path(folder),
            {"XDG_DATA_HOME": str(Path.home() / ".local" / "share")},
        )
        try:
            editor.page.set_viewport_size({"width": 900, "height": 500})
            editor.open(file, {"coder-lsp.command": command})
            editor.wait(lambda: editor.status()[0] == "ready", "the model is ready", 120)
            editor.page.keyboard.type(TYPED, delay=50)
            editor.wait(editor.ghost, "ghost text")
            PICTURE.parent.mkdir(exist_ok=True)
            editor.page.screenshot(path=PICTURE)
        finally:
            editor.close()
            subprocess.run([*command, "model-server", "--stop"], check=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size} bytes")


if __name__ == "__main__":
    main()
