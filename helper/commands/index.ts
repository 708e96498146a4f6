/**
 * The command line: what may be typed, how it is printed, how it ends. Promises one
 * JSON document with `--json` and exit codes 0, 1 and 2. Knows the helper only by
 * the local API; running it is the composition root's.
 */
export { EXIT, runProgram, type ProgramPorts } from './program.ts'
export { describeTrust } from './trust.ts'
