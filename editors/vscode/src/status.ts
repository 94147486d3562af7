/** The status bar's item. */

import * as vscode from "vscode";
import { CONFIGURATION } from "./settings";

/** What the server sends as `coder-lsp/status`. */
export interface Status {
  kind: "loading" | "ready" | "off" | "failed";
  message: string;
  percent?: number;
}

const NAME = "Coder LSP";

export class StatusItem implements vscode.Disposable {
  private readonly item = vscode.window.createStatusBarItem(
    "status",
    vscode.StatusBarAlignment.Right,
    100,
  );
  private status: Status = { kind: "loading", message: "" };

  constructor() {
    this.item.name = NAME;
    this.item.command = `${CONFIGURATION}.showMenu`;
    this.show({ kind: "loading", message: "the server is starting" });
    this.item.show();
  }

  get current(): Status {
    return this.status;
  }

  show(status: Status): void {
    this.status = status;
    const percent = status.percent === undefined ? "" : ` ${status.percent.toString()} %`;
    const icon = {
      loading: "loading~spin",
      ready: "sparkle",
      off: "circle-slash",
      failed: "error",
    };
    this.item.text = `$(${icon[status.kind]}) ${NAME}${percent}`;
    this.item.tooltip = inWords(status);
    this.item.accessibilityInformation = { label: inWords(status) };
    this.item.backgroundColor =
      status.kind === "failed" ? new vscode.ThemeColor("statusBarItem.errorBackground") : undefined;
  }

  dispose(): void {
    this.item.dispose();
  }
}

export function inWords({ kind, message }: Status): string {
  const words = { loading: "loading", ready: "ready", off: "off", failed: "failed" }[kind];
  return `${NAME}: ${words}${message && `, ${message}`}`;
}
