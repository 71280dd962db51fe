import type { Framework } from './contract.ts'

/** Code that records a first event, by where it runs. */
export interface Lines {
  readonly intro: string
  readonly language: 'ts' | 'tsx'
  readonly code: string
  /** The page that goes on from here. */
  readonly page: string
}

const PAGE = `createAgent({
  relay: 'http://127.0.0.1:8787',
  token: () => fetch('/usage-token').then((answer) => answer.text()),
  meters: [apiCalls],
})`

export const LINES: Readonly<Record<Framework, Lines>> = {
  vanilla: {
    intro: 'In the page',
    language: 'ts',
    page: 'getting-started.md',
    code: `import { createAgent } from 'metertap'
import { apiCalls } from './meters.ts'

const usage = ${PAGE}
usage.record(apiCalls, { feature: 'export', quantity: 1 })
`,
  },
  react: {
    intro: 'Around your components, and in one of them',
    language: 'tsx',
    page: 'getting-started.md',
    code: `import { createAgent } from 'metertap'
import { UsageProvider, useUsage } from 'metertap/react'
import { apiCalls } from './meters.ts'

const createUsage = () => ${PAGE}
export const App = () => <UsageProvider create={createUsage}><Export /></UsageProvider>

function Export() {
  const usage = useUsage()
  return <button onClick={() => usage.record(apiCalls, { feature: 'export', quantity: 1 })}>Export</button>
}
`,
  },
  node: {
    intro: 'In your service, run with node --env-file=.env.relay',
    language: 'ts',
    page: 'getting-started-node.md',
    code: `import { hostname } from 'node:os'
import { createAgent } from 'metertap/node'
import { grantTokens } from 'metertap/grant'
import { apiCalls } from './meters.ts'

const relay = 'http://127.0.0.1:8787'
const secret = process.env.METERTAP_GRANT_SECRET_APP ?? ''
const token = grantTokens({ relay, keyId: 'app', secret, account: 'acct-1', device: hostname(), meters: [apiCalls] })
const usage = createAgent({ folder: './usage-outbox', relay, token, meters: [apiCalls] })
usage.record(apiCalls, { feature: 'export', quantity: 1 })
`,
  },
  worker: {
    intro: 'In your Worker',
    language: 'ts',
    page: 'getting-started-workers.md',
    code: `import { createAgent } from 'metertap/worker'
import { apiCalls } from './meters.ts'

export { UsageOutbox } from 'metertap/worker'
export default {
  fetch(request: Request, env: object, ctx: { waitUntil(promise: Promise<unknown>): void }) {
    const usage = createAgent(env, ctx, { account: 'acct-1', meters: [apiCalls] })
    usage.record(apiCalls, { feature: 'resize', quantity: 1 })
    return new Response('done')
  },
}
`,
  },
  electron: {
    intro: 'In the main process',
    language: 'ts',
    page: 'getting-started-electron.md',
    code: `import { app, ipcMain, net, powerMonitor } from 'electron'
import { createAgent } from 'metertap/electron-main'
import { apiCalls } from './meters.ts'

const usage = createAgent({
  ...{ app, ipcMain, net, powerMonitor, meters: [apiCalls], allowedOrigins: ['app://acme'] },
  relay: 'http://127.0.0.1:8787',
  token: () => net.fetch('http://127.0.0.1:3000/usage-token').then((answer) => answer.text()),
})
usage.record(apiCalls, { feature: 'export', quantity: 1 })
`,
  },
}
