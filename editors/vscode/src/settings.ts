/** The settings that the user made; the defaults, and what they mean, are the server's. */

import * as vscode from "vscode";

export const CONFIGURATION = "coder-lsp";
/** The extension's own setting: how the server is started. */
export const COMMAND = "command";

interface Manifest {
  contributes: { configuration: { properties: Record<string, unknown> } };
}

/** What is set somewhere, by the server's names. A default would outdo the user's config.toml. */
export function serverSettings(extension: vscode.Extension<unknown>): Record<string, unknown> {
  const manifest = extension.packageJSON as Manifest;
  const configuration = vscode.workspace.getConfiguration(CONFIGURATION);
  const made: Record<string, unknown> = {};
  for (const property of Object.keys(manifest.contributes.configuration.properties)) {
    const name = property.slice(CONFIGURATION.length + 1);
    const set = configuration.inspect(name);
    const value = set?.workspaceFolderValue ?? set?.workspaceValue ?? set?.globalValue;
    if (name !== COMMAND && value !== undefined) {
      made[name] = value;
    }
  }
  return made;
}

/** Changes a setting where it is set, else for the user. `undefined` takes it back. */
export async function change(name: string, value: unknown): Promise<void> {
  const configuration = vscode.workspace.getConfiguration(CONFIGURATION);
  const inWorkspace = configuration.inspect(name)?.workspaceValue !== undefined;
  await configuration.update(name, value, !inWorkspace);
}
