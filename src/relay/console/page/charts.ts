import UPlot from 'uplot'

export interface Series {
  readonly label: string
  /** Name of a colour in page.css, such as '--received'. */
  readonly color: string
  readonly values: readonly number[]
}

export interface ChartData {
  /** s since 1970, ascending. */
  readonly times: readonly number[]
  readonly series: readonly Series[]
}

export interface Chart {
  /** What is drawn, and in words for those who do not see it. */
  show(data: ChartData, alternative: string): void
}

const HEIGHT_PX = 220
const utc = (atS: number): Date => UPlot.tzDate(new Date(atS * 1000), 'Etc/UTC')

/** Draws into `place`, again whenever its width or the colours change. 'stack': bars upon each other. */
export function createChart(place: HTMLElement, kind: 'stack' | 'lines', stepS?: number): Chart {
  let last: ChartData | undefined
  let plot: UPlot | undefined
  place.setAttribute('role', 'img')
  place.setAttribute('aria-label', 'Nothing is drawn yet.')
  const draw = (): void => {
    plot?.destroy()
    if (last !== undefined) plot = new UPlot(options(last), rows(last), place)
  }
  new ResizeObserver(() => plot?.setSize({ width: place.clientWidth, height: HEIGHT_PX })).observe(place)
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw)

  function rows({ times, series }: ChartData): UPlot.AlignedData {
    return [[...times], ...(kind === 'stack' ? stacked(series) : series.map(({ values }) => [...values]))]
  }

  function options({ series }: ChartData): UPlot.Options {
    const style = getComputedStyle(document.documentElement)
    const color = (name: string): string => style.getPropertyValue(name).trim()
    const axis = {
      stroke: color('--chart-ink'),
      font: '12px system-ui, sans-serif',
      grid: { stroke: color('--chart-line'), width: 1 },
      ticks: { stroke: color('--chart-line'), width: 1 },
    }
    // Without room at both ends the first and last bar are cut in half. Asked at each drawing: the times move on.
    const pad = stepS ?? 0
    const range = (): [number, number] => {
      const from = last?.times[0] ?? 0
      return [from - pad, Math.max(last?.times.at(-1) ?? 0, from + MIN_SPAN_S) + pad]
    }
    return {
      ...{ width: place.clientWidth, height: HEIGHT_PX, legend: { show: false }, cursor: { show: false } },
      tzDate: utc,
      scales: { x: { time: true, range }, y: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.1)] } },
      axes: [
        {
          ...axis,
          values: labels(() => last?.times ?? [], stepS),
          ...(stepS === undefined ? {} : { incrs: (stepS === DAY_S ? DAYS : HOURS).map((count) => count * stepS) }),
        },
        { ...axis, size: 64, incrs: WHOLE, values: (_plot, marks) => marks.map((mark) => short.format(mark)) },
      ],
      series: [{}, ...series.map((one, at) => ({ label: one.label, ...look(kind, color(one.color), at) }))],
    }
  }

  return {
    show(data, alternative) {
      place.setAttribute('aria-label', alternative)
      const isSameShape = plot !== undefined && last?.series.length === data.series.length && kind === 'lines'
      last = data
      if (isSameShape) plot?.setData(rows(data))
      else draw()
    },
  }
}

const short = new Intl.NumberFormat('en', { notation: 'compact' })
/** Half an event is none. */
const WHOLE = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat()
const DAY_S = 86_400
const DAYS = [1, 2, 7, 28]
const HOURS = [1, 3, 6, 12, 24]
const MIN_SPAN_S = 30

function labels(times: () => readonly number[], stepS: number | undefined): UPlot.Axis.Values {
  return (_plot, marks) => {
    const shown = times()
    return marks.map((mark) => {
      if (stepS !== undefined && (mark < (shown[0] ?? 0) || mark > (shown.at(-1) ?? 0))) return ''
      const text = new Date(mark * 1000).toISOString()
      return stepS === DAY_S ? text.slice(5, 10) : text.slice(11, stepS === undefined ? 19 : 16)
    })
  }
}

function look(kind: 'stack' | 'lines', color: string, at: number): UPlot.Series {
  // The first is wider: what lies upon it in the same place does not hide it.
  if (kind === 'lines') return { stroke: color, width: at === 0 ? 5 : 2, points: { show: false } }
  const paths = UPlot.paths.bars?.({ size: [0.7, 48], gap: 1 })
  return { stroke: color, fill: color, width: 0, points: { show: false }, ...(paths === undefined ? {} : { paths }) }
}

/** Each row with those behind it under it: the whole is drawn first, the last one in front of all. */
function stacked(series: readonly Series[]): number[][] {
  return series.map(({ values }, from) =>
    values.map((_, at) => series.slice(from).reduce((sum, one) => sum + (one.values[at] ?? 0), 0)),
  )
}

/** What the colours mean. */
export function legend(...entries: readonly (readonly [label: string, name: string])[]): HTMLElement {
  const list = document.createElement('ul')
  list.className = 'legend'
  for (const [label, name] of entries) {
    const entry = document.createElement('li')
    entry.className = name
    entry.textContent = label
    list.append(entry)
  }
  return list
}
