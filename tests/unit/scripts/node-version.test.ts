import { expect, test } from 'vitest'
import { nodeTooOld } from '../../../scripts/lib/node-version.mjs'

test.each(['16.20.2', '18.20.8', '20.0.0', '20.18.3'])(
  'Node %s is too old, and the sentence says which is needed',
  (version) => {
    expect(nodeTooOld(version)).toContain('Node 20.19 or later')
    expect(nodeTooOld(version)).toContain(version)
  },
)

test.each(['20.19.0', '20.20.2', '22.12.0', '24.1.0', '26.0.0'])('Node %s is new enough', (version) => {
  expect(nodeTooOld(version)).toBeUndefined()
})
