/**
 * Opens the page in the browser of this machine. Promises that the link's secret
 * is on no command line and in no log, and leaves no file behind. Knows nothing of
 * how links are made.
 */
export { launchProgram, openLink, redirectPage, type OpenedLink, type OpeningPorts } from './open-link.ts'
