import type { StandardSchemaV1 } from '@standard-schema/spec'

/**
 * A named kind of billable usage and the schema that its events' data must fit.
 * The schema is any Standard Schema (https://standardschema.dev): zod, valibot, arktype, …
 * Its output must be JSON and must itself pass the schema, since the relay checks it again.
 */
export interface Meter<Name extends string = string, Schema extends StandardSchemaV1 = StandardSchemaV1> {
  /** 1 to 64 letters, digits, `_`, `.` or `-`, starting with a letter. */
  readonly name: Name
  /** What checks each event's data, in the agent and again in the relay. */
  readonly schema: Schema
  /** As given to defineMeter(). */
  readonly options: MeterOptions
}

/** How a meter's events are kept and sent. */
export interface MeterOptions {
  /** 'power' asks that each event of this meter survives a power cut (slower: the disk is synced). Default 'process'. */
  readonly durability?: 'process' | 'power'
  /** Adds events up within a window and sends one for each window and combination of `by`. Default: none. */
  readonly aggregate?: Aggregate
}

/**
 * A roll-up for hot counters. The names of `sum` and `by` must cover every field that the schema requires: the summed
 * event has these fields and no others, and its time is its window's start.
 */
export interface Aggregate {
  /** Length of a window, ms, from 1,000 to 86,400,000; windows begin at multiples of it since 1970 (UTC). */
  readonly windowMs: number
  /** Fields that are added up; they must be finite numbers. */
  readonly sum: readonly string[]
  /** Fields that keep events apart; they must be strings, numbers, booleans or null. Default: none. */
  readonly by?: readonly string[]
}

/** What record() takes for a meter. */
export type MeterInput<M extends Meter> = StandardSchemaV1.InferInput<M['schema']>
/** What is stored and sent: the schema's output. */
export type MeterOutput<M extends Meter> = StandardSchemaV1.InferOutput<M['schema']>

/** The event id, `<stream>-<seq>`: unique for ever, and the one unique field that goes upstream. */
export function eventId(stream: string, seq: number): string {
  return `${stream}-${seq}`
}

/** Names of meters: they become object keys, lanes and metric labels, so they stay plain. */
export const METER_NAME: RegExp = /^[a-z][a-z0-9_.-]{0,63}$/i
/** Streams are lower-case UUIDs; agents make version 7 ones. */
export const STREAM_ID: RegExp = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
