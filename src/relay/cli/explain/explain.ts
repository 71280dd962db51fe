import { AGENT_ERRORS } from './agent-errors.ts'
import type { Explanation } from './contract.ts'
import { LANE_HOLDS } from './lane-holds.ts'
import { RELAY_PROBLEMS } from './relay-problems.ts'
import { VERDICTS } from './verdicts.ts'

interface Chapter {
  readonly title: string
  readonly codes: Readonly<Record<string, Explanation>>
}

const CHAPTERS: readonly Chapter[] = [
  { title: 'Errors of an agent', codes: AGENT_ERRORS },
  { title: 'Refusals of a whole request', codes: RELAY_PROBLEMS },
  { title: 'Verdicts on one event', codes: VERDICTS },
  { title: 'Holds of a lane', codes: LANE_HOLDS },
]

/** What a code means, wherever it occurs; undefined for an unknown one. */
export function explain(code: string): string | undefined {
  const found = CHAPTERS.flatMap(({ title, codes }) => {
    const known = Object.hasOwn(codes, code) ? codes[code] : undefined
    return known ? [`${code}  (${title.toLowerCase()})\n  ${known.cause}\n  → ${known.fix}\n`] : []
  })
  return found.length > 0 ? found.join('\n') : undefined
}

/** Every code, for the list that `metertap explain` gives without one. */
export function allCodes(): string {
  return CHAPTERS.map(({ title, codes }) => `${title}\n  ${Object.keys(codes).join(', ')}\n`).join('\n')
}

/** The catalogue as a page. */
export function toMarkdown(): string {
  const chapters = CHAPTERS.map(({ title, codes }) => {
    const rows = Object.entries(codes).map(([code, { cause, fix }]) => `| \`${code}\` | ${cause} | ${fix} |`)
    return `## ${title}\n\n| code | cause | what to do |\n|---|---|---|\n${rows.join('\n')}\n`
  })
  return `# Error codes

Every error, refusal and dead letter of metertap has a \`code\`. \`npx metertap explain CODE\` prints its line of this page.

${chapters.join('\n')}`
}
