/** Bundles the extension, and puts beside it the licences of what is in the bundle, and the server. */

import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const [torch] = /(?<=")torch[^"]*(?=")/.exec(readFileSync("../../pyproject.toml", "utf8"));
rmSync("dist", { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.js",
  bundle: true,
  minify: true,
  platform: "node",
  target: "node20",
  external: ["vscode"],
  define: { TORCH: JSON.stringify(torch) },
  metafile: true,
});
writeFileSync("dist/licenses.txt", licences(Object.keys(metafile.inputs)));
const python = ["python3", "python"].find(
  (name) => spawnSync(name, ["-m", "pip", "--version"]).status === 0,
);
if (python === undefined) {
  throw new Error("neither python3 nor python is on the PATH with pip: install them");
}
const pip = ["-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"];
execFileSync(python, [...pip, "--wheel-dir", "dist/server", "../.."], { stdio: "inherit" });

function licences(inputs) {
  const packages = inputs.flatMap(
    (file) => /^.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(file)?.[0] ?? [],
  );
  const texts = [...new Set(packages)].sort().map((folder) => {
    const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
    return `${folder.replace("node_modules/", "")}\n\n${readFileSync(`${folder}/${file}`, "utf8")}`;
  });
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}
