/** Finds the language server, or installs it into a virtual environment of the extension's own. */

import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as vscode from "vscode";
import { isExecutable, onPath, run } from "./process";
import { COMMAND, CONFIGURATION } from "./settings";

const MODULE = ["-m", "lsp_server"];
const IS_NEW_ENOUGH = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))";
const PYTHONS = [
  "python3",
  "python",
  ...[14, 13, 12, 11, 10].map((minor) => `python3.${minor.toString()}`),
];
/** The lines of pip's that say how far it is. */
const TELLING = /^ *(Collecting|Downloading|Building|Installing) /;
/** PyTorch's own index, with builds that leave CUDA out: of some hundred megabytes, not gigabytes. */
const WITHOUT_CUDA = "https://download.pytorch.org/whl/cpu";
declare const TORCH: string; // the server's requirement, put here by build.mjs
const WINDOWS = process.platform === "win32";

/** The server's command line; undefined where there is none. */
export async function findServer(
  context: vscode.ExtensionContext,
  log: vscode.LogOutputChannel,
): Promise<string[] | undefined> {
  const command = vscode.workspace.getConfiguration(CONFIGURATION).get<string[]>(COMMAND, []);
  if (command.length > 0) {
    return command;
  }
  const installed = await onPath("coder-lsp");
  if (installed !== undefined) {
    return [installed];
  }
  if (await isExecutable(ownProgram(context, "coder-lsp"))) {
    if ((await ownVersion(context)) !== version(context)) {
      await installServer(context, log).catch((error: unknown) => {
        log.warn(`the server stays as it is: ${String(error)}`);
      });
    }
    return [ownProgram(context, "coder-lsp")];
  }
  const python = await firstPython(context, [...MODULE, "--version"]);
  return python === undefined ? undefined : [python, ...MODULE];
}

/** Installs the server that comes with this extension, or brings it to the extension's version. */
export async function installServer(
  context: vscode.ExtensionContext,
  log: vscode.LogOutputChannel,
): Promise<void> {
  const title = "Coder LSP: installing the server";
  const location = vscode.ProgressLocation.Notification;
  await vscode.window.withProgress(
    { title, location, cancellable: true },
    async (progress, cancellation) => {
      const onLine = (line: string) => {
        log.info(line);
        if (TELLING.test(line)) {
          progress.report({ message: line.trim().slice(0, 80) });
        }
      };
      try {
        await install(context, onLine, cancellation);
      } catch (error) {
        if (cancellation.isCancellationRequested) {
          throw new vscode.CancellationError();
        }
        const reason = (error as Error).message;
        throw new Error(`the server was not installed: ${reason} (the log has more)`, {
          cause: error,
        });
      }
    },
  );
}

async function install(
  context: vscode.ExtensionContext,
  onLine: (line: string) => void,
  cancellation: vscode.CancellationToken,
): Promise<void> {
  const cwd = await ownFolder(context);
  const environment = ownEnvironment(context);
  const python = ownProgram(context, "python");
  if (!(await isExecutable(python))) {
    const base = await firstPython(context, ["-c", IS_NEW_ENOUGH]);
    if (base === undefined) {
      throw new Error(
        "no Python 3.10 or newer with venv was found. Install it (on Debian and Ubuntu the package " +
          "is python3-venv) and try again, or install coder-lsp yourself and set coder-lsp.command",
      );
    }
    await rm(environment, { recursive: true, force: true });
    await run([base, "-m", "venv", environment], { cwd, onLine, cancellation });
  }
  const folder = context.asAbsolutePath(join("dist", "server"));
  const [wheel = ""] = await readdir(folder);
  const pip = [python, "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar=off"];
  if (process.platform === "linux" && (await onPath("nvidia-smi")) === undefined) {
    const torch = [...pip, "--no-deps", "--retries=0", `--index-url=${WITHOUT_CUDA}`, TORCH];
    await run(torch, { cwd, onLine, cancellation }).catch((error: unknown) => {
      onLine(`${WITHOUT_CUDA}: ${String(error)}`); // then PyPI's, which works as well
    });
  }
  await run([...pip, join(folder, wheel)], { cwd, onLine, cancellation });
  await writeFile(versionFile(context), version(context));
}

/** The first Python that succeeds with these arguments. */
async function firstPython(
  context: vscode.ExtensionContext,
  args: readonly string[],
): Promise<string | undefined> {
  const cwd = await ownFolder(context);
  for (const name of PYTHONS) {
    const python = await onPath(name);
    const works =
      python &&
      run([python, ...args], { cwd }).then(
        () => true,
        () => false,
      );
    if (await works) {
      return python;
    }
  }
  return undefined;
}

/** A folder that holds nothing of the workspace's. */
export async function ownFolder(context: vscode.ExtensionContext): Promise<string> {
  await mkdir(context.globalStorageUri.fsPath, { recursive: true });
  return context.globalStorageUri.fsPath;
}

function ownEnvironment(context: vscode.ExtensionContext): string {
  return join(context.globalStorageUri.fsPath, "server");
}

function ownProgram(context: vscode.ExtensionContext, name: string): string {
  const programs = join(ownEnvironment(context), WINDOWS ? "Scripts" : "bin");
  return join(programs, WINDOWS ? `${name}.exe` : name);
}

function versionFile(context: vscode.ExtensionContext): string {
  return join(ownEnvironment(context), "version");
}

/** The version that was installed; nothing where that did not come to its end. */
async function ownVersion(context: vscode.ExtensionContext): Promise<string> {
  return readFile(versionFile(context), "utf8").catch(() => "");
}

function version(context: vscode.ExtensionContext): string {
  return (context.extension.packageJSON as { version: string }).version;
}
