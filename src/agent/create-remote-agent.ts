import type { RemoteOutbox } from '../outbox/contract.ts'
import type { Agent } from './agent.ts'
import * as extras from './extras.ts'
import { present } from './later.ts'
import { type RecordingOptions, readRecordingOptions } from './options.ts'
import { RemoteSender } from './remote-sender.ts'
import { type AgentParts, RunningAgent } from './running-agent.ts'

export interface RemoteAgentParts extends AgentParts<RemoteOutbox> {
  /** True for an agent that lives as long as one request: it does not look at the outbox unless it is asked to. */
  readonly isBrief?: boolean
}

/**
 * Starts an agent that records into an outbox held, and sent, by somebody else.
 * @throws MetertapError `bad_option` when an option cannot be used.
 */
export function startRemoteAgent(options: RecordingOptions, parts: RemoteAgentParts): Agent {
  const settings = readRecordingOptions(options)
  const { isBrief = false } = parts
  const sending = { accountTag: settings.account, isBrief }
  return new RunningAgent(
    settings,
    parts,
    (given) => new RemoteSender({ ...given, ...sending }),
    present(extras),
    present(extras),
  )
}
