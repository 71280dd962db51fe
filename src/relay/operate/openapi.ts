import { $ZodType, toJSONSchema } from 'zod/v4/core'
import { problem, wireAnswer, wireBatch } from '../../wire/contract.ts'
import { PROBLEMS, type ProblemCode } from '../problem.ts'
import { AGENT_PATHS } from './openapi-agents.ts'
import { ADMIN_PATHS } from './openapi-operator.ts'
import type { Operation } from './openapi-parts.ts'

export interface ApiDescription {
  readonly openapi: '3.1.0'
  readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly [key: string]: unknown
}

/** The OpenAPI 3.1 description of the agents' or the operator's API, made from the schemas that the code itself uses. */
export function openApi(api: 'agents' | 'operator', about: { url: string; version: string }): ApiDescription {
  const paths = api === 'agents' ? AGENT_PATHS : ADMIN_PATHS
  return {
    openapi: '3.1.0',
    info: {
      title: api === 'agents' ? 'metertap relay' : 'metertap relay, operator',
      version: about.version,
      description: 'Every refusal is application/problem+json (RFC 9457) with a stable code.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: about.url }],
    paths: Object.fromEntries(
      Object.entries(paths).map(([path, methods]) => [
        path,
        Object.fromEntries(Object.entries(methods).map(([method, operation]) => [method, describe(operation)])),
      ]),
    ),
    components: {
      schemas: {
        Batch: toSchema(wireBatch),
        Answer: toSchema(wireAnswer),
        Problem: toSchema(problem),
      },
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
    },
  }
}

function toSchema(schema: $ZodType): Record<string, unknown> {
  const { $schema: _, ...rest } = toJSONSchema(schema, { io: 'input' })
  return rest
}

function describe({ id, summary, isOpen, parameters, body, answer, problems }: Operation): Record<string, unknown> {
  return {
    operationId: id,
    summary,
    ...(isOpen ? {} : { security: [{ bearer: [] }] }),
    ...(parameters === undefined ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: { required: true, content: content(body) } }),
    responses: { '200': { description: answer.description, content: content(answer) }, ...problemAnswers(problems) },
  }
}

function content({ type = 'application/json', schema }: { type?: string; schema: unknown }): Record<string, unknown> {
  return { [type]: { schema: schema instanceof $ZodType ? toSchema(schema) : schema } }
}

/** One answer for each status, which names the codes. */
function problemAnswers(codes: readonly ProblemCode[]): Record<string, unknown> {
  const byStatus = Map.groupBy(codes, (code) => String(PROBLEMS[code][0]))
  return Object.fromEntries(
    [...byStatus].map(([status, list]) => [
      status,
      {
        description: list.map((code) => `${code}: ${PROBLEMS[code][1]}.`).join(' '),
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    ]),
  )
}
