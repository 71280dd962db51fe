#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { main } from './relay/cli/main.ts'

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

await main({
  argv: process.argv.slice(2),
  version,
  canRunTypeScript: Boolean(process.features.typescript),
  clock: Date.now,
  writeOut: (text) => process.stdout.write(text),
  writeErr: (text) => process.stderr.write(text),
  onSignal: (handler) => {
    process.on('SIGTERM', handler)
    process.on('SIGINT', handler)
  },
  exit: (code) => process.exit(code),
})
