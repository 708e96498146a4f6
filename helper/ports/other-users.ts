import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'

/** User ids of people, where the system gives programs those below. */
const LINUX_PEOPLE_FROM = 1_000
const LINUX_PEOPLE_TO = 60_000
const MAC_PEOPLE_FROM = 501
/** Shells that let nobody in. */
const NO_LOGIN = /(?:^|\/)(?:nologin|false|true|sync)$/
/** How long the system may take to answer, in ms. */
const ANSWER_MS = 3_000

/**
 * Names of the people who have an account on this machine beside `uid`; empty also
 * where the system does not say (Windows), or accounts come from a directory elsewhere.
 */
export async function otherUsers(uid: number = process.getuid?.() ?? -1): Promise<readonly string[]> {
  try {
    if (process.platform === 'linux') return peopleIn(await readFile('/etc/passwd', 'utf8'), uid)
    if (process.platform !== 'darwin') return []
    const { stdout } = await promisify(execFile)('dscl', ['.', '-list', '/Users', 'UniqueID'], { timeout: ANSWER_MS })
    return stdout.split('\n').flatMap((line) => {
      const [name = '', id = ''] = line.trim().split(/\s+/)
      return Number(id) >= MAC_PEOPLE_FROM && Number(id) !== uid ? [name] : []
    })
  } catch {
    // a machine that keeps its accounts in another way: nothing is said of it
    return []
  }
}

/** The people of a file as `/etc/passwd` is one: with an id of people and a shell to log in to. */
export function peopleIn(passwd: string, uid: number): string[] {
  return passwd.split('\n').flatMap((line) => {
    const [name = '', , id = '', , , , shell = ''] = line.split(':')
    const isPerson = /^\d+$/.test(id) && Number(id) >= LINUX_PEOPLE_FROM && Number(id) < LINUX_PEOPLE_TO
    return isPerson && Number(id) !== uid && shell !== '' && !NO_LOGIN.test(shell) ? [name] : []
  })
}
