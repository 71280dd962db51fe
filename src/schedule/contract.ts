/** Why a flush began. */
export type FlushReason =
  | 'interval'
  | 'count'
  | 'bytes'
  | 'online'
  | 'visible'
  | 'hidden'
  | 'pagehide'
  | 'freeze'
  | 'manual'
  | 'retry'
  | 'resume'
  | 'leader'
  | 'peer'
  | 'close'

/** Why nothing is sent. Any string may be a reason of the application's own; these are the agent's. */
export type PauseReason =
  | 'consent'
  | 'offline'
  | 'hold'
  | 'auth'
  | 'refused'
  | 'prerendering'
  | 'closed'
  | (string & {})
