import { afterEach, beforeEach, describe, expect } from 'vitest'
import type { Agent } from '../../src/agent/agent.ts'
import { accountContract } from './agent-accounts.ts'
import { controlContract } from './agent-control.ts'
import { deliveryContract } from './agent-delivery.ts'
import type { AgentHome, AgentHomeKind, AgentWishes, RelayDesk } from './agent-kit.ts'
import { recordingContract } from './agent-recording.ts'
import { sharingContract } from './agent-sharing.ts'

export type { AgentHome, AgentHomeKind, AgentWishes, RelayDesk } from './agent-kit.ts'
export { deskOf, METERS, tokenOf } from './agent-kit.ts'

/** What the tests of one part work with. */
export interface AgentBench {
  readonly kind: AgentHomeKind
  readonly home: AgentHome
  readonly relay: RelayDesk
  /** Starts an agent that is closed when its test ends. */
  readonly start: (wishes?: AgentWishes) => Promise<Agent>
}

/**
 * What every agent promises, whatever its runtime: the same tests for each. They need vitest and web APIs alone, and
 * run in real time.
 */
export function agentContract(kind: AgentHomeKind): void {
  describe(kind.name, () => {
    let home: AgentHome
    let agents: Agent[] = []

    beforeEach(async () => {
      home = await kind.open()
    })
    afterEach(async () => {
      await home.relay.setDown(false)
      await Promise.all(agents.map((agent) => agent.close()))
      agents = []
      const conflicts = await home.relay.conflicts()
      await home.end?.()
      expect(conflicts, 'one number, two events').toEqual([])
    })

    const bench: AgentBench = {
      kind,
      get home() {
        return home
      },
      get relay() {
        return home.relay
      },
      async start(wishes) {
        const agent = await home.start(wishes)
        agents.push(agent)
        return agent
      },
    }

    recordingContract(bench)
    deliveryContract(bench)
    controlContract(bench)
    accountContract(bench)
    sharingContract(bench)
  })
}
