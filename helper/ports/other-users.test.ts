import { expect, test } from 'vitest'
import { peopleIn } from './other-users.ts'

const PASSWD = `root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
ann:x:1000:1000:Ann,,,:/home/ann:/bin/bash
ben:x:1001:1001::/home/ben:/usr/bin/zsh
service:x:1002:1002::/srv:/usr/sbin/nologin
locked:x:1003:1003::/home/locked:/bin/false
nobody:x:65534:65534:nobody:/nonexistent:/bin/bash
odd line
::::
`

test.each([
  [1000, ['ben']],
  [1001, ['ann']],
  [0, ['ann', 'ben']],
])('the other people of a machine are those who can log in, seen by %i', (uid, names) => {
  expect(peopleIn(PASSWD, uid)).toEqual(names)
})
