#!/usr/bin/env node
import { main } from './relay/cli/main.ts'
import { VERSION } from './relay/version.ts'

await main({
  argv: process.argv.slice(2),
  version: VERSION,
  canRunTypeScript: Boolean(process.features.typescript),
  clock: Date.now,
  fetch,
  environment: process.env,
  errStream: process.stderr,
  writeOut: (text) => process.stdout.write(text),
  writeErr: (text) => process.stderr.write(text),
  onSignal: (handler) => {
    process.on('SIGTERM', handler)
    process.on('SIGINT', handler)
  },
  exit: (code) => process.exit(code),
})
