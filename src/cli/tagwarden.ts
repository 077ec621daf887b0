#!/usr/bin/env node
// Nothing is imported before the version is known, so that a Node that is too old gets this line and no stack trace.
const NEEDED = 24;
const major = Number(process.versions.node.split(".")[0]);
if (major < NEEDED) {
  process.stderr.write(
    `tagwarden needs Node ${NEEDED} or newer; this is ${process.version}. In a checkout, npm ci brings one: use npx tagwarden or npm start.\n`,
  );
  process.exit(4);
}
// Compiled code is kept in the temporary folder: the AWS SDK alone takes a tenth of a second to compile.
const { enableCompileCache } = await import("node:module");
enableCompileCache();
const { hastenImports } = await import("./quick-imports.ts");
hastenImports();
const { run } = await import("./program.ts");
await run(process.argv.slice(2));
