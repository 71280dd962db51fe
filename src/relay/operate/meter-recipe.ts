import type { FieldSource, MeterRoute, RelayLimits } from '../contract.ts'

/** One field of the event definition. */
export interface DefinedField {
  readonly name: string
  readonly type: 'String' | 'Integer' | 'Number' | 'Boolean' | 'DateTime' | 'unknown'
  /** What the relay puts there. */
  readonly source: string
}

const DAY_MS = 86_400_000
/** What the upstream keeps, as documented. */
const MAX_WINDOW_DAYS = 60

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
export function meterRecipe(route: MeterRoute, { maxEventAgeMs }: Pick<RelayLimits, 'maxEventAgeMs'>): string {
  const { meter, upstream } = route
  const fields = definedFields(route)
  const idField = fields.find(({ source }) => source === 'id')?.name ?? ''
  const timeField = fields.find(({ source }) => source === 'at')?.name
  const ageDays = Math.ceil(maxEventAgeMs / DAY_MS)
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
    '  First processor: Deduplicator',
    `    Method: Specific Fields match, on ${idField} alone`,
    '    Reference time: Processing Time (a retry has the same event time, however late it comes)',
    `    Strategy: Rolling Duration of ${MAX_WINDOW_DAYS} days; do not reset the window on a duplicate`,
    ...(ageDays > MAX_WINDOW_DAYS
      ? [
          `    Note: limits.maxEventAgeMs lets events of ${ageDays} days in, and Zuora remembers ids for ${MAX_WINDOW_DAYS} days.`,
        ]
      : []),
    ...(fields.some(({ type }) => type === 'unknown')
      ? ['  Types that are unknown here come from a function or a schema without JSON Schema: set what it returns.']
      : []),
    '',
  ].join('\n')
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
