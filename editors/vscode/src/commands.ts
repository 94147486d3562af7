/** What the palette offers: questions to the server, and changes of settings. */

import * as vscode from "vscode";
import { ownFolder } from "./install";
import type { Pages } from "./pages";
import { run } from "./process";
import type { RunOptions } from "./process";
import { isServed } from "./server";
import type { Server } from "./server";
import { change, CONFIGURATION } from "./settings";
import { inWords } from "./status";
import type { StatusItem } from "./status";

const MODEL = "model";
const DISABLED_LANGUAGES = "completion.disabled_languages";

interface Manifest {
  contributes: { commands: { command: string; title: string }[] };
}

/** A row of `coder-lsp models list --json`. */
interface Model {
  name: string;
  installed: boolean;
  bytes: number;
  licence: string | null;
}

export class Commands {
  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly server: Server,
    private readonly status: StatusItem,
    private readonly pages: Pages,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  /** How things stand, and everything else that can be done. */
  async showMenu(): Promise<void> {
    const now = this.status.current;
    if (!this.server.isInstalled) {
      this.server.offerToInstall();
      return;
    }
    if (now.kind === "failed") {
      await this.showFailure(inWords(now));
      return;
    }
    const manifest = this.context.extension.packageJSON as Manifest;
    const items = manifest.contributes.commands
      .filter(({ command }) => !command.endsWith(".showMenu"))
      .map(({ command, title }) => ({ label: title, command }));
    const placeHolder = inWords(now);
    const choice = await vscode.window.showQuickPick(items, { placeHolder });
    await (choice && vscode.commands.executeCommand(choice.command));
  }

  async showWhy(): Promise<void> {
    const words = await this.server.execute<string>("coder-lsp.why", documentInFront());
    await this.pages.show("Why This Suggestion, or None", words);
  }

  async showReceipt(): Promise<void> {
    const uri = documentInFront();
    const [receipt] = await this.server.execute<{ text: string }[]>("coder-lsp.receipt", uri);
    await (receipt ? this.pages.show("Prompt Receipt", receipt.text) : this.showWhy());
  }

  async showStatistics(): Promise<void> {
    await this.pages.show("Statistics", await this.shell(["stats"]));
  }

  async pickModel(): Promise<void> {
    const models = JSON.parse(await this.shell(["models", "list", "--json"])) as Model[];
    const current = vscode.workspace.getConfiguration(CONFIGURATION).get<string | null>(MODEL);
    const mark = (isCurrent: boolean) => (isCurrent ? "$(check) " : "");
    const byHardware = { label: `${mark(!current)}Chosen by the hardware`, model: undefined };
    const items = models.map((model) => ({
      label: mark(model.name === current) + model.name,
      description: facts(model),
      model,
    }));
    const choice = await vscode.window.showQuickPick([byHardware, ...items], {
      placeHolder: "The model that suggests; one that is not installed is downloaded first",
    });
    if (choice?.model && !choice.model.installed) {
      await this.download(choice.model);
    }
    if (choice) {
      await change(MODEL, choice.model?.name);
    }
  }

  /** Suggests nothing any more in files of the language in front, or suggests there again. */
  async toggleLanguage(): Promise<void> {
    const language = vscode.window.activeTextEditor?.document.languageId;
    if (language === undefined) {
      throw new Error("open a file of the language first");
    }
    const configuration = vscode.workspace.getConfiguration(CONFIGURATION);
    const disabled = configuration.get<string[]>(DISABLED_LANGUAGES, []);
    const others = disabled.filter((each) => each !== language);
    const isListed = others.length < disabled.length;
    if (this.status.current.kind === "off" && !isListed) {
      throw new Error(`this file is off for another reason: ${this.status.current.message}`);
    }
    const changed = isListed ? others : [...others, language];
    await change(DISABLED_LANGUAGES, changed.length > 0 ? changed : undefined);
  }

  /** The server's own log; what the editor knows where there is none. */
  async showLog(): Promise<void> {
    try {
      const file = await this.server.execute<string>("coder-lsp.log");
      const document = await vscode.workspace.openTextDocument(vscode.Uri.file(file));
      const end = document.lineAt(document.lineCount - 1).range;
      await vscode.window.showTextDocument(document, { selection: end });
    } catch {
      this.log.show();
    }
  }

  private async showFailure(message: string): Promise<void> {
    const [log, restart] = ["Show Log", "Restart Server"];
    const choice = await vscode.window.showErrorMessage(message, log, restart);
    if (choice === log) {
      await this.showLog();
    } else if (choice === restart) {
      await this.server.restart();
    }
  }

  private async download({ name }: Model): Promise<void> {
    const title = `Coder LSP: downloading ${name}`;
    const location = vscode.ProgressLocation.Notification;
    await vscode.window.withProgress(
      { title, location, cancellable: true },
      async (progress, cancellation) => {
        const onLine = (message: string) => {
          progress.report({ message });
        };
        await this.shell(["models", "pull", name], { onLine, cancellation });
      },
    );
  }

  /** What one of the shell's commands prints. Where there is no server, offers to install it. */
  private async shell(args: string[], options?: Omit<RunOptions, "cwd">): Promise<string> {
    if (!this.server.isInstalled) {
      this.server.offerToInstall();
      throw new vscode.CancellationError();
    }
    return run(this.server.shell(...args), { cwd: await ownFolder(this.context), ...options });
  }
}

/** The document in front, if it is one that the server knows. */
function documentInFront(): string | null {
  const document = vscode.window.activeTextEditor?.document;
  return document && isServed(document) ? document.uri.toString() : null;
}

function facts({ installed, bytes, licence }: Model): string {
  const size = `${(bytes / 1e9).toFixed(1)} GB`;
  return [size, installed ? "installed" : "not installed", licence ?? ""]
    .filter(Boolean)
    .join(" · ");
}
