/** The running language server: started, restarted, and told what the user does. */

import * as vscode from "vscode";
import { LanguageClient, State } from "vscode-languageclient/node";
import type { StaticFeature } from "vscode-languageclient/node";
import { findServer, installServer, ownFolder } from "./install";
import { COMMAND, CONFIGURATION, serverSettings } from "./settings";
import type { Status, StatusItem } from "./status";

const SELECTOR = [{ scheme: "file" }, { scheme: "untitled" }];
const WANTS_STATUS: StaticFeature = {
  fillClientCapabilities: (capabilities) => {
    const others = capabilities.experimental as object | undefined;
    capabilities.experimental = { ...others, coderLspStatus: true };
  },
  initialize: () => undefined,
  getState: () => ({ kind: "static" }),
  clear: () => undefined,
};
/** Longest that a server may take to answer `initialize`, in milliseconds. */
const LONGEST_START = 60_000;
const LONGEST_TAB_CHANGE = 100;

export class Server {
  private client: LanguageClient | undefined;
  private commandLine: string[] = [];
  private latestStart = new AbortController();
  private queue = Promise.resolve();
  private initialSettings: Record<string, unknown> = {};
  private inFront: string | undefined;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly log: vscode.LogOutputChannel,
    private readonly status: StatusItem,
  ) {}

  /** Starts the server, in place of the one that runs; where there is none, offers to install it. */
  async restart(): Promise<void> {
    const start = this.supersede();
    await this.inTurn(async () => {
      await this.end();
      this.status.show({ kind: "loading", message: "the server is starting" });
      const found = await findServer(this.context, this.log);
      const cwd = await ownFolder(this.context);
      if (start.signal.aborted) {
        return; // the settings have changed meanwhile
      }
      this.commandLine = found ?? [];
      if (found === undefined) {
        this.status.show({ kind: "failed", message: "the server is not installed" });
        this.offerToInstall();
        return;
      }
      this.client = this.makeClient(found, cwd);
      await this.begin(this.client, start);
    });
  }

  /** Installs the server that comes with the extension, and starts it. */
  async install(): Promise<void> {
    const before = this.status.current;
    this.status.show({ kind: "loading", message: "the server is being installed" });
    try {
      await installServer(this.context, this.log);
    } catch (error) {
      this.status.show(before);
      throw error;
    }
    await this.restart();
  }

  /** Ends the server, if it runs. */
  async stop(): Promise<void> {
    this.supersede();
    await this.inTurn(() => this.end());
  }

  offerToInstall(): void {
    const question =
      "Coder LSP: the server is not installed. Install it, with PyTorch, into a virtual " +
      "environment of this extension's own?";
    void vscode.window
      .showInformationMessage(question, "Install")
      .then((choice) => choice && vscode.commands.executeCommand(`${CONFIGURATION}.install`));
  }

  get isInstalled(): boolean {
    return this.commandLine.length > 0;
  }

  /** The result of one of the server's commands. Throws where it does not run. */
  async execute<T>(command: string, ...args: unknown[]): Promise<T> {
    if (this.client?.state !== State.Running) {
      throw new Error(`the server does not run: ${this.status.current.message}`);
    }
    return this.client.sendRequest<T>("workspace/executeCommand", { command, arguments: args });
  }

  /** The command line of one of the shell's commands, such as `models list`. */
  shell(...args: string[]): string[] {
    return [...this.commandLine, ...args];
  }

  async settingsChanged(event: vscode.ConfigurationChangeEvent): Promise<void> {
    if (event.affectsConfiguration(`${CONFIGURATION}.${COMMAND}`)) {
      await this.restart();
    } else if (event.affectsConfiguration(CONFIGURATION) && this.client?.state === State.Running) {
      const settings = serverSettings(this.context.extension);
      if (Object.keys(this.initialSettings).some((name) => !(name in settings))) {
        await this.restart(); // what it was given at its start, it keeps
      } else {
        const changed = { settings: { [CONFIGURATION]: settings } };
        await this.client.sendNotification("workspace/didChangeConfiguration", changed);
      }
    }
  }

  /** Tells which document came to the front; none where that is not one that the server knows. */
  async announceFocus(): Promise<void> {
    if (isBetweenTabs()) {
      await new Promise((resolve) => setTimeout(resolve, LONGEST_TAB_CHANGE));
    }
    if (this.client?.state === State.Running) {
      const document = vscode.window.activeTextEditor?.document;
      const converter = this.client.code2ProtocolConverter;
      const uri = document && isServed(document) ? converter.asUri(document.uri) : "";
      if (uri !== this.inFront) {
        this.inFront = uri;
        await this.client.sendNotification("textDocument/didFocus", { textDocument: { uri } });
      }
    }
  }

  private async inTurn(action: () => Promise<void>): Promise<void> {
    const done = this.queue.then(action);
    this.queue = done.catch(() => undefined);
    await done;
  }

  /** A new start, in place of the one that goes on or waits for its turn. */
  private supersede(): AbortController {
    this.latestStart.abort();
    return (this.latestStart = new AbortController());
  }

  /** Starts a client; ends its program where that does not answer in time, or `start` is aborted. */
  private async begin(client: LanguageClient, start: AbortController): Promise<void> {
    const aborted = new Promise<never>((_, reject) => {
      start.signal.addEventListener("abort", () => {
        reject(start.signal.reason as Error);
      });
    });
    const tooLong = setTimeout(() => {
      const reason = "the server does not answer; is the setting coder-lsp.command right?";
      start.abort(new Error(reason));
    }, LONGEST_START);
    try {
      await Promise.race([client.start(), aborted]);
    } catch (error) {
      if (start.signal.aborted) {
        await this.end();
      }
      // Other failures the client shows as well.
      this.status.show({ kind: "failed", message: (error as Error).message });
    } finally {
      clearTimeout(tooLong);
    }
  }

  private async end(): Promise<void> {
    const client = this.client;
    this.client = undefined;
    if (client?.state === State.Running) {
      await client.dispose().catch((error: unknown) => {
        this.log.warn(String(error));
      });
    } else if (client?.state === State.Starting) {
      abandon(client);
    }
  }

  private makeClient([command = "", ...args]: string[], cwd: string): LanguageClient {
    const options = { cwd };
    const client = new LanguageClient(
      CONFIGURATION,
      "Coder LSP",
      { command, args, options },
      {
        documentSelector: SELECTOR,
        outputChannel: this.log,
        initializationOptions: () =>
          (this.initialSettings = serverSettings(this.context.extension)),
      },
    );
    client.registerFeature(WANTS_STATUS);
    client.onNotification("coder-lsp/status", (status: Status) => {
      this.status.show(status);
    });
    client.onDidChangeState(({ newState }) => {
      if (client === this.client) {
        this.stateChanged(newState).catch((error: unknown) => {
          this.log.warn(String(error));
        });
      }
    });
    return client;
  }

  private async stateChanged(state: State): Promise<void> {
    if (state === State.Running) {
      this.inFront = undefined;
      await this.announceFocus();
    } else if (state === State.Starting) {
      this.status.show({ kind: "loading", message: "the server is starting" });
    } else {
      this.status.show({ kind: "failed", message: "the server has ended" });
    }
  }
}

/** Ends the program of a client that has not started, which cannot be stopped as others are. */
function abandon(client: LanguageClient): void {
  const program = client.serverProcess;
  // Else the client would complain of the end to the user, and start it again.
  program?.stdin?.removeAllListeners("close");
  program?.stdout?.removeAllListeners("close");
  program?.kill();
  // It may come up at just this moment.
  void client.start().then(
    () => client.dispose().catch(() => undefined),
    () => undefined,
  );
}

/** Whether a text's tab is in front without its editor: for a moment when tabs are changed, and as long
 * as it cannot be shown as text. */
function isBetweenTabs(): boolean {
  const tab = vscode.window.tabGroups.activeTabGroup.activeTab;
  return vscode.window.activeTextEditor === undefined && tab?.input instanceof vscode.TabInputText;
}

/** Whether the server is told of a document. */
export function isServed(document: vscode.TextDocument): boolean {
  return vscode.languages.match(SELECTOR, document) > 0;
}
