// esbuild adds an imported style sheet to the bundle's style sheet.
declare module "*.css";
