import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAgent } from '../../src/agent/node.ts'
import { serveRelay } from '../support/http-relay.ts'
import { TinyRelay } from '../support/tiny-relay.ts'
import { agentContract } from './agent.ts'
import { deskOf, METERS, tokenOf } from './agent-kit.ts'

agentContract({
  name: 'agent on Node, over HTTP',
  ...{ plain: 'process', strict: 'power', keeps: true, shares: true, hearsNetwork: false },
  async open() {
    const folder = mkdtempSync(join(tmpdir(), 'metertap-agent-'))
    const desk = deskOf(new TinyRelay())
    const { url, close } = await serveRelay(desk.fetch)
    return {
      relay: desk,
      start: async (wishes = {}) =>
        createAgent({ relay: url, token: () => tokenOf(wishes.account), meters: METERS, folder, ...wishes }),
      async end() {
        await close()
        rmSync(folder, { recursive: true })
      },
    }
  },
})
