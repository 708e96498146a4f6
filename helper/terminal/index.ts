/**
 * Text for people at a terminal: sizes, tables, progress, QR codes. Promises that
 * text from elsewhere cannot drive the terminal. Knows nothing of commands.
 */
export { askSecret, terminalOf } from './ask-secret.ts'
export { readInput } from './read-input.ts'
export { formatBytes, formatDuration, formatTable, printable } from './format.ts'
export { createLogger } from './log.ts'
export { streamOutput, type Output } from './output.ts'
export { createProgressLine, type Progress, type ProgressLine } from './progress.ts'
export { qrText } from './qr.ts'
