// The bundles under ../static, built from the sources here: `npm ci --ignore-scripts && npm run build`.
// With --tests: the tests, bundled to .tests/ for Node's own test runner.

import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const ROOT = dirname(fileURLToPath(import.meta.url));
const STATIC = join(ROOT, "../static");
const LICENSES = "THIRD_PARTY_LICENSES.txt";
const ENTRIES = { builder: "src/index.tsx", table: "src/table/table.ts", loader: "src/loader.ts" };

/** The folders of the packages that a bundle holds, below this folder; sorted. */
function packagesOf(metafile) {
  const found = Object.keys(metafile.inputs).map(
    (path) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0],
  );
  return [...new Set(found)].filter((folder) => folder !== undefined).sort();
}

/** A package's name, version and the full text of its licence. */
function licenseOf(folder) {
  const about = JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8"));
  const files = readdirSync(join(ROOT, folder))
    .filter((file) => /^(licen[cs]e|copying|notice)([.-].*)?$/i.test(file))
    .sort();
  if (files.length === 0) throw new Error(`${about.name} ships no licence: it may not be bundled`);
  const texts = files.map((file) => readFileSync(join(ROOT, folder, file), "utf8"));
  const lines = texts
    .join("\n\n")
    .split(/\r?\n/)
    .map((line) => line.trimEnd());
  return `${about.name} ${about.version} (${about.license})\n\n${lines.join("\n").trim()}\n`;
}

async function bundles() {
  const { metafile } = await build({
    absWorkingDir: ROOT,
    entryPoints: ENTRIES,
    outdir: STATIC,
    bundle: true,
    format: "esm",
    platform: "browser",
    target: ["es2022"],
    charset: "utf8",
    minify: true,
    jsx: "automatic",
    define: { "process.env.NODE_ENV": '"production"' },
    legalComments: "none",
    banner: { js: `/*! The licences of what is bundled here: ${LICENSES} */` },
    metafile: true,
    logLevel: "warning",
  });
  const licenses = packagesOf(metafile).map(licenseOf);
  const opening =
    "The bundles in this folder hold parts of these packages, under these licences.\n";
  writeFileSync(join(STATIC, LICENSES), [opening, ...licenses].join(`\n${"=".repeat(80)}\n\n`));
}

async function tests() {
  rmSync(join(ROOT, ".tests"), { recursive: true, force: true });
  const names = readdirSync(join(ROOT, "tests")).filter((name) => /\.test\.tsx?$/.test(name));
  await build({
    absWorkingDir: ROOT,
    entryPoints: names.sort().map((name) => `tests/${name}`),
    outdir: ".tests",
    outExtension: { ".js": ".mjs" },
    bundle: true,
    format: "esm",
    platform: "node",
    packages: "external",
    target: ["node18"],
    jsx: "automatic",
    loader: { ".css": "empty" },
    logLevel: "warning",
  });
}

await (process.argv.includes("--tests") ? tests() : bundles());
