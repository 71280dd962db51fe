import { MetertapError } from '../wire/errors.ts'
import type { BridgeSender } from './contract.ts'

export interface SenderRules {
  /**
   * Origins whose pages may record: 'app://acme', 'http://localhost:5173', 'file://' for every file of the machine, or
   * 'file:///opt/acme/app/' for those below a folder. Exact, no wildcards.
   */
  readonly allowedOrigins: readonly string[]
  /** Whether frames inside of pages may, too, each by its own origin. */
  readonly allowSubframes: boolean
}

/** Whether the frame may use the bridge. */
export type SenderCheck = (sender: BridgeSender) => MetertapError | undefined

type Rule = (sender: BridgeSender) => boolean

/** @throws MetertapError `bad_option` for what is no origin. */
export function createSenderCheck({ allowedOrigins, allowSubframes }: SenderRules): SenderCheck {
  if (!Array.isArray(allowedOrigins) || allowedOrigins.length === 0) {
    throw badOrigin(
      "allowedOrigins must list the origins of your pages, such as 'app://acme' or 'file:///opt/acme/app/'.",
    )
  }
  const rules = allowedOrigins.map(ruleOf)
  return (sender) => {
    if (!sender.isMainFrame && !allowSubframes) {
      return notAllowed('Frames inside of a page may not record. Allow them by createAgent({ allowSubframes: true }).')
    }
    if (rules.some((allows) => allows(sender))) return undefined
    const origin = sender.origin.slice(0, 200)
    return notAllowed(`Pages of the origin "${origin}" may not record. Name it in createAgent({ allowedOrigins }).`)
  }
}

function ruleOf(entry: unknown): Rule {
  if (typeof entry !== 'string' || !URL.canParse(entry) || entry.includes('*')) {
    throw badOrigin(
      `allowedOrigins: ${JSON.stringify(entry)} is no origin, such as 'app://acme' or 'file:///opt/acme/app/'.`,
    )
  }
  const url = new URL(entry)
  if (url.protocol === 'file:') return fileRule(url)
  if (url.search || url.hash || url.username || url.pathname.length > 1) {
    throw badOrigin(`allowedOrigins: "${entry}" has more than a scheme and a host. Only file: takes a path.`)
  }
  const origin = entry.replace(/\/$/, '')
  return (sender) => sender.origin === origin
}

/** Files have no origin that would tell them apart: their place does. Chromium calls it 'file://', or 'null' to pages. */
function fileRule(place: URL): Rule {
  return ({ origin, url, isMainFrame }) => {
    if (!URL.canParse(url)) return false
    const { protocol, href } = new URL(url)
    // An opaque origin is what a sandboxed frame has, too.
    const isFile = protocol === 'file:' && (origin === 'file://' || (origin === 'null' && isMainFrame))
    if (!isFile || place.pathname === '/') return isFile
    return place.pathname.endsWith('/') ? href.startsWith(place.href) : withoutQuery(href) === place.href
  }
}

function withoutQuery(href: string): string {
  return href.replace(/[?#].*$/s, '')
}

function badOrigin(text: string): MetertapError {
  return new MetertapError('bad_option', `createAgent: ${text}`)
}

function notAllowed(text: string): MetertapError {
  return new MetertapError('not_allowed', text)
}
