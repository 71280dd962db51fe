export interface ConsoleFile {
  readonly type: string
  readonly text: string
}

/** The page, whole: it loads nothing else. */
export type ConsoleFiles = Readonly<Record<'page.html' | 'page.js' | 'page.css' | 'icon.svg', ConsoleFile>>
