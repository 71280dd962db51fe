/**
 * What a page loads at once. Each piece exports those before it too, though nobody asks for it there: what several pieces
 * need, some bundlers put into one file for each set of pieces that need it, and a page would begin with four files, each
 * compressed by itself.
 */
export { defineMeter } from '../meter/define-meter.ts'
export { createAgent } from './browser.ts'
