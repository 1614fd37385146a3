// esbuild takes a style sheet that is imported into the bundle's own.
declare module "*.css";
