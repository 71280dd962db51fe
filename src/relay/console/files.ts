export interface ConsoleFile {
  readonly type: string
  readonly text: string
}

/** What the page's files are. */
export const CONSOLE_TYPES = {
  'page.html': 'text/html; charset=utf-8',
  'page.js': 'text/javascript; charset=utf-8',
  'page.css': 'text/css; charset=utf-8',
  'icon.svg': 'image/svg+xml',
} as const

export type ConsoleFileName = keyof typeof CONSOLE_TYPES

/** The page, whole: it loads nothing else. */
export type ConsoleFiles = Readonly<Record<ConsoleFileName, ConsoleFile>>
