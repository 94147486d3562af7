/** Programs: found on the PATH, and run to their end. */

import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { homedir } from "node:os";
import { delimiter, isAbsolute, join } from "node:path";
import { createInterface } from "node:readline";
import type * as vscode from "vscode";

const WINDOWS = process.platform === "win32";

/**
 * The absolute path of a program, as the PATH has it; never one of the current folder. Where pip and
 * pipx put programs is looked at as well: an editor that was not started from a shell may not know.
 */
export async function onPath(name: string): Promise<string | undefined> {
  const folders = (process.env.PATH ?? "").split(delimiter).filter(isAbsolute);
  for (const folder of [...folders, join(homedir(), ".local", "bin")]) {
    const file = join(folder, WINDOWS ? `${name}.exe` : name);
    if (await isExecutable(file)) {
      return file;
    }
  }
  return undefined;
}

export async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

export interface RunOptions {
  /** The folder to run in. Never the workspace: Python would import from there. */
  cwd: string;
  /** Called with each line of either stream. */
  onLine?: (line: string) => void;
  cancellation?: vscode.CancellationToken;
}

/** What a program writes to stdout; its last word on stderr is the error where it fails. */
export function run(
  [program = "", ...args]: readonly string[],
  options: RunOptions,
): Promise<string> {
  const child = spawn(program, args, { cwd: options.cwd, stdio: ["ignore", "pipe", "pipe"] });
  const cancelled = options.cancellation?.onCancellationRequested(() => child.kill());
  const lines: string[] = [];
  let lastWord = "";
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    options.onLine?.(line);
  });
  createInterface({ input: child.stderr }).on("line", (line) => {
    lastWord = line.trim() || lastWord;
    options.onLine?.(line);
  });
  const ended = new Promise<string>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) {
        resolve(lines.join("\n"));
      } else {
        reject(new Error(lastWord || `${program} ended with ${String(code)}`));
      }
    });
  });
  return ended.finally(() => {
    cancelled?.dispose();
  });
}
