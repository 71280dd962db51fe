import type { Bar, Chart } from '../contract.ts'
import { figure } from './format.ts'

const WIDTH = 760
const LABEL_WIDTH = 250
const TEXT_WIDTH = 110
const BAR_HEIGHT = 18
const ROW_HEIGHT = 26
const HEAD_HEIGHT = 44
/** Ours, and others': told apart by lightness too. */
const COLORS = { highlight: '#0f6fde', plain: '#9aa7b5' }

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}

/** Length of each bar as a share of the longest. By powers of ten the shortest still shows. */
export function barShares(values: readonly number[], isLog = false): number[] {
  const max = Math.max(...values)
  if (!(max > 0)) return values.map(() => 0)
  if (!isLog) return values.map((value) => Math.max(0, value) / max)
  const floor = 10 ** Math.floor(Math.log10(Math.min(...values.filter((value) => value > 0))) - 0.001)
  const span = Math.log10(max / floor)
  return values.map((value) => (value > 0 ? Math.log10(value / floor) / span : 0))
}

function row({ label, value, text = figure(value), highlight = false }: Bar, share: number, nth: number): string {
  const y = HEAD_HEIGHT + nth * ROW_HEIGHT
  const width = Math.max(1, Math.round(share * (WIDTH - LABEL_WIDTH - TEXT_WIDTH)))
  const weight = highlight ? ' font-weight="600"' : ''
  const baseline = y + BAR_HEIGHT - 5
  return [
    `<text x="${LABEL_WIDTH - 10}" y="${baseline}" text-anchor="end"${weight}>${escapeXml(label)}</text>`,
    `<rect x="${LABEL_WIDTH}" y="${y}" width="${width}" height="${BAR_HEIGHT}" rx="2" fill="${highlight ? COLORS.highlight : COLORS.plain}"/>`,
    `<text x="${LABEL_WIDTH + width + 8}" y="${baseline}"${weight}>${escapeXml(text)}</text>`,
  ].join('\n')
}

/** A picture of a few bars, on white: it looks the same on a dark page. */
export function chartSvg({ title, unit, bars, isLog = false }: Chart): string {
  const shares = barShares(
    bars.map(({ value }) => value),
    isLog,
  )
  const height = HEAD_HEIGHT + bars.length * ROW_HEIGHT + 8
  const scale = isLog ? `${unit}, by powers of ten` : unit
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escapeXml(title)}" font-family="system-ui, sans-serif" font-size="13" fill="#1b2530">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="12" y="24" font-size="15" font-weight="600">${escapeXml(title)}</text>`,
    `<text x="${WIDTH - 12}" y="24" text-anchor="end" fill="#5b6875">${escapeXml(scale)}</text>`,
    ...bars.map((bar, nth) => row(bar, shares[nth] ?? 0, nth)),
    '</svg>',
    '',
  ].join('\n')
}
