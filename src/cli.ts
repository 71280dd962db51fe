#!/usr/bin/env node
import { randomBytes } from 'node:crypto'
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
  loadEnvironment: (file) => process.loadEnvFile(file),
  createSecret: () => randomBytes(32).toString('base64url'),
  writeOut: (text) => process.stdout.write(text),
  writeErr: (text) => process.stderr.write(text),
  onSignal: (handler) => {
    process.on('SIGTERM', handler)
    process.on('SIGINT', handler)
  },
  // Not SIGHUP: a terminal that is closed sends it.
  onRestart: (handler) => void process.on('SIGUSR2', handler),
  exit: (code) => process.exit(code),
})
