import type { Meter } from '../meter/contract.ts'
import { MetertapError } from '../wire/errors.ts'

/** What an application says of recording, to whichever createAgent(). */
export interface RecordingOptions {
  /** Every meter that record() may be called with. */
  readonly meters: readonly Meter[]
  /**
   * Opaque tag of the signed-in account, such as a hash of its id. Events are bound to it: those of one tag are never
   * sent under a token asked for by an agent with another. Default ''.
   */
  readonly account?: string
  /** Name of the outbox, shared by all pages of the origin that give the same. Default 'metertap'. */
  readonly outbox?: string
  /** What a stored event survives by default; 'power' syncs the disk for each group. Default 'process'. */
  readonly durability?: 'process' | 'power'
  /**
   * Where an event's data meet their meter's schema. 'record': in record(), which refuses at once what does not fit.
   * 'relay': only there, so that a page that records thousands of events does not pay for their schema, which can cost
   * more than all the rest of record(); what does not fit is stored, sent, and comes back as a dead letter
   * (`invalid_data`), and fields that the schema would leave out travel there, too. Use it where types and tests have
   * already seen to the data. Meters that add events up run their
   * schema in record() all the same: one bad number would spoil a sum. Default 'record'.
   */
  readonly validate?: 'record' | 'relay'
  /** Longest event, JSON bytes. Default 65,536. */
  readonly maxEventBytes?: number
  /** How much may wait in the outbox, bytes of all its agents together. Default 104,857,600. */
  readonly maxOutboxBytes?: number
  /**
   * What gives way when the outbox is full: 'reject-new' refuses record() with `outbox_full`; 'drop-oldest' gives up
   * what has waited longest. Both are counted, and the relay is told. Default 'reject-new'.
   */
  readonly overflow?: 'reject-new' | 'drop-oldest'
}

/** What an application says to createAgent(). */
export interface AgentOptions extends RecordingOptions {
  /** The relay's origin, such as https://usage.acme.com. */
  readonly relay: string
  /** Gives a token for the current user: asks the application's own back end. Called when one is needed, not before. */
  readonly token: () => string | Promise<string>
  /** Longest wait before waiting events are sent, ms. Default 5,000. */
  readonly flushIntervalMs?: number
  /** Events that make a flush begin at once. Default 1,000. */
  readonly flushEvents?: number
  /** Bytes that make a flush begin at once. Default 262,144. */
  readonly flushBytes?: number
  /** Events in one request. Default 2,000. */
  readonly maxBatchEvents?: number
  /** Uncompressed bytes in one request. Default 524,288. */
  readonly maxBatchBytes?: number
  /** Longest wait for the relay's answer, ms. Default 30,000. */
  readonly requestTimeoutMs?: number
}

export type RecordingSettings = Required<Omit<RecordingOptions, 'meters'>> & {
  readonly meters: ReadonlyMap<string, Meter>
}

export type Settings = RecordingSettings & Required<Omit<AgentOptions, keyof RecordingOptions>>

const RECORDING_DEFAULTS = {
  account: '',
  outbox: 'metertap',
  durability: 'process',
  validate: 'record',
  maxEventBytes: 65_536,
  maxOutboxBytes: 104_857_600,
  overflow: 'reject-new',
} as const

const CHOICES: readonly (readonly [name: 'durability' | 'validate' | 'overflow', either: string, or: string])[] = [
  ['durability', 'process', 'power'],
  ['validate', 'record', 'relay'],
  ['overflow', 'reject-new', 'drop-oldest'],
]

export const SENDING_DEFAULTS = {
  flushIntervalMs: 5_000,
  flushEvents: 1_000,
  flushBytes: 262_144,
  maxBatchEvents: 2_000,
  maxBatchBytes: 524_288,
  requestTimeoutMs: 30_000,
} as const

/** The longest delay that timers know. */
const MAX_WHOLE = 2_147_483_647

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= MAX_WHOLE
}

/** @throws MetertapError `bad_option` */
export function refuse(text: string, who: string = 'createAgent'): never {
  throw new MetertapError('bad_option', `${who}: ${text}`)
}

/** @throws MetertapError `bad_option` */
export function relayOrigin(relay: unknown, who?: string): string {
  const url = typeof relay === 'string' && URL.canParse(relay) ? new URL(relay) : undefined
  if (!url || !/^https?:$/.test(url.protocol)) refuse('relay must be an address, such as https://usage.acme.com.', who)
  if (url.username || url.password || url.search || url.hash)
    refuse('relay must not hold a user name, a query or a fragment.', who)
  return url.href.replace(/\/+$/, '')
}

function meterMap(meters: unknown): ReadonlyMap<string, Meter> {
  if (!Array.isArray(meters) || meters.length === 0) refuse('meters must be made by defineMeter(), one at least.')
  const map = new Map<string, Meter>()
  for (const meter of meters as Meter[]) {
    if (typeof meter?.schema?.['~standard']?.validate !== 'function') refuse('meters must be made by defineMeter().')
    if (map.has(meter.name)) refuse(`two meters are called "${meter.name}".`)
    map.set(meter.name, meter)
  }
  return map
}

/**
 * The given options over the defaults, each checked to be of its default's type.
 * @throws MetertapError `bad_option`
 */
export function filledIn<T extends Record<string, unknown>>(options: object | undefined, defaults: T, who?: string): T {
  const given = Object.fromEntries(Object.entries(options ?? {}).filter(([, value]) => value !== undefined))
  const settings = { ...defaults, ...given } as T
  for (const [name, fallback] of Object.entries(defaults)) {
    const value: unknown = settings[name]
    if (typeof fallback === 'number' ? !isWhole(value) : typeof value !== 'string')
      refuse(
        `${name} must be a ${typeof fallback === 'number' ? `whole number from 1 to ${MAX_WHOLE}` : 'string'}.`,
        who,
      )
  }
  return settings
}

/**
 * Options of an agent that only records, with defaults filled in.
 * @throws MetertapError `bad_option` naming the option and what it should be.
 */
export function readRecordingOptions(options: RecordingOptions): RecordingSettings {
  const settings = filledIn(options, RECORDING_DEFAULTS)
  for (const [name, either, or] of CHOICES) {
    if (![either, or].includes(settings[name])) refuse(`${name} must be '${either}' or '${or}'.`)
  }
  return { ...settings, meters: meterMap(options?.meters) }
}

/**
 * Options with defaults filled in.
 * @throws MetertapError `bad_option` naming the option and what it should be.
 */
export function readOptions(options: AgentOptions): Settings {
  if (typeof options?.token !== 'function') refuse('token must be a function that gives a token.')
  const { token } = options
  const recording = readRecordingOptions({ ...options })
  return { ...filledIn(options, SENDING_DEFAULTS), ...recording, token, relay: relayOrigin(options.relay) }
}
