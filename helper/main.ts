/** The helper: what `npm start` runs, the same as `plexus start`. */
import './shims.ts'
import { runCommandLine } from './command-line.ts'

await runCommandLine(['start', ...process.argv.slice(2)])
