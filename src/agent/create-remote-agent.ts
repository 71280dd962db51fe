import type { RemoteOutbox } from '../outbox/contract.ts'
import type { Agent } from './agent.ts'
import { type RecordingOptions, readRecordingOptions } from './options.ts'
import { RemoteSender } from './remote-sender.ts'
import { type AgentParts, RunningAgent } from './running-agent.ts'

/**
 * Starts an agent that records into an outbox held, and sent, by somebody else.
 * @throws MetertapError `bad_option` when an option cannot be used.
 */
export function startRemoteAgent(options: RecordingOptions, parts: AgentParts<RemoteOutbox>): Agent {
  const settings = readRecordingOptions(options)
  return new RunningAgent(settings, parts, (given) => new RemoteSender({ ...given, accountTag: settings.account }))
}
