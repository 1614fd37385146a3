// The bundles under ../static, built from the sources here: `npm ci --ignore-scripts && npm run build`.
import { build } from "esbuild";

await build({
  entryPoints: { builder: "src/index.tsx" },
  outdir: "../static",
  bundle: true,
  format: "esm",
  platform: "browser",
  target: ["es2022"],
  minify: true,
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
});
