/** Puts the parts together: what is suggested, and whether, the language server decides. */

import * as vscode from "vscode";
import { Commands } from "./commands";
import { Pages } from "./pages";
import { Server } from "./server";
import { CONFIGURATION } from "./settings";
import { StatusItem } from "./status";

let server: Server | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<void> {
  const log = vscode.window.createOutputChannel("Coder LSP", { log: true });
  const status = new StatusItem();
  const pages = new Pages();
  const running = (server = new Server(context, log, status));
  context.subscriptions.push(log, status, pages);
  const commands = new Commands(context, running, status, pages, log);
  const actions = {
    showMenu: () => commands.showMenu(),
    showWhy: () => commands.showWhy(),
    showReceipt: () => commands.showReceipt(),
    showStatistics: () => commands.showStatistics(),
    pickModel: () => commands.pickModel(),
    toggleLanguage: () => commands.toggleLanguage(),
    restart: () => running.restart(),
    showLog: () => commands.showLog(),
    install: () => running.install(),
  };
  for (const [name, action] of Object.entries(actions)) {
    const run = () => action().catch(showError);
    context.subscriptions.push(vscode.commands.registerCommand(`${CONFIGURATION}.${name}`, run));
  }
  context.subscriptions.push(
    vscode.workspace.onDidChangeConfiguration((event) =>
      running.settingsChanged(event).catch(showError),
    ),
    vscode.window.onDidChangeActiveTextEditor(() => running.announceFocus().catch(showError)),
    vscode.window.tabGroups.onDidChangeTabs(() => running.announceFocus().catch(showError)),
  );
  await running.restart().catch(showError);
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}

function showError(error: unknown): void {
  if (!(error instanceof vscode.CancellationError)) {
    const message = error instanceof Error ? error.message : String(error);
    void vscode.window.showErrorMessage(`Coder LSP: ${message}`);
  }
}
