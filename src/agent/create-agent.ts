import type { Outbox } from '../outbox/contract.ts'
import type { Agent } from './agent.ts'
import * as extras from './extras.ts'
import { present } from './later.ts'
import { type AgentOptions, readOptions } from './options.ts'
import { type AgentParts, RunningAgent } from './running-agent.ts'
import { Sender } from './sender.ts'

/**
 * Starts an agent that sends its outbox itself, on the given parts.
 * @throws MetertapError `bad_option` when an option cannot be used.
 */
export function startAgent(options: AgentOptions, parts: AgentParts<Outbox>): Agent {
  const settings = readOptions(options)
  return new RunningAgent(
    settings,
    parts,
    (given) => new Sender({ ...given, settings }),
    present(extras),
    present(extras),
  )
}
