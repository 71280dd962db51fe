import type { FieldSource, MeterRoute } from '../contract.ts'

/** One field of the event definition. */
export interface DefinedField {
  readonly name: string
  readonly type: 'String' | 'Integer' | 'Number' | 'Boolean' | 'DateTime' | 'unknown'
  /** What the relay puts there. */
  readonly source: string
}

/** What the forwarder takes a Deduplicator to remember unless the route says otherwise. */
const DEFAULT_WINDOW_DAYS = 30

const OWN_TYPES: Readonly<Record<string, DefinedField['type']>> = {
  id: 'String',
  account: 'String',
  device: 'String',
  meter: 'String',
  stream: 'String',
  seq: 'Integer',
  at: 'DateTime',
}

const JSON_TYPES: Readonly<Record<string, DefinedField['type']>> = {
  string: 'String',
  integer: 'Integer',
  number: 'Number',
  boolean: 'Boolean',
}

/** The fields of a route in order, with the types that the relay sends. */
export function definedFields({ meter, upstream }: MeterRoute): DefinedField[] {
  const schema = jsonSchemaOf(meter.schema)
  return Object.entries(upstream.fields).map(([name, source]) => ({
    name,
    type: typeof source === 'function' ? 'unknown' : typeOf(source, schema),
    source: typeof source === 'function' ? 'a function' : source,
  }))
}

/** What a meter needs in Zuora Mediation, as text: its event definition, its Deduplicator, its URL. */
export function meterRecipe(route: MeterRoute): string {
  const { meter, upstream } = route
  const fields = definedFields(route)
  const idField = fields.find(({ source }) => source === 'id')?.name ?? ''
  const timeField = fields.find(({ source }) => source === 'at')?.name
  const widths = { name: width(fields, 'name'), type: width(fields, 'type') }
  const rows = fields.map(
    ({ name, type, source }) =>
      `    ${name.padEnd(widths.name)}  ${type.padEnd(widths.type)}  required   ${source === 'at' ? 'at, as yyyy-MM-ddTHH:mm:ssZ' : source}`,
  )
  return [
    `Meter ${meter.name} → ${upstream.url ?? `the meter with global id ${upstream.meterGlobalId}`}`,
    '  Source: Streaming API with this event definition',
    ...rows,
    `  Event id: ${idField}`,
    `  Event time: ${timeField ?? 'none of the fields is from "at": add one, or late events count at their arrival'}`,
    ...deduplicator(upstream.dedupWindowDays ?? DEFAULT_WINDOW_DAYS, idField),
    ...(fields.some(({ type }) => type === 'unknown')
      ? ['  Types that are unknown here come from a function or a schema without JSON Schema: set what it returns.']
      : []),
    '',
  ].join('\n')
}

function deduplicator(windowDays: number, idField: string): string[] {
  if (windowDays === 0)
    return ['  No Deduplicator (dedupWindowDays is 0): calls in doubt are parked for you to decide.']
  return [
    '  First processor: Deduplicator',
    `    Method: Specific Fields match, on ${idField} alone`,
    '    Reference time: Processing Time (a retry has the same event time, however late it comes)',
    `    Strategy: Rolling Duration of ${windowDays} days, as dedupWindowDays says; no reset on a duplicate`,
  ]
}

function width(fields: readonly DefinedField[], key: 'name' | 'type'): number {
  return Math.max(...fields.map((field) => field[key].length))
}

function typeOf(source: Exclude<FieldSource, (...args: never[]) => unknown>, schema: unknown): DefinedField['type'] {
  if (!source.startsWith('data.')) return OWN_TYPES[source] ?? 'unknown'
  const path = source.split('.').slice(1)
  const found = path.reduce(property, schema) as { type?: unknown; enum?: unknown[]; const?: unknown } | undefined
  const example = found?.const ?? found?.enum?.[0]
  const type = found?.type ?? (example === undefined ? undefined : typeof example)
  return typeof type === 'string' ? (JSON_TYPES[type] ?? 'unknown') : 'unknown'
}

function property(schema: unknown, key: string): unknown {
  const properties = (schema as { properties?: Record<string, unknown> } | undefined)?.properties
  return properties !== undefined && Object.hasOwn(properties, key) ? properties[key] : undefined
}

/** By the Standard JSON Schema interface, where the schema has it. */
function jsonSchemaOf(schema: MeterRoute['meter']['schema']): unknown {
  const standard = schema['~standard'] as { jsonSchema?: { output(options: { target: string }): unknown } }
  try {
    return standard.jsonSchema?.output({ target: 'draft-2020-12' })
  } catch {
    return undefined
  }
}
